"""From trades, quotes, books, tickers and open interest to ticks in vn.py's shape. Pure: told every time.

One state for each instrument; an event changes it, and by the rule a `TickData` of the whole state comes out:

* ``change``: after each event that changed something
* ``trade``: after each trade
* ``interval``: when something has changed, but not more often than every so many seconds

Levels come from the book where there is one, else from the quote. A quote that is newer than the book gives
the best level, and the book what lies behind it. What is not known to be live is not shown: after a gap the
book is empty until its next snapshot, a stale or lost feed empties what it fed until it speaks again, and such
a tick comes at once, by any rule. A trade that is fetched afterwards counts towards the day, and changes no price.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Literal, TypeAlias

from foxtrot_protocol.errors import BookInvalid
from foxtrot_protocol.events import (
    EVENT_BBO,
    EVENT_BOOK,
    BookDelta,
    BookSnapshot,
    FeedStatus,
    Gap,
    OpenInterest,
    Quote,
    Ticker,
    Trade,
)
from foxtrot_protocol.order_book import OrderBook
from foxtrot_protocol.tick_data import LEVELS, TickData

__all__ = ["INSTRUMENTS_MAX", "TickFold", "TickRule"]

TickRule: TypeAlias = Literal["change", "trade", "interval"]

INSTRUMENTS_MAX = 10_000
"""Instruments that are folded; events of others are counted and left out."""

_DAY_NS = 86_400_000_000_000
_STALE_SLACK_NS = 1_000_000_000
"""A topic's age is told in coarse steps: data this much younger may still be the topic's last."""

_ALIVE = frozenset(("asked", "acknowledged", "flowing", "demoted"))

_Levels: TypeAlias = tuple[float, ...]
"""Bid prices, ask prices, bid volumes, ask volumes: `LEVELS` of each, in the order of a tick's fields."""

_NO_SIDE = (0.0,) * LEVELS
_NO_LEVELS: _Levels = _NO_SIDE * 4

_tick: Callable[..., TickData] = TickData
"""By position: a fourth of the time that forty names would take."""

_Side: TypeAlias = list[tuple[float, float]]


class TickFold:
    """Folds events into ticks. `interval_ns` is the pace of rule ``interval``; `gateway_name` stands in each tick
    ("": the exchange's name)."""

    def __init__(self, rule: TickRule, interval_ns: int = 500_000_000, gateway_name: str = "") -> None:
        self._rule = rule
        self._interval_ns = interval_ns
        self._gateway_name = gateway_name
        self._instruments: dict[tuple[str, str], _Instrument] = {}
        self.ticks_total = 0
        self.malformed_total = 0
        """Events with a number that is none: left out; a book with one is unknown until its next snapshot."""
        self.refused_total = 0
        """Events of instruments beyond `INSTRUMENTS_MAX`."""

    def fold(self, event: Any, source: str = "") -> TickData | None:
        """The tick that `event` makes due, if any. `source`: whose event it is, for `lose_source`.

        Events of other types than those of the module's first line change nothing.
        """
        change = _CHANGES.get(event.__class__)
        if change is None:
            return None
        key = (event.exchange, event.symbol)
        instrument = self._instruments.get(key)
        if instrument is None:
            instrument = self._open(key)
            if instrument is None:
                return None
        instrument.source = source
        try:
            changed = change(instrument, event)
        except (ValueError, OverflowError, BookInvalid):
            self.malformed_total += 1
            if change is _Instrument.book and instrument.lose_book():
                return self._emit_loss(instrument, event.receive_ns)
            return None
        if not changed:
            return None
        return self._due_now(instrument, event)

    def lose(self, event: Gap | FeedStatus) -> list[TickData]:
        """Ticks that show no more of what `event` says is missing or stale."""
        if isinstance(event, Gap):
            if event.filled:
                return []
            return [
                self._emit_loss(instrument, event.receive_ns)
                for instrument in self._named(event.exchange, event.symbol)
                if instrument.lose(event.stream)
            ]
        if event.state in _ALIVE:
            return []
        silent_since_ns = event.receive_ns - int(event.age_s * 1e9) + _STALE_SLACK_NS
        return [
            self._emit_loss(instrument, event.receive_ns)
            for instrument in self._named(event.exchange, event.symbol)
            if instrument.hide(before_ns=silent_since_ns)
        ]

    def lose_source(self, source: str, now_ns: int) -> list[TickData]:
        """`source` is gone: ticks that show no more of what came from it. A book of it needs a snapshot again."""
        return [
            self._emit_loss(instrument, now_ns)
            for instrument in self._instruments.values()
            if instrument.lose_source(source)
        ]

    def due(self, now_ns: int) -> list[TickData]:
        """By rule ``interval``: ticks of instruments that changed and have been quiet since; to be asked regularly."""
        if self._rule != "interval":
            return []
        return [
            self._emit(instrument, now_ns)
            for instrument in self._instruments.values()
            if instrument.pending and now_ns - instrument.emitted_ns >= self._interval_ns
        ]

    def forget(self, exchange: str, symbol: str) -> None:
        """Nobody wants ticks of this instrument any more."""
        self._instruments.pop((exchange, symbol), None)

    def keep_only(self, instruments: set[tuple[str, str]]) -> None:
        """Forget all but these (exchange, symbol)."""
        for key in [key for key in self._instruments if key not in instruments]:
            del self._instruments[key]

    def __len__(self) -> int:
        return len(self._instruments)

    # ---- within

    def _open(self, key: tuple[str, str]) -> _Instrument | None:
        if len(self._instruments) >= INSTRUMENTS_MAX:
            self.refused_total += 1
            return None
        instrument = self._instruments[key] = _Instrument(*key, self._gateway_name or key[0])
        return instrument

    def _named(self, exchange: str, symbol: str) -> list[_Instrument]:
        """Those concerned: a gap that names no symbol, or no exchange, concerns all."""
        if exchange and symbol:
            instrument = self._instruments.get((exchange, symbol))
            return [] if instrument is None else [instrument]
        return [each for each in self._instruments.values() if exchange in ("", each.exchange)]

    def _due_now(self, instrument: _Instrument, event: Any) -> TickData | None:
        rule = self._rule
        if rule == "trade":
            return self._emit(instrument, event.receive_ns) if event.__class__ is Trade else None
        if rule == "interval":
            if not instrument.may_differ:
                return None
            if event.receive_ns - instrument.emitted_ns < self._interval_ns:
                instrument.pending = True
                return None
        elif not instrument.pending and not instrument.levels_changed():
            return None
        return self._emit(instrument, event.receive_ns)

    def _emit_loss(self, instrument: _Instrument, now_ns: int) -> TickData:
        instrument.receive_ns = max(instrument.receive_ns, now_ns)
        return self._emit(instrument, now_ns)

    def _emit(self, instrument: _Instrument, now_ns: int) -> TickData:
        self.ticks_total += 1
        return instrument.tick(now_ns)


class _Instrument:
    """What is known of one instrument. The change functions say whether a tick could look different for it."""

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
        """Something beside the levels has changed, or may have, since the last tick."""
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
        """Receipt of what the book holds; 0: it is not to be shown."""
        self._book_source = ""
        self._quote: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)
        self._quote_ns = 0
        self._quote_source = ""
        self._levels: _Levels | None = _NO_LEVELS
        """None: to be worked out."""
        self._shown: _Levels = _NO_LEVELS

    # ---- changes

    def trade(self, event: Trade[Any]) -> bool:
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
        quote = (*_best(event.bid, event.bid_size), *_best(event.ask, event.ask_size))
        self._seen(event)
        self._has_quotes = True
        self._quote, self._quote_ns, self._quote_source = quote, event.receive_ns, self.source
        self._levels = None
        return True

    def book(self, event: BookSnapshot[Any] | BookDelta[Any]) -> bool:
        book = self._book
        if event.__class__ is BookSnapshot:
            if book is None:
                book = OrderBook(self.symbol)
            book.snapshot(event.bids, event.asks)
            self._book = book
        elif book is None:
            return False  # of a book that is not known
        else:
            book.apply(event.bids, event.asks)
        self._seen(event)
        self._book_ns, self._book_source = event.receive_ns, self.source
        self._levels = None
        return True

    def ticker(self, event: Ticker[Any]) -> bool:
        told = (event.volume, event.turnover, event.open, event.high, event.low)
        known = (self._volume, self._turnover, self._open, self._high, self._low)
        figures = tuple(old if new is None else float(new) for new, old in zip(told, known, strict=True))
        last = self._last if event.last is None else float(event.last)
        sides = (*_best(event.bid, event.bid_size), *_best(event.ask, event.ask_size))
        at_ns = self._seen(event)
        # one that tells no volume leaves the day to what is traded
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
        size = float(event.size)
        self._seen(event)
        if size == self._open_interest:
            return False
        self._open_interest = size
        self.pending = True
        return True

    # ---- what is not live any more; each says whether something was shown of it

    def lose(self, stream: str) -> bool:
        """There is a hole in `stream` ("": nobody knows in which)."""
        book = stream in (EVENT_BOOK, "") and self.lose_book()
        quote = stream in (EVENT_BBO, "") and self._hide_quote()
        return book or quote

    def lose_book(self) -> bool:
        self._book = None
        return self._hide_book()

    def hide(self, before_ns: int) -> bool:
        book = 0 < self._book_ns <= before_ns and self._hide_book()
        quote = 0 < self._quote_ns <= before_ns and self._hide_quote()
        return book or quote

    def lose_source(self, source: str) -> bool:
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

    # ---- showing

    @property
    def may_differ(self) -> bool:
        """Whether a tick could show anything else than the one before."""
        return self.pending or self._levels is None

    def levels_changed(self) -> bool:
        """Whether a tick would show other levels than the one before."""
        return self._current_levels() != self._shown

    def tick(self, now_ns: int) -> TickData:
        """The state, as of now; `now_ns` is only the pace's."""
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
        """Note its times; returns the exchange's, or that of receipt. A tick's time never goes back."""
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
            levels = self._levels = self._made_levels()
        return levels

    def _made_levels(self) -> _Levels:
        book = self._book if self._book_ns else None
        if book is None:
            if not self._quote_ns:
                return _NO_LEVELS
            bid, bid_size, ask, ask_size = self._quote
            return _columns([(bid, bid_size)], [(ask, ask_size)])
        if self._quote_ns <= self._book_ns:
            return _columns(_floats(book.best_bids(LEVELS)), _floats(book.best_asks(LEVELS)))
        bid, bid_size, ask, ask_size = self._quote
        # what the newer quote has passed is gone from the book, only not yet said
        bids = [level for level in _floats(book.best_bids(2 * LEVELS)) if level[0] < bid]
        asks = [level for level in _floats(book.best_asks(2 * LEVELS)) if ask and level[0] > ask]
        return _columns([(bid, bid_size), *bids], [(ask, ask_size), *asks])


def _best(price: Any, size: Any) -> tuple[float, float]:
    """A side of a quote as vn.py has it: zeros for an empty side, size zero where none is told."""
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
    # whole microseconds, cut: a float of seconds with nine digits behind the point would round them
    return datetime.fromtimestamp(ns // 1000 / 1e6, UTC)


_CHANGES: dict[type, Any] = {
    Trade: _Instrument.trade,
    Quote: _Instrument.quote,
    BookSnapshot: _Instrument.book,
    BookDelta: _Instrument.book,
    Ticker: _Instrument.ticker,
    OpenInterest: _Instrument.interest,
}
