"""Reads the rings of one connection in the order in which its workers have sent their batches.

The merge takes a stream to begin with the first event that it is given. The engine is given it when a worker sends it.
A reader that comes late finds batches of several workers at once, and would take what it reads second for copies.
"""

from __future__ import annotations

from collections.abc import Iterable

from foxtrot_supervisor.engine.delivery.rings import BATCHES_PER_TURN, Rings
from foxtrot_supervisor.engine.delivery.sources import MergeGroup, RingState, Source, Sources
from foxtrot_supervisor.sinks.cursor_reader import CursorReader

__all__ = ["RingOrder"]


class RingOrder:
    """Chooses the ring of a connection that is read next."""

    def __init__(self, rings: Rings, sources: Sources) -> None:
        self._rings = rings
        self._sources = sources

    def read_some(self, now: float) -> bool:
        """Read a bounded amount of each ring; return whether there is more. `now` in monotonic seconds."""
        groups: dict[MergeGroup, list[RingState]] = {}
        for source in self._sources.workers.values():
            current = source.delivery.current()
            if current is not None:
                ring = source.rings[current]
                groups.setdefault(ring.group, []).append(ring)
        more = False
        for rings in groups.values():
            if len(rings) > 1:
                more = self._read_in_order(rings, now) or more
            else:
                more = self._read(rings[0], now, BATCHES_PER_TURN) or more
        return more

    def _read_in_order(self, rings: list[RingState], now: float) -> bool:
        held: list[RingState] = []
        """Rings whose next batch waits for another worker, or for room."""
        for _ in range(BATCHES_PER_TURN * len(rings)):
            oldest = _oldest(ring for ring in rings if ring not in held)
            if oldest is None:
                break
            if self._read(oldest, now, 1):
                if oldest.side[1] not in self._source(oldest).rings:
                    return True  # it is closed
                held.clear()
            else:
                held.append(oldest)
        else:
            return True
        # those of dead workers, read to their end, are closed
        return any(self._read(ring, now, 1) for ring in rings if self._source(ring).delivery.dead(now))

    def _read(self, ring: RingState, now: float, batches: int) -> bool:
        return self._rings.read(ring.worker, self._source(ring), now, batches=batches)

    def _source(self, ring: RingState) -> Source:
        return self._sources.workers[ring.worker]


def _oldest(rings: Iterable[RingState]) -> RingState | None:
    """Return the ring whose next batch was sent first; None if none has one."""
    found, found_ns = None, 0
    for ring in rings:
        assert isinstance(ring.reader, CursorReader)
        sent_ns = ring.reader.next_sent_ns()
        if sent_ns is not None and (found is None or sent_ns < found_ns):
            found, found_ns = ring, sent_ns
    return found
