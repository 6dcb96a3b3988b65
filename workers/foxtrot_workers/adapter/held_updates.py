"""Book updates that wait for a snapshot, bounded by count and by bytes. Pure.

One book holds so many, and all books of a connection share one bound of bytes: what a snapshot needs is the latest
stretch without a hole, so the oldest updates go first. A snapshot older than what is held then does not fit, and is
requested again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from foxtrot_protocol.events import BookDelta

__all__ = ["HELD_BYTES_MAX", "HELD_COUNT_MAX", "HeldBytes", "HeldUpdate", "HeldUpdates"]

HELD_COUNT_MAX = 2_000
"""Updates of one book: over three minutes at one each 100 ms."""

HELD_BYTES_MAX = 32 * 1024 * 1024
"""All books of one connection together, estimated. One usual book needs 2 MiB for ten seconds."""

_UPDATE_BYTES = 700
_LEVEL_BYTES = 168
"""What the objects of an update, and of one level, take beside their text (measured)."""


class HeldBytes:
    """The bound that the books of one connection share."""

    def __init__(self, bytes_max: int = HELD_BYTES_MAX) -> None:
        self.bytes_max = bytes_max
        self.used = 0


class HeldUpdate:
    """An update with its identifiers as numbers."""

    __slots__ = ("event", "first", "last", "previous", "size")

    def __init__(self, event: BookDelta[str], first: int, last: int, previous: int | None) -> None:
        self.event = event
        self.first = first
        self.last = last
        self.previous = previous
        self.size = 0
        """Estimated bytes; set when it is held."""


class HeldUpdates:
    """The latest updates of one book, a stretch without a hole of our making."""

    def __init__(self, shared: HeldBytes) -> None:
        self._shared = shared
        self._updates: deque[HeldUpdate] = deque()

    def __iter__(self) -> Iterator[HeldUpdate]:
        return iter(self._updates)

    def __len__(self) -> int:
        return len(self._updates)

    def append(self, update: HeldUpdate) -> None:
        """Hold `update`; the oldest make room. One that has no room even then is not held, and nothing before it."""
        update.size = _size(update.event)
        shared = self._shared
        while self._updates and (len(self) >= HELD_COUNT_MAX or shared.used + update.size > shared.bytes_max):
            self._drop(self._updates.popleft())
        if shared.used + update.size <= shared.bytes_max:
            self._updates.append(update)
            shared.used += update.size

    def take(self) -> list[HeldUpdate]:
        """All of them, oldest first; none are held afterwards."""
        updates = list(self._updates)
        self.clear()
        return updates

    def clear(self) -> None:
        """Hold none."""
        while self._updates:
            self._drop(self._updates.popleft())

    def _drop(self, update: HeldUpdate) -> None:
        self._shared.used -= update.size


def _size(event: BookDelta[str]) -> int:
    levels = (*event.bids, *event.asks)
    return _UPDATE_BYTES + sum(_LEVEL_BYTES + len(price) + len(size) for price, size in levels)
