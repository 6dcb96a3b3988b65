"""The engine's part of a run: an EventEngine fed with the workers' batches, and its control link to the supervisor.

The same for the engine process (`process`) and for an application that is its own engine (`embedding`). Runs on an
event loop: answers the supervisor, serves live events, watches for slow handlers. The dispatch thread of the
EventEngine reads the data plane and calls handlers. A handler that blocks delays events and nothing else: heartbeats
continue, so the supervisor sees what happens.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from foxtrot_protocol.child import ChildContext, ChildLog
from foxtrot_protocol.commands import (
    BooksWanted,
    Drained,
    Fenced,
    HandlerFigures,
    Heartbeat,
    HoleFound,
    Stop,
    ToChild,
    WorkerChanged,
    WorkersStarted,
)
from foxtrot_protocol.events import EVENT_WORKER, WorkerStatus
from foxtrot_protocol.ring_layout import RingFigures
from foxtrot_protocol.spec import EngineSettings
from foxtrot_supervisor.engine.bus.event_engine import Event, EventEngine
from foxtrot_supervisor.engine.bus.handler_registry import HandlerInfo
from foxtrot_supervisor.engine.bus.watch import LOOK_S
from foxtrot_supervisor.engine.delivery.receiver import EventReceiver, remove_ring
from foxtrot_supervisor.engine.delivery.started import StartedWorkers
from foxtrot_supervisor.engine.delivery.streams import Hole, StreamKey
from foxtrot_supervisor.engine.event_text import event_text
from foxtrot_supervisor.engine.folds.folds import MarketFolds
from foxtrot_supervisor.engine.leaks.monitor import LeakMonitor, leak_text
from foxtrot_supervisor.engine.tap import EventTap

__all__ = ["DispatchEnded", "DispatchWatch", "EngineHost"]

RECENT_COUNT = 5
"""Latest events in a heartbeat, for people."""


LEAK_SAMPLES_LEAST = 24
"""Samples before growth is judged; two minutes by default."""

HANDLERS_SHOWN = 30
OWNERS_SHOWN = 100
LEAKS_SHOWN = 20
"""Largest number of each in a heartbeat."""

NAME_CHARACTERS_MAX = 200
LEAK_CHARACTERS_MAX = 2000
"""Largest length of each text in it: a handler's name may be any representation, and a heartbeat has to arrive."""

OWNERS_OF_HANDLER_MAX = 10

BOOKS_PER_MESSAGE = 500
"""Symbols requested in one message."""


class DispatchEnded(Exception):
    """The dispatch thread has ended: an engine that seems alive and delivers nothing must not continue."""


class EngineHost:
    """Receiver, tap of live events and watch of one EventEngine, and the engine's part of the control plane.

    Create it on the event loop that it runs on. `serve` connects it to a supervisor, and to the next one if that dies.
    `on_stop` is called with the grace in seconds when the supervisor asks the engine to end. Close `receiver` after the
    dispatch thread has detached from it.
    """

    def __init__(
        self,
        engine: EventEngine,
        settings: EngineSettings,
        run_dir: str,
        log: ChildLog,
        on_stop: Callable[[float], None],
        on_command: Callable[[ToChild], None] | None = None,
        *,
        ringless: bool = False,
    ) -> None:
        """`on_command` gets every command before it is handled; `ringless` as in `EventReceiver`."""
        self._listener = on_command
        self._engine = engine
        self._on_stop = on_stop
        self._loop = asyncio.get_running_loop()
        self._context: ChildContext | None = None
        self._stopping = False
        self._recent: deque[str] = deque(maxlen=RECENT_COUNT)
        self.started = StartedWorkers()
        self.tap = EventTap(settings.tap_path)
        self.receiver = EventReceiver(
            settings.data_endpoint,
            settings.numbers,
            engine,
            log,
            self.tap.offer,
            run_dir=run_dir,
            on_drained=self._post_drained,
            on_hole=self._post_hole,
            on_books=self._post_books,
            ringless=ringless,
            book_updates=settings.book_updates,
            started=None if ringless else self.started,
        )
        self.watch = DispatchWatch(engine)
        self._folds = MarketFolds(
            engine,
            ticks=None if settings.ticks == "off" else settings.ticks,
            tick_interval_s=settings.tick_interval_s,
            intervals=settings.bars_from_trades,
            origin=lambda: self.receiver.applier.origin,
        )
        self._leaks: LeakMonitor | None = None
        if settings.leak_sample_s:
            self._leaks = LeakMonitor(
                engine,
                sample_s=settings.leak_sample_s,
                least_s=LEAK_SAMPLES_LEAST * settings.leak_sample_s,
                loops=(self._loop,),
                log=log,
            )

    def withdraw(self) -> None:
        """Remove the handlers registered here from the EventEngine; others stay. May be called repeatedly."""
        self._folds.close()
        if self._leaks is not None:
            self._leaks.close()

    # ---- the control plane

    def serve(self, context: ChildContext) -> None:
        """Answer the supervisor of `context` from now on; commands received before are handled now."""
        self._context = context
        self._stopping = False
        context.heartbeat_from(self.fill)
        context.on_command(self.on_command)

    def part(self) -> None:
        """Disconnect from a supervisor that has ended; the receiver continues."""
        self._context = None

    def on_command(self, command: ToChild) -> None:
        """Handle a command of the supervisor."""
        if self._listener is not None:
            self._listener(command)
        if isinstance(command, Stop):
            self._stopping = True
            self._on_stop(command.grace_s)
        elif isinstance(command, WorkersStarted):
            self.started.add(command.workers, more=command.more)
            self._engine.wake()
        elif isinstance(command, Fenced):
            self.receiver.fence(command.worker, command.incarnation)
        elif isinstance(command, WorkerChanged) and not self._stopping:
            self._engine.put(Event(EVENT_WORKER, msgspec.convert(command, WorkerStatus, from_attributes=True)))

    def fill(self, heartbeat: Heartbeat) -> Heartbeat:
        """Return `heartbeat` with the engine's figures."""
        engine, receiver, folds = self._engine, self.receiver, self._folds.figures()
        leaks = [] if self._leaks is None else list(self._leaks.found)[-LEAKS_SHOWN:]
        _note_recent(receiver.last_event, self._recent)
        return msgspec.structs.replace(
            heartbeat,
            events_total=receiver.events_total,
            rejected_total=receiver.malformed_total,
            dropped_total=engine.dropped_total,
            queue_depth=engine.queue_depth(),
            dispatch_p50_us=engine.dispatch_latency.percentile_us(0.5),
            dispatch_p99_us=engine.dispatch_latency.percentile_us(0.99),
            slow_handlers=engine.slow_calls_total,
            handler_errors_total=engine.handler_errors_total,
            redelivered_total=receiver.redelivered_total,
            account_violations_total=receiver.violations_total,
            sources=receiver.accounts(time.monotonic()),
            recent=list(self._recent),
            ticks_total=folds.ticks_total,
            bars_total=folds.bars_total,
            late_trades_total=folds.late_trades_total,
            leaks_total=0 if self._leaks is None else self._leaks.leaks_total,
            leaks=[leak_text(leak)[:LEAK_CHARACTERS_MAX] for leak in leaks],
            owners=[name[:NAME_CHARACTERS_MAX] for name in engine.owners()[:OWNERS_SHOWN]],
            early_bells_total=receiver.early.rung_total,
            early_bells_vain_total=receiver.early.vain_total,
            handlers=[_figures_of(info) for info in engine.worst_handlers(HANDLERS_SHOWN)],
        )

    # ---- reports of the receiver, from the dispatch thread

    def _post_drained(self, ring: RingFigures, path: str) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended before the dispatch thread
            self._loop.call_soon_threadsafe(self._send_drained, ring, path)

    def _post_hole(self, connection: str, key: StreamKey, hole: Hole) -> None:
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._send_hole, connection, key, hole)

    def _send_hole(self, connection: str, key: StreamKey, hole: Hole) -> None:
        context = self._context
        if context is not None:
            context.send(
                HoleFound(
                    worker=context.spec.name,
                    incarnation=context.spec.incarnation,
                    connection=connection,
                    symbol=key.symbol,
                    stream=key.kind,
                    first_id=str(hole.first),
                    last_id=str(hole.last),
                    start_ns=hole.start_ns,
                    end_ns=hole.end_ns,
                )
            )

    def _post_books(self, connection: str, symbols: Sequence[str], attempt: int) -> None:
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._send_books, connection, symbols, attempt)

    def _send_books(self, connection: str, symbols: Sequence[str], attempt: int) -> None:
        context = self._context
        if context is not None:
            for start in range(0, len(symbols), BOOKS_PER_MESSAGE):
                part = list(symbols[start : start + BOOKS_PER_MESSAGE])
                context.send(BooksWanted(context.spec.name, context.spec.incarnation, connection, part, attempt))

    def _send_drained(self, ring: RingFigures, path: str) -> None:
        # reported first: if the engine were killed between removal and report, the account would be lost
        context = self._context
        if context is not None:
            context.send(
                Drained(
                    worker=context.spec.name,
                    incarnation=context.spec.incarnation,
                    source=ring.worker,
                    source_incarnation=ring.incarnation,
                    committed=ring.committed_events,
                    applied=ring.applied_events,
                    lost=ring.lost_events,
                    redelivered=ring.redelivered_events,
                    deduplicated=ring.deduplicated_events,
                    superseded=ring.superseded_events,
                )
            )
        remove_ring(path)


class DispatchWatch:
    """Checks at a fixed interval that the dispatch thread lives, and for slow handlers."""

    def __init__(self, engine: EventEngine) -> None:
        self._engine = engine

    async def run(self) -> None:
        """Check until cancelled; raises `DispatchEnded` when the dispatch thread has ended."""
        while True:
            await asyncio.sleep(LOOK_S)
            if not self._engine.is_dispatching():
                raise DispatchEnded
            if not self._engine.own_watch:
                self._engine.look(time.monotonic())


def _figures_of(info: HandlerInfo) -> HandlerFigures:
    return HandlerFigures(
        info.type[:NAME_CHARACTERS_MAX],
        info.handler[:NAME_CHARACTERS_MAX],
        [name[:NAME_CHARACTERS_MAX] for name in info.owners[:OWNERS_OF_HANDLER_MAX]],
        info.calls,
        info.p50_us,
        info.p99_us,
        info.max_us,
        info.slow,
        info.errors,
        info.suspended,
    )


def _note_recent(event: Any, recent: deque[str]) -> None:
    if event is None:
        return
    recent.append(event_text(event))
