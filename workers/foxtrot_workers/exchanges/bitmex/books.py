"""Order books: the whole book first, then changes that name levels by id ("Websocket API", "Response Format").

Updates and deletions carry no price: it is known from the level's id. There is no sequence, so a lost update cannot be
seen, except by an id that is not known.
"""

from __future__ import annotations

from foxtrot_protocol.events import BookDelta, BookSnapshot, MarketEvent
from foxtrot_workers.adapter import Notice
from foxtrot_workers.adapter.chained_book import ChainedBook
from foxtrot_workers.adapter.iso_time import iso_ns
from foxtrot_workers.adapter.number_text import number_text
from foxtrot_workers.exchanges.bitmex.messages import BookRow

__all__ = ["LevelBook"]


class LevelBook:
    """One book, whose levels have identifiers."""

    def __init__(self, exchange: str, symbol: str, wire: str) -> None:
        self._exchange = exchange
        self._symbol = symbol
        self._book = ChainedBook(exchange, symbol, wire)
        self._prices: dict[int, str] = {}

    @property
    def live(self) -> bool:
        """Whether updates are published as they come."""
        return self._book.live

    def snapshot(
        self, rows: list[BookRow], receive_ns: int, out: list[MarketEvent[str]], notices: list[Notice]
    ) -> None:
        """Replace the book. Raises `msgspec.ValidationError` for a level without price or size."""
        prices = {row.id: number_text(row.price) for row in rows}
        bids, asks = _sides([(row.side, prices[row.id], number_text(row.size)) for row in rows])
        self._prices = prices
        event = BookSnapshot(self._exchange, self._symbol, _time_of(rows), receive_ns, bids, asks, None, None, None)
        self._book.snapshot(event, None, out, notices)

    def change(
        self, action: str, rows: list[BookRow], receive_ns: int, out: list[MarketEvent[str]], notices: list[Notice]
    ) -> None:
        """Insert, update or delete levels. Raises `msgspec.ValidationError` for a level without a size."""
        if not self._book.live:
            return  # before the whole book, or until it comes again
        changes: list[tuple[str, str, str]] = []
        prices = dict[int, str]()
        for row in rows:
            price = prices.get(row.id) or self._prices.get(row.id)
            if row.price is not None:
                price = number_text(row.price)
            if price is None:
                reason = f"{action} of the unknown level {row.id}"
                self._book.lose(reason, _time_of(rows), receive_ns, out, notices)
                return
            prices[row.id] = price
            changes.append((row.side, price, "0" if action == "delete" else number_text(row.size)))
        if action == "delete":
            for row in rows:
                self._prices.pop(row.id, None)
        else:
            self._prices.update(prices)
        bids, asks = _sides(changes, best_first=False)
        event = BookDelta(self._exchange, self._symbol, _time_of(rows), receive_ns, bids, asks, None, None, None)
        self._book.update(event, None, None, out, notices)


def _sides(
    levels: list[tuple[str, str, str]], *, best_first: bool = True
) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """Return bids and asks of side, price and size; `best_first`: in the order of a snapshot."""
    bids = [(price, size) for side, price, size in levels if side == "Buy"]
    asks = [(price, size) for side, price, size in levels if side == "Sell"]
    if best_first:
        bids.sort(key=_value, reverse=True)
        asks.sort(key=_value)
    return bids, asks


def _value(level: tuple[str, str]) -> float:
    return float(level[0])


def _time_of(rows: list[BookRow]) -> int:
    """Return the exchange's time of the last row, in nanoseconds; 0 where older frames have none."""
    time = rows[-1].timestamp if rows else None
    return 0 if time is None else iso_ns(time)
