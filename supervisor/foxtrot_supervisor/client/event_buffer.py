"""Bounded buffer of events between a producer and a consumer that may be slow. Pure; the caller locks.

Three policies say what happens when it is full:

* ``drop_oldest``: the oldest events are dropped and counted;
* ``block``: the producer waits, see `has_room`;
* ``error``: the new event is dropped, and the consumer gets an error once it has had what was there.
"""

from __future__ import annotations

from collections import deque
from typing import Any, Literal, TypeAlias

from msgspec import Struct

from foxtrot_supervisor.client.event_selection import event_type

__all__ = [
    "BUFFER_BYTES_MAX",
    "BUFFER_EVENTS",
    "EventBuffer",
    "EventFilter",
    "Overflow",
    "StreamOverflow",
    "event_bytes",
    "event_filter",
]

BUFFER_EVENTS = 10_000
"""Default number of events that wait for a consumer."""

BUFFER_BYTES_MAX = 64 * 1024 * 1024
"""Bytes of events that wait for a consumer, estimated by `event_bytes`."""

Overflow: TypeAlias = Literal["drop_oldest", "block", "error"]

_EVENT_BYTES = 500
_LEVEL_BYTES = 150


class StreamOverflow(Exception):
    """A consumer was too slow for its stream, whose policy is "error"."""


class EventBuffer:
    """Events in order. `limit`: events; `bytes_max`: their estimated size; an event alone always finds room."""

    def __init__(
        self, limit: int = BUFFER_EVENTS, bytes_max: int = BUFFER_BYTES_MAX, overflow: Overflow = "drop_oldest"
    ) -> None:
        if limit < 1:
            raise ValueError(f"limit is {limit}: a stream holds at least 1 event")
        if overflow not in ("drop_oldest", "block", "error"):
            raise ValueError(f'overflow is {overflow!r}: use "drop_oldest", "block" or "error"')
        self.overflow = overflow
        self.dropped_total = 0
        """Events that were dropped because the consumer was slow."""
        self.overflowed = False
        """With the policy "error": whether the consumer has to be told."""
        self._limit = limit
        self._bytes_max = bytes_max
        self._events: deque[tuple[Any, int]] = deque()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._events)

    def has_room(self, size: int) -> bool:
        """Whether an event of `size` bytes finds room."""
        return not self._events or (len(self._events) < self._limit and self._bytes + size <= self._bytes_max)

    def put(self, event: Any, size: int) -> None:
        """Add an event, by the policy; with "block" the caller has waited for room, or the event is dropped."""
        if self.overflow == "drop_oldest":
            while not self.has_room(size):
                self.pop()
                self.dropped_total += 1
        elif not self.has_room(size):
            self.dropped_total += 1
            self.overflowed = self.overflow == "error"
            return
        if self.overflowed:
            self.dropped_total += 1
            return
        self._events.append((event, size))
        self._bytes += size

    def pop(self) -> Any:
        """Remove and return the oldest event; raises IndexError if there is none."""
        event, size = self._events.popleft()
        self._bytes -= size
        return event


class EventFilter(Struct, frozen=True):
    """What a consumer wants. `types`, `symbols`: empty: all."""

    types: frozenset[str]
    symbols: frozenset[str]

    def accepts(self, event: Any) -> bool:
        """Whether a market event of the right type has one of the symbols."""
        symbols = self.symbols
        return not symbols or event.symbol in symbols or f"{event.symbol}.{event.exchange}" in symbols


def event_filter(types: str | list[str], symbol: str | list[str] | None) -> EventFilter:
    """Return the filter for event types (``trade`` or ``eMarketTrade.``) and symbols (``BTCUSDT``, ``BTCUSDT.OKX``).

    Raises ValueError for an unknown type.
    """
    words = [types] if isinstance(types, str) else list(types)
    symbols = [] if symbol is None else [symbol] if isinstance(symbol, str) else list(symbol)
    return EventFilter(frozenset(map(event_type, words)), frozenset(symbols))


def event_bytes(event: Any) -> int:
    """Return about how many bytes of memory an event takes."""
    levels = len(getattr(event, "bids", ())) + len(getattr(event, "asks", ()))
    return _EVENT_BYTES + _LEVEL_BYTES * levels
