"""A real worker that must ask where to connect, and wait for a greeting: KuCoin's protocol over real sockets."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiohttp import web
from websockets.asyncio.server import ServerConnection, serve

from foxtrot_protocol.commands import Failed
from foxtrot_protocol.events import Quote
from foxtrot_protocol.exit_codes import ChildExit
from foxtrot_workers.websocket.client import CLIENTS
from tests.support.rig import WorkerRig
from tests.workers.exchanges.kucoin.samples import LEVEL1

TOKEN = "2neAiuYvAU61ZDXANAGAsiL4-iAExhsBXZxftpOeh_55i3Ysy2q2LEsEWU64mdzUOPusi34M_wGoSf7iNyEWJ"


class Guarded:
    """An exchange that names its address on request and greets before it takes anything."""

    def __init__(self) -> None:
        self.token_requests = 0
        self.paths: list[str] = []
        self.early: list[str] = []
        """What came before the greeting."""
        self.pings = 0
        self.port = 0
        self.status = 200

    async def give_token(self, request: web.Request) -> web.Response:
        """Answer ``bullet-public``."""
        self.token_requests += 1
        if self.status != 200:
            return web.Response(status=self.status, headers={"Retry-After": "23"})
        server = {"endpoint": f"ws://127.0.0.1:{self.port}/", "pingInterval": 1000, "pingTimeout": 1000}
        return web.json_response({"code": "200000", "data": {"token": TOKEN, "instanceServers": [server]}})

    async def stream(self, connection: ServerConnection) -> None:
        """Greet late, acknowledge, send a quote each 20 ms, then close for good."""
        assert connection.request is not None
        self.paths.append(connection.request.path)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.3):
                self.early.append(str(await connection.recv()))
        await connection.send('{"id":"x","type":"welcome"}')
        quotes = asyncio.create_task(self._send_quotes(connection))
        try:
            async for text in connection:
                request: dict[str, Any] = msgspec.json.decode(text)
                self.pings += request["type"] == "ping"
                if self.pings == 2:
                    await connection.close(1011, f"token {TOKEN} expired")
                    return
                kind = "pong" if request["type"] == "ping" else "ack"
                await connection.send(msgspec.json.encode({"id": request["id"], "type": kind}).decode())
        finally:
            quotes.cancel()

    async def _send_quotes(self, connection: ServerConnection) -> None:
        for number in itertools.count(1):
            await asyncio.sleep(0.02)
            await connection.send(LEVEL1.replace("1.29267802", str(number)))


@contextlib.asynccontextmanager
async def running(exchange: Guarded) -> AsyncIterator[str]:
    """The address of its REST API."""
    app = web.Application()
    app.router.add_post("/api/v1/bullet-public", exchange.give_token)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    async with serve(exchange.stream, "127.0.0.1", 0) as server:
        exchange.port = next(iter(server.sockets)).getsockname()[1]
        try:
            yield site.name
        finally:
            await runner.cleanup()


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[WorkerRig]:
    rig = WorkerRig(tmp_path)
    yield rig
    await rig.close()


@pytest.mark.parametrize("client", CLIENTS)
async def test_a_worker_asks_for_its_address_waits_for_the_greeting_and_pings_while_data_flow(
    rig: WorkerRig, client: str
) -> None:
    exchange = Guarded()
    async with running(exchange) as rest_url:
        await rig.start(
            "wss://ws-api-spot.kucoin.com/",
            rest_url,
            exchange="kucoin",
            channels=["quote"],
            symbols=["BTC-USDT"],
            client=client,
        )
        await rig.ready()
        await rig.wait_for_events(Quote, 10)
        assert await rig.ended() == ChildExit.CONNECTION_LOST, "after the second ping"
    assert exchange.token_requests == 1
    (path,) = exchange.paths
    assert path.startswith(f"/?token={TOKEN}&connectId=")
    assert exchange.early == []
    assert exchange.pings == 2, "one each second, though quotes flow"
    heard = msgspec.json.encode([str(message) for message in rig.heard]).decode()
    (failed,) = rig.said(Failed)
    assert "***" in failed.cause
    for shown in (
        heard,
        await rig.log(),
        *(path.read_bytes().decode(errors="replace") for path in files_of(rig.folder)),
    ):
        assert TOKEN not in shown


def files_of(folder: Path) -> list[Path]:
    """Everything that the worker has left in its run directory."""
    return [path for path in folder.rglob("*") if path.is_file()]


async def test_a_refused_address_is_a_refused_connection(rig: WorkerRig) -> None:
    exchange = Guarded()
    exchange.status = 429
    async with running(exchange) as rest_url:
        await rig.start(
            "wss://ws-api-spot.kucoin.com/", rest_url, exchange="kucoin", channels=["quote"], symbols=["BTC-USDT"]
        )
        assert await rig.ended() == ChildExit.REFUSED
    (failed,) = rig.said(Failed)
    assert "HTTP 429" in failed.cause
    assert failed.retry_after_s == 23.0
    assert exchange.paths == []
