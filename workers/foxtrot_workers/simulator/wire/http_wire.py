"""The part of HTTP that a simulated exchange needs: requests from bytes, answers to bytes. Pure.

WebSocket and REST share one port, so the first request of a connection decides what it is. A request that
asks for an upgrade is passed on as the bytes that came; the WebSocket library does its handshake.
"""

from __future__ import annotations

from http import HTTPStatus
from urllib.parse import parse_qsl, urlsplit

from msgspec import Struct

__all__ = ["BODY_BYTES_MAX", "HEAD_BYTES_MAX", "BadRequest", "HttpRequest", "RequestParser", "response"]

HEAD_BYTES_MAX = 16 * 1024
"""Request line and headers. The WebSocket library takes lines of at most 8 KiB: some 300 streams in an address."""

BODY_BYTES_MAX = 1024 * 1024


class BadRequest(Exception):
    """The bytes are not a request that can be served; the connection cannot be used further."""


class HttpRequest(Struct, frozen=True):
    """One complete request; header names in lower case, the last of equal query keys wins."""

    method: str
    target: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes
    raw: bytes

    @property
    def upgrade(self) -> bool:
        """Whether it requests a WebSocket."""
        return self.headers.get("upgrade", "").lower() == "websocket"

    @property
    def keep_alive(self) -> bool:
        """Whether the connection stays open for another request."""
        return self.headers.get("connection", "").lower() != "close"


class RequestParser:
    """Parses requests: call `feed` with received bytes, then `next` until it returns None."""

    def __init__(self) -> None:
        self._buffer = b""

    def feed(self, data: bytes) -> None:
        """Add received bytes."""
        self._buffer += data

    def next(self) -> HttpRequest | None:
        """Return the next complete request; None while bytes are missing. Raises `BadRequest`."""
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            if len(self._buffer) > HEAD_BYTES_MAX:
                raise BadRequest("head too large")
            return None
        if end > HEAD_BYTES_MAX:
            raise BadRequest("head too large")
        method, target, headers = _head(self._buffer[:end])
        length = headers.get("content-length", "0")
        if not length.isdigit() or int(length) > BODY_BYTES_MAX or "transfer-encoding" in headers:
            raise BadRequest("body of unknown or excessive length")
        total = end + 4 + int(length)
        if len(self._buffer) < total:
            return None
        raw, self._buffer = self._buffer[:total], self._buffer[total:]
        parts = urlsplit(target)
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        return HttpRequest(method, target, parts.path, query, headers, raw[end + 4 :], raw)

    def rest(self) -> bytes:
        """Return the bytes after the last request: the first ones of an upgraded connection."""
        data, self._buffer = self._buffer, b""
        return data


def _head(data: bytes) -> tuple[str, str, dict[str, str]]:
    try:
        first, *lines = data.decode("ascii").split("\r\n")
        method, target, version = first.split(" ")
    except ValueError:
        raise BadRequest("not HTTP") from None
    if version not in ("HTTP/1.1", "HTTP/1.0") or not target.startswith("/"):
        raise BadRequest("not HTTP/1")
    headers = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon:
            raise BadRequest("header without a colon")
        headers[name.strip().lower()] = value.strip()
    return method, target, headers


def response(status: int, body: bytes, headers: dict[str, str] | None = None, *, keep_alive: bool = True) -> bytes:
    """Return the bytes of one complete JSON answer."""
    phrase = "I'm a teapot" if status == HTTPStatus.IM_A_TEAPOT else HTTPStatus(status).phrase
    lines = [
        f"HTTP/1.1 {status} {phrase}",
        "Content-Type: application/json;charset=UTF-8",
        f"Content-Length: {len(body)}",
        f"Connection: {'keep-alive' if keep_alive else 'close'}",
        *(f"{name}: {value}" for name, value in (headers or {}).items()),
    ]
    return "\r\n".join(lines).encode("ascii") + b"\r\n\r\n" + body
