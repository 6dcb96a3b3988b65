from __future__ import annotations

import asyncio
import time

import pytest
from websockets.asyncio.client import connect

from foxtrot_workers.simulator.server.faults import Fault
from foxtrot_workers.simulator.server.server import SimulatedExchange
from foxtrot_workers.simulator.venues.options import ExchangeLimits
from tests.support.waiting import wait_until_async
from tests.workers.simulator.server.clients import LIMIT_S, STREAM, closed_by, connected, receive_ids, receive_json


async def test_pings_carry_a_payload_and_a_silent_client_is_closed() -> None:
    limits = ExchangeLimits(ping_interval_s=0.3, pong_timeout_s=0.5)
    async with SimulatedExchange(["BTCUSDT"], rate_per_s=10, limits=limits) as sim:
        reader, writer = await asyncio.open_connection("127.0.0.1", sim.port)
        writer.write(
            b"GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )
        begun = time.monotonic()
        async with asyncio.timeout(LIMIT_S):
            await reader.readuntil(b"\r\n\r\n")
            head = await reader.readexactly(2)
            assert head[0] == 0x89, "a ping frame"
            assert head[1] > 0
            assert (await reader.readexactly(head[1])).isdigit()
            rest = await reader.read()
        assert time.monotonic() - begun >= 0.7
        assert b"Pong timeout" in rest
        writer.close()
        await writer.wait_closed()
        async with connected(f"{sim.url}/ws") as good:
            await asyncio.wait_for(good.ping(), LIMIT_S)
            opened = time.monotonic()
            await wait_until_async(lambda: time.monotonic() - opened > 1.5)
            assert sim.connections == 1, "a client that answers stays, though its pings are counted"


@pytest.mark.parametrize(("path", "wrapped"), [("/ws", False), ("/stream", True)])
async def test_the_end_of_the_lifetime_is_announced_then_the_connection_closed(path: str, wrapped: bool) -> None:
    limits = ExchangeLimits(lifetime_s=1.0, shutdown_notice_s=0.5)
    async with SimulatedExchange(["BTCUSDT"], rate_per_s=10, limits=limits) as sim, connected(sim.url + path) as client:
        begun = time.monotonic()
        notice = await receive_json(client)
        assert 0.4 <= time.monotonic() - begun < 1.0
        if wrapped:
            assert notice["stream"] == "!serverShutdown"
            notice = notice["data"]
        assert notice["e"] == "serverShutdown"
        closed = await closed_by(client)
        assert closed.rcvd is not None
        assert closed.rcvd.code == 1001
        assert time.monotonic() - begun >= 0.9


async def test_faults_by_time_on_one_connection(sim: SimulatedExchange) -> None:
    url = f"{sim.url}/ws/{STREAM}"
    async with (
        connect(url, compression=None, proxy=None, close_timeout=0.5) as one,
        connect(url, compression=None, proxy=None, close_timeout=0.5) as two,
    ):
        sim.inject(Fault(kind="close", connection=1, after_s=0.2, code=4001))
        closed = await closed_by(two)
        assert closed.rcvd is not None
        assert closed.rcvd.code == 4001
        await receive_ids(one, 5)
        assert sim.connections == 1
