"""The worker without its ring: takes everything, keeps nothing, and has all that the sender asks of a ring."""

from __future__ import annotations

from foxtrot_workers.benchmark.ringless import NoRing
from foxtrot_workers.feed.ring_writer import RingWriter


def test_no_ring_accepts_everything_and_stores_nothing() -> None:
    ring = NoRing("nowhere", "w.a", 1, 4096, connection="w", side="a")
    assert all(ring.append(sequence, 3, b"x" * 100_000) for sequence in range(1, 100))
    assert (ring.committed_events, ring.used_bytes) == (297, 0)
    ring.tell_dropped(5, 2)
    ring.close()


def test_no_ring_has_every_attribute_of_a_ring() -> None:
    asked = {name for name in vars(RingWriter) if not name.startswith("_")}
    assert asked <= set(dir(NoRing("", "", 1, 1)))
