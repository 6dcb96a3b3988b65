"""Intake: from rings to the spool, each event once, whenever the process is killed; nothing is written into rings."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from foxtrot_protocol.events import EVENT_BBO, EVENT_MARKET_TRADE, Gap, Quote, Trade
from foxtrot_supervisor.engine.delivery.positions import PositionFile
from foxtrot_supervisor.sinks import intake as intake_module
from foxtrot_supervisor.sinks.cursor_reader import CursorReader
from foxtrot_supervisor.sinks.intake import Intake, StopTimes
from foxtrot_supervisor.sinks.spool_writer import SpoolWriter
from tests.support.sink_world import SinkFeed, SinkProcess, quote, trade
from tests.support.twin_world import Killed, Silent


@pytest.fixture
def feed(tmp_path: Path) -> SinkFeed:
    return SinkFeed(tmp_path)


@pytest.fixture
def process(feed: SinkFeed, tmp_path: Path) -> SinkProcess:
    return SinkProcess(feed, tmp_path / "spool")


def test_rows_have_what_the_exchange_sent_and_rings_are_left_as_they_are(feed: SinkFeed, process: SinkProcess) -> None:
    feed.start("c.a")
    process.intake.started.add(feed.incarnations)
    feed.write("c.a", trade(1), quote(1))
    ring = feed.folder / "ring-c.a-1"
    before = ring.read_bytes()
    process.pump()
    first, second = process.rows()
    assert ring.read_bytes() == before
    assert isinstance(first.event, Trade)
    assert (first.event.price, first.event.publish_ns, first.connection, first.kind) == ("1.10", 77, "c", "trade")
    assert second.kind == "quote"
    assert first.key != second.key


def test_nothing_is_read_before_the_supervisor_has_said_which_workers_it_has_started(
    feed: SinkFeed, process: SinkProcess
) -> None:
    feed.start("c.a")
    feed.write("c.a", trade(1))
    intake = Intake(str(feed.links), "run", process.spool, Silent())
    assert not intake.pump(0.0)
    assert process.rows() == []


def test_the_ring_of_a_dead_worker_is_read_to_its_end_and_its_link_removed(
    feed: SinkFeed, process: SinkProcess
) -> None:
    feed.start("c.a")
    process.intake.started.add(feed.incarnations)
    feed.write("c.a", trade(1))
    process.pump()
    feed.write("c.a", trade(2))
    incarnation = feed.end("c.a")
    assert [entry.name for entry in feed.links.glob("ring-*")] == ["ring-c.a-1"]
    process.fence("c.a", incarnation)
    process.pump()
    assert process.trades() == ["1", "2"]
    assert list(feed.links.glob("ring-*")) == []
    assert process.gaps() == []


def test_an_overtaken_sink_announces_what_it_has_missed_exactly(feed: SinkFeed, process: SinkProcess) -> None:
    feed.start("c.a")
    process.intake.started.add(feed.incarnations)
    feed.write("c.a", trade(1))
    process.pump()
    for number in range(2, 3000):
        feed.write("c.a", trade(number))
    process.pump()
    trades = [int(number) for number in process.trades()]
    first = trades[1]
    assert trades == [1, *range(first, 3000)]
    gaps = [row.event for row in process.rows() if isinstance(row.event, Gap)]
    assert f"batches 2 to {first - 1} of c.a#1 were overwritten before this sink had read them" in gaps[0].cause
    assert f"{first - 2} events" in gaps[0].cause
    assert (gaps[1].first_id, gaps[1].last_id) == ("2", str(first - 1))
    assert len(gaps) == 2
    counts = process.intake.counts()
    assert (counts["lost_total"], counts["overtaken_total"], counts["violations_total"]) == (first - 2, 1, 0)


def test_a_full_spool_leaves_events_in_the_ring_until_there_is_room(feed: SinkFeed, tmp_path: Path) -> None:
    process = SinkProcess(feed, tmp_path / "spool", 48 * 1024)
    feed.start("c.a")
    process.intake.started.add(feed.incarnations)
    for number in range(1, 400):
        feed.write("c.a", trade(number))
    process.pump()
    assert process.intake.is_full
    held = len(process.rows())
    assert 50 < held < 399
    process.spool.acknowledge(held)
    process.pump()
    assert process.spool.last_row > held
    while process.spool.last_row < 399:
        process.spool.acknowledge(process.spool.last_row)
        process.pump()
    assert process.spool.last_row == 399  # and no gap among them
    assert process.intake.counts()["full_total"] >= 1


def test_another_run_begins_with_the_first_record_of_its_rings(feed: SinkFeed, process: SinkProcess) -> None:
    feed.start("c.a")
    process.intake.started.add(feed.incarnations)
    feed.write("c.a", trade(1))
    process.pump()
    process.intake.close()
    feed.end("c.a")
    for link in feed.links.glob("ring-*"):
        link.unlink()
    feed.incarnations.clear()
    feed.start("c.a")
    feed.write("c.a", trade(8))
    process.start("another")
    process.pump()
    assert process.trades() == ["1", "8"]


@pytest.fixture
def fuse(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Stores that are left before the process is killed; each later one fails too."""
    left = [1 << 60]

    def burning(method: Callable[..., Any]) -> Callable[..., Any]:
        def store(*arguments: Any, **named: Any) -> Any:
            left[0] -= 1
            if left[0] < 0:
                raise Killed
            return method(*arguments, **named)

        return store

    monkeypatch.setattr(SpoolWriter, "_put", burning(SpoolWriter._put))
    monkeypatch.setattr(SpoolWriter, "_roll", burning(SpoolWriter._roll))
    monkeypatch.setattr(PositionFile, "save", burning(PositionFile.save))
    monkeypatch.setattr(CursorReader, "advance", burning(CursorReader.advance))
    monkeypatch.setattr(CursorReader, "mark_applied", burning(CursorReader.mark_applied))
    monkeypatch.setattr(CursorReader, "release", burning(CursorReader.release))
    monkeypatch.setattr(intake_module, "remove_ring", burning(intake_module.remove_ring))
    return left


@pytest.mark.parametrize("seed", range(6))
def test_killed_at_any_store_it_has_each_event_once_and_no_gap(
    feed: SinkFeed, process: SinkProcess, fuse: list[int], seed: int
) -> None:
    """Twins, of which each is replaced now and then; the sink's process is killed again and again."""
    chance = random.Random(seed)
    for worker in ("c.a", "c.b"):
        feed.start(worker)
    process.intake.started.add(feed.incarnations)
    sent = {"c.a": 0, "c.b": 0}
    lives = 1
    for _ in range(250):
        worker = chance.choice(("c.a", "c.b"))
        other = "c.b" if worker == "c.a" else "c.a"
        if chance.random() < 0.05 and sent[other] >= sent[worker]:
            incarnation = feed.end(worker)
            feed.start(worker)
            # a successor begins with what its twin brings next: nothing is lost while one of them lives
            sent[worker] = sent[other] - 1 if sent[other] else 0
            process.intake.started.add(feed.incarnations)
            process.fence(worker, incarnation)
        for _ in range(chance.randrange(4)):
            count = chance.randrange(1, 4)
            first = sent[worker] + 1
            sent[worker] += count
            events = [kind(number) for number in range(first, first + count) for kind in (trade, quote)]
            feed.write(worker, *events)
        if chance.random() < 0.3:
            fuse[0] = chance.randrange(40)
        try:
            process.pump(chance.randrange(3))
        except Killed:
            fuse[0] = 1 << 60
            lives += 1
            process.start()
    fuse[0] = 1 << 60
    newest = max(sent.values())
    for worker, last in sent.items():
        for number in range(last + 1, newest + 1):
            feed.write(worker, trade(number), quote(number))
    process.pump(30)
    assert lives > 10
    expected = [str(number) for number in range(1, newest + 1)]
    assert process.trades() == expected
    assert sorted(row.event.exchange_ns for row in process.rows() if isinstance(row.event, Quote)) == [
        *range(1, newest + 1)
    ]
    assert process.gaps() == []
    keys = [row.key for row in process.rows()]
    assert len(set(keys)) == len(keys)
    assert process.intake.counts()["violations_total"] == 0


def _filled(feed: SinkFeed, folder: Path, spool_bytes: int) -> SinkProcess:
    """A sink whose spool is full, with trades 1 to 399 of X and one quote in the rings of twins."""
    process = SinkProcess(feed, folder, spool_bytes)
    for worker in ("c.a", "c.b"):
        feed.start(worker)
    process.intake.started.add(feed.incarnations)
    for number in range(1, 400):
        feed.write("c.a", trade(number))
        feed.write("c.b", trade(number))
    feed.write("c.a", quote(400))
    process.pump()
    assert process.intake.is_full
    return process


def _ended(process: SinkProcess, seconds: float) -> None:
    """The end of a run: no room comes, and rings are read for so long."""
    times = StopTimes(time.monotonic(), time.monotonic() + seconds)
    process.intake.run(lambda: None, lambda: times)


def test_what_a_full_spool_has_no_room_for_at_the_end_is_named_by_gaps_in_it(feed: SinkFeed, tmp_path: Path) -> None:
    process = _filled(feed, tmp_path / "spool", 48 * 1024)
    held = len(process.rows())
    for worker in ("c.a", "c.b"):
        process.fence(worker, feed.end(worker))
    _ended(process, 60.0)
    left_out = 400 - held
    rows = process.rows()
    assert process.trades() == [str(number) for number in range(1, held + 1)]
    gaps = {row.event.stream: row.event for row in rows if isinstance(row.event, Gap)}
    trades = gaps[EVENT_MARKET_TRADE]
    assert (trades.first_id, trades.last_id, trades.symbol, trades.end_ns) == (str(held + 1), "399", "X", 399)
    assert trades.cause == f"{left_out - 1} events found no room in the spool before the sink ended"
    assert gaps[EVENT_BBO].cause.startswith("1 events")
    assert [row.connection for row in rows[held:]] == ["c", "c"]
    counts = process.intake.counts()
    assert (counts["lost_total"], process.intake.unread_events()) == (left_out, left_out)
    assert list(feed.links.glob("ring-*")) == []
    assert process.spool.size_bytes <= 48 * 1024
    process.intake.close()
    process.start("another")
    assert len(process.rows()) == held + 2


def test_rings_that_are_not_read_in_time_are_named_by_their_batches(feed: SinkFeed, tmp_path: Path) -> None:
    process = _filled(feed, tmp_path / "spool", 48 * 1024)
    held = len(process.rows())
    _ended(process, 0.0)
    rows = process.rows()[held:]
    assert [row.connection for row in rows] == ["c", "c"]
    first, second = (row.event.cause for row in rows if isinstance(row.event, Gap))
    assert first == (
        f"batches {held + 1} to 400 of c.a#1 found no room in the spool before the sink ended: {400 - held} events"
    )
    assert "of c.b#1" in second


def test_gaps_of_many_streams_are_summed_up_where_the_reserve_is_too_small(feed: SinkFeed, tmp_path: Path) -> None:
    process = SinkProcess(feed, tmp_path / "spool", 48 * 1024)
    feed.start("c.a")
    process.intake.started.add(feed.incarnations)
    for number in range(1, 600):
        feed.write("c.a", msgspec.structs.replace(trade(number), symbol=f"S{number}"))
    process.pump()
    held = len(process.rows())
    _ended(process, 60.0)
    [row] = process.rows()[held:]
    assert isinstance(row.event, Gap)
    assert (row.connection, row.event.cause) == (
        "c",
        f"{599 - held} events of c found no room in the spool before the sink ended",
    )


def test_room_that_comes_before_the_end_is_used(feed: SinkFeed, tmp_path: Path) -> None:
    process = _filled(feed, tmp_path / "spool", 48 * 1024)
    times = StopTimes(time.monotonic() + 60.0, time.monotonic() + 120.0)
    process.spool.acknowledge(process.spool.last_row)
    process.intake.run(lambda: process.spool.acknowledge(process.spool.last_row), lambda: times)
    assert process.spool.last_row == 400
    assert (process.intake.counts()["lost_total"], process.intake.unread_events()) == (0, 0)
