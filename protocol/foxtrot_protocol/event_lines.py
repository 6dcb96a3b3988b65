"""One event as the JSON object that a line of ``replay --json`` or ``events --json`` holds.

Numbers are printed as plain decimal text without exponent and without needless zeros, so that equal
numbers are equal text, however an exchange pads them (`plain_number`). For the exchange's own digits, as
for a checksum, use the events themselves.

Times are integers, ns since 1970; ``ts`` is the exchange's, null where it gives none.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from decimal import Decimal, InvalidOperation
from typing import Any, TypeAlias

from foxtrot_protocol.errors import BookInvalid
from foxtrot_protocol.events import (
    EVENT_BOOK,
    EVENT_TYPES,
    KINDS_OF_EVENTS,
    Bar,
    BookDelta,
    BookSnapshot,
    FeedStatus,
    Funding,
    Gap,
    Liquidation,
    MarketEvent,
    MarkPrice,
    OpenInterest,
    Quote,
    Ticker,
    Trade,
)
from foxtrot_protocol.order_book import OrderBook

__all__ = ["BOOKS_MAX", "BookView", "Line", "event_line", "live_line", "plain_number"]

Line: TypeAlias = dict[str, Any]

BOOKS_MAX = 10_000
"""Books that a view keeps; beyond it the oldest is evicted."""

_PLAIN_DIGITS_MAX = 100
"""Longest plain text made of an exponent; a number beyond that is printed as it came."""

_CANONICAL = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]*[1-9])?", re.ASCII)
_PADDED = re.compile(r"-?(?:0|[1-9][0-9]*)\.[0-9]*", re.ASCII)


def plain_number(text: str) -> str:
    """`text` without exponent, sign of zero, leading or trailing zeros; text that is no number, as it is."""
    if text != "-0" and _CANONICAL.fullmatch(text):
        return text
    if _PADDED.fullmatch(text):
        short = text.rstrip("0").rstrip(".")
        return "0" if short == "-0" else short
    try:
        number = Decimal(text)
    except InvalidOperation:
        return text
    if not number.is_finite() or len(text) > _PLAIN_DIGITS_MAX or abs(number.adjusted()) > _PLAIN_DIGITS_MAX:
        return text
    if number == 0:
        return "0"
    plain = format(number, "f")
    return plain.rstrip("0").rstrip(".") if "." in plain else plain


class BookView:
    """The books behind a stream of events: after each book event, the best `depth` levels.

    A view that has not seen a snapshot, or has seen a gap since, has no levels to show.
    """

    def __init__(self, depth: int) -> None:
        if depth < 1:
            raise ValueError(f"depth {depth} is not at least 1")
        self.depth = depth
        self._books: dict[tuple[str, str], OrderBook[str]] = {}

    def fold(self, event: BookSnapshot[str] | BookDelta[str]) -> OrderBook[str] | None:
        """The book after `event`; None where it is unknown or the event does not fit it."""
        key = (event.exchange, event.symbol)
        book = self._books.get(key)
        try:
            if isinstance(event, BookSnapshot):
                if book is None:
                    book = self._open(key)
                book.snapshot(event.bids, event.asks)
            elif book is not None:
                book.apply(event.bids, event.asks)
        except BookInvalid:
            del self._books[key]
            return None
        return book

    def lose(self, exchange: str, symbol: str) -> None:
        """Forget a book until its next snapshot."""
        self._books.pop((exchange, symbol), None)

    def _open(self, key: tuple[str, str]) -> OrderBook[str]:
        if len(self._books) >= BOOKS_MAX:
            del self._books[next(iter(self._books))]
        book: OrderBook[str] = OrderBook(key[1])
        self._books[key] = book
        return book


def event_line(event: MarketEvent[str], instrument: str, view: BookView | None = None) -> Line:
    """The object of one event.

    Book levels are the event's own, or, with a `view`, the best ones after it (null where the view does
    not know the book). `instrument` is BASE-QUOTE as the adapter names it.
    """
    line: Line = {
        "kind": KINDS_OF_EVENTS[type(event)],
        "exchange": event.exchange,
        "symbol": event.symbol,
        "instrument": instrument,
        "ts": event.exchange_ns or None,
    }
    if isinstance(event, BookSnapshot | BookDelta):
        _fill_book(line, event, view)
        return line
    if isinstance(event, Gap) and view is not None and event.stream == EVENT_BOOK:
        view.lose(event.exchange, event.symbol)
    _FILL[type(event)](line, event)
    return line


def live_line(event: MarketEvent[str], instrument: str, view: BookView | None = None) -> Line:
    """As `event_line`, with what only a running system knows: event type, times, delivery marks."""
    line = event_line(event, instrument, view)
    line["event"] = EVENT_TYPES[type(event)]
    line["receive_ns"] = event.receive_ns
    line["publish_ns"] = event.publish_ns
    line["redelivered"] = event.redelivered
    line["backfilled"] = event.backfilled
    return line


def _optional(text: str | None) -> str | None:
    return None if text is None else plain_number(text)


def _levels(levels: Iterable[tuple[str, str]]) -> list[list[str]]:
    return [[plain_number(price), plain_number(size)] for price, size in levels]


def _fill_book(line: Line, event: BookSnapshot[str] | BookDelta[str], view: BookView | None) -> None:
    line["type"] = "snapshot" if isinstance(event, BookSnapshot) else "delta"
    line["seq"] = event.last_id
    line["checksum"] = event.checksum
    if view is None:
        line["bids"] = _levels(event.bids)
        line["asks"] = _levels(event.asks)
        return
    book = view.fold(event)
    line["bids"] = None if book is None else _levels(book.best_bids(view.depth))
    line["asks"] = None if book is None else _levels(book.best_asks(view.depth))


def _fill_trade(line: Line, event: Trade[str]) -> None:
    line["price"] = plain_number(event.price)
    line["amount"] = plain_number(event.size)
    line["side"] = event.side
    line["id"] = event.trade_id
    if event.count != 1:
        line["count"] = event.count


def _fill_quote(line: Line, event: Quote[str] | Ticker[str]) -> None:
    # a size without a price, such as 0, means an empty side
    line["bid"] = _optional(event.bid)
    line["bid_size"] = _optional(event.bid_size)
    line["ask"] = _optional(event.ask)
    line["ask_size"] = _optional(event.ask_size)


def _fill_ticker(line: Line, event: Ticker[str]) -> None:
    for name in ("last", "open", "high", "low", "volume", "turnover"):
        line[name] = _optional(getattr(event, name))
    if (event.bid, event.bid_size, event.ask, event.ask_size) != (None, None, None, None):
        _fill_quote(line, event)


def _fill_bar(line: Line, event: Bar[str]) -> None:
    line["start"] = event.start_ns
    line["interval"] = event.interval
    for name in ("open", "high", "low", "close", "volume"):
        line[name] = plain_number(getattr(event, name))
    line["closed"] = event.closed


def _fill_funding(line: Line, event: Funding[str]) -> None:
    line["rate"] = plain_number(event.rate)
    line["next"] = event.next_ns or None


def _fill_mark_price(line: Line, event: MarkPrice[str]) -> None:
    line["price"] = plain_number(event.price)


def _fill_open_interest(line: Line, event: OpenInterest[str]) -> None:
    line["amount"] = plain_number(event.size)


def _fill_liquidation(line: Line, event: Liquidation[str]) -> None:
    line["side"] = event.side
    line["price"] = plain_number(event.price)
    line["amount"] = plain_number(event.size)


def _fill_status(line: Line, event: FeedStatus) -> None:
    line["topic"] = event.topic
    line["state"] = event.state
    line["age_s"] = event.age_s


def _fill_gap(line: Line, event: Gap) -> None:
    line["stream"] = event.stream
    line["first_id"] = event.first_id
    line["last_id"] = event.last_id
    line["start_ns"] = event.start_ns
    line["end_ns"] = event.end_ns
    line["cause"] = event.cause
    line["filled"] = event.filled


_FILL: dict[type, Callable[[Line, Any], None]] = {
    Trade: _fill_trade,
    Quote: _fill_quote,
    Ticker: _fill_ticker,
    Bar: _fill_bar,
    Funding: _fill_funding,
    MarkPrice: _fill_mark_price,
    OpenInterest: _fill_open_interest,
    Liquidation: _fill_liquidation,
    FeedStatus: _fill_status,
    Gap: _fill_gap,
}
