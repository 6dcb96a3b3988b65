"""What to do with the batches of one worker: apply, leave to the ring, or drop. Pure; `now` in monotonic seconds.

A *lane* is one incarnation. Lanes are handled one after the other, so that a stream keeps its order over the death
of its worker: as long as the lane before is not done with, a later one's batches stay in their ring.

A batch comes over ZeroMQ and stands in the ring as well. Whatever ZeroMQ left out is read there, and while the
ring is being read, what ZeroMQ brings is known to stand there too and is left alone.
"""

from __future__ import annotations

import enum

from msgspec import Struct

__all__ = ["FENCE_WAIT_S", "QUIET_S", "Arrival", "Delivery", "Lane", "Origin"]

QUIET_S = 0.05
"""A ring holds something, and nothing has come for so long: ZeroMQ has lost it."""

FENCE_WAIT_S = 2.0
"""How long a later incarnation waits for the word that the one before is dead; then its being there is proof."""


class Arrival(enum.Enum):
    """What to do with a batch that ZeroMQ brought."""

    APPLY = "apply"
    LATE = "late"
    """Of an incarnation that is done with: drop and count."""
    DUPLICATE = "duplicate"
    """Applied before: drop and count."""
    IN_RING = "in ring"
    """Its turn has not come, or others come first: it is read from the ring in its place."""


class Origin(Struct, frozen=True):
    """Whose events are being dispatched; all empty: nobody's that is known."""

    connection: str = ""
    worker: str = ""
    incarnation: int = 0


class Lane(Struct):
    """One incarnation. `next_sequence` is the batch to be applied next."""

    next_sequence: int
    has_ring: bool
    opened_at: float
    behind: bool = False
    """The ring holds more than ZeroMQ brought in turn: it is read until it is empty."""
    heard_at: float = float("-inf")
    """When ZeroMQ last brought something."""


class Delivery:
    """The lanes of one worker; bounded by the rings that a worker leaves (`RINGS_KEPT_MAX` of the writer)."""

    def __init__(self) -> None:
        self.lanes: dict[int, Lane] = {}
        self._fenced = 0
        self._retired = 0

    def wants(self, incarnation: int) -> bool:
        """Whether a lane has to be opened for this incarnation."""
        return incarnation > self._retired and incarnation not in self.lanes

    def open(self, incarnation: int, next_sequence: int, *, has_ring: bool, now: float) -> Lane:
        """A lane for an incarnation of which something was seen; `next_sequence` is what its ring says."""
        lane = self.lanes[incarnation] = Lane(next_sequence, has_ring, now)
        return lane

    def current(self) -> int | None:
        """The incarnation whose turn it is."""
        return min(self.lanes, default=None)

    def arrived(self, incarnation: int, sequence: int, now: float) -> Arrival:
        """ZeroMQ has brought this batch; its lane is open unless it is done with."""
        lane = self.lanes.get(incarnation)
        if lane is None or (incarnation <= self._fenced and not lane.has_ring):
            return Arrival.LATE
        lane.heard_at = now
        expected = lane.next_sequence
        if sequence < expected:
            return Arrival.DUPLICATE
        if lane.has_ring and (sequence > expected or lane.behind or incarnation != self.current()):
            lane.behind = True  # the number itself is not believed: the ring tells what it holds
            return Arrival.IN_RING
        return Arrival.APPLY

    def reads(self, now: float, *, empty: bool) -> bool:
        """Whether the current lane's ring is to be read; `empty`: nothing stands in it."""
        current = self.current()
        if current is None or not self.lanes[current].has_ring:
            return False
        lane = self.lanes[current]
        if lane.behind or self.dead(now):
            return True
        return not empty and now - lane.heard_at >= QUIET_S

    def dead(self, now: float) -> bool:
        """Whether nothing more can be written to the current lane: it is retired once it has been read."""
        current = self.current()
        return current is not None and (current <= self._fenced or self.overdue(now))

    def overdue(self, now: float) -> bool:
        """Whether a later incarnation has waited for the fence of the current one for too long."""
        later = sorted(self.lanes)[1:2]
        return bool(later) and now - self.lanes[later[0]].opened_at >= FENCE_WAIT_S

    def fence(self, incarnation: int) -> None:
        """`incarnation` and all before it are dead; lanes of all their rings are open."""
        self._fenced = max(incarnation, self._fenced)
        # whatever has left a ring has a lane by now: those without one have nothing to be read
        current = self.current()
        silent = self._fenced if current is None else min(self._fenced, current - 1)
        self._retired = max(self._retired, silent)

    def retire(self, incarnation: int) -> None:
        """The lane has been read to its end: what still comes of it is late."""
        del self.lanes[incarnation]
        self._retired = max(self._retired, incarnation)
