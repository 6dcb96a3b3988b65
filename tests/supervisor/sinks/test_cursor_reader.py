"""A reader beside the engine: writes nothing, notices that it was overtaken, and loses an exact number of batches."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from foxtrot_protocol import ring_layout
from foxtrot_protocol.errors import MalformedMessage
from foxtrot_protocol.ring_layout import CAPACITY_MIN, HEADER_BYTES
from foxtrot_supervisor.engine.delivery.ring_reader import RingReader
from foxtrot_supervisor.sinks.cursor_reader import CursorReader
from foxtrot_supervisor.sinks.ring_marks import RingMark
from foxtrot_workers.feed.ring_writer import RingWriter

_CAPACITY = CAPACITY_MIN * 4


class _World:
    """A ring with its worker, its engine, and a further reader."""

    def __init__(self, folder: Path) -> None:
        self.readers = folder / "sinks" / "tape"
        self.readers.mkdir(parents=True)
        self.writer = RingWriter(str(folder), "w.a", 1, _CAPACITY, readers=[str(self.readers)])
        engine = RingReader.open(str(folder), "w.a", 1)
        assert engine is not None
        self.engine = engine
        self.marks: list[RingMark] = []
        self.sink = self.opened()
        self.sequence = 0
        self.path = folder / "ring-w.a-1"

    def opened(self, mark: RingMark | None = None) -> CursorReader:
        sink = CursorReader.open(str(self.readers), "w.a", 1)
        assert sink is not None
        sink.resume(mark, self.marks.append)
        return sink

    def write(self, count: int, size: int = 100) -> None:
        for _ in range(count):
            self.sequence += 1
            assert self.writer.append(self.sequence, 2, b"%d" % self.sequence * (size // 4))
            record = self.engine.next()
            assert record is not None
            self.engine.acknowledge(record.sequence, record.end, 2 * record.sequence, 0, 0)

    def close(self) -> None:
        self.sink.close()
        self.engine.close()
        self.writer.close()


@pytest.fixture
def world(tmp_path: Path) -> Iterator[_World]:
    made = _World(tmp_path)
    yield made
    made.close()


def take(sink: CursorReader) -> int:
    """Take the next record as the receiver does; return its sequence, 0 if there is none."""
    record = sink.next()
    if record is None:
        return 0
    assert record.data == b"%d" % record.sequence * (len(record.data) // len(b"%d" % record.sequence))
    sink.mark_applied(record.sequence, record.events_before + record.events, 0, 0, 0)
    sink.advance(record.end)
    return record.sequence


def test_it_reads_what_the_engine_has_freed_and_leaves_the_ring_as_it_is(world: _World) -> None:
    world.write(20)
    before = world.path.read_bytes()
    assert [take(world.sink) for _ in range(21)] == [*range(1, 21), 0]
    assert world.path.read_bytes() == before
    assert world.sink.empty
    with pytest.raises(TypeError):
        world.sink._words[0] = 0  # mapped for reading only


def test_it_follows_over_many_laps(world: _World) -> None:
    chance = random.Random(3)
    for _ in range(400):
        count = chance.randrange(5)
        world.write(count, chance.randrange(4, 400))
        first = world.sequence - count + 1
        assert [take(world.sink) for _ in range(count)] == [*range(first, first + count)]
    assert world.sink.overtaken_total == 0


def test_it_goes_on_behind_its_mark(world: _World) -> None:
    world.write(9)
    for _ in range(3):
        take(world.sink)
    world.sink.release()  # positions of streams are written up to here
    for _ in range(2):
        take(world.sink)
    again = world.opened(world.marks[-1])
    applied = again.applied()
    assert applied is not None
    assert (applied.sequence, applied.applied) == (5, 10)
    for number in (4, 5):  # read again for the positions of streams
        record = again.next()
        assert record is not None
        assert record.sequence == number
        again.consume_to(record.end)
    assert world.marks[-1].sequence == 5
    assert take(again) == 6
    assert world.marks[-1].sequence == 6
    again.close()


def test_overtaken_it_goes_on_at_the_oldest_record_and_the_number_of_lost_events_is_exact(world: _World) -> None:
    world.write(3)
    take(world.sink)
    world.write(1000)
    record = world.sink.next()
    assert record is not None
    assert record.sequence > 2
    assert record.events_before == 2 * (record.sequence - 1)  # so the caller knows exactly what it has missed
    assert world.sink.overtaken_total == 1
    world.sink.acknowledge(record.sequence - 1, world.sink.tail, 2, record.events_before - 2, 0)  # announced as lost
    held = 1003 - record.sequence + 1
    assert held * ring_layout.record_size(100) > _CAPACITY * 0.8  # most of the history is still used
    rest = [take(world.sink) for _ in range(held)]
    assert rest == [*range(record.sequence, 1004)]
    assert world.sink.overtaken_total == 1


@pytest.mark.parametrize("laps", [1, 2, 3])
def test_a_record_that_takes_the_place_of_the_next_one_is_not_mistaken_for_it(world: _World, laps: int) -> None:
    size = ring_layout.record_size(96)
    assert _CAPACITY % size == 0  # so that records of later laps begin at the same places
    for number in range(1, 4):
        assert world.writer.append(number, 1, b"%03d" % number * 32)
    world.engine.consume_to(3 * size)
    number = 3
    for _ in range(laps * _CAPACITY // size):
        number += 1
        assert world.writer.append(number, 1, b"%03d" % (number % 1000) * 32)
        world.engine.consume_to(number * size)
    record = world.sink.next()
    assert record is not None
    assert record.sequence > 3
    assert record.end == record.sequence * size


def test_a_record_being_written_over_the_cursor_is_not_taken(world: _World) -> None:
    """The worker has written the record and not yet its head."""
    size = ring_layout.record_size(96)
    count = _CAPACITY // size
    for number in range(1, count + 1):
        assert world.writer.append(number, 1, b"%03d" % number * 32)
        world.engine.consume_to(number * size)
    ring_layout.put_record(world.writer._map, HEADER_BYTES, count + 1, count, 1, b"%03d" % (count + 1) * 32)
    record = world.sink.next()
    assert record is not None
    assert record.sequence != count + 1
    assert record.sequence > 1


def test_damage_far_from_the_worker_is_reported(world: _World) -> None:
    world.write(3)
    world.writer._map[HEADER_BYTES + 40] ^= 0xFF
    with pytest.raises(MalformedMessage, match="checksum"):
        world.sink.next()


def test_while_the_worker_runs_away_every_record_that_is_taken_is_whole(world: _World) -> None:
    stop = threading.Event()

    def run() -> None:
        while not stop.is_set():
            world.write(50, 60)

    running = threading.Thread(target=run)
    running.start()
    taken: list[int] = []
    try:
        while len(taken) < 3000:
            if sequence := take(world.sink):
                taken.append(sequence)
    finally:
        stop.set()
        running.join()
    assert taken == sorted(set(taken))
