"""The engine's end of a real ring: where it goes on, what it does not believe."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from foxtrot_protocol.errors import MalformedMessage
from foxtrot_protocol.ring_layout import CAPACITY_MIN, HEADER_BYTES, AppliedMark, CommitMark, Word
from foxtrot_supervisor.engine.delivery.ring_reader import RingReader
from foxtrot_workers.feed.ring_writer import RingWriter


@pytest.fixture
def path(tmp_path: Path) -> Path:
    writer = RingWriter(str(tmp_path), "w.a", 1, CAPACITY_MIN)
    for sequence in (1, 2, 3):
        assert writer.append(sequence, sequence, b"batch %d" % sequence)
    writer.close()
    return tmp_path / "ring-w.a-1"


def reader_of(path: Path) -> RingReader:
    reader = RingReader.open(str(path.parent), "w.a", 1)
    assert reader is not None
    return reader


def poke(path: Path, word: int, value: int) -> None:
    with path.open("r+b") as file:
        file.seek(word * 8)
        file.write(struct.pack("<Q", value))


def test_the_next_engine_goes_on_where_the_last_one_was(path: Path) -> None:
    reader = reader_of(path)
    assert reader.committed() == CommitMark(120, 3, 6)
    assert reader.applied() == AppliedMark(0, 0, 0, 0)
    for _ in (1, 2):
        record = reader.next()
        assert record is not None
        reader.begin(record.sequence)
        assert reader.holds(record.sequence, record.data) == record.end
        assert reader.holds(record.sequence + 1, record.data) is None
        assert reader.holds(record.sequence, record.data + b"!") is None
        assert reader.holds(record.sequence, b"x" * len(record.data)) is None
        reader.acknowledge(record.sequence, record.end, record.sequence, 0, 0)
    reader.begin(3)
    reader.close()
    again = reader_of(path)
    assert (again.applied(), again.in_flight) == (AppliedMark(2, 2, 0, 0), 3)
    record = again.next()
    assert record is not None
    assert record.data == b"batch 3"
    assert not again.empty
    again.acknowledge(3, record.end, 6, 0, 1)
    assert again.empty
    assert again.holds(3, b"batch 3") is None
    assert again.applied() == AppliedMark(3, 6, 0, 1)
    again.close()


def test_marks_of_sequences_that_jump_are_whole_too(path: Path) -> None:
    reader = reader_of(path)
    for sequence in (1, 3, 5, 6, 8):
        reader.acknowledge(sequence, 8 * sequence, sequence, 0, 0)
        reader.close()
        reader = reader_of(path)
        assert reader.applied() == AppliedMark(sequence, sequence, 0, 0)
    reader.close()


def test_no_ring_and_an_unfinished_one_are_none(tmp_path: Path) -> None:
    assert RingReader.open(str(tmp_path), "w.a", 1) is None
    for made in (b"", b"\0" * HEADER_BYTES):
        (tmp_path / "ring-w.a-1").write_bytes(made)
        assert RingReader.open(str(tmp_path), "w.a", 1) is None


def test_files_that_are_no_ring_of_this_worker(path: Path) -> None:
    content = path.read_bytes()
    for broken, reason in ((content[:-8], "the size"), (b"\1" * len(content), "not a ring")):
        path.write_bytes(broken)
        with pytest.raises(MalformedMessage, match=reason):
            RingReader.open(str(path.parent), "w.a", 1)
    path.write_bytes(content)
    path.rename(path.with_name("ring-v.a-1"))
    with pytest.raises(MalformedMessage, match=r"belongs to w\.a#1"):
        RingReader.open(str(path.parent), "v.a", 1)


def test_a_tail_that_cannot_be_true_is_begun_as_far_back_as_anything_stands(path: Path) -> None:
    poke(path, Word.TAIL, 1 << 50)
    reader = reader_of(path)
    assert (reader.tail, reader.plausible) == (0, True)
    reader.abandon()
    assert reader.empty
    reader.close()


def test_damage_is_passed_over_and_a_damaged_mark_is_none(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(HEADER_BYTES + 33)
        file.write(b"\xff")
    poke(path, Word.COMMIT_MARK, 1)
    poke(path, Word.COMMIT_MARK + 8, 1)
    reader = reader_of(path)
    with pytest.raises(MalformedMessage, match="checksum"):
        reader.next()
    found = reader.find(2, 3)
    assert found is not None
    assert found.sequence == 2
    assert reader.committed() is None
    reader.close()
