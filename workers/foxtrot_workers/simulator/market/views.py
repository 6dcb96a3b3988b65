"""The best levels of a book as they were last published, and what has changed since. Pure."""

from __future__ import annotations

from foxtrot_workers.simulator.market.book import SimBook

__all__ = ["DepthView", "Levels"]

Levels = list[tuple[int, int]]
"""Price in ticks and size in lots."""


class DepthView:
    """What subscribers of one book of limited depth know.

    Args:
        levels: of each side.
        removes: whether levels that leave the best ones are removed by a message; otherwise clients cut their books.
    """

    __slots__ = ("_removes", "asks", "bids", "is_active", "levels", "number", "update_id")

    def __init__(self, levels: int, *, removes: bool = True) -> None:
        self.levels = levels
        self._removes = removes
        self.bids: dict[int, int] = {}
        self.asks: dict[int, int] = {}
        self.is_active = False
        """Whether it follows the book: it has subscribers."""
        self.number = 0
        """Messages of this view, refreshes included."""
        self.update_id = 0
        """Update identifier of the book at the last message."""

    def refresh(self, book: SimBook) -> None:
        """Follow the book from its present state on; does nothing while it follows already."""
        if not self.is_active:
            self.is_active = True
            self._take(dict(book.top_bids(self.levels)), dict(book.top_asks(self.levels)), book.update_id)

    def pause(self) -> None:
        """Nobody listens any more."""
        self.is_active = False

    def changes(self, book: SimBook) -> tuple[Levels, Levels]:
        """Return the changed bids and asks, best first, and take them over; size 0 removes a level."""
        if book.update_id == self.update_id:
            return [], []
        bids, asks = dict(book.top_bids(self.levels)), dict(book.top_asks(self.levels))
        found = (
            sorted(self._changed(self.bids, bids, book.bid_sizes), reverse=True),
            sorted(self._changed(self.asks, asks, book.ask_sizes)),
        )
        if found[0] or found[1]:
            self._take(bids, asks, book.update_id)
        return found

    def top(self, limit: int) -> tuple[Levels, Levels]:
        """Return the best `limit` levels of each side as published."""
        return sorted(self.bids.items(), reverse=True)[:limit], sorted(self.asks.items())[:limit]

    def _take(self, bids: dict[int, int], asks: dict[int, int], update_id: int) -> None:
        self.bids, self.asks, self.update_id = bids, asks, update_id
        self.number += 1

    def _changed(self, before: dict[int, int], after: dict[int, int], whole: dict[int, int]) -> Levels:
        changed = [(price, lots) for price, lots in after.items() if before.get(price) != lots]
        gone = before.keys() - after.keys()
        return changed + [(price, 0) for price in gone if self._removes or price not in whole]
