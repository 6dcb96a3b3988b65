"""Rings that the landing writes: read by the engine's reader, continued by another landing."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from foxtrot_protocol import ring_layout
from foxtrot_protocol.ring_layout import CAPACITY_MIN, RingIdentity
from foxtrot_supervisor.cluster.landed_ring import LandedRing, RingUnusable, discard_rings
from foxtrot_supervisor.engine.delivery.ring_reader import RingReader

IDENTITY = RingIdentity("w.a0-a", 5_000_001, CAPACITY_MIN, "w", "a0.a", {"eMarketTrade.": "sequence"})


def opened(folder: Path) -> RingReader:
    reader = RingReader.open(str(folder), IDENTITY.worker, IDENTITY.incarnation)
    assert reader is not None
    return reader


def test_the_engine_reads_it_as_a_workers_ring(tmp_path: Path) -> None:
    ring = LandedRing.create(str(tmp_path), IDENTITY, handled=6)
    assert stat.S_IMODE(os.stat(ring.path).st_mode) == 0o600
    assert ring.append(7, 0, 3, b"seven")
    assert ring.append(9, 2, 1, b"nine")  # 8 is lost, with two events
    ring.tell_dropped(4, 3)
    reader = opened(tmp_path)
    assert reader.identity == IDENTITY
    done = reader.applied()
    assert done is not None
    assert (done.sequence, done.applied) == (6, 0), "what was before is not missed"
    found = []
    while (record := reader.next()) is not None:
        found.append((record.sequence, record.events_before, record.events, record.data))
        reader.acknowledge(record.sequence, record.end, 0, 0, 0)
    assert found == [(7, 0, 3, b"seven"), (9, 5, 1, b"nine")]
    assert (reader.dropped, reader.unannounced) == (4, 3)
    mark = reader.committed()
    assert mark is not None
    assert (mark.sequence, mark.events) == (9, 6)
    assert (ring.freed, ring.head) == (reader.tail, reader.tail)
    reader.close()
    ring.close()


def test_what_handlers_were_given_elsewhere_is_only_repeated(tmp_path: Path) -> None:
    ring = LandedRing.create(str(tmp_path), IDENTITY, handled=8)
    for sequence, events in ((7, 0), (8, 0), (9, 2)):
        assert ring.append(sequence, 0, events, b"batch")
    reader = opened(tmp_path)
    done, first = reader.applied(), reader.next()
    assert done is not None
    assert first is not None
    assert first.sequence <= done.sequence == 8, "an engine repeats the decisions on 7 and 8"
    assert (done.applied, ring.events) == (0, 2), "they count where they were given to handlers"
    assert not ring.in_flight
    reader.begin(9)
    assert ring.in_flight
    reader.close()
    ring.close()


def test_laps_and_a_full_ring(tmp_path: Path) -> None:
    ring = LandedRing.create(str(tmp_path), IDENTITY, handled=0)
    reader = opened(tmp_path)
    sequence = 0
    for _ in range(50):
        while ring.append(sequence + 1, 0, 1, bytes([sequence % 251]) * (100 + sequence % 700)):
            sequence += 1
        while (record := reader.next()) is not None:
            assert record.data[0] == (record.sequence - 1) % 251
            reader.acknowledge(record.sequence, record.end, 0, 0, 0)
        assert record is None
    assert sequence > 200
    assert reader.applied() is not None
    reader.close()
    ring.close()


@pytest.mark.parametrize("count", [0, 1, 2, 3, 6])
def test_another_landing_continues_it(tmp_path: Path, count: int) -> None:
    ring = LandedRing.create(str(tmp_path), IDENTITY, handled=0)
    for sequence in range(1, count + 1):
        assert ring.append(2 * sequence, 1, 2, b"x" * sequence)  # a jump each time: marks take turns by themselves
    ring.close()
    again = LandedRing.reopen(str(tmp_path), IDENTITY.worker, IDENTITY.incarnation)
    assert again is not None
    assert (again.sequence, again.events) == (2 * count, 3 * count)
    assert again.append(2 * count + 1, 0, 5, b"next")
    reader = opened(tmp_path)
    found = []
    while (record := reader.next()) is not None:
        found.append((record.sequence, record.events_before))
        reader.advance(record.end)
    assert found == [(2 * n, 3 * n - 2) for n in range(1, count + 1)] + [(2 * count + 1, 3 * count)]
    reader.close()
    again.close()


def test_what_cannot_be_continued(tmp_path: Path) -> None:
    assert LandedRing.reopen(str(tmp_path), "w.a", 1) is None
    unfinished = tmp_path / ring_layout.ring_name("w.a", 1)
    unfinished.write_bytes(b"")
    unfinished.chmod(0o600)
    assert LandedRing.reopen(str(tmp_path), "w.a", 1) is None
    assert not unfinished.exists()
    LandedRing.create(str(tmp_path), IDENTITY, handled=0).close()
    path = tmp_path / ring_layout.ring_name(IDENTITY.worker, IDENTITY.incarnation)
    path.rename(tmp_path / ring_layout.ring_name("other.a", 1))
    with pytest.raises(RingUnusable, match="belongs to"):
        LandedRing.reopen(str(tmp_path), "other.a", 1)
    LandedRing.create(str(tmp_path), IDENTITY, handled=0).close()
    with pytest.raises(RingUnusable, match="cannot be created"):
        LandedRing.create(str(tmp_path), IDENTITY, handled=0)


def test_rings_of_an_earlier_run_are_discarded_and_nobody_holds_events_of_them(tmp_path: Path) -> None:
    ring = LandedRing.create(str(tmp_path), IDENTITY, handled=0)
    ring.append(1, 0, 3, b"unhandled")
    ring.close()
    path = tmp_path / ring_layout.ring_name(IDENTITY.worker, IDENTITY.incarnation)
    (tmp_path / "positions.map").write_bytes(b"kept")
    with path.open("rb") as held:  # as the supervisor does
        figures = ring_layout.figures(held.read(ring_layout.HEADER_BYTES))
        assert figures is not None
        assert figures.committed_events == 3
        discard_rings(str(tmp_path))
        held.seek(0)
        assert ring_layout.figures(held.read(ring_layout.HEADER_BYTES)) is None, "the supervisor does not put it back"
    assert [each.name for each in tmp_path.iterdir()] == ["positions.map"]
    discard_rings(str(tmp_path / "nowhere"))
