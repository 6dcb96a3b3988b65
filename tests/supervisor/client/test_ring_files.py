"""Rings read by a client: headers, batches, damage; nothing is written and nothing trusted."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from foxtrot_protocol.errors import MalformedMessage
from foxtrot_protocol.ring_layout import CAPACITY_MIN, HEADER_BYTES, CommitMark, Record, Word, record_size
from foxtrot_supervisor.client.ring_files import Damage, RingFile, RingName, list_rings
from foxtrot_workers.feed.ring_writer import RingWriter

NAME = RingName("w.a", 1)
BATCH_BYTES = 8


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    writer = RingWriter(str(tmp_path), "w.a", 1, CAPACITY_MIN, connection="w", side="a")
    for sequence in (1, 2, 3, 4):
        assert writer.append(sequence, 2, b"batch %02d" % sequence)
    yield tmp_path
    writer.close()


def poke(folder: Path, at: int, data: bytes) -> None:
    with (folder / "ring-w.a-1").open("r+b") as file:
        file.seek(at)
        file.write(data)


def record_at(index: int) -> int:
    return index * record_size(BATCH_BYTES)


def test_rings_are_listed_by_worker_and_incarnation(folder: Path) -> None:
    for name in ("ring-w.a-10", "ring-w.a-2", "ring-b-1", "lock", "ring-x"):
        (folder / name).touch()
    assert list_rings(str(folder)) == [RingName("b", 1), RingName("w.a", 1), RingName("w.a", 2), RingName("w.a", 10)]


def test_a_directory_of_another_user_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    with pytest.raises(PermissionError):
        list_rings(str(folder))
    with pytest.raises(PermissionError):
        RingFile(str(folder), NAME)


def test_marks_and_batches_are_read_and_the_file_stays_as_it_is(folder: Path) -> None:
    before = (folder / "ring-w.a-1").read_bytes()
    with RingFile(str(folder), NAME) as ring:
        marks = ring.marks()
        assert (marks.committed, marks.tail, marks.applying) == (CommitMark(marks.head, 4, 8), 0, 0)
        records = list(ring.records())
    assert [(r.sequence, r.events, r.data) for r in records if isinstance(r, Record)] == [
        (sequence, 2, b"batch %02d" % sequence) for sequence in (1, 2, 3, 4)
    ]
    assert (folder / "ring-w.a-1").read_bytes() == before


def test_a_damaged_record_is_reported_and_the_next_ones_are_read(folder: Path) -> None:
    poke(folder, HEADER_BYTES + record_at(1) + 34, b"X")
    with RingFile(str(folder), NAME) as ring:
        found = list(ring.records())
    assert found[1] == Damage(record_at(1), record_at(2), "ring: the checksum of a record does not fit")
    assert [each.sequence for each in found if isinstance(each, Record)] == [1, 3, 4]


def test_reading_ends_where_nothing_readable_follows(folder: Path) -> None:
    poke(folder, HEADER_BYTES + record_at(2), b"\xff" * (record_at(4) - record_at(2)))
    with RingFile(str(folder), NAME) as ring:
        *_, last = ring.records()
    assert isinstance(last, Damage)
    assert (last.begin, last.end) == (record_at(2), None)


def test_an_impossible_tail_is_damage(folder: Path) -> None:
    poke(folder, 8 * Word.TAIL, struct.pack("<Q", 1 << 40))
    with RingFile(str(folder), NAME) as ring:
        (damage,) = ring.records()
    assert isinstance(damage, Damage)
    assert damage.end is None


def test_a_damaged_commit_mark_hides_no_batches(folder: Path) -> None:
    for word in (Word.COMMIT_MARK, Word.COMMIT_MARK + 8):
        poke(folder, 8 * word, struct.pack("<Q", 7))
    with RingFile(str(folder), NAME) as ring:
        assert ring.marks().committed is None
        assert len(list(ring.records())) == 4


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "a header has 4096 bytes"),
        (b"\0" * HEADER_BYTES, "has not finished making it"),
        (b"rubbish!" * 512, "not a ring"),
    ],
)
def test_a_file_that_is_no_ring_is_refused(folder: Path, content: bytes, reason: str) -> None:
    (folder / "ring-x-1").write_bytes(content)
    with pytest.raises(MalformedMessage, match=reason):
        RingFile(str(folder), RingName("x", 1))


def test_a_ring_of_another_name_or_size_is_refused(folder: Path) -> None:
    (folder / "ring-x-1").write_bytes((folder / "ring-w.a-1").read_bytes())
    with pytest.raises(MalformedMessage, match="its header names w"):
        RingFile(str(folder), RingName("x", 1))
    os.truncate(folder / "ring-w.a-1", HEADER_BYTES + 100)
    with pytest.raises(MalformedMessage, match="its header says"):
        RingFile(str(folder), NAME)


def test_the_latest_batches_are_read_also_those_that_the_engine_has_had(folder: Path) -> None:
    poke(folder, 8 * int(Word.TAIL), struct.pack("<Q", record_at(4)))
    with RingFile(str(folder), NAME) as ring:
        assert list(ring.records()) == []
        assert [record.sequence for record in ring.latest(1 << 20)] == [1, 2, 3, 4]
        # the search may begin within a record
        assert [record.sequence for record in ring.latest(2 * record_size(BATCH_BYTES) + 8)] == [3, 4]


def test_of_damaged_batches_the_others_are_read(folder: Path) -> None:
    poke(folder, HEADER_BYTES + record_at(1), b"\xff" * 8)
    with RingFile(str(folder), NAME) as ring:
        assert [record.sequence for record in ring.latest(1 << 20)] == [1, 3, 4]
