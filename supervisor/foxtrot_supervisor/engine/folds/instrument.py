"""State of one instrument, as far as a tick shows it. Pure.

Levels come from the book where there is one, else from the quote. A quote that is newer than the book gives the best
level, and the book the levels behind it. A trade that was fetched later (backfilled) counts towards the day's volume
and changes no price.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TypeAlias

from foxtrot_protocol.events import (
    EVENT_BBO,
    EVENT_BOOK,
    BookDelta,
    BookSnapshot,
    OpenInterest,
    Quote,
    Ticker,
    Trade,
)
from foxtrot_protocol.order_book import OrderBook
from foxtrot_protocol.tick_data import LEVELS, TickData

__all__ = ["CHANGES", "InstrumentState"]

_DAY_NS = 86_400_000_000_000

_Levels: TypeAlias = tuple[float, ...]
"""Bid prices, ask prices, bid volumes, ask volumes: `LEVELS` of each, in the order of a tick's fields."""

_NO_SIDE = (0.0,) * LEVELS
_NO_LEVELS: _Levels = _NO_SIDE * 4

_tick: Callable[..., TickData] = TickData
"""Called with positional arguments: a quarter of the time of forty keyword arguments."""

_Side: TypeAlias = list[tuple[float, float]]


class InstrumentState:
    """Last trade, day figures, quote and book of one instrument.

    Methods that apply an event return whether a tick could differ from the one before. They raise `ValueError`,
    `OverflowError` or `BookInvalid` for an event with an invalid number.
    """

    __slots__ = (
        "_book",
        "_book_ns",
        "_book_source",
        "_day",
        "_exchange_ns",
        "_gateway_name",
        "_has_quotes",
        "_has_ticker",
        "_high",
        "_last",
        "_last_ns",
        "_last_size",
        "_levels",
        "_low",
        "_open",
        "_open_interest",
        "_quote",
        "_quote_ns",
        "_quote_source",
        "_shown",
        "_turnover",
        "_volume",
        "emitted_ns",
        "exchange",
        "pending",
        "receive_ns",
        "source",
        "symbol",
    )

    def __init__(self, exchange: str, symbol: str, gateway_name: str) -> None:
        self.exchange = exchange
        self.symbol = symbol
        self._gateway_name = gateway_name
        self.source = ""
        self.emitted_ns = 0
        self.pending = False
        """Something other than the levels may have changed since the last tick."""
        self.receive_ns = 0
        self._exchange_ns = 0
        self._last = self._last_size = 0.0
        self._last_ns = -1
        self._volume = self._turnover = self._open = self._high = self._low = self._open_interest = 0.0
        self._has_ticker = False
        self._has_quotes = False
        self._day = -1
        self._book: OrderBook[Any] | None = None
        self._book_ns = 0
        """Receipt of the book's latest event; 0: the book is not shown."""
        self._book_source = ""
        self._quote: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)
        self._quote_ns = 0
        self._quote_source = ""
        self._levels: _Levels | None = _NO_LEVELS
        """None: not computed yet."""
        self._shown: _Levels = _NO_LEVELS

    # ---- events

    def trade(self, event: Trade[Any]) -> bool:
        """Apply a trade."""
        price, size = float(event.price), float(event.size)
        at_ns = self._seen(event)
        day = at_ns // _DAY_NS
        if not self._has_ticker and day >= self._day:
            self._add_to_day(day, price, size)
        if at_ns < self._last_ns or event.backfilled:
            return False
        self._last, self._last_size, self._last_ns = price, size, at_ns
        self.pending = True
        return True

    def quote(self, event: Quote[Any]) -> bool:
        """Apply a quote."""
        quote = (*_best(event.bid, event.bid_size), *_best(event.ask, event.ask_size))
        self._seen(event)
        self._has_quotes = True
        self._quote, self._quote_ns, self._quote_source = quote, event.receive_ns, self.source
        self._levels = None
        return True

    def book(self, event: BookSnapshot[Any] | BookDelta[Any]) -> bool:
        """Apply a snapshot or an update of the book."""
        book = self._book
        if event.__class__ is BookSnapshot:
            if book is None:
                book = OrderBook(self.symbol)
            book.snapshot(event.bids, event.asks)
            self._book = book
        elif book is None:
            return False  # no snapshot yet
        else:
            book.apply(event.bids, event.asks)
        self._seen(event)
        self._book_ns, self._book_source = event.receive_ns, self.source
        self._levels = None
        return True

    def ticker(self, event: Ticker[Any]) -> bool:
        """Apply 24-hour figures."""
        given = (event.volume, event.turnover, event.open, event.high, event.low)
        known = (self._volume, self._turnover, self._open, self._high, self._low)
        figures = tuple(old if new is None else float(new) for new, old in zip(given, known, strict=True))
        last = self._last if event.last is None else float(event.last)
        sides = (*_best(event.bid, event.bid_size), *_best(event.ask, event.ask_size))
        at_ns = self._seen(event)
        # without a volume in the ticker, the day figures are summed from trades
        self._has_ticker = self._has_ticker or event.volume is not None
        self._volume, self._turnover, self._open, self._high, self._low = figures
        if at_ns < self._last_ns:
            last = self._last
        if (*figures, last) != (*known, self._last):
            self._last = last
            self.pending = True
        if self._book is None and not self._has_quotes and any(sides):
            self._quote, self._quote_ns, self._quote_source = sides, event.receive_ns, self.source
            self._levels = None
        return True

    def interest(self, event: OpenInterest[Any]) -> bool:
        """Apply the open interest."""
        size = float(event.size)
        self._seen(event)
        if size == self._open_interest:
            return False
        self._open_interest = size
        self.pending = True
        return True

    # ---- loss; each returns whether ticks showed something of what was lost

    def lose(self, stream: str) -> bool:
        """Hide what a gap in `stream` makes invalid ("": the stream is unknown)."""
        book = stream in (EVENT_BOOK, "") and self.lose_book()
        quote = stream in (EVENT_BBO, "") and self._hide_quote()
        return book or quote

    def lose_book(self) -> bool:
        """Drop the book until its next snapshot."""
        self._book = None
        return self._hide_book()

    def hide(self, before_ns: int) -> bool:
        """Hide what was received at `before_ns` or earlier, until its next event."""
        book = 0 < self._book_ns <= before_ns and self._hide_book()
        quote = 0 < self._quote_ns <= before_ns and self._hide_quote()
        return book or quote

    def lose_source(self, source: str) -> bool:
        """Drop the book and hide the quote if they came from `source`."""
        book = self._book is not None and self._book_source == source and self.lose_book()
        quote = self._quote_ns > 0 and self._quote_source == source and self._hide_quote()
        return book or quote

    def _hide_book(self) -> bool:
        shown = self._book_ns > 0
        self._book_ns, self._levels = 0, None
        return shown

    def _hide_quote(self) -> bool:
        shown = self._quote_ns > 0
        self._quote_ns, self._levels = 0, None
        return shown

    # ---- ticks

    @property
    def may_differ(self) -> bool:
        """Whether a tick could differ from the one before."""
        return self.pending or self._levels is None

    def levels_changed(self) -> bool:
        """Whether the levels differ from those of the last tick."""
        return self._current_levels() != self._shown

    def tick(self, now_ns: int) -> TickData:
        """Return the present state as a tick. `now_ns`: noted as `emitted_ns`, for the rate limit."""
        levels = self._shown = self._current_levels()
        self.emitted_ns, self.pending = now_ns, False
        return _tick(
            self._gateway_name,
            self.symbol,
            self.exchange,
            _moment(self._exchange_ns),
            self.symbol,
            self._volume,
            self._turnover,
            self._open_interest,
            self._last,
            self._last_size,
            0.0,
            0.0,
            self._open,
            self._high,
            self._low,
            0.0,
            *levels,
            _moment(self.receive_ns),
        )

    def _seen(self, event: Any) -> int:
        """Note the times of `event`; return its exchange time, or else its receipt. A tick's time never goes back."""
        receive_ns: int = event.receive_ns
        at_ns: int = event.exchange_ns or receive_ns
        if at_ns > self._exchange_ns:
            self._exchange_ns = at_ns
        if receive_ns > self.receive_ns:
            self.receive_ns = receive_ns
        return at_ns

    def _add_to_day(self, day: int, price: float, size: float) -> None:
        if day > self._day:
            self._day = day
            self._volume = self._turnover = 0.0
            self._open = self._high = self._low = price
        self._volume += size
        self._turnover += price * size
        if price > self._high:
            self._high = price
        elif price < self._low:
            self._low = price

    def _current_levels(self) -> _Levels:
        levels = self._levels
        if levels is None:
            levels = self._levels = self._compute_levels()
        return levels

    def _compute_levels(self) -> _Levels:
        book = self._book if self._book_ns else None
        if book is None:
            if not self._quote_ns:
                return _NO_LEVELS
            bid, bid_size, ask, ask_size = self._quote
            return _columns([(bid, bid_size)], [(ask, ask_size)])
        if self._quote_ns <= self._book_ns:
            return _columns(_floats(book.best_bids(LEVELS)), _floats(book.best_asks(LEVELS)))
        bid, bid_size, ask, ask_size = self._quote
        # levels that the newer quote has passed are gone; the book has not received the update yet
        bids = [level for level in _floats(book.best_bids(2 * LEVELS)) if level[0] < bid]
        asks = [level for level in _floats(book.best_asks(2 * LEVELS)) if ask and level[0] > ask]
        return _columns([(bid, bid_size), *bids], [(ask, ask_size), *asks])


def _best(price: Any, size: Any) -> tuple[float, float]:
    """Price and size of one side of a quote as in vn.py: zeros for an empty side, size 0 where it is unknown."""
    level = 0.0 if price is None else float(price)
    volume = 0.0 if size is None else float(size)
    return (level, volume) if level and (volume or size is None) else (0.0, 0.0)


def _floats(levels: list[tuple[Any, Any]]) -> _Side:
    return [(float(price), float(size)) for price, size in levels]


def _columns(bids: _Side, asks: _Side) -> _Levels:
    bids, asks = bids[:LEVELS], asks[:LEVELS]
    no_bids, no_asks = _NO_SIDE[len(bids) :], _NO_SIDE[len(asks) :]
    return (
        *[price for price, _ in bids],
        *no_bids,
        *[price for price, _ in asks],
        *no_asks,
        *[size for _, size in bids],
        *no_bids,
        *[size for _, size in asks],
        *no_asks,
    )


def _moment(ns: int) -> datetime:
    # truncated to whole microseconds: a float of seconds with nine decimals would round them
    return datetime.fromtimestamp(ns // 1000 / 1e6, UTC)


CHANGES: dict[type, Any] = {
    Trade: InstrumentState.trade,
    Quote: InstrumentState.quote,
    BookSnapshot: InstrumentState.book,
    BookDelta: InstrumentState.book,
    Ticker: InstrumentState.ticker,
    OpenInterest: InstrumentState.interest,
}
"""Method that applies an event, by the event's class."""
