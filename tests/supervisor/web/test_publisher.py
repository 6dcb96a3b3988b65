"""From the observer of a played run to the frames of pages."""

from __future__ import annotations

import asyncio
import contextlib
import struct
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from foxtrot_protocol.codec import BatchEncoder
from foxtrot_protocol.control import IncidentsRequest, Reply, Request, RestartRequest, StatusRequest
from foxtrot_protocol.endpoints import operator_path, tap_path
from foxtrot_protocol.events import BookSnapshot, Trade
from foxtrot_supervisor.client import observer as observer_module
from foxtrot_supervisor.client.observer import Observer
from foxtrot_supervisor.runtime.control_server import ControlServer
from foxtrot_supervisor.web import publisher as module
from foxtrot_supervisor.web.hub import Hub, MarketRefused, Place
from foxtrot_supervisor.web.publisher import Publisher
from tests.supervisor.report.test_diagnosis import status, worker
from tests.supervisor.web.test_hub import events
from tests.support.played_server import playing

LIMIT_S = 20.0


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TURN_S", 0.01)
    monkeypatch.setattr(observer_module, "RETRY_S", 0.02)


def run_status() -> dict[str, Any]:
    topics = [{"topic": "trades:X", "state": "flowing", "reason": ""}]
    place = {"connection": "one", "side": "a", "exchange": "okx", "events_per_s": 5.0, "topics": topics}
    found = status(workers=[worker(**place)])
    return {**found, "supervisor": {**found["supervisor"], "run_id": "first"}}


class Rig:
    """A played supervisor, an observer and the publisher under test."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.hub = Hub()
        self.observer = Observer(str(folder), interval_s=0.02)
        self.publisher = Publisher(self.observer, self.hub)
        self.symbol = ""
        self.error = ""

    async def answer(self, request: Request) -> Reply:
        match request:
            case StatusRequest():
                return Reply(data=run_status())
            case IncidentsRequest():
                return Reply(data={"incidents": [{"seq": 1, "kind": "death"}] if request.after == 0 else []})
            case _:
                return Reply(error=self.error)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        server = ControlServer(operator_path(str(self.folder)), self.answer)
        await server.start()
        try:
            yield
        finally:
            await server.close()

    async def until(self, name: str, is_right: Callable[[Any], bool] = lambda _: True) -> Any:
        """The frame `name` as a page that comes gets it, as soon as it is right."""
        async with asyncio.timeout(LIMIT_S):
            while True:
                turn = self.hub.turn()
                for found, content in events(self.hub.news(Place(symbol=self.symbol))):
                    if found == name and is_right(content):
                        return content
                await turn.wait()


@contextlib.asynccontextmanager
async def rig(folder: Path) -> AsyncIterator[Rig]:
    made = Rig(folder)
    async with made.observer:
        task = asyncio.create_task(made.publisher.run())
        yield made
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def test_a_run_is_shown_lost_and_shown_again(tmp_path: Path) -> None:
    async with rig(tmp_path) as made:
        away = await made.until("away")
        assert "No such file" in away["problem"]
        async with made.running():
            shown = await made.until("view")
            assert shown["run"]["run_id"] == "first"
            assert dict(zip(shown["fields"], shown["workers"][0], strict=True))["name"] == "one.a"
            assert (await made.until("topics"))[0]["name"] == "one"
            assert (await made.until("incidents"))["incidents"] == [{"seq": 1, "kind": "death"}]
            assert await made.until("away", lambda content: content is None) is None
            assert made.publisher.history()["all"]["rates"]
        assert "problem" in await made.until("away", lambda content: content is not None)


async def test_orders_are_sent_and_their_failures_are_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with rig(tmp_path) as made:
        assert "no supervisor is running" in await made.publisher.order(RestartRequest("one.a"))
        async with made.running():
            assert await made.publisher.order(RestartRequest("one.a")) == ""
            made.error = "one.a is being rotated"
            assert await made.publisher.order(RestartRequest("one.a")) == "one.a is being rotated"
        monkeypatch.setattr(module, "ORDER_S", 0.05)

        seen = asyncio.Event()

        async def mute(_reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
            await seen.wait()

        async with playing(operator_path(str(tmp_path)), mute):
            assert "may still be carried out" in await made.publisher.order(RestartRequest("one.a"))
            seen.set()


def batch() -> bytes:
    trade = Trade("SIM", "BTCUSDT", 1_000_000, 2, "100.10", "0.5", "buy", "7")
    book = BookSnapshot("SIM", "BTCUSDT", 1, 3, [("99", "1")], [("101", "2")], None, "1", None)
    data = BatchEncoder("one.a", 1).encode(1, 3, [trade, book])
    return struct.pack(">I", len(data)) + data


async def test_a_market_is_followed_once_for_all_pages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MARKETS_MAX", 1)
    readers = 0

    async def engine(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal readers
        readers += 1
        writer.write(batch())
        await reader.read()

    async with playing(tap_path(str(tmp_path)), engine), rig(tmp_path) as made, made.running():
        made.symbol = "BTCUSDT.SIM"
        with made.publisher.watched("BTCUSDT.SIM"), made.publisher.watched("BTCUSDT.SIM"):
            shown = await made.until("market", lambda content: bool(content["bids"]))
            assert shown == {
                "symbol": "BTCUSDT.SIM",
                "trade": {"price": "100.10", "size": "0.5", "side": "buy", "at_ms": 1},
                "top": ["99", "1", "101", "2"],
                "bids": [["99", "1"]],
                "asks": [["101", "2"]],
                "partial": False,
            }
            with pytest.raises(MarketRefused, match="1 symbols"), made.publisher.watched("ETHUSDT.SIM"):
                pass
            assert readers == 1
        with made.publisher.watched("ETHUSDT.SIM"):
            pass
        assert made.hub.news(Place(symbol="BTCUSDT.SIM")).count(b"event: market") == 0
