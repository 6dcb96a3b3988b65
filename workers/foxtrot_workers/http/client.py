"""HTTP/1.1 client for requests without a body on the event loop.

One deadline covers the whole request, a cancelled request closes its connection, and connections are reused. Supports
``http://`` and ``https://`` proxies; follows no redirects. Built on asyncio transports: an asynchronous HTTP library
would cost each worker a quarter of a second and more than a megabyte (measured), and threads cannot be cancelled.
"""

from __future__ import annotations

import asyncio
import base64
import ssl
from typing import Literal, cast
from urllib.parse import SplitResult, unquote, urlsplit

from msgspec import Struct

from foxtrot_workers.http.response import MalformedResponse, ResponseParser
from foxtrot_workers.websocket.client import tls_context

__all__ = ["IDLE_MAX", "IDLE_S", "PROXY_SCHEMES", "HttpClient", "HttpFailed", "HttpResponse"]

PROXY_SCHEMES = frozenset({"http", "https"})

IDLE_S = 15.0
"""Seconds that an idle connection is kept for the next request; exchanges close idle ones after 60 s or more."""

IDLE_MAX = 2
"""Maximum number of idle connections."""

TUNNEL_ANSWER_BYTES_MAX = 64 * 1024
"""Maximum body size of a proxy's answer to CONNECT."""

_HEADERS = "User-Agent: foxtrot-supervisor\r\nAccept: application/json\r\nAccept-Encoding: identity\r\n"
_PORTS = {"http": 80, "https": 443}


class HttpFailed(Exception):
    """There is no usable response; the text says why."""


class HttpResponse(Struct, frozen=True):
    """A final response; header names in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes


class _Link(asyncio.Protocol):
    """One connection to the server or proxy; carries one exchange at a time."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._raw: asyncio.Transport | None = None
        self._parser: ResponseParser | None = None
        self._answer: asyncio.Future[None] | None = None
        self.ended: str | None = None
        """Why the connection has ended; None: it is open."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = self._raw = cast(asyncio.Transport, transport)  # uvloop's classes do not inherit from it

    def data_received(self, data: bytes) -> None:
        if self._parser is None or self._parser.done:
            self.ended = self.ended or "the server sent data without a request"
            return
        try:
            if self._parser.feed(data):
                self._finish(None)
        except MalformedResponse as error:
            self._finish(error)

    def eof_received(self) -> bool:
        self._end("the connection ended before the answer was complete")
        return False

    def connection_lost(self, error: Exception | None) -> None:
        self._end(f"{type(error).__name__}: {error}" if error is not None else "the server closed the connection")

    def _end(self, reason: str) -> None:
        self.ended = self.ended or reason
        if self._parser is not None and self._answer is not None and not self._answer.done():
            try:
                self._parser.eof()
                self._finish(None)
            except MalformedResponse:
                self._finish(ConnectionError(reason))

    def _finish(self, error: Exception | None) -> None:
        if self._answer is None or self._answer.done():
            return
        if error is None:
            self._answer.set_result(None)
        else:
            self._answer.set_exception(error)

    async def exchange(self, request: bytes, parser: ResponseParser) -> None:
        """Send `request` and fill `parser` with the response; raises `MalformedResponse` and OSError."""
        if self._transport is None or self.ended is not None:
            raise ConnectionError(self.ended or "not connected")
        self._parser = parser
        self._answer = self._loop.create_future()
        self._transport.write(request)
        try:
            await self._answer
        finally:
            self._answer = None

    async def start_tls(self, context: ssl.SSLContext, host: str) -> None:
        """Switch to TLS and verify the certificate of `host`; raises OSError, including `ssl.SSLError`."""
        assert self._transport is not None
        transport = await self._loop.start_tls(self._transport, self, context, server_hostname=host)
        if transport is None:
            raise ConnectionError(self.ended or "the server closed the connection")
        self._transport = transport

    def abort(self) -> None:
        """Close at once, without any handshake."""
        self.ended = self.ended or "closed"
        for transport in (self._transport, self._raw):
            if transport is not None:
                transport.abort()


class HttpClient:
    """Requests without a body to one server, optionally through a proxy.

    Args:
        base: ``http://`` or ``https://`` address; its path is prepended to the path of each request.
        ca_file: certificate authorities for the server and an ``https://`` proxy; None: the system's.
        proxy: ``http://`` or ``https://`` address, with credentials where the proxy requires them; None: no proxy.
    """

    def __init__(self, base: str, ca_file: str | None, proxy: str | None) -> None:
        """Raises ValueError for an unusable address."""
        self._base = urlsplit(base.rstrip("/"))
        self._host, self._port = _address(self._base)
        self._secure = self._base.scheme == "https"
        self._ca_file = ca_file
        self._proxy = urlsplit(proxy) if proxy else None
        if self._proxy is not None and self._proxy.scheme not in PROXY_SCHEMES:
            raise ValueError(f"REST through a proxy of kind {self._proxy.scheme!r} is not supported")
        self._first_hop = (self._host, self._port) if self._proxy is None else _address(self._proxy)
        self._proxy_authorization = "" if self._proxy is None else _authorization(self._proxy)
        self._idle: list[_Link] = []
        self._expiry: asyncio.TimerHandle | None = None
        self._closed = False
        self.connects_total = 0

    @property
    def is_secure(self) -> bool:
        """Whether the server is verified and the connection encrypted."""
        return self._secure

    async def get(self, path: str, timeout_s: float, body_bytes_max: int) -> HttpResponse:
        """Send GET for ``base + path``; see `request`."""
        return await self.request("GET", path, timeout_s, body_bytes_max)

    async def request(
        self, method: Literal["GET", "POST"], path: str, timeout_s: float, body_bytes_max: int
    ) -> HttpResponse:
        """Send `method` for ``base + path``, without a body.

        Args:
            method: of the request.
            path: target with its query, ASCII.
            timeout_s: limit for the whole request, including name resolution and handshakes.
            body_bytes_max: a larger body fails.

        Raises `HttpFailed`. A cancelled call closes its connection at once.
        """
        try:
            request = self._request(method, path)
            async with asyncio.timeout(timeout_s):
                return await self._get(request, body_bytes_max)
        except TimeoutError:
            raise HttpFailed(f"no complete answer within {timeout_s:g} s") from None
        except MalformedResponse as error:
            raise HttpFailed(str(error)) from None
        except (OSError, ValueError) as error:
            raise HttpFailed(f"{type(error).__name__}: {error}") from None

    def close(self) -> None:
        """Close idle connections; others are closed when their request ends or is cancelled."""
        self._closed = True
        self._drop_idle()

    async def _get(self, request: bytes, body_bytes_max: int) -> HttpResponse:
        link = self._take_idle()
        if link is not None:
            parser = ResponseParser(body_bytes_max)
            try:
                return await self._exchange(link, request, parser)
            except OSError:
                if parser.started:
                    raise
                # the server closed the idle connection before the request arrived: it was not processed
        return await self._exchange(await self._connect(), request, ResponseParser(body_bytes_max))

    async def _exchange(self, link: _Link, request: bytes, parser: ResponseParser) -> HttpResponse:
        try:
            await link.exchange(request, parser)
        except BaseException:
            link.abort()
            raise
        if parser.reusable and link.ended is None and not self._closed and len(self._idle) < IDLE_MAX:
            self._keep(link)
        else:
            link.abort()
        return HttpResponse(parser.status, parser.headers, bytes(parser.body))

    # ---- connections

    async def _connect(self) -> _Link:
        loop = asyncio.get_running_loop()
        proxy = self._proxy
        host, port = self._first_hop
        self.connects_total += 1
        link = _Link()
        await loop.create_connection(lambda: link, host, port)
        try:
            if proxy is not None and proxy.scheme == "https":
                await link.start_tls(tls_context(self._ca_file), host)
            if proxy is not None and self._secure:
                await self._open_tunnel(link)
            if self._secure:
                await link.start_tls(tls_context(self._ca_file), self._host)
        except BaseException:
            link.abort()
            raise
        return link

    async def _open_tunnel(self, link: _Link) -> None:
        target = f"{_bracketed(self._host)}:{self._port}"
        parser = ResponseParser(TUNNEL_ANSWER_BYTES_MAX, tunnel=True)
        head = f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n{self._proxy_authorization}\r\n"
        await link.exchange(head.encode("latin-1"), parser)
        if not 200 <= parser.status < 300:
            raise ConnectionError(f"the proxy answered CONNECT with HTTP {parser.status}")

    def _request(self, method: Literal["GET", "POST"], path: str) -> bytes:
        target = self._base.path + path
        authorization = ""
        if self._proxy is not None and not self._secure:
            target = f"http://{_bracketed(self._host)}:{self._port}{target}"
            authorization = self._proxy_authorization
        if not target.isascii() or any(character <= " " or character == "\x7f" for character in target):
            raise ValueError(f"an invalid path: {path[:100]!r}")
        usual = self._port == _PORTS[self._base.scheme]
        host = _bracketed(self._host) if usual else f"{_bracketed(self._host)}:{self._port}"
        length = "" if method == "GET" else "Content-Length: 0\r\n"
        head = f"{method} {target} HTTP/1.1\r\nHost: {host}\r\n{_HEADERS}{length}{authorization}\r\n"
        return head.encode("ascii")

    def _take_idle(self) -> _Link | None:
        while self._idle:
            link = self._idle.pop()
            if link.ended is None:
                return link
            link.abort()
        return None

    def _keep(self, link: _Link) -> None:
        self._idle.append(link)
        if self._expiry is not None:
            self._expiry.cancel()
        self._expiry = asyncio.get_running_loop().call_later(IDLE_S, self._drop_idle)

    def _drop_idle(self) -> None:
        if self._expiry is not None:
            self._expiry.cancel()
            self._expiry = None
        for link in self._idle:
            link.abort()
        self._idle.clear()


def _address(parts: SplitResult) -> tuple[str, int]:
    """Return host (in ASCII) and port of an http or https address; raises ValueError."""
    if parts.scheme not in _PORTS or not parts.hostname:
        raise ValueError(f"{parts.scheme}://{parts.hostname or ''} is not an http or https address")
    host = parts.hostname
    return host if host.isascii() else host.encode("idna").decode("ascii"), parts.port or _PORTS[parts.scheme]


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _authorization(proxy: SplitResult) -> str:
    """Return the Proxy-Authorization header line for the credentials in `proxy`; "" without credentials."""
    if proxy.username is None:
        return ""
    pair = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
    return f"Proxy-Authorization: Basic {base64.b64encode(pair.encode()).decode('ascii')}\r\n"
