"""A web server for tests on a free port, and raw HTTP requests to it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any

from msgspec import Struct

from foxtrot_protocol.control import Request
from foxtrot_supervisor.web.access import Policy
from foxtrot_supervisor.web.hub import Hub, MarketRefused
from foxtrot_supervisor.web.listening import Address, Protection, bind, policy_for
from foxtrot_supervisor.web.server import WebServer, load_assets

__all__ = ["TOKEN", "Answer", "Served", "exchange", "fetch", "parsed", "serving"]

TOKEN = "0123456789abcdef0123456789abcdef"
LIMIT_S = 20.0


class Answer(Struct):
    """An answer; headers in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes


class Mounted(Struct, frozen=True):
    """An answer of a page of another module."""

    status: int
    content_type: str
    body: bytes


class Served:
    """A running server, what it was ordered, and what it reported."""

    def __init__(self, hub: Hub, address: Address, policy: Policy) -> None:
        self.hub = hub
        self.address = address
        self.policy = policy
        self.orders: list[Request] = []
        self.lines: list[str] = []
        self.symbols: list[str] = []
        """Markets that browsers watch."""
        self.problem = ""
        """What the run answers to orders."""
        self.release: asyncio.Event | None = None
        """If set: orders wait for it."""
        self.server: WebServer | None = None

    @property
    def host(self) -> str:
        return f"{self.address.host}:{self.address.port}"

    @property
    def acting(self) -> dict[str, str]:
        """The headers of an order."""
        return {
            "Origin": f"{self.policy.scheme}://{self.host}",
            "Content-Type": "application/json",
            "Authorization": f"Bearer {TOKEN}",
        }

    def history(self) -> dict[str, Any]:
        return {"times": []}

    @contextlib.contextmanager
    def watched(self, symbol: str) -> Iterator[None]:
        if symbol == "REFUSED":
            raise MarketRefused("too many")
        self.symbols.append(symbol)
        try:
            yield
        finally:
            self.symbols.remove(symbol)

    async def respond(self, path: str, accept: str = "") -> Mounted | None:
        return Mounted(503, "text/plain", accept.encode()) if path == "/metrics" else None

    async def order(self, request: Request) -> str:
        self.orders.append(request)
        if self.release is not None:
            await self.release.wait()
        return self.problem


@contextlib.asynccontextmanager
async def serving(**protection: Any) -> AsyncIterator[Served]:
    """A server on a free port of the loopback address."""
    bound, address = bind(Address("127.0.0.1", 0))
    policy = policy_for(address, Protection(**{"token": TOKEN, **protection}))
    served = Served(Hub(), address, policy)
    server = served.server = WebServer(
        served.hub, policy, served, served.lines.append, load_assets(), pages=served, mounted=["/metrics", "/gone"]
    )
    await server.start(bound, None)
    try:
        yield served
    finally:
        await server.close()
        bound.close()
        await asyncio.sleep(0)


async def exchange(address: Address, sent: bytes, limit_s: float = LIMIT_S) -> bytes:
    """Send bytes; return everything until the server ends the connection."""
    reader, writer = await asyncio.open_connection(address.host, address.port)
    received = b""
    try:
        async with asyncio.timeout(limit_s):
            with contextlib.suppress(ConnectionError):
                writer.write(sent)
                await writer.drain()
                while data := await reader.read(65536):
                    received += data
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
    return received


async def fetch(
    served: Served, method: str, target: str, headers: Mapping[str, str | list[str]] = {}, body: bytes = b""
) -> Answer:
    """Send one request on a connection of its own. Host and Connection are added where they are missing."""
    sent = {"Host": served.host, "Connection": "close", **headers}
    if body or method == "POST":
        sent.setdefault("Content-Length", str(len(body)))
    lines = [f"{method} {target} HTTP/1.1"]
    for name, values in sent.items():
        lines += [f"{name}: {value}" for value in ([values] if isinstance(values, str) else values)]
    received = await exchange(served.address, "\r\n".join([*lines, "", ""]).encode("latin-1") + body)
    return parsed(received)


def parsed(received: bytes) -> Answer:
    """Return the answer in `received`."""
    head, _, content = received.partition(b"\r\n\r\n")
    first, *rest = head.decode().split("\r\n")
    pairs = (line.partition(": ") for line in rest)
    return Answer(int(first.split()[1]), {name.lower(): value for name, _, value in pairs}, content)
