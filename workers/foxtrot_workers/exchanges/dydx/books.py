"""Order books ("Orderbook"; guide "How to uncross the orderbook").

Snapshot and updates come on the stream. The indexer merges what several validators know, so its book may be crossed; in
v4 it is uncrossed here, by the age of levels: the `message_id` that set them. In v3 an update does not apply to a level
that a later one has set already, as `offset` tells.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from foxtrot_protocol.errors import BookInvalid
from foxtrot_protocol.events import BookDelta, BookSnapshot, MarketEvent
from foxtrot_protocol.order_book import OrderBook
from foxtrot_workers.adapter import Notice
from foxtrot_workers.adapter.chained_book import ChainedBook
from foxtrot_workers.exchanges.dydx.constants import AGES_MAX
from foxtrot_workers.exchanges.dydx.messages import BookChange, BookPicture

__all__ = ["Book", "Changes", "OffsetLevels", "UncrossedLevels"]

Changes = tuple[list[tuple[str, str]], list[tuple[str, str]]]
"""Levels of both sides: bids, asks."""


class UncrossedLevels:
    """The levels of a v4 book. Raises `foxtrot_protocol.errors.BookInvalid` for what is not a number."""

    def __init__(self, symbol: str) -> None:
        self._book: OrderBook[str] = OrderBook(symbol)
        self._bid_ages: dict[str, int] = {}
        self._ask_ages: dict[str, int] = {}

    def replace(self, picture: BookPicture, age: int) -> Changes:
        """Replace everything by a snapshot; return the levels that are left without a crossing."""
        bids = [(level.price, level.size) for level in picture.bids]
        asks = [(level.price, level.size) for level in picture.asks]
        self._book.snapshot(bids, asks)
        self._bid_ages = dict.fromkeys((price for price, _ in bids), age)
        self._ask_ages = dict.fromkeys((price for price, _ in asks), age)
        self._uncross()
        return self._book.best_bids(self._book.bid_count), self._book.best_asks(self._book.ask_count)

    def apply(self, change: BookChange, age: int) -> Changes:
        """Apply an update; return it with the removal of what it crosses."""
        self._book.apply(change.bids, change.asks)
        self._bid_ages.update(dict.fromkeys((price for price, _ in change.bids), age))
        self._ask_ages.update(dict.fromkeys((price for price, _ in change.asks), age))
        if len(self._bid_ages) > AGES_MAX or len(self._ask_ages) > AGES_MAX:
            self._forget_removed()
        removed_bids, removed_asks = self._uncross()
        return _without(change.bids, removed_bids), _without(change.asks, removed_asks)

    def _uncross(self) -> tuple[list[str], list[str]]:
        """Remove the older of two levels that cross, of two of one age the smaller; return the prices removed."""
        book = self._book
        bids: list[str] = []
        asks: list[str] = []
        while book.crossed:
            ((bid, bid_size),), ((ask, ask_size),) = book.best_bids(1), book.best_asks(1)
            bid_rank = self._bid_ages.get(bid, 0), Decimal(bid_size)
            ask_rank = self._ask_ages.get(ask, 0), Decimal(ask_size)
            if bid_rank <= ask_rank:
                book.apply([(bid, "0")], [])
                bids.append(bid)
            if ask_rank <= bid_rank:
                book.apply([], [(ask, "0")])
                asks.append(ask)
        return bids, asks

    def _forget_removed(self) -> None:
        book = self._book
        self._bid_ages = {price: self._bid_ages.get(price, 0) for price, _ in book.best_bids(book.bid_count)}
        self._ask_ages = {price: self._ask_ages.get(price, 0) for price, _ in book.best_asks(book.ask_count)}


class OffsetLevels:
    """The offsets of the levels of a v3 book."""

    def __init__(self) -> None:
        self._bids: dict[str, int] = {}
        self._asks: dict[str, int] = {}

    def replace(self, picture: BookPicture) -> Changes:
        """Replace everything by a snapshot; return its levels."""
        self._bids = {level.price: level.offset or 0 for level in picture.bids}
        self._asks = {level.price: level.offset or 0 for level in picture.asks}
        bids = [(level.price, level.size) for level in picture.bids]
        return bids, [(level.price, level.size) for level in picture.asks]

    def apply(self, change: BookChange) -> Changes:
        """Return those levels of an update that no later one has set already."""
        offset = change.offset or 0
        return _newer(self._bids, change.bids, offset), _newer(self._asks, change.asks, offset)


class Book:
    """One book: what is published of its messages.

    Args:
        exchange: name in events.
        symbol: symbol in events.
        wire: wire name of the topic, for notices.
        has_offsets: whether the protocol is v3.
    """

    def __init__(self, exchange: str, symbol: str, wire: str, *, has_offsets: bool) -> None:
        self._exchange = exchange
        self._symbol = symbol
        self._chained = ChainedBook(exchange, symbol, wire)
        self._levels = UncrossedLevels(symbol)
        self._offsets = OffsetLevels() if has_offsets else None

    @property
    def live(self) -> bool:
        """Whether updates are published as they come."""
        return self._chained.live

    def snapshot(
        self, picture: BookPicture, age: int, receive_ns: int, out: list[MarketEvent[str]], notices: list[Notice]
    ) -> None:
        """Process the first message of a subscription; `age`: its `message_id`."""
        try:
            bids, asks = self._levels.replace(picture, age) if self._offsets is None else self._offsets.replace(picture)
        except BookInvalid as error:
            self._chained.lose(error.reason, 0, receive_ns, out, notices)
            return
        event: BookSnapshot[str]
        event = BookSnapshot(self._exchange, self._symbol, 0, receive_ns, bids, asks, None, None, None)
        self._chained.snapshot(event, None, out, notices)

    def update(
        self, change: BookChange, age: int, receive_ns: int, out: list[MarketEvent[str]], notices: list[Notice]
    ) -> None:
        """Process a later message; `age`: its `message_id`."""
        bids, asks = change.bids, change.asks
        if self._chained.live:
            try:
                bids, asks = self._levels.apply(change, age) if self._offsets is None else self._offsets.apply(change)
            except BookInvalid as error:
                self._chained.lose(error.reason, 0, receive_ns, out, notices)
                return
            if not bids and not asks:
                return
        event: BookDelta[str]
        event = BookDelta(self._exchange, self._symbol, 0, receive_ns, bids, asks, None, None, None)
        self._chained.update(event, None, None, out, notices)

    def lose(self, reason: str, receive_ns: int, out: list[MarketEvent[str]], notices: list[Notice]) -> None:
        """Announce that messages of the connection are missing."""
        self._chained.lose(reason, 0, receive_ns, out, notices)


def _without(levels: list[tuple[str, str]], removed: Sequence[str]) -> list[tuple[str, str]]:
    """Return changed levels of a side, with those `removed` that cross the other side."""
    if not removed:
        return levels
    gone = set(removed)
    return [level for level in levels if level[0] not in gone] + [(price, "0") for price in removed]


def _newer(offsets: dict[str, int], levels: list[tuple[str, str]], offset: int) -> list[tuple[str, str]]:
    newer = [level for level in levels if offset > offsets.get(level[0], -1)]
    if len(offsets) > AGES_MAX:
        offsets.clear()
    offsets.update(dict.fromkeys((price for price, _ in newer), offset))
    return newer
