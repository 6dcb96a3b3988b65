from __future__ import annotations

import json
import time

from websockets.asyncio.client import ClientConnection, connect

from foxtrot_workers.simulator.server.faults import Fault
from foxtrot_workers.simulator.server.server import SimulatedExchange
from foxtrot_workers.simulator.venues.options import ExchangeLimits
from tests.support.waiting import wait_until_async
from tests.workers.simulator.server.clients import (
    STREAM,
    are_consecutive,
    closed_by,
    receive_extra_and_ids,
    receive_ids,
)


async def test_a_huge_frame_arrives_whole_and_the_stream_goes_on(
    sim: SimulatedExchange, client: ClientConnection
) -> None:
    await receive_ids(client, 1)
    sim.inject(Fault(kind="huge", size_bytes=20_000_000))
    extra, ids = await receive_extra_and_ids(client, 30)
    assert [len(data) for data in extra] == [20_000_000]
    assert json.loads(extra[0])["e"] == "huge"
    assert are_consecutive(ids)


async def test_a_stalled_line_comes_back_intact(sim: SimulatedExchange, client: ClientConnection) -> None:
    await receive_ids(client, 1)
    sim.inject(Fault(kind="stall", duration_s=0.5))
    begun = time.monotonic()
    pong = await client.ping()
    extra, ids = await receive_extra_and_ids(client, 50)
    assert [json.loads(data)["e"] for data in extra] == ["stalled"]
    assert are_consecutive(ids)
    while not pong.done():
        ids += await receive_ids(client, 1)
    assert time.monotonic() - begun >= 0.4, "not even a pong came meanwhile"
    assert are_consecutive(ids)


async def test_a_line_that_stays_stalled_is_closed_for_the_missing_pong() -> None:
    limits = ExchangeLimits(ping_interval_s=0.1, pong_timeout_s=0.2)
    async with SimulatedExchange(["BTCUSDT"], rate_per_s=100, limits=limits) as sim:
        sim.inject(Fault(kind="stall"))
        async with connect(f"{sim.url}/ws/{STREAM}", compression=None, proxy=None, close_timeout=0.1) as client:
            closed = await closed_by(client)
            assert closed.rcvd is None
        await wait_until_async(lambda: sim.connections == 0)


async def test_a_drip_is_slow_and_loses_nothing(sim: SimulatedExchange, client: ClientConnection) -> None:
    await receive_ids(client, 1)
    sim.inject(Fault(kind="drip", bytes_per_s=400, duration_s=1.0))
    waiting = sim.ledger.sent_count(0)  # what had left before may still be on its way
    begun = time.monotonic()
    slow: list[int] = []
    while time.monotonic() - begun < 0.8:
        slow += await receive_ids(client, 1)
    assert len(slow) < waiting + 30
    ids = slow + await receive_ids(client, 200)
    assert are_consecutive(ids)
