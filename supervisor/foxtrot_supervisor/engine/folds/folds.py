"""Ticks and bars in an EventEngine: folds what somebody wants, and dispatches what comes out.

Nothing is folded, and no handler registered, unless somebody has a handler for ``eTick.`` or ``eTick.SYMBOL.EXCHANGE``
(``eBar.`` and its names alike); who wants one instrument makes work for that one only. A tick is dispatched right
behind the event that made it, from within its handler, so that order is kept and no queue lies between.

What a process that has died left in its ring is not shown as live: when the last worker of a connection is gone, so
are the levels that came from it.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from msgspec import Struct

from foxtrot_protocol.events import (
    EVENT_BAR,
    EVENT_BBO,
    EVENT_BOOK,
    EVENT_FEED_STATUS,
    EVENT_GAP,
    EVENT_MARKET_TRADE,
    EVENT_OPEN_INTEREST,
    EVENT_TICK,
    EVENT_TICKER,
    EVENT_TIMER,
    EVENT_WORKER,
    Bar,
    Trade,
    WorkerStatus,
)
from foxtrot_supervisor.engine.bus.event_engine import Event, EventEngine
from foxtrot_supervisor.engine.bus.handler_registry import Registration
from foxtrot_supervisor.engine.bus.owner import unshared_owner
from foxtrot_supervisor.engine.delivery.lanes import Origin
from foxtrot_supervisor.engine.folds.bars import BarFold
from foxtrot_supervisor.engine.folds.ticks import TickFold, TickRule

__all__ = ["DEAD_MAX", "FoldFigures", "MarketFolds"]

DEAD_MAX = 10_000
"""Workers whose death is remembered."""

OWNER = "market-folds"

_TICK_STREAMS = (EVENT_MARKET_TRADE, EVENT_BBO, EVENT_BOOK, EVENT_TICKER, EVENT_OPEN_INTEREST)
_BAR_STREAMS = (EVENT_MARKET_TRADE, EVENT_BAR)

_ALIVE = frozenset(("CONNECTING", "RUNNING", "STOPPING"))


class FoldFigures(Struct, frozen=True):
    """Counts since the start."""

    ticks_total: int
    bars_total: int
    late_trades_total: int
    """Trades that came after their bar was closed, once for each interval."""
    left_out_total: int
    """Events with a number that is none, or of instruments beyond the bound."""


class MarketFolds:
    """Ticks by `ticks` (None: none) and bars of `intervals` for `engine`, from now until `close`.

    `origin` tells, on the dispatch thread, whose events are being dispatched; None as `origin`: events are folded
    whoever dispatches them, else only those whose worker is known, so that of several supervised parts that share
    an EventEngine each folds its own. `gateway_name` stands in each tick ("": the exchange's name).
    """

    def __init__(
        self,
        engine: EventEngine,
        *,
        ticks: TickRule | None = "change",
        tick_interval_s: float = 0.5,
        intervals: Sequence[str] = (),
        origin: Callable[[], Origin] | None = None,
        gateway_name: str = "",
    ) -> None:
        self._engine = engine
        self._origin = origin or Origin
        self._known_only = origin is not None
        self._tick_fold = TickFold(ticks or "change", int(tick_interval_s * 1e9), gateway_name)
        self._bar_fold = BarFold(list(intervals))
        self._deaths = _Deaths()
        self._owner = unshared_owner(engine, OWNER)
        self._making_bars = False
        self._wants: list[_Wants] = []
        self._control: dict[str, Callable[[Event], None]] = {
            EVENT_TIMER: self._on_timer,
            EVENT_GAP: self._on_loss,
            EVENT_FEED_STATUS: self._on_loss,
            EVENT_WORKER: self._on_worker,
        }
        if ticks is not None:
            self._watch(EVENT_TICK, _TICK_STREAMS, self._on_tick_event, self._tick_fold)
        if intervals:
            self._watch(EVENT_BAR, _BAR_STREAMS, self._on_bar_event, self._bar_fold)

    def close(self) -> None:
        """Fold no more; other handlers stay."""
        for wants in self._wants:
            self._engine.forget_watcher(wants.on_handler)
        self._owner.close()

    def figures(self) -> FoldFigures:
        """Counts; from any thread."""
        ticks, bars = self._tick_fold, self._bar_fold
        return FoldFigures(
            ticks.ticks_total,
            bars.bars_total,
            bars.late_total,
            ticks.malformed_total + ticks.refused_total + bars.malformed_total + bars.refused_total,
        )

    # ---- what is wanted

    def _watch(
        self, wanted: str, streams: Sequence[str], handler: Callable[[Event], None], fold: TickFold | BarFold
    ) -> None:
        wants = _Wants(wanted, streams, handler, fold, self._follow)
        self._wants.append(wants)
        self._engine.watch_handlers(wanted, wants.on_handler)

    def _follow(self, types: set[str], handler: Callable[[Event], None], *, follow: bool) -> None:
        """Register for these types, or no more; and for what concerns all, as long as anything is followed."""
        for name in types:
            if follow:
                self._owner.register(name, handler)
            else:
                self._engine.unregister(name, handler)
        any_wanted = any(wants.counts for wants in self._wants)
        for name, control in self._control.items():
            if any_wanted:
                self._owner.register(name, control)
            else:
                self._engine.unregister(name, control)

    # ---- on the dispatch thread

    def _on_tick_event(self, event: Event) -> None:
        wants = self._wants[0]
        if wants.doubled(event):
            return
        origin = self._origin()
        if self._known_only and not origin.worker:
            return
        data = event.data
        if self._deaths.is_left_over(origin) and data.__class__ is not Trade:
            return  # what a dead process had parsed: true, but not how things stand
        tick = self._tick_fold.fold(data, origin.connection)
        if tick is not None:
            self._engine.dispatch_market(tick)

    def _on_bar_event(self, event: Event) -> None:
        data = event.data
        if self._known_only and not self._origin().worker:
            return
        if data.__class__ is Bar:
            if not self._making_bars:
                self._bar_fold.exchange_bar(data)
        elif not self._wants[-1].doubled(event):
            self._give_bars(self._bar_fold.trade(data))

    def _on_loss(self, event: Event) -> None:
        for tick in self._tick_fold.lose(event.data):
            self._engine.dispatch_market(tick)

    def _on_worker(self, event: Event) -> None:
        for connection in self._deaths.changed(event.data):
            for tick in self._tick_fold.lose_source(connection, time.time_ns()):
                self._engine.dispatch_market(tick)

    def _on_timer(self, _: Event) -> None:
        now_ns = time.time_ns()
        for wants in self._wants:
            wants.forget_the_unwanted()
        for tick in self._tick_fold.due(now_ns):
            self._engine.dispatch_market(tick)
        self._give_bars(self._bar_fold.look(now_ns))

    def _give_bars(self, bars: Sequence[Bar[Any]]) -> None:
        if not bars:
            return
        # handlers of bars, this one among them, must know ours from the exchange's
        self._making_bars = True
        try:
            self._engine.dispatch_batch(bars)
        finally:
            self._making_bars = False


class _Fold(Protocol):
    def keep_only(self, instruments: set[tuple[str, str]]) -> None: ...


class _Wants:
    """Which instruments are wanted by handlers of `wanted`, and the registrations that follow from it."""

    def __init__(
        self,
        wanted: str,
        streams: Sequence[str],
        handler: Callable[[Event], None],
        fold: _Fold,
        follow: Callable[..., None],
    ) -> None:
        self._wanted = wanted
        self._streams = streams
        self._plain = frozenset(streams)
        self._handler = handler
        self._fold = fold
        self._follow = follow
        self._forget = False
        self.counts: Counter[str] = Counter()
        """Handlers by what stands behind `wanted`: ``SYMBOL.EXCHANGE``, "" for all."""

    def on_handler(self, registration: Registration, here: bool) -> None:
        """Somebody's handler has come or gone."""
        if registration.handler == self._handler:
            return  # our own, to see the exchange's bars
        name = registration.type.removeprefix(self._wanted)
        before = self.counts[name]
        self.counts[name] = before + (1 if here else -1)
        if self.counts[name] <= 0:
            del self.counts[name]
        if bool(before) != (name in self.counts):
            self._follow({stream + name for stream in self._streams}, self._handler, follow=here)
            self._forget = self._forget or not here

    def doubled(self, event: Event) -> bool:
        """Whether this event comes a second time, under its instrument's own name."""
        counts = self.counts
        if len(counts) < 2 or "" not in counts or event.type not in self._plain:
            return False
        return f"{event.data.symbol}.{event.data.exchange}" in counts

    def forget_the_unwanted(self) -> None:
        """Let the fold forget what nobody wants any more."""
        if self._forget:
            self._forget = False
            if "" not in self.counts:
                pairs = (name.rpartition(".") for name in list(self.counts))
                self._fold.keep_only({(exchange, symbol) for symbol, _, exchange in pairs})


class _Deaths:
    """Which workers are dead, and whose connection has none left alive."""

    def __init__(self) -> None:
        self._dead: dict[str, int] = {}
        """By worker: the newest incarnation that is known to be dead."""
        self._alive: dict[str, set[str]] = {}
        """By connection: its workers that live."""

    def changed(self, status: WorkerStatus) -> list[str]:
        """Take a worker's new state; returns the connection that has lost its last worker, if it has."""
        connection = status.worker.rpartition(".")[0] or status.worker
        alive = self._alive.setdefault(connection, set())
        dead = status.incarnation - (1 if status.state in _ALIVE or status.state == "STARTING" else 0)
        if dead > 0 and (status.worker in self._dead or len(self._dead) < DEAD_MAX):
            self._dead[status.worker] = max(dead, self._dead.get(status.worker, 0))
        if status.state in _ALIVE:
            alive.add(status.worker)
            return []
        lived = status.worker in alive
        alive.discard(status.worker)
        return [connection] if lived and not alive else []

    def is_left_over(self, origin: Origin) -> bool:
        """Whether events of `origin` come from a process that is dead, with no other of its connection alive."""
        dead = self._dead.get(origin.worker)
        return dead is not None and origin.incarnation <= dead and not self._alive.get(origin.connection)
