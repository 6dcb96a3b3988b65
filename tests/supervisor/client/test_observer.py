"""An observer of a played run, over real sockets: across restarts, with incidents and a market."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from foxtrot_protocol.codec import BatchEncoder
from foxtrot_protocol.control import IncidentsRequest, Reply, Request, RestartRequest, StatusRequest
from foxtrot_protocol.endpoints import operator_path, tap_path
from foxtrot_protocol.events import Trade
from foxtrot_supervisor.client import observer as module
from foxtrot_supervisor.client.history import listed
from foxtrot_supervisor.client.observer import Observer
from foxtrot_supervisor.runtime.control_server import ControlServer
from tests.support.played_server import playing

LIMIT_S = 10.0


class Run:
    """A supervisor's outside."""

    def __init__(self, folder: Path, run_id: str = "first") -> None:
        self.run_id = run_id
        self.server = ControlServer(operator_path(str(folder)), self.answer)
        self.incidents: list[dict[str, Any]] = []
        self.first_seq = 1
        self.requests: list[Request] = []
        self.error = ""

    async def answer(self, request: Request) -> Reply:
        self.requests.append(request)
        if isinstance(request, StatusRequest):
            workers = [{"name": "one.a", "connection": "one", "events_per_s": 5.0}]
            return Reply(error=self.error, data={"supervisor": {"run_id": self.run_id}, "workers": workers})
        if isinstance(request, IncidentsRequest):
            kept = [each for each in self.incidents if each["seq"] >= self.first_seq]
            found = [each for each in kept if each["seq"] > request.after][:2]
            more = bool(found) and found[-1] is not kept[-1]
            return Reply(data={"incidents": found, "first_seq": self.first_seq, "more": more})
        return Reply(data={"done": True})


async def until(observer: Observer, condition: Callable[[], Any], version: int = 0) -> int:
    async with asyncio.timeout(LIMIT_S):
        while not condition():
            version = await observer.changed(version)
    return version


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RETRY_S", 0.02)


def observing(folder: Path) -> Observer:
    return Observer(str(folder), interval_s=0.02)


async def test_status_and_incidents_come_and_make_history(tmp_path: Path) -> None:
    run = Run(tmp_path)
    run.incidents = [{"seq": number, "kind": "death"} for number in (1, 2, 3)]
    await run.server.start()
    async with observing(tmp_path) as observer:
        await until(observer, lambda: len(observer.incidents) == 3)
        assert observer.connected
        assert observer.problem == ""
        assert observer.status["supervisor"]["run_id"] == "first"
        run.incidents.append({"seq": 4, "kind": "gap"})
        await until(observer, lambda: len(observer.incidents) == 4)
        assert [each["seq"] for each in observer.incidents] == [1, 2, 3, 4]
        await until(observer, lambda: len(observer.history.times) > 1)
        assert set(listed(observer.history.connections["one"].events_per_s)) == {5.0}
        assert observer.incidents_missed == 0
        assert (await observer.request(RestartRequest("one.a"), 5)).data == {"done": True}
    await run.server.close()


async def test_incidents_that_fell_out_are_counted_and_the_latest_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "INCIDENTS_MAX", 3)
    run = Run(tmp_path)
    run.incidents = [{"seq": number} for number in range(1, 9)]
    run.first_seq = 4
    await run.server.start()
    async with observing(tmp_path) as observer:
        await until(observer, lambda: observer.incidents and observer.incidents[-1]["seq"] == 8)
        assert [each["seq"] for each in observer.incidents] == [6, 7, 8]
        assert observer.incidents_missed == 3
    await run.server.close()


async def test_it_survives_the_end_of_the_run_and_begins_again_with_the_next(tmp_path: Path) -> None:
    async with observing(tmp_path) as observer:
        version = await until(observer, lambda: "No such file" in observer.problem)
        assert not observer.connected
        first = Run(tmp_path)
        first.incidents = [{"seq": 1}]
        await first.server.start()
        version = await until(observer, lambda: observer.incidents, version)
        await first.server.close()
        version = await until(observer, lambda: not observer.connected, version)
        assert observer.status["supervisor"]["run_id"] == "first", "what was seen last stays"
        second = Run(tmp_path, "second")
        await second.server.start()
        await until(observer, lambda: observer.connected, version)
        assert observer.status["supervisor"]["run_id"] == "second"
        assert observer.incidents == []
        assert len(observer.history.times) <= 2
        await second.server.close()


async def test_a_refused_status_is_a_problem(tmp_path: Path) -> None:
    run = Run(tmp_path)
    run.error = "go away"
    await run.server.start()
    async with observing(tmp_path) as observer:
        await until(observer, lambda: "go away" in observer.problem)
    await run.server.close()


async def test_a_supervisor_that_does_not_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ANSWER_S", 0.05)

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with playing(operator_path(str(tmp_path)), behave), observing(tmp_path) as observer:
        await until(observer, lambda: "does not answer within 0.05 s" in observer.problem)


def record(symbol: str, worker: str = "one.a") -> bytes:
    data = BatchEncoder(worker, 1).encode(1, 3, [Trade("SIM", symbol, 1, 2, "100.10", "0.5", "buy", "7")])
    return struct.pack(">I", len(data)) + data


async def test_the_market_of_a_symbol_across_engines(tmp_path: Path) -> None:
    connections = 0

    async def engine(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        writer.write(b"\0\0\0\0\0\0\0\7" + record("ETHUSDT") + record("BTCUSDT") + record("BTCUSDT", "two.a"))
        await writer.drain()
        if connections > 1:
            await reader.read()  # until the observer leaves

    async with playing(tap_path(str(tmp_path)), engine), observing(tmp_path) as observer:
        observer.watch(worker="one.a", exchange="SIM", symbol="BTCUSDT")
        market = observer.market
        assert market is not None
        await until(observer, lambda: market.last and connections > 1)
        assert market.last is not None
        assert (market.last.symbol, market.events_total) == ("BTCUSDT", connections)
        observer.watch(worker="one.a")
        chosen = observer.market
        assert chosen is not None
        await until(observer, lambda: len(chosen.symbols) == 2)
        assert chosen.symbol == "ETHUSDT"
        observer.unwatch()
        assert observer.market is None


async def test_a_broken_stream_is_read_again(tmp_path: Path) -> None:
    connections = 0

    async def engine(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        writer.write(b"\xff\xff\xff\xff" if connections == 1 else record("BTCUSDT"))
        await reader.read()

    async with playing(tap_path(str(tmp_path)), engine), observing(tmp_path) as observer:
        observer.watch()
        market = observer.market
        assert market is not None
        await until(observer, lambda: market.last)
