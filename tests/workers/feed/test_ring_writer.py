"""A ring on a real file: made privately, appended to, full, left for the engine or taken away."""

from __future__ import annotations

import os
import random
import stat
from pathlib import Path

import pytest

from foxtrot_protocol import ring_layout
from foxtrot_protocol.ring_layout import CAPACITY_MIN, HEADER_BYTES
from foxtrot_supervisor.engine.delivery.ring_reader import RingReader
from foxtrot_supervisor.telemetry.ring_figures import read_figures
from foxtrot_workers.feed import ring_writer
from foxtrot_workers.feed.ring_writer import RingRefused, RingWriter


def test_the_file_is_private_and_whole_at_once(tmp_path: Path) -> None:
    writer = RingWriter(str(tmp_path), "w.a", 1, CAPACITY_MIN)
    facts = os.stat(tmp_path / "ring-w.a-1")
    assert stat.S_IMODE(facts.st_mode) == 0o600
    assert facts.st_size == HEADER_BYTES + CAPACITY_MIN
    assert facts.st_blocks * 512 >= facts.st_size, "its room cannot be missing later"
    writer.close()


def test_an_empty_ring_is_removed_on_close(tmp_path: Path) -> None:
    for append in (False, True):
        writer = RingWriter(str(tmp_path), "w.a", 1, CAPACITY_MIN)
        if append:
            assert writer.append(1, 3, b"batch")
        writer.close()
        writer.close()
        assert os.listdir(tmp_path) == (["ring-w.a-1"] if append else [])


def test_a_ring_with_only_dropped_events_is_kept(tmp_path: Path) -> None:
    writer = RingWriter(str(tmp_path), "w.a", 1, CAPACITY_MIN)
    writer.tell_dropped(3, 3)
    writer.close()
    (shown,) = read_figures(str(tmp_path))
    assert (shown.committed_events, shown.unannounced_events) == (0, 3)


def test_appended_batches_survive_the_writer(tmp_path: Path) -> None:
    writer = RingWriter(str(tmp_path), "w.a", 1, CAPACITY_MIN)
    writer.append(1, 3, b"first")
    writer.append(2, 4, b"second")
    writer.tell_dropped(5, 2)
    assert (writer.committed_events, writer.used_bytes) == (7, 80)
    writer.close()
    (shown,) = read_figures(str(tmp_path))
    assert (shown.committed_events, shown.applied_events, shown.used_bytes, shown.dropped_events) == (7, 0, 80, 5)
    assert shown.unannounced_events == 2
    reader = RingReader.open(str(tmp_path), "w.a", 1)
    assert reader is not None
    record = reader.next()
    assert record is not None
    assert (record.sequence, record.events, record.data) == (1, 3, b"first")
    reader.close()


def test_a_full_ring_refuses_until_the_engine_acknowledges(tmp_path: Path) -> None:
    writer = RingWriter(str(tmp_path), "w.a", 1, CAPACITY_MIN)
    reader = RingReader.open(str(tmp_path), "w.a", 1)
    assert reader is not None
    batch = b"x" * 1000
    laps = 0
    for sequence in range(1, 20):
        if not writer.append(sequence, 1, batch):
            laps += 1
            record = reader.next()
            assert record is not None
            reader.acknowledge(record.sequence, record.end, record.sequence, 0, 0)
            while not writer.append(sequence, 1, batch):
                record = reader.next()
                assert record is not None
                reader.acknowledge(record.sequence, record.end, record.sequence, 0, 0)
    assert laps > 3
    assert 0 < writer.used_bytes <= CAPACITY_MIN
    reader.close()
    writer.close()


def test_an_impossible_tail_is_treated_as_a_full_ring(tmp_path: Path) -> None:
    writer = RingWriter(str(tmp_path), "w.a", 1, CAPACITY_MIN)
    reader = RingReader.open(str(tmp_path), "w.a", 1)
    assert reader is not None
    reader.consume_to(1 << 60)
    assert not writer.append(1, 1, b"x")
    reader.consume_to(0)
    assert writer.append(1, 1, b"x")
    reader.close()
    writer.close()


def test_rings_that_cannot_be_created_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "ring-w.a-1").write_bytes(b"somebody's")
    with pytest.raises(RingRefused, match="File exists"):
        RingWriter(str(tmp_path), "w.a", 1, CAPACITY_MIN)
    assert (tmp_path / "ring-w.a-1").read_bytes() == b"somebody's"

    def full(fd: int, offset: int, length: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(RingRefused, match="No space left"):
        RingWriter(str(tmp_path), "w.a", 2, CAPACITY_MIN)
    assert not (tmp_path / "ring-w.a-2").exists()


def test_the_rings_of_one_worker_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ring_writer, "RINGS_KEPT_MAX", 2)
    for number in (1, 2):
        (tmp_path / ring_layout.ring_name("w.a", number)).touch()
    with pytest.raises(RingRefused, match="2 earlier rings"):
        RingWriter(str(tmp_path), "w.a", 3, CAPACITY_MIN)
    RingWriter(str(tmp_path), "v.a", 3, CAPACITY_MIN).close()


@pytest.mark.parametrize("way", ["next", "holds"])
def test_a_ring_that_is_emptied_at_once_touches_no_more_than_it_needs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    monkeypatch.setattr(ring_writer, "REUSE_BYTES", 4096)
    capacity = 64 * 1024
    writer = RingWriter(str(tmp_path), "w.a", 1, capacity)
    reader = RingReader.open(str(tmp_path), "w.a", 1)
    assert reader is not None
    chance = random.Random(8)
    offsets = set()
    for sequence in range(1, 1000):
        data = bytes([sequence % 256]) * chance.randrange(0, 3000)
        assert writer.append(sequence, 1, data)
        offsets.add(writer._head % capacity)
        if way == "next":
            record = reader.next()
            assert record is not None
            assert (record.sequence, record.data) == (sequence, data)
            end = record.end
        else:
            held = reader.holds(sequence, data)
            assert held is not None
            end = held
        assert writer.used_bytes == ring_layout.record_size(len(data)), "the unused rest is free before the batch is"
        reader.acknowledge(sequence, end, sequence, 0, 0)
    assert max(offsets) < 3 * 4096
    reader.close()
    writer.close()


def test_reuse_keeps_order_whatever_waits_in_the_ring(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ring_writer, "REUSE_BYTES", 1024)
    writer = RingWriter(str(tmp_path), "w.a", 1, CAPACITY_MIN)
    reader = RingReader.open(str(tmp_path), "w.a", 1)
    assert reader is not None
    chance = random.Random(9)
    written: list[bytes] = []
    read: list[bytes] = []
    for sequence in range(1, 5000):
        data = str(sequence).encode() * chance.randrange(1, 200)
        while not writer.append(sequence, 1, data):
            read.append(take(reader))
        written.append(data)
        for _ in range(chance.choice((0, 0, 1, 3))):
            if len(read) < len(written):
                read.append(take(reader))
    while len(read) < len(written):
        read.append(take(reader))
    assert read == written
    assert writer.used_bytes == 0
    reader.close()
    writer.close()


def take(reader: RingReader) -> bytes:
    record = reader.next()
    assert record is not None
    reader.acknowledge(record.sequence, record.end, record.sequence, 0, 0)
    return record.data


def test_further_readers_get_a_link_of_the_ring(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    writer = RingWriter(str(tmp_path), "w.a", 1, CAPACITY_MIN, readers=[str(first), str(second)])
    assert (first / "ring-w.a-1").samefile(tmp_path / "ring-w.a-1")
    assert list(writer.refused_links) == [str(second)]
    assert "No such file" in writer.refused_links[str(second)]
    assert writer.append(1, 1, b"x")
    writer.close()
    assert (first / "ring-w.a-1").exists()


def test_an_unused_ring_goes_with_its_links(tmp_path: Path) -> None:
    readers = tmp_path / "first"
    readers.mkdir()
    RingWriter(str(tmp_path), "w.a", 1, CAPACITY_MIN, readers=[str(readers)]).close()
    assert [path.name for path in tmp_path.rglob("*")] == ["first"]


def test_rings_that_one_reader_leaves_unread_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ring_writer, "RINGS_KEPT_MAX", 2)
    readers = tmp_path / "first"
    readers.mkdir()
    for number in (1, 2):
        (readers / ring_layout.ring_name("w.a", number)).touch()
    writer = RingWriter(str(tmp_path), "w.a", 3, CAPACITY_MIN, readers=[str(readers)])
    assert writer.refused_links == {str(readers): "2 earlier rings of w.a wait there"}
    writer.close()


def test_with_further_readers_the_whole_ring_is_history(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ring_writer, "REUSE_BYTES", 1024)
    readers = tmp_path / "first"
    readers.mkdir()
    writer = RingWriter(str(tmp_path), "w.a", 1, CAPACITY_MIN, readers=[str(readers)])
    reader = RingReader.open(str(tmp_path), "w.a", 1)
    assert reader is not None
    for sequence in range(1, 40):
        assert writer.append(sequence, 1, b"x" * 96)
        take(reader)
    assert writer._head == 39 * 128  # no place was left out
    reader.close()
    writer.close()
