"""One order book of the simulated market, in whole ticks and lots. It never crosses.

Both lists have the best price last, so that removing the top is cheap. `market` decides what changes; this module
keeps prices sorted and remembers which levels have changed.
"""

from __future__ import annotations

from bisect import bisect_left

__all__ = ["Changes", "SimBook"]


class Changes:
    """Levels changed since the last depth message, and the first update id among them."""

    __slots__ = ("asks", "bids", "first_id")

    def __init__(self, first_id: int) -> None:
        self.first_id = first_id
        """`U` of the next depth message: always the previous `u` + 1."""
        self.bids: dict[int, int] = {}
        self.asks: dict[int, int] = {}


class SimBook:
    """Sizes in lots by price in ticks; `update_id` rises by one with each changed level."""

    __slots__ = ("ask_sizes", "asks", "bid_sizes", "bids", "changes", "update_id")

    def __init__(self, update_id: int) -> None:
        self.update_id = update_id
        self.bids: list[int] = []
        """Ascending: best last."""
        self.asks: list[int] = []
        """Negated prices, ascending: best last."""
        self.bid_sizes: dict[int, int] = {}
        self.ask_sizes: dict[int, int] = {}
        self.changes: tuple[Changes, ...] = ()
        """Collect the changed levels, each for one stream, until its next message."""

    @property
    def best_bid(self) -> int:
        """Ticks. No side is empty once the book is seeded."""
        return self.bids[-1]

    @property
    def best_ask(self) -> int:
        """Ticks."""
        return -self.asks[-1]

    def set_bid(self, price: int, lots: int) -> None:
        """Set the size at `price`; 0 removes the level."""
        assert price > 0
        assert lots >= 0
        sizes = self.bid_sizes
        if lots:
            assert not self.asks or price < -self.asks[-1], "a bid must never reach the best ask"
            if price not in sizes:
                self.bids.insert(bisect_left(self.bids, price), price)
            sizes[price] = lots
        elif sizes.pop(price, None) is not None:
            del self.bids[bisect_left(self.bids, price)]
        self.update_id += 1
        for changes in self.changes:
            changes.bids[price] = lots

    def set_ask(self, price: int, lots: int) -> None:
        """Set the size at `price`; 0 removes the level."""
        assert price > 0
        assert lots >= 0
        sizes = self.ask_sizes
        if lots:
            assert not self.bids or price > self.bids[-1], "an ask must never reach the best bid"
            if price not in sizes:
                self.asks.insert(bisect_left(self.asks, -price), -price)
            sizes[price] = lots
        elif sizes.pop(price, None) is not None:
            del self.asks[bisect_left(self.asks, -price)]
        self.update_id += 1
        for changes in self.changes:
            changes.asks[price] = lots

    def top_bids(self, limit: int) -> list[tuple[int, int]]:
        """Return at most `limit` levels (price, lots), best first."""
        sizes = self.bid_sizes
        return [(price, sizes[price]) for price in self.bids[: -limit - 1 : -1]]

    def top_asks(self, limit: int) -> list[tuple[int, int]]:
        """Return at most `limit` levels (price, lots), best first."""
        sizes = self.ask_sizes
        return [(-price, sizes[-price]) for price in self.asks[: -limit - 1 : -1]]
