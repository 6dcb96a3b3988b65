"""Parser of HTTP/1.1 responses with fixed limits, on top of h11. Pure.

h11 implements the rules of RFC 9110 and RFC 9112. This module limits what h11 does not: the number of interim (1xx)
responses, the size of the body, and the framing around it. The caller limits the time.
"""

from __future__ import annotations

from typing import Final

import h11

__all__ = ["HEAD_BYTES_MAX", "INTERIM_MAX", "MalformedResponse", "ResponseParser"]

HEAD_BYTES_MAX: Final = 64 * 1024
"""Maximum size of status line and headers of one response, including interim responses; also of trailers and of a line
of a chunk."""

INTERIM_MAX: Final = 8
"""Maximum number of interim responses (``100 Continue``, ``103 Early Hints``) before the final one."""

_REQUEST_HEADERS: Final = [("Host", "server"), ("Connection", "keep-alive")]
"""Facts about the request that the parser needs: the connection may be reused."""


class MalformedResponse(Exception):
    """The bytes are not a usable response; the connection is unusable from here on."""


class ResponseParser:
    """Parser of the response to one GET, or to one CONNECT if `tunnel` is set (a success then has no body).

    `feed` takes received bytes and returns whether the response is complete; `status`, `headers` (names in lower case,
    repeated ones joined by ", ") and `body` are valid from then on. A body larger than `body_bytes_max` is malformed.
    """

    def __init__(self, body_bytes_max: int, *, tunnel: bool = False) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self.body = bytearray()
        self.done = False
        """Whether the response is complete."""
        self.reusable = False
        """Whether another request may follow on this connection."""
        self.started = False
        """Whether any byte of a response has arrived."""
        self._body_bytes_max = body_bytes_max
        self._interim = 0
        self._bytes = 0
        self._connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=HEAD_BYTES_MAX)
        self._connection.send(h11.Request(method="CONNECT" if tunnel else "GET", target="/", headers=_REQUEST_HEADERS))
        self._connection.send(h11.EndOfMessage())

    def feed(self, data: bytes) -> bool:
        """Parse received bytes and return `done`; raises `MalformedResponse`."""
        if data:
            self.started = True
            self._bytes += len(data)
            self._parse(data)
            if not self.status and self._bytes > HEAD_BYTES_MAX:
                raise MalformedResponse(f"head over {HEAD_BYTES_MAX} bytes")
            if self._bytes > 2 * (self._body_bytes_max + HEAD_BYTES_MAX):
                raise MalformedResponse("more chunk framing than body")
        return self.done

    def eof(self) -> None:
        """The peer has closed the connection; raises `MalformedResponse` if the response is truncated."""
        if not self.done:
            try:
                self._parse(b"")
            except MalformedResponse:
                raise MalformedResponse("the connection ended before the answer was complete") from None
        self.reusable = False

    def _parse(self, data: bytes) -> None:
        try:
            self._connection.receive_data(data)
            while not self.done and self._apply(self._connection.next_event()):
                pass
        except h11.RemoteProtocolError as error:
            raise MalformedResponse(f"not an HTTP response: {str(error)[:100]}") from None
        if self.done and self._connection.trailing_data[0]:
            self.reusable = False  # bytes beyond the response

    def _apply(self, event: h11.Event | type[h11.NEED_DATA] | type[h11.PAUSED]) -> bool:
        """Apply one event; returns False if more bytes are needed."""
        if event is h11.NEED_DATA:
            return False
        if event is h11.PAUSED:  # a tunnel is open, or the connection was upgraded
            self._finish()
        elif isinstance(event, h11.InformationalResponse):
            self._interim += 1
            if event.status_code == 101 or self._interim > INTERIM_MAX:
                raise MalformedResponse(f"interim response {event.status_code}, {self._interim} so far")
        elif isinstance(event, h11.Response):
            self._begin(event)
        elif isinstance(event, h11.Data):
            self._check_size(len(self.body) + len(event.data))
            self.body += event.data
        else:
            self._finish()
        return True

    def _begin(self, response: h11.Response) -> None:
        self.status = response.status_code
        for raw_name, raw_value in response.headers:
            name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
            self.headers[name] = f"{self.headers[name]}, {value}" if name in self.headers else value
        coding = self.headers.get("content-encoding", "identity").lower()
        if coding not in ("identity", ""):
            raise MalformedResponse(f"content encoding {coding[:40]!r} was not requested")
        length = self.headers.get("content-length", "")
        if length.isdigit():
            self._check_size(int(length))

    def _finish(self) -> None:
        self.done = True
        self.reusable = self._connection.their_state is h11.DONE and self._connection.our_state is h11.DONE

    def _check_size(self, size: int) -> None:
        if size > self._body_bytes_max:
            raise MalformedResponse(f"answer over {self._body_bytes_max} bytes")
