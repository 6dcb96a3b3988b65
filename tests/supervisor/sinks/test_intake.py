"""Intake: from rings to the spool, each event once, whenever the process is killed; nothing is written into rings."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from foxtrot_protocol.codec import BatchEncoder
from foxtrot_protocol.events import EVENT_BBO, EVENT_MARKET_TRADE, Gap, Quote, Trade
from foxtrot_protocol.ring_layout import CAPACITY_MIN
from foxtrot_supervisor.engine.delivery.positions import PositionFile
from foxtrot_supervisor.engine.delivery.ring_reader import RingReader
from foxtrot_supervisor.sinks import intake as intake_module
from foxtrot_supervisor.sinks.cursor_reader import CursorReader
from foxtrot_supervisor.sinks.intake import Intake
from foxtrot_supervisor.sinks.sink import SinkRow
from foxtrot_supervisor.sinks.spool import Spool
from foxtrot_supervisor.sinks.spool_reader import SpoolReader
from foxtrot_supervisor.sinks.spool_writer import SpoolWriter
from foxtrot_workers.feed.ring_writer import RingWriter
from tests.support.twin_world import Killed, Silent

_RULES = {EVENT_MARKET_TRADE: "sequence", EVENT_BBO: "content"}


class _Feed:
    """A connection whose workers write their rings, and an engine that frees them at once."""

    def __init__(self, folder: Path, capacity: int = CAPACITY_MIN * 16) -> None:
        self.folder = folder
        self.capacity = capacity
        self.links = folder / "sinks" / "tape"
        self.links.mkdir(parents=True)
        self.workers: dict[str, tuple[RingWriter, BatchEncoder, RingReader, list[int]]] = {}
        self.incarnations: dict[str, int] = {}

    def start(self, worker: str) -> int:
        incarnation = self.incarnations[worker] = self.incarnations.get(worker, 0) + 1
        side = worker.rpartition(".")[2]
        ring = RingWriter(
            str(self.folder),
            worker,
            incarnation,
            self.capacity,
            connection="c",
            side=side,
            rules=_RULES,
            readers=[str(self.links)],
        )
        assert ring.refused_links == {}
        engine = RingReader.open(str(self.folder), worker, incarnation)
        assert engine is not None
        self.workers[worker] = ring, BatchEncoder(worker, incarnation), engine, [0]
        return incarnation

    def end(self, worker: str) -> int:
        ring, _, engine, _ = self.workers.pop(worker)
        engine.close()
        Path(ring.path).unlink()  # the engine's link
        return self.incarnations[worker]

    def write(self, worker: str, *events: Any) -> None:
        ring, encoder, engine, sequence = self.workers[worker]
        sequence[0] += 1
        assert ring.append(sequence[0], len(events), encoder.encode(sequence[0], 77, list(events)))
        record = engine.next()
        assert record is not None
        engine.consume_to(record.end)


class _Process:
    """One life of the sink's process after another."""

    def __init__(self, feed: _Feed, folder: Path, spool_bytes: int = 1 << 20) -> None:
        self.feed = feed
        self.folder = folder
        self.spool_bytes = spool_bytes
        folder.mkdir()
        self.now = 1000.0
        self.fenced: list[tuple[str, int]] = []
        self.start()

    def start(self, run_id: str = "run") -> None:
        self.spool = Spool(str(self.folder), self.spool_bytes)
        self.intake = Intake(str(self.feed.links), run_id, self.spool, Silent())
        self.intake.started.add(self.feed.incarnations)
        for fence in self.fenced:
            self.intake.fence(*fence)

    def fence(self, worker: str, incarnation: int) -> None:
        self.fenced.append((worker, incarnation))
        self.intake.fence(worker, incarnation)

    def pump(self, times: int = 3) -> None:
        for _ in range(times):
            self.now += 0.2
            while self.intake.pump(self.now):
                pass

    def rows(self) -> list[SinkRow]:
        reader = SpoolReader(self.spool, 1)
        rows = reader.take(1 << 20, 1 << 30)
        reader.close()
        assert [row.number for row in rows] == [*range(1, len(rows) + 1)]
        return rows

    def trades(self) -> list[str]:
        return [row.event.trade_id for row in self.rows() if isinstance(row.event, Trade)]

    def gaps(self) -> list[str]:
        return [row.event.cause for row in self.rows() if isinstance(row.event, Gap)]


def trade(number: int) -> Trade[str]:
    return Trade("SIM", "X", number, number, "1.10", "2", "buy", str(number))


def quote(number: int) -> Quote[str]:
    return Quote("SIM", "X", number, number, "1", "2", "3", "4", "")


@pytest.fixture
def feed(tmp_path: Path) -> _Feed:
    return _Feed(tmp_path)


@pytest.fixture
def process(feed: _Feed, tmp_path: Path) -> _Process:
    return _Process(feed, tmp_path / "spool")


def test_rows_have_what_the_exchange_sent_and_rings_are_left_as_they_are(feed: _Feed, process: _Process) -> None:
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


def test_what_the_first_of_twins_had_alone_is_kept_however_the_folder_is_listed(
    feed: _Feed, process: _Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    for worker in ("c.a", "c.b"):
        feed.start(worker)
    process.intake.started.add(feed.incarnations)
    feed.write("c.a", *map(trade, range(1, 6)))
    feed.write("c.b", *map(trade, range(4, 6)))
    listed = os.listdir
    monkeypatch.setattr(os, "listdir", lambda path: sorted(listed(path), reverse=True))
    process.pump()
    assert process.trades() == ["1", "2", "3", "4", "5"]


def test_nothing_is_read_before_the_supervisor_has_said_which_workers_it_has_started(
    feed: _Feed, process: _Process
) -> None:
    feed.start("c.a")
    feed.write("c.a", trade(1))
    intake = Intake(str(feed.links), "run", process.spool, Silent())
    assert not intake.pump(0.0)
    assert process.rows() == []


def test_the_ring_of_a_dead_worker_is_read_to_its_end_and_its_link_removed(feed: _Feed, process: _Process) -> None:
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


def test_an_overtaken_sink_announces_what_it_has_missed_exactly(feed: _Feed, process: _Process) -> None:
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


def test_a_full_spool_leaves_events_in_the_ring_until_there_is_room(feed: _Feed, tmp_path: Path) -> None:
    process = _Process(feed, tmp_path / "spool", 48 * 1024)
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


def test_another_run_begins_with_the_first_record_of_its_rings(feed: _Feed, process: _Process) -> None:
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
    feed: _Feed, process: _Process, fuse: list[int], seed: int
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
