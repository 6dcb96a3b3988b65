"""The web server of one run: the page, its stream, and the orders of those who have the token.

Which requests are served is decided in `access`, what an order means in `orders`; everything here is bounded in count,
bytes and time.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.resources
import socket
import ssl
from collections.abc import Callable, Collection, Mapping
from contextlib import AbstractContextManager
from typing import Any, Final, Protocol, cast

import msgspec
from aiohttp import web
from msgspec import Struct

from foxtrot_protocol.control import Request
from foxtrot_supervisor.web.access import (
    ASSETS,
    BODY_BYTES_MAX,
    Policy,
    Refusal,
    RequestFacts,
    Route,
    judge,
)
from foxtrot_supervisor.web.connection import Connection, Counts, Listener
from foxtrot_supervisor.web.hub import Hub, MarketRefused, Place, frame
from foxtrot_supervisor.web.orders import OrderRefused, describe, read_order

__all__ = [
    "BODY_S",
    "HEADERS",
    "ORDERS_MAX",
    "PULSE_S",
    "SEND_BUFFER_BYTES",
    "STREAMS_MAX",
    "UNREAD_S",
    "Pages",
    "Source",
    "WebServer",
    "load_assets",
]

STREAMS_MAX: Final = 64
"""Open streams at a time; each page has one."""

UNREAD_S: Final = 10.0
"""Seconds that a browser may take to accept what is written; then it is dropped."""

PULSE_S: Final = 5.0
"""Longest pause between two writes to a stream, in seconds: so a browser that has gone is noticed."""

SEND_BUFFER_BYTES: Final = 256 * 1024
"""What the kernel holds for one client that does not read."""

BODY_S: Final = 5.0
"""Seconds that a body may take to arrive."""

ORDERS_MAX: Final = 4
"""Orders at a time."""

SYMBOL_CHARS_MAX: Final = 100
"""Characters of a watched symbol."""

_DIGITS_MAX: Final = 16

_CONTENT_POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    )
)

HEADERS: Final[Mapping[str, str]] = {
    "Content-Security-Policy": _CONTENT_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Server": "foxtrot-supervisor",
}
"""Headers of every answer."""


class Source(Protocol):
    """What the server needs of the run."""

    def history(self) -> dict[str, Any]:
        """The series of the last minutes."""

    def watched(self, symbol: str) -> AbstractContextManager[None]:
        """Publish the market of `symbol` meanwhile; raises `MarketRefused`."""

    async def order(self, request: Request) -> str:
        """Send an order to the run; return why it failed, "" on success."""


class Answer(Protocol):
    """An answer of a mounted page."""

    @property
    def status(self) -> int: ...
    @property
    def content_type(self) -> str: ...
    @property
    def body(self) -> bytes: ...


class Pages(Protocol):
    """Pages of another module, served under the same rules."""

    async def respond(self, path: str, accept: str = "") -> Answer | None:
        """The answer for `path`; `accept`: the header of the request."""


class Asset(Struct, frozen=True):
    """A file of the page."""

    content: bytes
    content_type: str


def load_assets() -> dict[str, Asset]:
    """Return the files of the page by path."""
    folder = importlib.resources.files("foxtrot_supervisor.web") / "static"
    return {path: Asset((folder / name).read_bytes(), kind) for path, (name, kind) in ASSETS.items()}


class WebServer:
    """Serves `hub` under `policy`.

    Args:
        hub: what the page shows.
        policy: who may read and act.
        source: the run.
        report: gets lines for the log.
        assets: files of the page by path.
        pages: what is served at the paths `mounted` besides.
    """

    def __init__(
        self,
        hub: Hub,
        policy: Policy,
        source: Source,
        report: Callable[[str], None],
        assets: Mapping[str, Asset],
        *,
        pages: Pages | None = None,
        mounted: Collection[str] = (),
    ) -> None:
        self._hub = hub
        self._policy = policy
        self._source = source
        self._report = report
        self._assets = assets
        self._pages = pages
        self._mounted = mounted
        self._streams: set[asyncio.Task[Any]] = set()
        self._orders = 0
        self._listener = Listener(self._serve, HEADERS, report)
        self._server: asyncio.Server | None = None

    @property
    def counts(self) -> Counts:
        """What was refused or dropped."""
        return self._listener.counts

    async def start(self, listening: socket.socket, tls: ssl.SSLContext | None) -> None:
        """Serve clients of the socket `listening`, which is bound already."""
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)  # clients inherit it
        self._server = await asyncio.get_running_loop().create_server(self._listener, sock=listening, ssl=tls)

    async def close(self) -> None:
        """End every connection."""
        if self._server is not None:
            self._server.close()
        for stream in self._streams:
            stream.cancel()
        for connection in [*self._listener.idle, *self._listener.busy]:
            if connection.transport is not None:
                connection.transport.abort()
        await self._listener.shutdown(1.0)

    async def _serve(self, request: web.BaseRequest) -> web.StreamResponse:
        with cast("Connection", request.protocol).serving():
            facts = _facts(request)
            found = judge(facts, self._policy, self._mounted)
            if isinstance(found, Refusal):
                return self._refuse(found)
            match found:
                case Route.PAGE:
                    asset = self._assets[facts.target]
                    headers = {**HEADERS, "Content-Type": asset.content_type}
                    return web.Response(body=asset.content, headers=headers)
                case Route.STREAM:
                    return await self._stream(request)
                case Route.UNLOCK:
                    return _json({"ok": True})
                case Route.ACTION:
                    return await self._act(request)
                case Route.MOUNTED:
                    return await self._mounted_page(request)

    async def _mounted_page(self, request: web.BaseRequest) -> web.Response:
        accept = request.headers.get("Accept", "")
        answer = await self._pages.respond(request.raw_path, accept) if self._pages is not None else None
        if answer is None:
            return self._refuse(Refusal(404, "no such page"))
        headers = {**HEADERS, "Content-Type": answer.content_type}
        return web.Response(status=answer.status, body=answer.body, headers=headers)

    def _refuse(self, refusal: Refusal) -> web.Response:
        self.counts.refused += 1
        response = web.Response(
            status=refusal.status, text=f"{refusal.reason}\n", headers={**HEADERS, **refusal.headers}
        )
        response.force_close()
        return response

    # ---- the stream

    async def _stream(self, request: web.BaseRequest) -> web.StreamResponse:
        task = asyncio.current_task()
        assert task is not None
        if len(self._streams) >= STREAMS_MAX:
            return self._refuse(Refusal(503, "too many pages are open"))
        place = _place(request)
        if place is None:
            return self._refuse(Refusal(400, "the query cannot be read"))
        response = web.StreamResponse(headers={**HEADERS, "Content-Type": "text/event-stream"})
        response.force_close()
        self._streams.add(task)
        try:
            with contextlib.ExitStack() as stack:
                hello = {"can_act": self._policy.token is not None, "token_to_read": self._policy.token_to_read}
                first = [frame("hello", hello), frame("history", self._source.history())]
                if place.symbol:
                    try:
                        stack.enter_context(self._source.watched(place.symbol))
                    except MarketRefused as error:
                        first.append(frame("refused", {"problem": str(error)}))
                async with asyncio.timeout(UNREAD_S):
                    await response.prepare(request)
                await self._follow(response, place, b"".join(first))
        except (TimeoutError, ConnectionError):
            cast("Connection", request.protocol).drop()
        finally:
            self._streams.discard(task)
        return response

    async def _follow(self, response: web.StreamResponse, place: Place, first: bytes) -> None:
        """Write what is new at `place` until the browser has gone; raises TimeoutError if it does not read."""
        news = first + self._hub.news(place)
        while True:
            async with asyncio.timeout(UNREAD_S):
                await response.write(news)
            turn = self._hub.turn()
            news = self._hub.news(place)
            if not news:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(PULSE_S):
                        await turn.wait()
                news = self._hub.news(place) or b": pulse\n\n"

    # ---- orders

    async def _act(self, request: web.BaseRequest) -> web.Response:
        if self._orders >= ORDERS_MAX:
            return self._refuse(Refusal(429, "too many orders at once"))
        self._orders += 1
        try:
            async with asyncio.timeout(BODY_S):
                order = read_order(await _body(request))
            self._report(f"order of {request.remote}: {describe(order)}")
            problem = await self._source.order(order)
            self._report(f"{describe(order)}: {problem or 'done'}")
            return _json({"ok": not problem, "problem": problem})
        except OrderRefused as error:
            return self._refuse(Refusal(400, str(error)))
        except TimeoutError:
            return self._refuse(Refusal(408, "the body did not arrive"))
        finally:
            self._orders -= 1


def _place(request: web.BaseRequest) -> Place | None:
    """Return where a browser is and what it watches, as its query says; None if that is not understood."""
    query = dict(request.query)
    after, symbol = query.pop("after", "0"), query.pop("symbol", "")
    is_number = after.isascii() and after.isdigit() and len(after) < _DIGITS_MAX
    if query or not is_number or len(symbol) > SYMBOL_CHARS_MAX or not symbol.isprintable():
        return None
    return Place(incident=int(after), symbol=symbol)


async def _body(request: web.BaseRequest) -> bytes:
    content = b""
    async for chunk in request.content.iter_any():
        content += chunk
        if len(content) > BODY_BYTES_MAX:
            raise OrderRefused(f"the body is longer than {BODY_BYTES_MAX} bytes")
    return content


def _json(content: dict[str, Any]) -> web.Response:
    return web.Response(body=msgspec.json.encode(content), headers={**HEADERS, "Content-Type": "application/json"})


def _facts(request: web.BaseRequest) -> RequestFacts:
    headers = request.headers
    return RequestFacts(
        method=request.method,
        target=request.raw_path,
        hosts=headers.getall("Host", []),
        origins=headers.getall("Origin", []),
        fetch_sites=headers.getall("Sec-Fetch-Site", []),
        authorizations=headers.getall("Authorization", []),
        content_types=headers.getall("Content-Type", []),
        upgrades=headers.getall("Upgrade", []),
    )
