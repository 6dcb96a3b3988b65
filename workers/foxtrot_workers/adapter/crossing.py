"""Notices a book that stays crossed: its best bid is at or above its best ask for longer than a moment. Pure.

No exchange's book is crossed for long: one that is has missed an update, though no identifier or checksum showed it. A
moment does not count, because several messages may describe one trade.

Cheap for the hot path: updates are merged there, a few at a time or each at once (compiled form), and judged once a
second. Prices are ordered as binary floats; where that order says that a book is crossed, the decimal text decides.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from heapq import heapify, heappop, heappush
from itertools import chain, islice
from math import isfinite
from typing import TYPE_CHECKING

from foxtrot_protocol import compiled
from foxtrot_protocol.events import BookDelta, BookSnapshot

__all__ = [
    "CHECK_INTERVAL_S",
    "CROSSED_MAX_S",
    "CROSSED_MIN_S",
    "MERGED_TOGETHER",
    "CrossingCheck",
    "PriceSide",
    "PurePriceSide",
]

CHECK_INTERVAL_S = 1.0
"""Seconds between two checks of a book that is not crossed."""

CROSSED_MIN_S = 1.0
"""Seconds for which a book may stay crossed. They double with each finding, up to `CROSSED_MAX_S`: books that really
are crossed for a while, as in an auction, must not cause snapshot after snapshot."""

CROSSED_MAX_S = 64.0
"""Also the seconds after the last finding in which a book that is not crossed returns to `CROSSED_MIN_S`."""

MERGED_TOGETHER = 16
"""Updates that are merged together in pure Python.

With hundreds, the updates of a few books exceed the cache of the processor, and each event is written to cold memory:
that took half of the throughput of a worker (`bench --only mixed`)."""

_REMOVED_MAX = 1_000
"""Removed levels that a side may keep, besides as many as it has others."""

_S = 1_000_000_000

CHECK_INTERVAL_NS = round(CHECK_INTERVAL_S * _S)


class CrossingCheck:
    """Checks one book. Its clock is the receive time of the events."""

    __slots__ = (
        "_crossed_ns",
        "_defect",
        "_found_ns",
        "_limit_ns",
        "_merge_at",
        "_unmerged",
        "asks",
        "bids",
        "check_ns",
    )

    def __init__(self) -> None:
        self.bids = PriceSide(-1.0)
        self.asks = PriceSide(1.0)
        self._unmerged: list[BookSnapshot[str] | BookDelta[str]] = []
        self._merge_at = MERGED_TOGETHER if PriceSide is PurePriceSide else 1
        self._defect = ""
        """Why what was merged cannot be used; reported by the next check."""
        self.check_ns = 0
        """Receive time from which on an update is followed by a check; also one of more than the interval before it."""
        self._crossed_ns: int | None = None
        """Since when the book is crossed; None while it is not."""
        self._limit_ns = round(CROSSED_MIN_S * _S)
        self._found_ns = 0

    def snapshot(self, event: BookSnapshot[str]) -> None:
        """Replace the book."""
        self.bids = PriceSide(-1.0)
        self.asks = PriceSide(1.0)
        self._unmerged = [event]
        self._defect = ""
        self._merge()
        self.check_ns = event.receive_ns + CHECK_INTERVAL_NS
        self._crossed_ns = None

    def update(self, event: BookDelta[str]) -> str:
        """Change the book; return its defect, "" for none. After a defect the next call must be `snapshot`."""
        self._unmerged.append(event)
        if len(self._unmerged) >= self._merge_at:
            self._merge()
        return self._check(event.receive_ns) if self.is_due(event.receive_ns) else ""

    def is_due(self, now_ns: int) -> bool:
        """Return whether an update received at `now_ns` is followed by a check."""
        # a clock that went back is no reason to wait for it
        return not self.check_ns - CHECK_INTERVAL_NS <= now_ns < self.check_ns

    def extend(self, events: Sequence[BookDelta[str]]) -> None:
        """Change the book by updates after none of which a check is due."""
        self._unmerged += events
        if len(self._unmerged) >= self._merge_at:
            self._merge()

    def _merge(self) -> None:
        unmerged, self._unmerged = self._unmerged, []
        if self._defect:
            return
        try:
            self.bids.merge([event.bids for event in unmerged])
            self.asks.merge([event.asks for event in unmerged])
        except ValueError as error:
            self._defect = f"its levels cannot be used: {error}"

    def _check(self, now_ns: int) -> str:
        self._merge()
        if self._defect:
            return self._defect
        try:
            bid, ask = self.bids.best(), self.asks.best()
        except ValueError as error:
            return f"its levels cannot be used: {error}"
        if bid is None or ask is None or float(bid) < float(ask) or Decimal(bid) < Decimal(ask):
            self._crossed_ns = None
            self.check_ns = now_ns + CHECK_INTERVAL_NS
            if now_ns - self._found_ns > CROSSED_MAX_S * _S:
                self._limit_ns = round(CROSSED_MIN_S * _S)
            return ""
        if self._crossed_ns is None or now_ns < self._crossed_ns:
            self._crossed_ns = now_ns
        self.check_ns = now_ns  # each update may end it
        if now_ns - self._crossed_ns < self._limit_ns:
            return ""
        self._found_ns = now_ns
        self._limit_ns = min(2 * self._limit_ns, round(CROSSED_MAX_S * _S))
        return f"crossed for {(now_ns - self._crossed_ns) / _S:.1f} s: the best bid is {bid}, the best ask {ask}"


class PurePriceSide:
    """The levels of one side, by the text of their price.

    Args:
        sign: -1.0 for bids, 1.0 for asks. Prices are ordered by `sign` times their value: the best comes first.
    """

    __slots__ = ("_heap", "_levels", "_levels_max", "_prices", "_respelled", "_sign")

    def __init__(self, sign: float) -> None:
        self._sign = sign
        self._levels: dict[str, str] = {}
        """Price to size. Levels of size 0 stay until they are the best, or too many."""
        self._prices: dict[float, str] = {}
        """The prices of `_levels` by their order."""
        self._heap: list[float] = []
        """The keys of `_prices`."""
        self._levels_max = _REMOVED_MAX
        self._respelled = False
        """Whether each price is rewritten, because the exchange spells one price in several ways."""

    def __len__(self) -> int:
        """Levels that are kept, removed ones among them."""
        return len(self._levels)

    def merge(self, changes: Sequence[list[tuple[str, str]]]) -> None:
        """Set the levels in `changes`, in this order. Raises ValueError for a price that is not a number."""
        levels = self._levels
        known = len(levels)
        levels.update(chain.from_iterable(map(_respelled, changes) if self._respelled else changes))
        if len(levels) > known:
            self._add(list(islice(reversed(levels), len(levels) - known)), changes)

    def _add(self, prices: Sequence[str], changes: Sequence[list[tuple[str, str]]]) -> None:
        """Order `prices`, which `changes` have brought."""
        by_order = {self._sign * float(price): price for price in prices}
        if not all(map(isfinite, by_order)):
            raise ValueError("a price that is not finite")
        if len(by_order) < len(prices) or not by_order.keys().isdisjoint(self._prices.keys()):
            self._respelled = True
            self._replace(dict(_respelled(self._levels.items())))
            self.merge(changes)  # their order decides between sizes of one price
            return
        self._prices.update(by_order)
        for order in by_order:
            heappush(self._heap, order)
        if len(self._levels) > self._levels_max:
            self._replace({price: size for price, size in self._levels.items() if not _is_zero(size)})

    def best(self) -> str | None:
        """Return the best price; None on an empty side. Raises ValueError for a size that is not a number."""
        while self._heap:
            price = self._prices[self._heap[0]]
            if float(self._levels[price]):
                return price
            del self._prices[heappop(self._heap)], self._levels[price]
        return None

    def _replace(self, levels: dict[str, str]) -> None:
        self._levels = levels
        self._prices = {self._sign * float(price): price for price in levels}
        self._heap = list(self._prices)
        heapify(self._heap)
        self._levels_max = 2 * len(levels) + _REMOVED_MAX


def _is_zero(size: str) -> bool:
    """Return whether a size is zero. One that is not a number is not: `best` says so, if its level becomes the best."""
    try:
        return not float(size)
    except ValueError:
        return False


def _respelled(levels: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return `levels` with one spelling for each price."""
    return [(repr(float(price)), size) for price, size in levels]


if TYPE_CHECKING:
    PriceSide = PurePriceSide
else:
    _native = compiled.load("foxtrot_workers.adapter._price_side")
    PriceSide = PurePriceSide if _native is None else _native.PriceSide
