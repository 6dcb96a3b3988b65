from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from foxtrot_workers.simulator.server.server import SimulatedExchange
from tests.support.waiting import wait_until_async
from tests.workers.simulator.server.clients import connected, receive_json


async def test_without_a_rate_the_market_runs_as_fast_as_clients_take_it() -> None:
    async with SimulatedExchange(["BTCUSDT", "ETHUSDT"], rate_per_s=0) as sim:
        assert sim.ledger.made_range("btcusdt@trade") is None, "nobody listens, nothing is made"
        async with connected(f"{sim.url}/ws/btcusdt@trade/ethusdt@bookTicker/btcusdt@bookTicker") as client:
            count, begun = 0, time.perf_counter()
            while time.perf_counter() - begun < 1.0:
                await client.recv(decode=False)
                count += 1
            # client and server share one loop, and the machine with others: the paced default gives 50
            assert count > 1_000
            sent = sim.ledger.sent(0, "btcusdt@trade")
            assert sent == list(range(sent[0], sent[0] + len(sent)))
        assert sim.ledger.slow_clients_total == 0


async def test_a_client_that_takes_nothing_is_cut_off_and_the_market_continues(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("foxtrot_workers.simulator.server.market_feed.BLOCKED_S_MAX", 0.5)
    async with SimulatedExchange(["BTCUSDT"], rate_per_s=0) as sim:
        _, writer = await asyncio.open_connection("127.0.0.1", sim.port, limit=1024)
        writer.write(
            b"GET /stream?streams=btcusdt@trade/btcusdt@bookTicker HTTP/1.1\r\nHost: x\r\n"
            b"Upgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )
        writer.transport.pause_reading()  # type: ignore[attr-defined]  # a read transport too
        await wait_until_async(lambda: sim.ledger.slow_clients_total == 1, 60.0)
        async with connected(f"{sim.url}/ws/btcusdt@trade") as client:
            assert (await receive_json(client))["e"] == "trade"
        writer.close()


async def test_orders_left_out_at_too_high_a_rate_are_counted() -> None:
    async with SimulatedExchange(["BTCUSDT"], rate_per_s=100_000_000) as sim:
        await wait_until_async(lambda: sim.left_out_total > 0, 30.0)


async def test_the_rate_is_kept() -> None:
    async with SimulatedExchange(["BTCUSDT"], rate_per_s=200) as sim:
        made = [0]
        assert sim.market is not None
        act = sim.market.act

        def counted(now_ms: int) -> Any:
            made[0] += 1
            return act(now_ms)

        sim.market.act = counted  # type: ignore[method-assign]
        begun = time.monotonic()
        await wait_until_async(lambda: time.monotonic() - begun > 1.5)
        assert 200 <= made[0] <= 320


async def test_each_client_gets_all_that_the_others_get() -> None:
    async with SimulatedExchange(["BTCUSDT"], rate_per_s=2_000) as sim:
        stream = "btcusdt@trade"
        url = f"{sim.url}/stream?streams={stream}"
        async with connected(url) as one, connected(url) as two, connected(f"{sim.url}/ws/{stream}") as raw:
            for number, client in enumerate((one, two, raw)):
                frames = [await receive_json(client) for _ in range(50)]
                ids = [frame["t"] if client is raw else frame["data"]["t"] for frame in frames]
                assert ids == list(range(ids[0], ids[0] + 50))
                assert ids == sim.ledger.sent(number, stream)[:50]
            await wait_until_async(lambda: min(sim.ledger.sent_count(n, stream) for n in range(3)) > 200)
            first, *others = (set(sim.ledger.sent(n, stream)) for n in range(3))
            for other in others:
                assert first & other == {n for n in first if n >= min(other)}


async def test_every_message_was_sent_or_is_noted_as_unheard() -> None:
    async with SimulatedExchange(["BTCUSDT"], rate_per_s=2_000) as sim:
        stream = "btcusdt@trade"
        for number in range(2):
            async with connected(f"{sim.url}/ws/{stream}"):
                await wait_until_async(lambda n=number: sim.ledger.sent_count(n, stream) > 20)
            await wait_until_async(lambda: sim.connections == 0)
            total = (sim.ledger.made_range(stream) or (0, 0, 0))[2]
            await wait_until_async(lambda t=total: (sim.ledger.made_range(stream) or (0, 0, 0))[2] > t + 10)
        first, last, total = sim.ledger.made_range(stream) or (0, 0, 0)
        unheard = {n for run in sim.ledger.unheard(stream) for n in range(run.first_id, run.last_id + 1)}
        sent = sim.ledger.sent_to_any(stream)
        assert sent | unheard == set(range(first, last + 1))
        assert not sent & unheard
        assert total == last - first + 1
