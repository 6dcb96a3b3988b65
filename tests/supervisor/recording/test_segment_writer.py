"""Segments of one worker: whole chunks, rotation, and what a kill at any byte leaves."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from foxtrot_protocol.segments import ChunkHeader, Session
from foxtrot_supervisor.recording import segment_writer
from foxtrot_supervisor.recording.segment_writer import SegmentWriter

SECOND = 1_000_000_000


def a_chunk(number: int, *, ended: bool = False) -> tuple[ChunkHeader, bytes]:
    session = Session(worker="c.a", incarnation=1, connection="c", side="a", exchange="sim", started_ns=number // 10)
    packed = b"packed %03d" % number
    header = ChunkHeader(
        session=session,
        url="",
        position=number,
        frames=number,
        lines=1,
        first_ns=1,
        last_ns=1,
        ended=ended,
        plain_bytes=1,
        packed_bytes=len(packed),
    )
    return header, packed


def a_writer(folder: Path, segment_bytes: int = 1 << 20, segment_s: float = 3600.0) -> SegmentWriter:
    return SegmentWriter(str(folder / "c"), "c.a", segment_bytes, segment_s)


def names(folder: Path) -> list[str]:
    return sorted(os.listdir(folder / "c"))


def test_a_kill_at_any_byte_leaves_the_chunks_before(tmp_path: Path) -> None:
    writer = a_writer(tmp_path)
    assert writer.resume().last is None
    ends = []
    for number in range(3):
        writer.write(*a_chunk(number), 0)
        ends.append(os.path.getsize(writer.path))
    whole = Path(writer.path).read_bytes()
    for size in range(len(whole) + 1):
        Path(writer.path).write_bytes(whole[:size])
        resumed = a_writer(tmp_path).resume()
        complete = sum(end <= size for end in ends)
        assert (resumed.last.position if resumed.last is not None else -1) == complete - 1
        assert bool(resumed.cut) == (size not in (0, *ends))
        if complete:
            assert os.path.getsize(writer.path) == ends[complete - 1]
        else:
            assert names(tmp_path) == []


def test_a_restart_begins_another_segment_and_knows_what_has_ended(tmp_path: Path) -> None:
    for number in (1, 2, 11, 12):
        writer = a_writer(tmp_path)
        resumed = writer.resume()
        writer.write(*a_chunk(number, ended=number % 10 == 2), 0)
    assert resumed.last == a_chunk(11)[0]
    assert resumed.ended == {0}
    assert a_writer(tmp_path).resume().ended == {0, 1}
    assert [name.split("-")[1] for name in names(tmp_path)] == ["00000001", "00000002", "00000003", "00000004"]


def test_a_segment_that_is_large_old_or_changed_is_followed_by_another(tmp_path: Path) -> None:
    writer = a_writer(tmp_path, segment_bytes=1)
    writer.write(*a_chunk(1), 0)
    writer.write(*a_chunk(2), 0)
    assert len(names(tmp_path)) == 2
    writer = a_writer(tmp_path / "old", segment_s=10)
    writer.write(*a_chunk(1), 0)
    writer.write(*a_chunk(2), 9 * SECOND)
    assert len(names(tmp_path / "old")) == 1
    writer.write(*a_chunk(3), 10 * SECOND)
    assert len(names(tmp_path / "old")) == 2
    os.unlink(writer.path)
    writer.write(*a_chunk(4), 10 * SECOND)
    with open(writer.path, "ab") as file:
        file.write(b"by another hand")
    writer.write(*a_chunk(5), 10 * SECOND)
    assert len(names(tmp_path / "old")) == 3
    writer.finish()
    writer.finish()
    assert writer.path == ""


def test_a_write_that_fails_leaves_nothing_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, room = os.pwrite, 0

    def pwrite(fd: int, data: bytes, at: int) -> int:
        nonlocal room
        if not room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        written = real(fd, bytes(data)[:room], at)
        room -= written
        return written

    monkeypatch.setattr(segment_writer.os, "pwrite", pwrite)
    writer = a_writer(tmp_path)
    for left in (0, 20):
        room = left
        with pytest.raises(OSError, match="No space"):
            writer.write(*a_chunk(1), 0)
        assert names(tmp_path) == []
    room = 10_000
    writer.write(*a_chunk(1), 0)
    size = os.path.getsize(writer.path)
    room = 20
    with pytest.raises(OSError, match="No space"):
        writer.write(*a_chunk(2), 0)
    assert os.path.getsize(writer.path) == size
    room = 10_000
    writer.write(*a_chunk(2), 0)
    assert a_writer(tmp_path).resume().last == a_chunk(2)[0]


def test_damage_in_the_middle_is_left_alone(tmp_path: Path) -> None:
    writer = a_writer(tmp_path)
    for number in range(3):
        writer.write(*a_chunk(number), 0)
    data = bytearray(Path(writer.path).read_bytes())
    data[len(data) // 3 + 5] ^= 0xFF
    Path(writer.path).write_bytes(data)
    resumed = a_writer(tmp_path).resume()
    assert resumed.last == a_chunk(0)[0]
    assert "is damaged" in resumed.cut
    assert Path(writer.path).read_bytes() == bytes(data)
