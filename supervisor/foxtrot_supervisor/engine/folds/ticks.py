"""Ticks in vn.py's format from trades, quotes, books, tickers and open interest. Pure: every time is an argument.

There is one state for each instrument (`instrument`). An event changes it, and the rule decides whether a `TickData`
of the whole state is emitted:

* ``change``: after each event that changed something
* ``trade``: after each trade
* ``interval``: after a change, but at most once in a given number of seconds

Data that may not be current are not shown. After a gap the book is empty until its next snapshot. What a stale or lost
feed supplied is empty until that feed sends again. The tick that shows the loss is emitted at once, under every rule.
"""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

from foxtrot_protocol.errors import BookInvalid
from foxtrot_protocol.events import FeedStatus, Gap, Trade
from foxtrot_protocol.tick_data import TickData
from foxtrot_supervisor.engine.folds.instrument import CHANGES, InstrumentState

__all__ = ["INSTRUMENTS_MAX", "TickFold", "TickRule"]

TickRule: TypeAlias = Literal["change", "trade", "interval"]

INSTRUMENTS_MAX = 10_000
"""Limit of instruments; events of further ones are counted and ignored."""

_STALE_SLACK_NS = 1_000_000_000
"""The age of a topic is reported in coarse steps: its last data may be this much younger."""

_ALIVE = frozenset(("asked", "acknowledged", "flowing", "demoted"))


class TickFold:
    """Folds events into ticks.

    `interval_ns`: shortest time between two ticks of an instrument under rule ``interval``. `gateway_name`: put into
    each tick ("": the exchange's name).
    """

    def __init__(self, rule: TickRule, interval_ns: int = 500_000_000, gateway_name: str = "") -> None:
        self._rule = rule
        self._interval_ns = interval_ns
        self._gateway_name = gateway_name
        self._instruments: dict[tuple[str, str], InstrumentState] = {}
        self.ticks_total = 0
        self.malformed_total = 0
        """Events with an invalid number: ignored; a book is then unknown until its next snapshot."""
        self.refused_total = 0
        """Ignored events of instruments beyond `INSTRUMENTS_MAX`."""

    def fold(self, event: Any, source: str = "") -> TickData | None:
        """Apply `event`, and return the tick that is due for it, if any.

        `source`: the connection that it came from, for `lose_source`. Events of types not in `CHANGES` are ignored.
        """
        change = CHANGES.get(event.__class__)
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
            if change is InstrumentState.book and instrument.lose_book():
                return self._emit_loss(instrument, event.receive_ns)
            return None
        if not changed:
            return None
        return self._tick_if_due(instrument, event)

    def lose(self, event: Gap | FeedStatus) -> list[TickData]:
        """Hide what `event` reports as missing or stale, and return a tick for each instrument that showed it."""
        if isinstance(event, Gap):
            if event.filled:
                return []
            return [
                self._emit_loss(instrument, event.receive_ns)
                for instrument in self._affected(event.exchange, event.symbol)
                if instrument.lose(event.stream)
            ]
        if event.state in _ALIVE:
            return []
        silent_since_ns = event.receive_ns - int(event.age_s * 1e9) + _STALE_SLACK_NS
        return [
            self._emit_loss(instrument, event.receive_ns)
            for instrument in self._affected(event.exchange, event.symbol)
            if instrument.hide(before_ns=silent_since_ns)
        ]

    def lose_source(self, source: str, now_ns: int) -> list[TickData]:
        """Hide what came from `source`, which is lost, and return a tick for each instrument that showed it.

        A book from it needs a new snapshot.
        """
        return [
            self._emit_loss(instrument, now_ns)
            for instrument in self._instruments.values()
            if instrument.lose_source(source)
        ]

    def due(self, now_ns: int) -> list[TickData]:
        """Return the ticks that rule ``interval`` has delayed and that are due now; to be called regularly."""
        if self._rule != "interval":
            return []
        return [
            self._emit(instrument, now_ns)
            for instrument in self._instruments.values()
            if instrument.pending and now_ns - instrument.emitted_ns >= self._interval_ns
        ]

    def forget(self, exchange: str, symbol: str) -> None:
        """Drop the state of an instrument whose ticks are no longer needed."""
        self._instruments.pop((exchange, symbol), None)

    def keep_only(self, instruments: set[tuple[str, str]]) -> None:
        """Drop the state of all instruments but these (exchange, symbol)."""
        for key in [key for key in self._instruments if key not in instruments]:
            del self._instruments[key]

    def __len__(self) -> int:
        return len(self._instruments)

    # ---- private

    def _open(self, key: tuple[str, str]) -> InstrumentState | None:
        if len(self._instruments) >= INSTRUMENTS_MAX:
            self.refused_total += 1
            return None
        instrument = self._instruments[key] = InstrumentState(*key, self._gateway_name or key[0])
        return instrument

    def _affected(self, exchange: str, symbol: str) -> list[InstrumentState]:
        """Return the affected instruments: all, for a gap without a symbol or exchange."""
        if exchange and symbol:
            instrument = self._instruments.get((exchange, symbol))
            return [] if instrument is None else [instrument]
        return [each for each in self._instruments.values() if exchange in ("", each.exchange)]

    def _tick_if_due(self, instrument: InstrumentState, event: Any) -> TickData | None:
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

    def _emit_loss(self, instrument: InstrumentState, now_ns: int) -> TickData:
        instrument.receive_ns = max(instrument.receive_ns, now_ns)
        return self._emit(instrument, now_ns)

    def _emit(self, instrument: InstrumentState, now_ns: int) -> TickData:
        self.ticks_total += 1
        return instrument.tick(now_ns)
