"""Ticks and bars of an EventEngine, made on demand.

Work is done only for instruments that have a handler: for ``eTick.SYMBOL.EXCHANGE``, or ``eTick.`` for all (the same
for ``eBar.``). A tick is dispatched directly after the event that caused it, within that event's handler, so that the
order is kept and no queue is needed.

Data from the ring of a dead process are not shown as current: when the last worker of a connection has died, the
levels that came from it are emptied.
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
"""Limit of workers whose death is recorded."""

OWNER = "market-folds"

_TICK_STREAMS = (EVENT_MARKET_TRADE, EVENT_BBO, EVENT_BOOK, EVENT_TICKER, EVENT_OPEN_INTEREST)
_BAR_STREAMS = (EVENT_MARKET_TRADE, EVENT_BAR)

_ALIVE = frozenset(("CONNECTING", "RUNNING", "STOPPING"))


class FoldFigures(Struct, frozen=True):
    """Counts since the start."""

    ticks_total: int
    bars_total: int
    late_trades_total: int
    """Trades received after their bar was closed, counted for each interval."""
    left_out_total: int
    """Events with an invalid number, or of instruments beyond the limit."""


class MarketFolds:
    """Makes ticks by rule `ticks` (None: no ticks) and bars of `intervals` in `engine`, from now until `close`.

    `tick_interval_s`: shortest time between ticks of an instrument under rule ``interval``. `origin` returns, on the
    dispatch thread, the origin of the events being dispatched; only events with a known worker are folded then, so that
    several supervised parts can share an EventEngine. Without `origin` all events are folded. `gateway_name`: put into
    each tick ("": the exchange's name). `now_ns`: the wall clock, in nanoseconds since 1970, or that of a replay.
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
        now_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self._engine = engine
        self._now_ns = now_ns
        self._origin = origin or Origin
        self._known_only = origin is not None
        self._tick_fold = TickFold(ticks or "change", int(tick_interval_s * 1e9), gateway_name)
        self._bar_fold = BarFold(list(intervals))
        self._deaths = _Deaths()
        self._owner = unshared_owner(engine, OWNER)
        self._making_bars = False
        self._demands: list[_Demand] = []
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
        """Stop, and unregister the handlers of this object."""
        for demand in self._demands:
            self._engine.forget_watcher(demand.on_handler)
        self._owner.close()

    def figures(self) -> FoldFigures:
        """Return the counts; from any thread."""
        ticks, bars = self._tick_fold, self._bar_fold
        return FoldFigures(
            ticks.ticks_total,
            bars.bars_total,
            bars.late_total,
            ticks.malformed_total + ticks.refused_total + bars.malformed_total + bars.refused_total,
        )

    # ---- demand

    def _watch(
        self, wanted: str, streams: Sequence[str], handler: Callable[[Event], None], fold: TickFold | BarFold
    ) -> None:
        demand = _Demand(wanted, streams, handler, fold, self._follow)
        self._demands.append(demand)
        self._engine.watch_handlers(wanted, demand.on_handler)

    def _follow(self, types: set[str], handler: Callable[[Event], None], *, follow: bool) -> None:
        """Register or unregister `handler` for `types`; control events are handled while there is any demand."""
        for name in types:
            if follow:
                self._owner.register(name, handler)
            else:
                self._engine.unregister(name, handler)
        any_wanted = any(demand.counts for demand in self._demands)
        for name, control in self._control.items():
            if any_wanted:
                self._owner.register(name, control)
            else:
                self._engine.unregister(name, control)

    # ---- on the dispatch thread

    def _on_tick_event(self, event: Event) -> None:
        demand = self._demands[0]
        if demand.is_duplicate(event):
            return
        origin = self._origin()
        if self._known_only and not origin.worker:
            return
        data = event.data
        if self._deaths.is_stale(origin) and data.__class__ is not Trade:
            return  # parsed by a process that is dead: correct, but not current
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
        elif not self._demands[-1].is_duplicate(event):
            self._give_bars(self._bar_fold.trade(data))

    def _on_loss(self, event: Event) -> None:
        for tick in self._tick_fold.lose(event.data):
            self._engine.dispatch_market(tick)

    def _on_worker(self, event: Event) -> None:
        for connection in self._deaths.changed(event.data):
            for tick in self._tick_fold.lose_source(connection, self._now_ns()):
                self._engine.dispatch_market(tick)

    def _on_timer(self, _: Event) -> None:
        now_ns = self._now_ns()
        for demand in self._demands:
            demand.drop_unneeded()
        for tick in self._tick_fold.due(now_ns):
            self._engine.dispatch_market(tick)
        self._give_bars(self._bar_fold.look(now_ns))

    def _give_bars(self, bars: Sequence[Bar[Any]]) -> None:
        if not bars:
            return
        # `_on_bar_event` gets these bars too, and must not take them for the exchange's
        self._making_bars = True
        try:
            self._engine.dispatch_batch(bars)
        finally:
            self._making_bars = False


class _Fold(Protocol):
    def keep_only(self, instruments: set[tuple[str, str]]) -> None: ...


class _Demand:
    """The instruments that handlers of `wanted` need, and the registrations that follow from it."""

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
        """Number of handlers by the rest of their type after `wanted`: ``SYMBOL.EXCHANGE``, or "" for all."""

    def on_handler(self, registration: Registration, here: bool) -> None:
        """Note a handler that was registered (`here`) or removed."""
        if registration.handler == self._handler:
            return  # our own, for the exchange's bars
        name = registration.type.removeprefix(self._wanted)
        before = self.counts[name]
        self.counts[name] = before + (1 if here else -1)
        if self.counts[name] <= 0:
            del self.counts[name]
        if bool(before) != (name in self.counts):
            self._follow({stream + name for stream in self._streams}, self._handler, follow=here)
            self._forget = self._forget or not here

    def is_duplicate(self, event: Event) -> bool:
        """Whether this event is dispatched a second time under its instrument's own type."""
        counts = self.counts
        if len(counts) < 2 or "" not in counts or event.type not in self._plain:
            return False
        return f"{event.data.symbol}.{event.data.exchange}" in counts

    def drop_unneeded(self) -> None:
        """Drop the state of instruments that no handler needs any longer."""
        if self._forget:
            self._forget = False
            if "" not in self.counts:
                pairs = (name.rpartition(".") for name in list(self.counts))
                self._fold.keep_only({(exchange, symbol) for symbol, _, exchange in pairs})


class _Deaths:
    """Dead workers, and connections whose workers are all dead."""

    def __init__(self) -> None:
        self._dead: dict[str, int] = {}
        """By worker: the highest incarnation known to be dead."""
        self._alive: dict[str, set[str]] = {}
        """By connection: its living workers."""

    def changed(self, status: WorkerStatus) -> list[str]:
        """Apply a worker's new state, and return the connection, in a list, if that was its last living worker."""
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

    def is_stale(self, origin: Origin) -> bool:
        """Whether events of `origin` come from a dead process whose connection has no living worker."""
        dead = self._dead.get(origin.worker)
        return dead is not None and origin.incarnation <= dead and not self._alive.get(origin.connection)
