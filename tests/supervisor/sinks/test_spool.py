"""Spool: rows and marks are committed together, survive a kill at any point, and go when the store has them."""

from __future__ import annotations

import os
import random
import shutil
from pathlib import Path

import pytest

from foxtrot_protocol.errors import MalformedMessage
from foxtrot_protocol.events import Trade
from foxtrot_supervisor.sinks import spool_layout
from foxtrot_supervisor.sinks.ring_marks import RingMark
from foxtrot_supervisor.sinks.sink import SinkRow
from foxtrot_supervisor.sinks.spool import Spool
from foxtrot_supervisor.sinks.spool_layout import HEADER_BYTES, encode_row
from foxtrot_supervisor.sinks.spool_reader import SpoolReader
from foxtrot_supervisor.sinks.spool_writer import SpoolWriter

_BYTES_MAX = 64 * 1024


def row(number: int) -> bytes:
    trade = Trade("SIM", "BTCUSDT", number, number, "1.10", "2", "buy", str(number))
    return encode_row(f"key-{number}", "sim", trade)


def keys(rows: list[SinkRow]) -> list[str]:
    return [each.key for each in rows]


class _World:
    def __init__(self, folder: Path, bytes_max: int = _BYTES_MAX) -> None:
        self.folder = folder
        self.bytes_max = bytes_max
        self.open()
        self.writer.begin_run("run")

    def open(self) -> None:
        self.spool = Spool(str(self.folder), self.bytes_max)
        self.writer = SpoolWriter(self.spool)
        self.reader = SpoolReader(self.spool, self.spool.acknowledged + 1)

    def again(self) -> None:
        """Go on as after a kill: nothing is closed in order."""
        self.open()

    def commit(self, first: int, count: int) -> None:
        self.writer.commit([row(first + n) for n in range(count)], [RingMark("sim.a", 1, first, first + count - 1)])


@pytest.fixture
def world(tmp_path: Path) -> _World:
    return _World(tmp_path)


def test_rows_come_back_in_order_with_contiguous_numbers(world: _World) -> None:
    assert world.reader.take(10, 1 << 20) == []
    world.commit(1, 3)
    world.commit(4, 2)
    taken = world.reader.take(4, 1 << 20)
    assert [each.number for each in taken] == [1, 2, 3, 4]
    assert keys(taken) == ["key-1", "key-2", "key-3", "key-4"]
    assert (taken[0].kind, taken[0].exchange, taken[0].symbol, taken[0].connection) == (
        "trade",
        "SIM",
        "BTCUSDT",
        "sim",
    )
    assert keys(world.reader.take(4, 1 << 20)) == ["key-5"]
    assert world.reader.take(4, 1 << 20) == []
    assert world.spool.pending_rows == 5


def test_a_reader_goes_on_at_any_row(world: _World) -> None:
    world.commit(1, 3)
    world.commit(4, 3)
    world.reader.take(5, 1 << 20)
    for first in (1, 2, 3, 4, 6):
        world.reader.rewind(first)
        assert keys(world.reader.take(10, 1 << 20)) == [f"key-{n}" for n in range(first, 7)]


def test_marks_and_rows_survive_a_kill_together(world: _World) -> None:
    world.commit(1, 3)
    world.commit(4, 2)
    world.writer.commit([], [RingMark("sim.b", 1, 8, 1)], [("sim.a", 1)])
    world.again()
    assert world.writer.run_id == "run"
    assert world.writer.marks == {("sim.b", 1): RingMark("sim.b", 1, 8, 1)}
    assert world.writer.retired == {("sim.a", 1)}
    world.commit(6, 1)
    assert keys(world.reader.take(10, 1 << 20)) == [f"key-{n}" for n in range(1, 7)]


def test_a_block_that_was_not_committed_is_written_over(world: _World, tmp_path: Path) -> None:
    world.commit(1, 2)
    [segment] = world.spool.segments()
    before = Path(segment.path).read_bytes()
    world.commit(3, 2)
    after = Path(segment.path).read_bytes()
    head_at = slice(spool_layout.HEAD_AT, spool_layout.HEAD_AT + 8)
    killed = bytearray(after)
    killed[head_at] = before[head_at]
    Path(segment.path).write_bytes(killed)
    world.again()
    assert world.spool.last_row == 2
    world.writer.commit([row(30)])
    assert keys(world.reader.take(10, 1 << 20)) == ["key-1", "key-2", "key-30"]


def test_another_run_voids_the_marks_of_rings(world: _World) -> None:
    world.commit(1, 2)
    world.writer.begin_run("another")
    assert world.writer.marks == {}
    world.again()
    assert (world.writer.marks, world.writer.run_id) == ({}, "another")
    world.commit(3, 1)
    assert keys(world.reader.take(10, 1 << 20)) == ["key-1", "key-2", "key-3"]


def test_segments_follow_one_another_and_go_when_acknowledged(world: _World) -> None:
    for number in range(1, 400):
        world.commit(number, 1)
        if number % 50 == 0:
            world.spool.acknowledge(number)
    assert 2 <= len(world.spool.segments()) <= 4
    assert world.spool.size_bytes <= _BYTES_MAX
    world.again()
    assert keys(world.reader.take(1000, 1 << 20)) == [f"key-{n}" for n in range(351, 400)]
    assert world.writer.marks["sim.a", 1].sequence == 399


def test_a_full_spool_says_so_and_has_room_again_after_acknowledgement(world: _World) -> None:
    number = 0
    while world.writer.has_room():
        number += 1
        world.commit(number, 1)
    assert _BYTES_MAX * 0.8 < world.spool.size_bytes <= _BYTES_MAX
    assert not world.writer.has_room()
    world.spool.acknowledge(number)
    assert world.writer.has_room()
    world.commit(number + 1, 1)
    assert world.spool.pending_rows == 1


def test_a_full_disk_is_no_room(world: _World, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(fd: int, offset: int, length: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    number = 0
    while world.writer.has_room():
        number += 1
        world.commit(number, 1)
    assert number > 10
    [segment] = world.spool.segments()
    assert sorted(os.listdir(world.folder)) == ["acknowledged.map", os.path.basename(segment.path), "spool-identity"]


def test_rows_larger_than_a_block_or_a_segment(world: _World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("foxtrot_supervisor.sinks.spool_writer.BLOCK_BYTES_MAX", 1000)
    world.writer.commit([row(n) for n in range(1, 501)], [RingMark("sim.a", 1, 8, 1)])
    assert keys(world.reader.take(1000, 1 << 20)) == [f"key-{n}" for n in range(1, 501)]
    world.again()
    assert world.spool.last_row == 500
    assert world.writer.marks["sim.a", 1].sequence == 1


def test_numbers_are_not_used_again_when_the_spool_was_removed(world: _World) -> None:
    world.commit(1, 20)
    world.spool.acknowledge(20)
    for segment in world.spool.segments():
        os.unlink(segment.path)
    world.again()
    world.writer.begin_run("run")
    world.commit(21, 1)
    assert [each.number for each in world.reader.take(9, 1 << 20)] == [21]


def test_without_the_acknowledged_number_everything_left_comes_again(world: _World) -> None:
    for number in range(1, 400):
        world.commit(number, 1)
        world.spool.acknowledge(number)
    os.unlink(world.folder / "acknowledged.map")
    world.again()
    taken = world.reader.take(1000, 1 << 20)
    assert taken[0].number > 100
    assert keys(taken) == [f"key-{n}" for n in range(taken[0].number, 400)]


def test_damage_loses_no_more_than_its_segment_and_is_counted(world: _World) -> None:
    for number in range(1, 200):
        world.commit(number, 1)
    first, second, *_ = world.spool.segments()
    content = bytearray(Path(first.path).read_bytes())
    content[HEADER_BYTES + 400] ^= 0xFF
    Path(first.path).write_bytes(content)
    world.again()
    taken = keys(world.reader.take(1000, 1 << 20))
    assert taken[-1] == "key-199"
    assert world.reader.damaged_rows == 199 - len(taken)
    assert 0 < world.reader.damaged_rows < second.first_row


def test_damage_of_the_last_segment_is_refused(world: _World) -> None:
    world.commit(1, 5)
    [segment] = world.spool.segments()
    content = bytearray(Path(segment.path).read_bytes())
    content[HEADER_BYTES + 100] ^= 0xFF
    Path(segment.path).write_bytes(content)
    with pytest.raises(MalformedMessage):
        world.again()


def test_killed_anywhere_it_neither_loses_nor_doubles(tmp_path: Path) -> None:
    chance = random.Random(5)
    (tmp_path / "spool").mkdir()
    world = _World(tmp_path / "spool")
    written = acknowledged = 0
    for _ in range(300):
        count = chance.randrange(1, 9)
        if not world.writer.has_room():
            acknowledged = world.spool.last_row
            world.spool.acknowledge(acknowledged)
            continue
        world.commit(written + 1, count)
        written += count
        if chance.random() < 0.2:
            copy = tmp_path / f"copy-{written}"
            shutil.copytree(world.folder, copy)
            world.folder = copy
            world.again()
            assert world.writer.marks["sim.a", 1].sequence == written
            assert world.spool.last_row == written
            assert keys(world.reader.take(10_000, 1 << 22)) == [
                f"key-{n}" for n in range(acknowledged + 1, written + 1)
            ]


@pytest.mark.parametrize("at", [0, spool_layout.HEAD_AT])
def test_a_damaged_header_costs_the_rows_of_its_segment_and_they_are_counted(world: _World, at: int) -> None:
    for number in range(1, 400):
        world.commit(number, 1)
    first, second, third, *_ = world.spool.segments()
    content = bytearray(Path(second.path).read_bytes())
    content[at : at + 8] = bytes(8)  # no segment; or one without blocks
    Path(second.path).write_bytes(content)
    taken = [int(each.key.removeprefix("key-")) for each in world.reader.take(1000, 1 << 20)]
    assert taken == [*range(1, second.first_row), *range(third.first_row, 400)]
    assert world.reader.damaged_rows == third.first_row - second.first_row
    assert first.first_row == 1
