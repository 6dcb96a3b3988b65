"""A frames ring on a real file: private, complete at once, bounded in number and in size, never waiting."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from foxtrot_protocol.frames_layout import CAPACITY_MIN, HEADER_BYTES, FramesIdentity, FramesRecord, Kind
from foxtrot_supervisor.recording.frames_reader import FramesReader
from foxtrot_workers.feed import frames_writer
from foxtrot_workers.feed.frames_writer import FramesRefused, FramesWriter


def identity(incarnation: int = 1, worker: str = "c.a", capacity: int = CAPACITY_MIN) -> FramesIdentity:
    return FramesIdentity(
        worker=worker,
        incarnation=incarnation,
        connection="c",
        side="a",
        exchange="sim",
        capacity=capacity,
        recorded=True,
        started_ns=1,
    )


def read_all(run_dir: Path) -> list[FramesRecord]:
    reader = FramesReader.open(str(run_dir / "frames"), "c.a", 1)
    records = []
    while (record := reader.next()) is not None:
        assert reader.lost == 0
        records.append(record)
    reader.close()
    return records


def test_the_file_is_private_and_whole_at_once(tmp_path: Path) -> None:
    writer = FramesWriter(str(tmp_path), identity())
    facts = os.stat(tmp_path / "frames" / "frames-c.a-1")
    assert stat.S_IMODE(facts.st_mode) == 0o600
    assert stat.S_IMODE(os.stat(tmp_path / "frames").st_mode) == 0o700
    assert facts.st_size == HEADER_BYTES + CAPACITY_MIN
    assert facts.st_blocks * 512 >= facts.st_size, "its room cannot be missing later"
    writer.close()
    writer.close()
    assert os.listdir(tmp_path / "frames") == ["frames-c.a-1"], "it stays for its readers"


def test_everything_is_kept_as_it_came(tmp_path: Path) -> None:
    writer = FramesWriter(str(tmp_path), identity())
    writer.received([b'{"a":1}'], 11)
    writer.received([b"first", b"", b"\x00\xff" * 40], 12)
    writer.sent("subscribe €", 13)
    writer.answered("adapter", "https://example/depth?limit=5", 418, b"teapot", 14)
    writer.close()
    shown = [(each.kind, each.time_ns, each.parts, each.frames_before, each.status) for each in read_all(tmp_path)]
    assert shown == [
        (Kind.RECEIVED, 11, [b'{"a":1}'], 0, 0),
        (Kind.RECEIVED, 12, [b"first", b"", b"\x00\xff" * 40], 1, 0),
        (Kind.SENT, 13, ["subscribe €".encode()], 4, 0),
        (Kind.ANSWER, 14, [b"adapter", b"https://example/depth?limit=5", b"teapot"], 5, 418),
    ]


def test_a_large_burst_is_split_and_a_large_frame_leaves_its_size(tmp_path: Path) -> None:
    writer = FramesWriter(str(tmp_path), identity())
    writer.received([b"a" * 20_000, b"b" * 20_000], 1)
    writer.received([b"c" * 40_000, b"d"], 2)
    writer.close()
    shown = [(each.kind, [part[:1] if len(part) > 10 else part for part in each.parts]) for each in read_all(tmp_path)]
    assert shown == [
        (Kind.RECEIVED, [b"a"]),
        (Kind.RECEIVED, [b"b"]),
        (Kind.OMITTED, [b"received", b"40000"]),
        (Kind.RECEIVED, [b"d"]),
    ]


def test_the_oldest_rings_of_a_worker_are_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frames_writer, "FRAMES_RINGS_KEPT_MAX", 2)
    FramesWriter(str(tmp_path), identity(worker="other.a")).close()
    for incarnation in (9, 10, 11):
        FramesWriter(str(tmp_path), identity(incarnation)).close()
    assert sorted(os.listdir(tmp_path / "frames")) == [
        "frames-c.a-10",
        "frames-c.a-11",
        "frames-other.a-1",
        "lost-c.a-9",
    ]


def test_what_a_killed_worker_left_unfinished_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "frames").mkdir()
    (tmp_path / "frames" / "frames-c.a-1.new").write_bytes(b"unfinished")
    FramesWriter(str(tmp_path), identity()).close()
    assert os.listdir(tmp_path / "frames") == ["frames-c.a-1"]


def test_a_ring_that_cannot_be_made_is_refused_with_the_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(FramesRefused, match="No such file"):
        FramesWriter(str(tmp_path / "gone"), identity())
    with pytest.raises(FramesRefused, match="multiple of 8"):
        FramesWriter(str(tmp_path), identity(capacity=CAPACITY_MIN + 1))

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(FramesRefused, match="No space left"):
        FramesWriter(str(tmp_path), identity())
    assert os.listdir(tmp_path / "frames") == ["lost-c.a-1"]
    assert (tmp_path / "frames" / "lost-c.a-1").read_text() == "1 it had no frames ring: No space left on device"


def test_a_ring_of_an_earlier_run_is_kept_beside_the_new_one(tmp_path: Path) -> None:
    for frame in (b"of the first run", b"of the second run"):
        writer = FramesWriter(str(tmp_path), identity())
        writer.received([frame], 1)
        writer.close()
    earlier, now = sorted(os.listdir(tmp_path / "frames"), key=len, reverse=True)
    assert now == "frames-c.a-1"
    assert earlier.startswith("frames-c.a-1.")
    for name, frame in [(earlier, b"of the first run"), (now, b"of the second run")]:
        reader = FramesReader.open_name(str(tmp_path / "frames"), name)
        record = reader.next()
        assert record is not None
        assert record.parts == [frame]
        reader.close()
