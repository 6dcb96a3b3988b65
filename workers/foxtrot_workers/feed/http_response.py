"""HTTP/1.1 responses parsed from bytes, within fixed bounds; pure.

A response from outside decides nothing about our resources: the size of its head, the number of interim (1xx)
responses, the size of its body and the framing overhead of its chunks are bounded here. Time is the caller's concern.

Source: RFC 9110 and RFC 9112. Not supported, and rejected: upgrades, transfer codings other than ``chunked``, content
codings (none is asked for).
"""

from __future__ import annotations

import enum
import re

__all__ = ["CHUNK_LINE_BYTES_MAX", "HEAD_BYTES_MAX", "INTERIM_MAX", "MalformedResponse", "ResponseParser"]

HEAD_BYTES_MAX = 64 * 1024
"""Status lines, headers and trailers of one response, interim responses included."""

INTERIM_MAX = 8
"""Interim responses (``100 Continue``, ``103 Early Hints``) before the final one."""

CHUNK_LINE_BYTES_MAX = 1024
"""One chunk's size line, extensions included."""

_STATUS_LINE = re.compile(rb"HTTP/1\.([01]) ([1-9][0-9]{2})(?: [^\r\n]*)?")
_HEX = re.compile(rb"[0-9A-Fa-f]{1,16}")
_NO_BODY = frozenset({204, 304})


class MalformedResponse(Exception):
    """The bytes are no response that can be used; the connection is unusable from here on."""


class _State(enum.Enum):
    HEAD = enum.auto()
    LENGTH = enum.auto()
    CHUNK_LINE = enum.auto()
    CHUNK_DATA = enum.auto()
    CHUNK_END = enum.auto()
    TRAILERS = enum.auto()
    UNTIL_EOF = enum.auto()
    DONE = enum.auto()


class ResponseParser:
    """Parser of one response to a GET, or to a CONNECT where `tunnel` is set (a success then has no body).

    `feed` takes whatever arrived and says whether the response is complete; `status`, `headers` (names in lower case,
    repeated ones joined by ", ") and `body` are valid from then on. `body_bytes_max` bounds the body.
    """

    def __init__(self, body_bytes_max: int, *, tunnel: bool = False) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self.body = bytearray()
        self.reusable = False
        """Whether another request may follow on this connection."""
        self.started = False
        """Whether any byte of a response has arrived."""
        self._body_bytes_max = body_bytes_max
        self._tunnel = tunnel
        self._state = _State.HEAD
        self._buffer = bytearray()
        self._head_bytes = 0
        self._interim = 0
        self._left = 0
        self._overhead = 0

    @property
    def done(self) -> bool:
        """Whether the response is complete."""
        return self._state is _State.DONE

    def feed(self, data: bytes) -> bool:
        """Take received bytes; returns `done`. Raises `MalformedResponse`."""
        self.started = self.started or bool(data)
        self._buffer += data
        while self._state is not _State.DONE and self._step():
            pass
        if self._state is _State.DONE and self._buffer:
            self.reusable = False  # bytes that nobody asked for
        return self.done

    def eof(self) -> None:
        """The peer has closed the connection; raises `MalformedResponse` if that cuts the response off."""
        if self._state is _State.UNTIL_EOF:
            self._state = _State.DONE
        elif self._state is not _State.DONE:
            raise MalformedResponse("the connection ended before the whole answer had arrived")

    def _step(self) -> bool:
        """Consume one element of the buffer; False: more bytes are needed."""
        state = self._state
        if state is _State.HEAD:
            return self._head()
        if state is _State.CHUNK_LINE:
            return self._chunk_line()
        if state is _State.CHUNK_END:
            return self._chunk_end()
        if state is _State.TRAILERS:
            return self._trailers()
        return self._data()

    def _head(self) -> bool:
        head = self._take_head(b"\r\n\r\n")
        if head is None:
            return False
        first, *lines = head.split(b"\r\n")
        status_line = _STATUS_LINE.fullmatch(first)
        if status_line is None:
            raise MalformedResponse(f"no HTTP response: {first[:60].decode('latin-1')!r}")
        status, headers = int(status_line[2]), _headers(lines)
        if status < 200:
            self._interim += 1
            if status == 101 or self._interim > INTERIM_MAX:
                raise MalformedResponse(f"interim response {status}, {self._interim} so far")
            return True
        self.status, self.headers = status, headers
        self._begin_body(minor=status_line[1])
        return True

    def _begin_body(self, minor: bytes) -> None:
        options = {option.strip() for option in self.headers.get("connection", "").lower().split(",")}
        self.reusable = "close" not in options and (minor == b"1" or "keep-alive" in options)
        coding = self.headers.get("transfer-encoding", "").lower()
        if self._tunnel and self.status < 300:
            self._state = _State.DONE
            return
        if self.headers.get("content-encoding", "identity").lower() not in ("identity", ""):
            raise MalformedResponse(f"content encoding {self.headers['content-encoding'][:40]!r} was not asked for")
        if self.status in _NO_BODY:
            self._state = _State.DONE
        elif coding:
            if coding != "chunked":
                raise MalformedResponse(f"transfer coding {coding[:40]!r}")
            self._state = _State.CHUNK_LINE
        elif "content-length" in self.headers:
            self._left = self._length(self.headers["content-length"])
            self._state = _State.LENGTH if self._left else _State.DONE
        else:
            self.reusable = False
            self._state = _State.UNTIL_EOF

    def _length(self, text: str) -> int:
        values = {value.strip() for value in text.split(",")}  # equal repetitions are allowed
        value = values.pop()
        if values or not (value.isascii() and value.isdigit()) or len(value) > 16:
            raise MalformedResponse(f"content length {text[:40]!r}")
        self._check_size(int(value))
        return int(value)

    def _data(self) -> bool:
        """Body bytes: of a known length, of a chunk, or until the end of the connection."""
        if not self._buffer:
            return False
        count = len(self._buffer) if self._state is _State.UNTIL_EOF else min(self._left, len(self._buffer))
        self._check_size(len(self.body) + count)
        self.body += self._buffer[:count]
        del self._buffer[:count]
        self._left -= count
        if self._state is not _State.UNTIL_EOF and not self._left:
            self._state = _State.DONE if self._state is _State.LENGTH else _State.CHUNK_END
        return True

    def _chunk_line(self) -> bool:
        line = self._line(CHUNK_LINE_BYTES_MAX)
        if line is None:
            return False
        size = line.partition(b";")[0].strip()
        if not _HEX.fullmatch(size):
            raise MalformedResponse(f"chunk size {size[:40].decode('latin-1')!r}")
        self._overhead += len(line) + 4
        if self._overhead > self._body_bytes_max + HEAD_BYTES_MAX:
            raise MalformedResponse("more chunk framing than body")
        self._left = int(size, 16)
        self._check_size(len(self.body) + self._left)
        self._state = _State.CHUNK_DATA if self._left else _State.TRAILERS
        return True

    def _chunk_end(self) -> bool:
        if len(self._buffer) < 2:
            return False
        if self._buffer[:2] != b"\r\n":
            raise MalformedResponse("a chunk does not end where its size says")
        del self._buffer[:2]
        self._state = _State.CHUNK_LINE
        return True

    def _trailers(self) -> bool:
        line = self._line(HEAD_BYTES_MAX)
        if line is None:
            return False
        self._count_head(len(line) + 2)
        if not line:
            self._state = _State.DONE
        return True

    def _take_head(self, end: bytes) -> bytes | None:
        position = self._buffer.find(end)
        if position < 0:
            if self._head_bytes + len(self._buffer) > HEAD_BYTES_MAX:
                raise MalformedResponse(f"head over {HEAD_BYTES_MAX} bytes")
            return None
        self._count_head(position + len(end))
        head = bytes(self._buffer[:position])
        del self._buffer[: position + len(end)]
        return head

    def _line(self, bytes_max: int) -> bytes | None:
        position = self._buffer.find(b"\r\n", 0, bytes_max + 2)
        if position < 0:
            if len(self._buffer) > bytes_max:
                raise MalformedResponse(f"a line over {bytes_max} bytes")
            return None
        line = bytes(self._buffer[:position])
        del self._buffer[: position + 2]
        return line

    def _count_head(self, count: int) -> None:
        self._head_bytes += count
        if self._head_bytes > HEAD_BYTES_MAX:
            raise MalformedResponse(f"head over {HEAD_BYTES_MAX} bytes")

    def _check_size(self, size: int) -> None:
        if size > self._body_bytes_max:
            raise MalformedResponse(f"answer over {self._body_bytes_max} bytes")


def _headers(lines: list[bytes]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(b":")
        if not colon or not name or name != name.strip():
            raise MalformedResponse(f"header {line[:60].decode('latin-1')!r}")
        key, text = name.decode("latin-1").lower(), value.strip().decode("latin-1")
        headers[key] = f"{headers[key]}, {text}" if key in headers else text
    return headers
