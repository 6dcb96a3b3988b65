"""Bounded memory of recent events, for analysis. Pure; the caller locks.

It costs about 500 bytes for an event, more for a book (`event_buffer.event_bytes`): nothing is kept unless asked.
"""

from __future__ import annotations

from collections import deque
from typing import Any

from foxtrot_supervisor.client.event_buffer import EventFilter, event_bytes

__all__ = ["HISTORY_BYTES_MAX", "HISTORY_EVENTS_MAX", "EventHistory"]

HISTORY_EVENTS_MAX = 1_000_000
"""Default number of events that are kept."""

HISTORY_BYTES_MAX = 256 * 1024 * 1024
"""Default size of what is kept, estimated."""


class EventHistory:
    """The latest events of some types and symbols.

    Args:
        wanted: which ones.
        keep_s: seconds before the latest event that are kept.
        events_max: number of events.
        bytes_max: their estimated size.
    """

    def __init__(
        self,
        wanted: EventFilter,
        keep_s: float,
        events_max: int = HISTORY_EVENTS_MAX,
        bytes_max: int = HISTORY_BYTES_MAX,
    ) -> None:
        self.wanted = wanted
        self.evicted_total = 0
        """Events that fell out because of the number or the size, before their time."""
        self._keep_ns = int(keep_s * 1e9)
        self._events_max = events_max
        self._bytes_max = bytes_max
        self._events: deque[tuple[Any, int]] = deque()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._events)

    def add(self, event: Any) -> None:
        """Keep `event`, if it is wanted; its type is known to be."""
        if not self.wanted.accepts(event):
            return
        size = event_bytes(event)
        self._events.append((event, size))
        self._bytes += size
        oldest_ns = event.receive_ns - self._keep_ns
        while self._events[0][0].receive_ns < oldest_ns:
            self._evict()
        while len(self._events) > self._events_max or (self._bytes > self._bytes_max and len(self._events) > 1):
            self._evict()
            self.evicted_total += 1

    def since(self, since_ns: int, symbols: frozenset[str] = frozenset()) -> list[Any]:
        """Return the events received from `since_ns` on, in order; `symbols`: empty: all."""
        chosen = EventFilter(frozenset(), symbols)
        return [event for event, _ in self._events if event.receive_ns >= since_ns and chosen.accepts(event)]

    def _evict(self) -> None:
        _, size = self._events.popleft()
        self._bytes -= size
