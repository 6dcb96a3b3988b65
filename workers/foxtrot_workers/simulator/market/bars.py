"""Bars and 24-hour figures of one simulated symbol, aggregated from its trades. Pure: time is an argument.

A trade changes the running second only. At its end each second is added to every interval, so that the cost of a
trade does not grow with the number of intervals.
"""

from __future__ import annotations

from collections import deque
from datetime import UTC, datetime

__all__ = ["INTERVALS", "Bar", "Bars", "interval_bounds"]

_MINUTE_MS = 60_000
_HOUR_MS = 60 * _MINUTE_MS
_DAY_MS = 24 * _HOUR_MS

_FIXED_MS = {
    "1s": 1_000,
    "1m": _MINUTE_MS,
    "3m": 3 * _MINUTE_MS,
    "5m": 5 * _MINUTE_MS,
    "15m": 15 * _MINUTE_MS,
    "30m": 30 * _MINUTE_MS,
    "1h": _HOUR_MS,
    "2h": 2 * _HOUR_MS,
    "4h": 4 * _HOUR_MS,
    "6h": 6 * _HOUR_MS,
    "8h": 8 * _HOUR_MS,
    "12h": 12 * _HOUR_MS,
    "1d": _DAY_MS,
    "3d": 3 * _DAY_MS,
}

INTERVALS = (*_FIXED_MS, "1w", "1M")
"""In the exchange's own spelling."""

_WEEK_MS = 7 * _DAY_MS
_FIRST_MONDAY_MS = 4 * _DAY_MS
"""1 January 1970 was a Thursday; weeks begin on Monday."""

_DAY_MINUTES = 24 * 60
_RUNNING_PACE_MS = 2_000


def interval_bounds(interval: str, now_ms: int) -> tuple[int, int]:
    """Return the first and last millisecond of the bar of `interval` that contains `now_ms` (ms since 1970, UTC)."""
    if interval == "1M":
        moment = datetime.fromtimestamp(now_ms // 1000, UTC)
        start = datetime(moment.year, moment.month, 1, tzinfo=UTC)
        following = datetime(moment.year + moment.month // 12, moment.month % 12 + 1, 1, tzinfo=UTC)
        return int(start.timestamp()) * 1000, int(following.timestamp()) * 1000 - 1
    if interval == "1w":
        start_ms = (now_ms - _FIRST_MONDAY_MS) // _WEEK_MS * _WEEK_MS + _FIRST_MONDAY_MS
        return start_ms, start_ms + _WEEK_MS - 1
    length_ms = _FIXED_MS[interval]
    start_ms = now_ms // length_ms * length_ms
    return start_ms, start_ms + length_ms - 1


class Bar:
    """One bar; prices in ticks, `lots` and `taker_lots` in lots, turnovers in ticks times lots."""

    __slots__ = (
        "close",
        "close_ms",
        "count",
        "first_id",
        "high",
        "last_id",
        "lots",
        "low",
        "open",
        "start_ms",
        "taker_lots",
        "taker_turnover",
        "turnover",
    )

    def __init__(self, start_ms: int, close_ms: int, price: int) -> None:
        self.start_ms = start_ms
        self.close_ms = close_ms
        self.open = self.high = self.low = self.close = price
        self.lots = self.taker_lots = self.turnover = self.taker_turnover = self.count = 0
        self.first_id = self.last_id = -1

    def trade(self, trade_id: int, price: int, lots: int, *, buyer_is_maker: bool) -> None:
        """Add one trade; the first one sets the opening price."""
        turnover = price * lots
        if self.count == 0:
            self.open = self.high = self.low = price
            self.first_id = trade_id
        elif price > self.high:
            self.high = price
        elif price < self.low:
            self.low = price
        self.close = price
        self.last_id = trade_id
        self.count += 1
        self.lots += lots
        self.turnover += turnover
        if not buyer_is_maker:
            self.taker_lots += lots
            self.taker_turnover += turnover

    def fold(self, later: Bar) -> None:
        """Add a later bar that lies within this one."""
        if later.count == 0:
            return
        if self.count == 0:
            self.open, self.high, self.low, self.first_id = later.open, later.high, later.low, later.first_id
        else:
            self.high = max(self.high, later.high)
            self.low = min(self.low, later.low)
        self.close = later.close
        self.last_id = later.last_id
        self.count += later.count
        self.lots += later.lots
        self.turnover += later.turnover
        self.taker_lots += later.taker_lots
        self.taker_turnover += later.taker_turnover


class Bars:
    """All bars of one symbol and its last 24 hours."""

    def __init__(self, now_ms: int, price: int) -> None:
        self._second = Bar(*interval_bounds("1s", now_ms), price)
        self._running = {name: Bar(*interval_bounds(name, now_ms), price) for name in INTERVALS if name != "1s"}
        self._minutes: deque[Bar] = deque(maxlen=_DAY_MINUTES)
        self._changed = False

    def trade(self, trade_id: int, price: int, lots: int, *, buyer_is_maker: bool) -> None:
        """Add one trade to the running second."""
        self._second.trade(trade_id, price, lots, buyer_is_maker=buyer_is_maker)

    def end_second(self, boundary_ms: int) -> list[tuple[str, Bar, bool]]:
        """Close the running second at `boundary_ms`, a whole second; return (interval, bar, closed) of what changed.

        Bars that end here are closed, with or without trades; running bars are returned every other second if they
        have changed, as the exchange publishes them.
        """
        second = self._second
        self._changed = self._changed or second.count > 0
        running_due = self._changed and boundary_ms % _RUNNING_PACE_MS == 0
        if running_due:
            self._changed = False
        found = [("1s", second, True)]
        for name, bar in self._running.items():
            bar.fold(second)
            closed = boundary_ms > bar.close_ms
            if closed or running_due:
                found.append((name, bar, closed))
            if closed:
                if name == "1m":
                    self._minutes.append(bar)
                self._running[name] = Bar(*interval_bounds(name, boundary_ms), second.close)
        self._second = Bar(*interval_bounds("1s", boundary_ms), second.close)
        return found

    def day(self, now_ms: int) -> Bar:
        """Return the figures of the last 24 hours: whole minutes and the running one."""
        oldest_ms = now_ms - _DAY_MS
        while self._minutes and self._minutes[0].start_ms < oldest_ms:
            self._minutes.popleft()
        running = self._running["1m"]
        first = self._minutes[0] if self._minutes else running
        day = Bar(max(oldest_ms, first.start_ms), now_ms, first.open)
        for minute in self._minutes:
            day.fold(minute)
        day.fold(running)
        day.fold(self._second)
        return day
