"""A worker's ring as the forwarder reads it: read on after a restart, past damage, freed by acknowledgements."""

from __future__ import annotations

from pathlib import Path

from foxtrot_protocol.ring_layout import HEADER_BYTES, RECORD_BYTES
from foxtrot_supervisor.cluster.forwarded_ring import DAMAGE_S, ForwardedRing
from foxtrot_supervisor.cluster.outflow import Sent
from foxtrot_supervisor.engine.delivery.ring_reader import RingReader
from foxtrot_workers.feed.ring_writer import RingWriter


def forwarded(folder: Path, damage: list[str] | None = None) -> ForwardedRing:
    reader = RingReader.open(str(folder), "w.a", 1)
    assert reader is not None
    return ForwardedRing(reader, (damage if damage is not None else []).append)


def sent(sequence: int, end: int, events: int) -> Sent:
    return Sent("w", 1, "s", "i", b"", sequence, end, events, 0.0)


def test_batches_are_taken_up_to_a_bound_and_freed_when_acknowledged(tmp_path: Path) -> None:
    writer = RingWriter(str(tmp_path), "w.a", 1, 65536)
    for number in range(1, 11):
        writer.append(number, 2, b"x" * 100)
    ring = forwarded(tmp_path)
    first, end = ring.take(250, 64, 0.0, dead=False)
    assert [each.sequence for each in first] == [1, 2]
    rest, last = ring.take(10_000, 3, 0.0, dead=False)
    assert [each.sequence for each in rest] == [3, 4, 5]
    assert [each.events_before for each in rest] == [4, 6, 8]
    big, _ = ring.take(10, 64, 0.0, dead=False)
    assert len(big) == 1, "one in any case"
    assert writer.used_bytes == 10 * 136
    ring.complete(sent(2, end, 4))
    assert writer.used_bytes == 8 * 136
    ring.complete(sent(5, last, 10))
    assert (writer.used_bytes, ring.acknowledged, ring.published_events) == (5 * 136, 5, 10)
    ring.close()
    again = forwarded(tmp_path)  # the forwarder was killed
    assert (again.acknowledged, again.published_events) == (5, 10)
    assert [each.sequence for each in again.take(10_000, 64, 0.0, dead=False)[0]] == [6, 7, 8, 9, 10]
    again.close()
    writer.close()


def test_a_batch_whose_space_was_not_freed_is_not_published_twice(tmp_path: Path) -> None:
    writer = RingWriter(str(tmp_path), "w.a", 1, 65536)
    for number in (1, 2, 3):
        writer.append(number, 1, b"x")
    ring = forwarded(tmp_path)
    ring.take(10_000, 64, 0.0, dead=False)
    ring.reader.mark_applied(2, 2, 0, 0, 0)  # killed before it freed the space
    ring.close()
    again = forwarded(tmp_path)
    assert [each.sequence for each in again.take(10_000, 64, 0.0, dead=False)[0]] == [3]
    again.close()
    writer.close()


def test_damage_is_passed_and_left_to_the_numbers(tmp_path: Path) -> None:
    writer = RingWriter(str(tmp_path), "w.a", 1, 65536)
    for number in (1, 2, 3):
        writer.append(number, 1, b"x" * 8)
    path = tmp_path / "ring-w.a-1"
    content = bytearray(path.read_bytes())
    content[HEADER_BYTES + 40 + RECORD_BYTES] ^= 1  # in the second batch
    path.write_bytes(content)
    damage: list[str] = []
    ring = forwarded(tmp_path, damage)
    assert [each.sequence for each in ring.take(10_000, 64, 0.0, dead=False)[0]] == [1]
    assert ring.take(10_000, 64, 0.0, dead=False)[0] == []
    assert damage == [], "its writer lives: what was written may become visible late"
    assert [each.sequence for each in ring.take(10_000, 64, 2 * DAMAGE_S, dead=False)[0]] == [3]
    assert len(damage) == 1
    assert ring.end().sequence == 3
    ring.close()
    writer.close()


def test_damage_at_the_end_of_a_dead_ring_is_passed_at_once(tmp_path: Path) -> None:
    writer = RingWriter(str(tmp_path), "w.a", 1, 65536)
    writer.append(1, 1, b"x" * 8)
    writer.append(2, 5, b"x" * 8)
    writer.close()
    path = tmp_path / "ring-w.a-1"
    content = bytearray(path.read_bytes())
    content[HEADER_BYTES + 40 + RECORD_BYTES] ^= 1
    path.write_bytes(content)
    ring = forwarded(tmp_path)
    assert [each.sequence for each in ring.take(10_000, 64, 0.0, dead=True)[0]] == [1]
    assert ring.take(10_000, 64, 0.0, dead=True)[0] == []
    assert ring.empty
    end = ring.end()
    assert (end.sequence, end.events) == (2, 6), "the landing sees that 2 never came"
    ring.close()
