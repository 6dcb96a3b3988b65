"""Deadlines by name, the earliest at hand: a heap with lazy deletion."""

from __future__ import annotations

import heapq
import math

__all__ = ["Deadlines"]


class Deadlines:
    """The current deadline of each name, in seconds on the caller's clock.

    A deadline that moves later, as a heartbeat timeout does with each heartbeat, costs one dictionary entry: its old
    place in the heap stays, and is corrected when it reaches the top. A name has as many places in the heap as its
    deadline was brought forward since it last reached the top.
    """

    __slots__ = ("_at", "_heap", "_queued")

    def __init__(self) -> None:
        self._at: dict[str, float] = {}
        self._queued: dict[str, float] = {}
        """The earliest place of each name in the heap."""
        self._heap: list[tuple[float, str]] = []

    def set(self, name: str, at: float) -> None:
        """Set the deadline of `name`; infinity removes it."""
        if at == math.inf:
            self._at.pop(name, None)
            return
        self._at[name] = at
        if at < self._queued.get(name, math.inf):
            self._queued[name] = at
            heapq.heappush(self._heap, (at, name))

    def next(self) -> float:
        """Return the earliest deadline; infinity if there is none."""
        heap = self._heap
        while heap:
            queued_at, name = heap[0]
            if self._queued.get(name) != queued_at:
                heapq.heappop(heap)  # a later place of a name that has an earlier one, or had
                continue
            at = self._at.get(name)
            if at == queued_at:
                return at
            if at is None:
                heapq.heappop(heap)
                del self._queued[name]
            else:
                heapq.heapreplace(heap, (at, name))
                self._queued[name] = at
        return math.inf

    def due(self, now: float) -> list[str]:
        """Return the names whose deadline is not after `now`; they have no deadline until `set` gives them one."""
        names: list[str] = []
        while self.next() <= now:
            _, name = heapq.heappop(self._heap)
            del self._queued[name]
            del self._at[name]
            names.append(name)
        return names
