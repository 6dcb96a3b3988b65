"""From trades to bars, where an exchange offers none or none are subscribed. Pure: told every time.

A trade belongs to the bar that its exchange time lies in. A bar is closed by the first trade of a later one, or
by the clock, a grace after its end; what comes for it then is late: counted, and left out. A bar whose beginning
was not seen, the first of each instrument, is never shown. Where nothing was traded there is no bar.

What has changed is shown again at each look at the clock, not at each trade, and a last time when it is closed.
An exchange's own bars go before: from the first one on, none of that instrument and interval are made.
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
"""How long after its end a bar waits for trades that are still on their way, and for clocks that differ."""

INSTRUMENTS_MAX = 10_000
"""Instruments that are folded; trades of others are counted and left out."""

_bar: Callable[..., Bar[Any]] = Bar

_AHEAD_NS = 60_000_000_000
"""A trade that claims to be this much later than its receipt is nonsense, and would make all others late."""


class BarFold:
    """Folds trades into bars of `intervals` (names of `INTERVALS`; KeyError for another).

    Numbers come out as they go in: float, `Decimal`, or text.
    """

    def __init__(self, intervals: list[str]) -> None:
        self._lengths = [(name, INTERVALS[name]) for name in intervals]
        self._series: dict[tuple[str, str], list[_Series]] = {}
        self.bars_total = 0
        """Closed ones."""
        self.late_total = 0
        """Trades that came after their bar was closed, once for each interval."""
        self.malformed_total = 0
        """Trades with a number that is none, or of a time that cannot be."""
        self.refused_total = 0
        """Trades of instruments beyond `INSTRUMENTS_MAX`."""

    def trade(self, event: Trade[Any]) -> list[Bar[Any]]:
        """The bars that `event` closes: mostly none."""
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
        """The exchange makes this one itself: leave it to it."""
        for series in self._series.get((event.exchange, event.symbol)) or self._open((event.exchange, event.symbol)):
            series.taken = series.taken or series.interval == event.interval

    def look(self, now_ns: int) -> list[Bar[Any]]:
        """Bars that are over by the clock, closed, and those that have changed, as they stand. For each timer event."""
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
        """Forget all but these (exchange, symbol)."""
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
    """The running bar of one instrument and interval."""

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
        """The first moment that is not in it any more."""
        self.shown = False
        """It has trades, and its beginning was seen."""
        self.changed = False
        self.taken = False
        """The exchange makes it itself."""
        self._first = True
        self._open_ns = self._close_ns = 0
        self._open: Any = None
        self._high: Any = None
        self._low: Any = None
        self._close: Any = None
        self._volume: Any = None
        self._last: Any = None

    def begin(self, at_ns: int) -> None:
        """The bar that `at_ns` lies in."""
        self.start_ns = at_ns - at_ns % self._length_ns
        self.end_ns = self.start_ns + self._length_ns
        self.shown, self._first = not self._first, False
        self._open = None

    def add(self, at_ns: int, price: Any, size: Any, event: Trade[Any]) -> None:
        self._last = event
        self.changed = True
        if self._open is None:
            self._open = self._high = self._low = self._close = price
            self._open_ns = self._close_ns = at_ns
            self._volume = size
            return
        if at_ns < self._open_ns:  # fetched afterwards
            self._open, self._open_ns = price, at_ns
        if at_ns >= self._close_ns:
            self._close, self._close_ns = price, at_ns
        if price > self._high:
            self._high = price
        elif price < self._low:
            self._low = price
        self._volume += size

    def end(self) -> None:
        """Closed: whatever comes for it is late."""
        self.start_ns = self.end_ns
        self.shown = self.changed = False

    def bar(self, exchange: str, symbol: str, *, closed: bool) -> Bar[Any]:
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
