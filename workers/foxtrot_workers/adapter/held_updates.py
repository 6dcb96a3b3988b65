"""Book updates that wait for a snapshot, bounded by count and by bytes. Pure.

Each book holds a limited number, and all books of a connection share a limit in bytes. A snapshot needs the latest
updates without a gap, so the oldest are evicted first. A snapshot older than the held updates then does not fit, and is
requested again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from foxtrot_protocol.events import BookDelta

__all__ = ["HELD_BYTES_MAX", "HELD_COUNT_MAX", "HeldBytes", "HeldUpdate", "HeldUpdates"]

HELD_COUNT_MAX = 2_000
"""Maximum per book: more than three minutes at one update each 100 ms."""

HELD_BYTES_MAX = 32 * 1024 * 1024
"""Maximum for all books of one connection, estimated. A typical book needs 2 MiB for ten seconds."""

_UPDATE_BYTES = 700
_LEVEL_BYTES = 168
"""Memory of the objects of an update, and of one level, without their text (measured)."""


class HeldBytes:
    """Byte limit shared by the books of one connection."""

    def __init__(self, bytes_max: int = HELD_BYTES_MAX) -> None:
        self.bytes_max = bytes_max
        self.used = 0


class HeldUpdate:
    """An update with its identifiers as integers."""

    __slots__ = ("event", "first", "last", "previous", "size")

    def __init__(self, event: BookDelta[str], first: int, last: int, previous: int | None) -> None:
        self.event = event
        self.first = first
        self.last = last
        self.previous = previous
        self.size = 0
        """Estimated bytes; set by `HeldUpdates.append`."""


class HeldUpdates:
    """The latest contiguous updates of one book."""

    def __init__(self, shared: HeldBytes) -> None:
        self._shared = shared
        self._updates: deque[HeldUpdate] = deque()

    def __iter__(self) -> Iterator[HeldUpdate]:
        return iter(self._updates)

    def __len__(self) -> int:
        return len(self._updates)

    def append(self, update: HeldUpdate) -> None:
        """Hold `update` and evict the oldest as needed; an update larger than all free space evicts everything."""
        update.size = _size(update.event)
        shared = self._shared
        while self._updates and (len(self) >= HELD_COUNT_MAX or shared.used + update.size > shared.bytes_max):
            self._release(self._updates.popleft())
        if shared.used + update.size <= shared.bytes_max:
            self._updates.append(update)
            shared.used += update.size

    def take(self) -> list[HeldUpdate]:
        """Remove and return all updates, oldest first."""
        updates = list(self._updates)
        self.clear()
        return updates

    def clear(self) -> None:
        """Remove all updates."""
        while self._updates:
            self._release(self._updates.popleft())

    def _release(self, update: HeldUpdate) -> None:
        self._shared.used -= update.size


def _size(event: BookDelta[str]) -> int:
    levels = (*event.bids, *event.asks)
    return _UPDATE_BYTES + sum(_LEVEL_BYTES + len(price) + len(size) for price, size in levels)
