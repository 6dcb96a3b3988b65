"""Bars from trades, for exchanges without bars, or without a subscription to them. Pure: every time is an argument.

A trade belongs to the bar of its exchange time. A bar is closed by the first trade of a later bar, or by the clock, a
grace period after its end. Trades that are received later are counted and ignored. The first bar of each instrument is
never emitted, since its beginning was not seen. An interval without trades has no bar.

A changed bar is emitted at each timer event, not at each trade, and finally when it is closed. The exchange's own bars
take precedence: after the first one, no bars of that instrument and interval are made.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Any

from foxtrot_protocol.bar_intervals import INTERVALS
from foxtrot_protocol.events import Bar, Trade

__all__ = ["GRACE_NS", "INSTRUMENTS_MAX", "BarFold"]

GRACE_NS = 2_000_000_000
"""Grace period after a bar's end, for trades in flight and clocks that differ."""

INSTRUMENTS_MAX = 10_000
"""Limit of instruments; trades of further ones are counted and ignored."""

_bar: Callable[..., Bar[Any]] = Bar

_AHEAD_NS = 60_000_000_000
"""A trade whose exchange time is this much after its receipt is invalid, and would make all later trades late."""


class BarFold:
    """Folds trades into bars of `intervals` (names of `INTERVALS`; KeyError for another).

    Bars have the number type of their trades: float, `Decimal`, or text.
    """

    def __init__(self, intervals: list[str]) -> None:
        self._lengths = [(name, INTERVALS[name]) for name in intervals]
        self._series: dict[tuple[str, str], list[_Series]] = {}
        self.bars_total = 0
        """Number of closed bars."""
        self.late_total = 0
        """Trades received after their bar was closed, counted for each interval."""
        self.malformed_total = 0
        """Trades with an invalid number or time."""
        self.refused_total = 0
        """Ignored trades of instruments beyond `INSTRUMENTS_MAX`."""

    def trade(self, event: Trade[Any]) -> list[Bar[Any]]:
        """Add a trade, and return the bars that it closes, usually none."""
        key = (event.exchange, event.symbol)
        known = self._series.get(key)
        if known is None:
            known = self._open(key)
        price, size = event.price, event.size
        at_ns = event.exchange_ns or event.receive_ns
        if isinstance(price, str):
            try:
                price, size = Decimal(price), Decimal(size)
            except InvalidOperation:
                price = Decimal("NaN")
        if not (_finite(price) and _finite(size)) or at_ns > event.receive_ns + _AHEAD_NS:
            self.malformed_total += 1
            return []
        closed = []
        for series in known:
            if series.taken:
                continue
            if at_ns < series.start_ns:
                self.late_total += 1
                continue
            if at_ns >= series.end_ns:
                if series.shown:
                    closed.append(self._close(key, series))
                series.begin(at_ns)
            series.add(at_ns, price, size, event)
        return closed

    def exchange_bar(self, event: Bar[Any]) -> None:
        """Note that the exchange sends bars of this instrument and interval itself."""
        for series in self._series.get((event.exchange, event.symbol)) or self._open((event.exchange, event.symbol)):
            series.taken = series.taken or series.interval == event.interval

    def look(self, now_ns: int) -> list[Bar[Any]]:
        """Return bars that the clock closes, and present states of changed ones. To be called at each timer event."""
        found = []
        for key, known in self._series.items():
            for series in known:
                if not series.shown or series.taken:
                    continue
                if now_ns >= series.end_ns + GRACE_NS:
                    found.append(self._close(key, series))
                elif series.changed:
                    series.changed = False
                    found.append(series.bar(*key, closed=False))
        return found

    def keep_only(self, instruments: set[tuple[str, str]]) -> None:
        """Drop the state of all instruments but these (exchange, symbol)."""
        for key in [key for key in self._series if key not in instruments]:
            del self._series[key]

    def __len__(self) -> int:
        return len(self._series)

    def _open(self, key: tuple[str, str]) -> list[_Series]:
        if len(self._series) >= INSTRUMENTS_MAX:
            self.refused_total += 1
            return []
        made = self._series[key] = [_Series(name, length_ns) for name, length_ns in self._lengths]
        return made

    def _close(self, key: tuple[str, str], series: _Series) -> Bar[Any]:
        self.bars_total += 1
        bar = series.bar(*key, closed=True)
        series.end()
        return bar


def _finite(number: Any) -> bool:
    return number.is_finite() if isinstance(number, Decimal) else math.isfinite(number)


class _Series:
    """The open bar of one instrument and interval."""

    __slots__ = (
        "_close",
        "_close_ns",
        "_first",
        "_high",
        "_last",
        "_length_ns",
        "_low",
        "_open",
        "_open_ns",
        "_volume",
        "changed",
        "end_ns",
        "interval",
        "shown",
        "start_ns",
        "taken",
    )

    def __init__(self, interval: str, length_ns: int) -> None:
        self.interval = interval
        self._length_ns = length_ns
        self.start_ns = 0
        """Trades before this are late."""
        self.end_ns = 0
        """Exclusive end of the bar."""
        self.shown = False
        """Whether it has trades and its beginning was seen."""
        self.changed = False
        self.taken = False
        """Whether the exchange sends these bars itself."""
        self._first = True
        self._open_ns = self._close_ns = 0
        self._open: Any = None
        self._high: Any = None
        self._low: Any = None
        self._close: Any = None
        self._volume: Any = None
        self._last: Any = None

    def begin(self, at_ns: int) -> None:
        """Begin the bar that contains `at_ns`."""
        self.start_ns = at_ns - at_ns % self._length_ns
        self.end_ns = self.start_ns + self._length_ns
        self.shown, self._first = not self._first, False
        self._open = None

    def add(self, at_ns: int, price: Any, size: Any, event: Trade[Any]) -> None:
        """Add a trade of the present bar."""
        self._last = event
        self.changed = True
        if self._open is None:
            self._open = self._high = self._low = self._close = price
            self._open_ns = self._close_ns = at_ns
            self._volume = size
            return
        if at_ns < self._open_ns:  # backfilled
            self._open, self._open_ns = price, at_ns
        if at_ns >= self._close_ns:
            self._close, self._close_ns = price, at_ns
        if price > self._high:
            self._high = price
        elif price < self._low:
            self._low = price
        self._volume += size

    def end(self) -> None:
        """Close the bar: further trades of it are late."""
        self.start_ns = self.end_ns
        self.shown = self.changed = False

    def bar(self, exchange: str, symbol: str, *, closed: bool) -> Bar[Any]:
        """Return the present state."""
        last = self._last
        figures: Any = (self._open, self._high, self._low, self._close, self._volume)
        if isinstance(last.price, str):
            figures = tuple(format(figure, "f") for figure in figures)
        return _bar(
            exchange,
            symbol,
            self._close_ns,
            last.receive_ns,
            self.interval,
            self.end_ns - self._length_ns,
            *figures,
            closed,
            last.publish_ns,
        )
