"""What to do with the batches of one worker: apply, leave to the ring, or drop. Pure; `now` in monotonic seconds.

A *lane* is one incarnation. Lanes are handled one after the other, so that a stream keeps its order over the death of
its worker: until the previous lane is retired, a later one's batches stay in their ring.

A batch comes over ZeroMQ and is in the ring as well. What ZeroMQ left out is read from the ring. While the ring is
being read, what ZeroMQ brings is ignored, because it is in the ring too.
"""

from __future__ import annotations

import enum

from msgspec import Struct

__all__ = ["FENCE_WAIT_S", "QUIET_S", "Arrival", "Delivery", "Lane", "Origin"]

QUIET_S = 0.05
"""A ring that is not empty is read when ZeroMQ has brought nothing for this long."""

FENCE_WAIT_S = 2.0
"""Treat the previous incarnation as dead once its successor has existed this long without a fence."""


class Arrival(enum.Enum):
    """What to do with a batch that ZeroMQ brought."""

    APPLY = "apply"
    LATE = "late"
    """Of a retired incarnation: drop and count."""
    DUPLICATE = "duplicate"
    """Applied before: drop and count."""
    IN_RING = "in ring"
    """Other batches come first: read it from the ring in its turn."""


class Origin(Struct, frozen=True):
    """Connection and worker of the events being dispatched; empty if unknown."""

    connection: str = ""
    worker: str = ""
    incarnation: int = 0


class Lane(Struct):
    """One incarnation; `next_sequence` is the next batch to apply, `opened_at` in monotonic seconds."""

    next_sequence: int
    has_ring: bool
    opened_at: float
    behind: bool = False
    """Read the ring until it is empty: it holds batches that ZeroMQ has not brought in order."""
    heard_at: float = float("-inf")
    """When ZeroMQ last brought a batch (monotonic seconds)."""


class Delivery:
    """The lanes of one worker; bounded by the rings that a worker leaves (`RINGS_KEPT_MAX` of the writer)."""

    def __init__(self) -> None:
        self.lanes: dict[int, Lane] = {}
        self._current: int | None = None
        self._fenced = 0
        self._retired = 0

    def wants(self, incarnation: int) -> bool:
        """Whether a lane has to be opened for this incarnation."""
        return incarnation > self._retired and incarnation not in self.lanes

    def open(self, incarnation: int, next_sequence: int, *, has_ring: bool, now: float) -> Lane:
        """Open a lane for an incarnation; `next_sequence` comes from its ring."""
        lane = self.lanes[incarnation] = Lane(next_sequence, has_ring, now)
        self._current = min(self.lanes)
        return lane

    def current(self) -> int | None:
        """Return the incarnation whose batches are applied now, None without lanes."""
        return self._current

    def arrived(self, incarnation: int, sequence: int, now: float) -> Arrival:
        """Decide on a batch that ZeroMQ brought; its lane is open unless it is retired."""
        lane = self.lanes.get(incarnation)
        if lane is None or (incarnation <= self._fenced and not lane.has_ring):
            return Arrival.LATE
        lane.heard_at = now
        expected = lane.next_sequence
        if sequence < expected:
            return Arrival.DUPLICATE
        if lane.has_ring and (sequence > expected or lane.behind or incarnation != self.current()):
            lane.behind = True  # the number itself is not trusted: the ring shows what it holds
            return Arrival.IN_RING
        return Arrival.APPLY

    def reads(self, now: float, *, empty: bool) -> bool:
        """Whether the current lane's ring has to be read; `empty`: it holds nothing."""
        current = self._current
        if current is None:
            return False
        lane = self.lanes[current]
        if not lane.has_ring:
            return False
        if lane.behind or current <= self._fenced or self.fence_overdue(now):
            return True
        return not empty and now - lane.heard_at >= QUIET_S

    def dead(self, now: float) -> bool:
        """Whether the current lane's worker is dead: the lane is retired once its ring is read."""
        current = self._current
        return current is not None and (current <= self._fenced or self.fence_overdue(now))

    def fence_overdue(self, now: float) -> bool:
        """Whether a later incarnation has waited too long for the fence of the current one."""
        if len(self.lanes) < 2:
            return False
        return now - self.lanes[sorted(self.lanes)[1]].opened_at >= FENCE_WAIT_S

    def fence(self, incarnation: int) -> None:
        """Fence `incarnation` and all earlier ones; lanes of all their rings are open."""
        self._fenced = max(incarnation, self._fenced)
        # every incarnation with a ring has a lane by now: those without one left nothing to read
        current = self.current()
        silent = self._fenced if current is None else min(self._fenced, current - 1)
        self._retired = max(self._retired, silent)

    def retire(self, incarnation: int) -> None:
        """Close a lane whose ring is read to its end: what still comes of it is late."""
        del self.lanes[incarnation]
        self._current = min(self.lanes, default=None)
        self._retired = max(self._retired, incarnation)
