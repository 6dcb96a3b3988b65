"""Gaps of dropped events are kept until they are committed, before later events."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from foxtrot_protocol.codec import batch_decoder
from foxtrot_protocol.endpoints import data_endpoint
from foxtrot_protocol.events import EVENT_BOOK, EVENT_MARKET_TRADE, Gap, Trade
from foxtrot_protocol.ring_layout import CAPACITY_MIN
from foxtrot_supervisor.engine.delivery.ring_reader import RingReader
from foxtrot_supervisor.telemetry.ring_figures import read_figures
from foxtrot_workers.feed import event_sender
from foxtrot_workers.feed.backpressure import Pressure
from foxtrot_workers.feed.event_sender import EventSender
from foxtrot_workers.feed.outflow import Outflow

BATCH = 10


def trades(first: int, count: int = BATCH) -> list[Any]:
    return [Trade("SIM", "BTCUSDT", 0, n, "1", "1", "buy", str(n)) for n in range(first, first + count)]


class World:
    """An outflow with the smallest ring, room for a few waiting batches, and the engine's end of the ring."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(event_sender, "WAITING_BYTES_MAX", 1000)
        self.folder = str(folder)
        self.loop = asyncio.new_event_loop()
        self.calls: list[Callable[[], None]] = []
        self.paused = 0
        sender = EventSender(
            self.loop,
            data_endpoint(self.folder),
            self.folder,
            "w.a",
            1,
            CAPACITY_MIN,
            connection="w",
            side="a",
            rules={},
        )
        self.outflow = Outflow(
            sender,
            CAPACITY_MIN,
            0.0,
            structlog.get_logger(),
            pause=lambda: self.pause(1),
            resume=lambda: self.pause(-1),
            later=lambda delay_s, call: self.calls.append(call) or asyncio.TimerHandle(0, call, (), self.loop),  # type: ignore[func-returns-value]
        )
        reader = RingReader.open(self.folder, "w.a", 1)
        assert reader is not None
        self.reader = reader
        self.got: list[Any] = []
        self.sent = 0

    def pause(self, by: int) -> None:
        self.paused += by

    def fill(self) -> None:
        """Send trades until some of them are dropped."""
        while not self.outflow.dropped_total:
            self.more()

    def more(self, count: int = BATCH) -> None:
        self.outflow.send(trades(self.sent, count))
        self.sent += count

    def read(self, records: int = 1000) -> None:
        """Handle so many batches."""
        while records and (record := self.reader.next()) is not None:
            self.got.extend(batch_decoder("text").decode(record.data).events)
            self.reader.acknowledge(record.sequence, record.end, 0, 0, 0)
            records -= 1

    def look(self) -> None:
        """The timer is due."""
        calls, self.calls = self.calls, []
        for call in calls:
            call()

    def unannounced(self) -> int:
        return read_figures(self.folder)[0].unannounced_events

    def settle(self) -> None:
        while self.calls:
            self.read()
            self.look()
        self.read()

    def check(self) -> None:
        """Each trade came, or was announced before what follows it; nothing both."""
        accounted = 0
        for event in self.got:
            if isinstance(event, Trade):
                assert int(event.trade_id) == accounted
                accounted += 1
            elif isinstance(event, Gap) and event.stream == EVENT_MARKET_TRADE:
                assert int(event.first_id or -1) == accounted, "contiguous and exact"
                accounted = int(event.last_id or -1) + 1
        assert accounted == self.sent
        assert self.unannounced() == 0

    def close(self) -> None:
        self.outflow.close()
        self.reader.close()
        self.loop.close()


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    world = World(tmp_path, monkeypatch)
    yield world
    world.close()


def test_gaps_without_room_are_kept_and_announced_before_what_follows(world: World) -> None:
    world.fill()  # before the ring was ever looked at: the gap finds no room either
    assert world.outflow.state is Pressure.HOLDING
    assert world.outflow.announce() is False
    world.more()
    world.read(1)
    world.look()  # something waiting moves into the ring: the next batch finds the gap first
    world.more()
    world.settle()
    world.more()
    world.read()
    world.check()
    assert sum(isinstance(event, Gap) for event in world.got) >= 1
    assert world.paused == 0


def test_many_rounds_of_too_little_room_stay_exact(world: World) -> None:
    for turn in range(60):
        for _ in range(turn % 7):
            world.more(1 + turn % 5)
        world.read(turn % 3)
        world.look()
    world.settle()
    world.more()
    world.read()
    world.check()
    assert world.outflow.dropped_total


def test_gaps_of_the_adapter_that_find_no_room_keep_their_stream(world: World) -> None:
    world.fill()
    world.outflow.send([Gap("SIM", "BTCUSDT", 0, 20, EVENT_BOOK, "7", "9", 15, 20, "the book is broken")])
    world.settle()
    found = [gap for gap in world.got if isinstance(gap, Gap) and gap.stream == EVENT_BOOK]
    assert [(gap.first_id, gap.last_id, gap.cause) for gap in found] == [("7", "9", "the book is broken")]


async def test_drain_waits_for_space_for_the_gaps(world: World) -> None:
    world.fill()
    draining = asyncio.create_task(world.outflow.drain(time.monotonic() + 10.0))
    while not draining.done():
        world.read(1)
        await asyncio.sleep(0)
    assert await draining
    world.check()


async def test_without_an_engine_lost_events_are_counted_in_the_ring(world: World) -> None:
    world.fill()
    assert not await world.outflow.drain(time.monotonic())
    (shown,) = read_figures(world.folder)
    assert shown.committed_events + shown.unannounced_events == world.sent
    assert shown.dropped_events < shown.unannounced_events, "what waits for room counts as well"
