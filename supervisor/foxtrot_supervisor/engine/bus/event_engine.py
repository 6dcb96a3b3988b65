"""The EventEngine: events in, handlers called, on one dispatch thread.

In the vn.py tradition: ``register(type, handler)``, ``put(event)``, typed handlers before general ones, a handler at
most once for each type, a timer event. Different where that design leaks or hangs: the queue is bounded, with a policy
for each class of events; handlers have owners; a handler's exception is counted and hurts no other handler; the timer
needs no thread and does not drift; `stop` ends within a deadline and reports what it left.

A *source* (the receiver of the workers' batches) can be attached: the dispatch thread then reads it directly, without
a queue between, so a batch costs one wake-up and no hand-over.
"""

from __future__ import annotations

import atexit
import math
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import structlog

from foxtrot_protocol.child import ChildLog
from foxtrot_protocol.events import EVENT_TIMER
from foxtrot_protocol.spec import NEVER_DROP_LIMIT, PUT_WAIT_S, QUEUE_LIMIT, SLOW_HANDLER_MS, SPIN_US, Idle
from foxtrot_supervisor.engine.bus.dispatch_thread import DispatchThread
from foxtrot_supervisor.engine.bus.dispatcher import Dispatcher
from foxtrot_supervisor.engine.bus.event import Event, EventSource, Handler, QueueFull
from foxtrot_supervisor.engine.bus.handler_registry import GENERAL, HandlerInfo, HandlerWatcher, OwnerWatcher
from foxtrot_supervisor.engine.bus.handler_table import HandlerTable
from foxtrot_supervisor.engine.bus.inbox import Inbox
from foxtrot_supervisor.engine.bus.owner import Owner
from foxtrot_supervisor.engine.bus.peeking import HandlersView, QueueView, general_handlers
from foxtrot_supervisor.engine.bus.queue import EventQueue, QueueCounts
from foxtrot_supervisor.engine.bus.queue_policy import POLICIES, Policy
from foxtrot_supervisor.engine.bus.stop_report import StopReport
from foxtrot_supervisor.engine.bus.watch import HandlerWatch
from foxtrot_supervisor.telemetry.latency import LatencyHistogram

__all__ = ["EVENT_TIMER", "Event", "EventEngine", "EventSource", "Handler", "QueueFull"]

NEVER_DROP_WAIT_S = 30.0
"""How long `put` waits before it raises `QueueFull` for an event that must not be dropped."""

STOP_S = 30.0
"""How long `stop` and `detach` may take by default."""

LAST_CALL_S = 0.1
"""`stop` starts no call in the last part of its time: a tenth of it, at most this."""

_process_watch = HandlerWatch()
"""Looks for slow handlers of all engines of this process whose owner does not call `look`."""

_running: set[EventEngine] = set()
"""Engines whose dispatch threads must end before the interpreter may."""


class EventEngine:
    """Calls the handlers of each event, in order of arrival, on one thread.

    `interval`: seconds between timer events, more than 0. `queue_limit`: events that may wait, of the classes that
    block, and symbols of those that conflate; `never_drop_limit`: events that may wait before one is refused that must
    not be dropped. `policies`: of event classes (`queue_policy`). `put_wait_s`, `never_drop_wait_s`: how long `put`
    waits for room.

    `slow_handler_ms`: a call that takes longer is logged with its stack while it runs, and counted; None: never.
    `own_watch`: False if the caller calls `look` regularly; else a thread does, one for all engines of the process.
    `suspend_after`: a handler that fails so many times in a row is suspended until `revive`; None: never.

    `idle`: what the dispatch thread does when there is nothing to do: "sleep" until it is woken, "backoff": ask for
    more, using a core, for `spin_us` microseconds and then sleep, or "spin": never sleep.
    """

    def __init__(
        self,
        interval: float = 1,
        *,
        queue_limit: int = QUEUE_LIMIT,
        never_drop_limit: int = NEVER_DROP_LIMIT,
        policies: Mapping[str, Policy] = POLICIES,
        put_wait_s: float = PUT_WAIT_S,
        never_drop_wait_s: float = NEVER_DROP_WAIT_S,
        slow_handler_ms: float | None = SLOW_HANDLER_MS,
        own_watch: bool = True,
        suspend_after: int | None = None,
        idle: Idle = "sleep",
        spin_us: float = SPIN_US,
        log: ChildLog | None = None,
    ) -> None:
        if interval <= 0:
            raise ValueError(f"interval must be more than 0 seconds, not {interval}")
        self._interval = interval
        self.dispatch_latency = LatencyHistogram()
        """From the publication of market data to their dispatch."""
        self._log: ChildLog = log if log is not None else structlog.get_logger("foxtrot.engine")
        self._table = HandlerTable(self._log)
        self._dispatcher = Dispatcher(
            self._table, self._log, slow_handler_ms=slow_handler_ms, suspend_after=suspend_after
        )
        events = EventQueue(queue_limit, policies, never_drop_limit)
        self._entries = events.entries
        self._roomy_below = events.roomy_below
        self._inbox = Inbox(events, put_wait_s=put_wait_s, never_drop_wait_s=never_drop_wait_s)
        self._loop = DispatchThread(
            self._inbox,
            self._dispatcher,
            interval=interval,
            spin_s={"sleep": 0.0, "backoff": spin_us / 1e6, "spin": math.inf}[idle],
            on_timer=self.dispatch_latency.rotate,
            on_begin=self._thread_begins,
            on_end=self._thread_ended,
        )
        # re-entrant: a signal handler or a finalizer may come in where this thread holds it
        self._life_lock = threading.RLock()
        self._ended = threading.Event()
        self._handlers_view = HandlersView()
        self._queue_view = QueueView(self.queue_depth)
        self.own_watch = own_watch and self._dispatcher.judges_slow_calls
        """Whether this process's watch thread calls `look`; else the host has to."""
        self.last_stop: StopReport | None = None
        """Result of the latest `stop`."""

    # ---- life

    def start(self) -> None:
        """Start dispatching; does nothing if started. After a `stop` it goes on with what was left in the queue.

        Raises `RuntimeError` if the last run's handler has still not returned.
        """
        while True:
            with self._life_lock:
                if not self._loop.is_alive():
                    self._ended.clear()
                    _running.add(self)
                    self._loop.start()
                    return
                if self._loop.active:
                    return
                before = self._loop.thread
                left_s = self._loop.drain_until + LAST_CALL_S - time.monotonic()
            if left_s <= 0 or before is threading.current_thread():
                raise RuntimeError(f"the engine cannot start again: {self._dispatcher.current_name()} has not returned")
            before.join(left_s)

    def stop(self, timeout_s: float = STOP_S) -> StopReport:
        """Handle what is queued, then end the dispatch thread; returns how many events were left, and why.

        Safe from any thread, and twice. From a handler it only requests the end: the thread ends after that handler has
        returned, within the same time. A handler that never returns makes this give up after `timeout_s`: the report
        then names it and where it is. What was left stays queued for the next `start`.
        """
        deadline = time.monotonic() + timeout_s
        until = deadline - min(LAST_CALL_S, timeout_s / 10)
        with self._life_lock:
            # the tightest of several wins
            self._loop.drain_until = until if self._loop.active else min(self._loop.drain_until, until)
            self._loop.active = False
        self._loop.wake()
        if self._loop.is_alive() and not self._loop.is_this_thread():
            self._loop.thread.join(max(0.0, deadline - time.monotonic()))
            if self._loop.is_alive():
                self.last_stop = self._stuck()
                return self.last_stop
        self.last_stop = StopReport(self._inbox.waiting_by_class())
        return self.last_stop

    def is_active(self) -> bool:
        """Whether it was started and not yet requested to stop."""
        return self._loop.active

    def is_dispatching(self) -> bool:
        """Whether the dispatch thread lives."""
        return self._loop.is_alive()

    def attach(self, source: EventSource) -> None:
        """Let the dispatch thread read `source` as well, from now on or from `start` on."""
        self._loop.attach(source)

    def detach(self, source: EventSource, timeout_s: float = STOP_S) -> bool:
        """Dispatch what `source` has available, then forget it; returns whether that was done within `timeout_s`.

        False: a handler did not return; the source must not be closed yet.
        """
        return self._loop.detach(source, timeout_s)

    def dispatches_on(self, thread: threading.Thread) -> bool:
        """Whether handlers are called on `thread`."""
        return thread is self._loop.thread

    def wake(self) -> None:
        """Let the dispatch thread look at its sources and queue now; from any thread."""
        self._loop.wake()

    @property
    def interval(self) -> float:
        """Seconds between timer events."""
        return self._interval

    @property
    def own_timer(self) -> bool:
        """Whether timer events follow the clock of this computer; a replay makes them by recorded time."""
        return self._loop.own_timer

    @own_timer.setter
    def own_timer(self, own: bool) -> None:
        self._loop.own_timer = own

    # ---- handlers

    def register(
        self,
        type: str,  # noqa: A002 - vn.py's name
        handler: Handler,
        *,
        owner: object = None,
        weak: bool = False,
    ) -> None:
        """Call `handler` for events of `type`; a second registration changes nothing but adds `owner`.

        `owner`: from `owner`, or a name, or any object that supports weak references. When it closes or is collected,
        the handler goes, unless it has another. A bound method of the owner itself is held weakly. `weak`: hold a bound
        method weakly, so that it goes with its object.
        """
        if not type:
            raise ValueError("an event type cannot be empty")
        self._table.register(type, handler, owner=owner, weak=weak)

    def unregister(self, type: str, handler: Handler) -> None:  # noqa: A002 - vn.py's name
        """Undo `register`, for all owners; does nothing if it was not registered."""
        self._table.unregister(type, handler)

    def register_general(self, handler: Handler, *, owner: object = None, weak: bool = False) -> None:
        """Call `handler` for every event, after the typed handlers; else as `register`."""
        self._table.register(GENERAL, handler, owner=owner, weak=weak)

    def unregister_general(self, handler: Handler) -> None:
        """Undo `register_general`."""
        self._table.unregister(GENERAL, handler)

    def clear_handlers(self) -> None:
        """Forget every handler; owners stay open."""
        self._table.clear()

    def handler_count(self) -> int:
        """Return how many registrations there are, general ones included."""
        return self._table.count()

    def handlers(self) -> list[HandlerInfo]:
        """Return every registration: its type and owners, how often it was called, how slow, how many errors."""
        return self._table.infos()

    def worst_handlers(self, count: int) -> list[HandlerInfo]:
        """Return those of `handlers` that need attention most: suspended, then failing, then slow, then busy."""
        return self._table.worst(count)

    def revive(self, type: str, handler: Handler) -> bool:  # noqa: A002 - vn.py's name
        """Call a suspended handler again (`type` "" for a general one); returns False if it is not suspended."""
        return self._table.revive(type, handler)

    def owner(self, name_or_object: object) -> Owner:
        """Return the owner of that name, or the one that is the object itself; it is opened if necessary.

        A named owner closes when it is closed, when its ``with`` block ends, or when what this returns is collected,
        so keep it (unless handlers were also registered with the name itself). An object's closes with the object.
        """
        return self._table.owner(name_or_object)

    def owners(self) -> list[str]:
        """Return the names of the open owners."""
        return self._table.owners()

    def watch_handlers(self, event_class: str, watcher: HandlerWatcher) -> None:
        """Call `watcher` for each handler of `event_class` (``eTick.``) that is registered, now or later, or removed.

        It is called within the change, on the thread that makes it: it must be quick, and may register handlers.
        """
        self._table.watch_handlers(event_class, watcher)

    def watch_owners(self, watcher: OwnerWatcher) -> None:
        """Call `watcher` for each owner that closes: its name, and the objects whose methods only it had registered."""
        self._table.watch_owners(watcher)

    def forget_watcher(self, watcher: Callable[..., None]) -> None:
        """Undo `watch_handlers` and `watch_owners`."""
        self._table.forget_watcher(watcher)

    # ---- events

    def put(self, event: Event) -> bool:
        """Queue `event`. With a full queue waits for room (never on the dispatch thread itself).

        Returns False if it was dropped (and counted): the queue stayed full. Raises `QueueFull` instead for an event
        that must not be dropped.
        """
        # hot path: no lock and no call where there is certainly room
        entries = self._entries
        if len(entries) < self._roomy_below.get(event.type, 0):
            entries.append(event)
        elif not self._inbox.put(event, may_wait=not self._loop.is_this_thread()):
            return False
        if self._loop.asleep:
            self._loop.wake_sleeper()
        return True

    def queue_depth(self) -> int:
        """Return how many events wait for their handlers."""
        return len(self._inbox)

    def counts(self) -> QueueCounts:
        """Return how many events were put, handled, conflated and dropped, and how many wait; the sum is exact."""
        return self._inbox.counts()

    @property
    def dropped_total(self) -> int:
        """Number of events for which there was no room."""
        return self.counts().dropped

    @property
    def calls_total(self) -> int:
        """Number of calls of handlers, including removed ones."""
        return self._table.calls_total()

    @property
    def handler_errors_total(self) -> int:
        """Number of exceptions that handlers raised."""
        return self._dispatcher.errors_total

    @property
    def slow_calls_total(self) -> int:
        """Number of calls that took longer than ``slow_handler_ms``."""
        return self._dispatcher.slow_calls_total

    @property
    def current_handler(self) -> Handler | None:
        """The handler that is running now."""
        registration = self._dispatcher.current
        return None if registration is None else registration.handler

    def dispatch(self, event: Event) -> None:
        """Call the handlers of `event` now; only from the dispatch thread (a source's `pump`, a handler)."""
        self._dispatcher.dispatch(event)

    def dispatch_market(self, data: Any) -> None:
        """Fan `data` out under its event type and under that type plus ``SYMBOL.EXCHANGE``.

        `data` is one of the structs of `foxtrot_protocol.events` with a symbol. General handlers see it once, under the
        plain type. Only from the dispatch thread.
        """
        self._dispatcher.dispatch_batch((data,))

    def dispatch_batch(self, batch: Iterable[Any]) -> None:
        """Do as `dispatch_market` for each of `batch`, in order."""
        self._dispatcher.dispatch_batch(batch)

    def look(self, now: float) -> None:
        """Warn of the running handler if it is slow; to be called regularly by another thread.

        `now`: monotonic seconds.
        """
        slow = self._dispatcher.look(now)
        if slow is not None:
            self._log.warning("slow_handler", handler=slow.name, type=slow.type, stack=self._loop.stack())

    # ---- names that programs written for vn.py's engine read

    @property
    def _handlers(self) -> HandlersView:
        return self._handlers_view.refresh(self._table.registrations())

    @property
    def _general_handlers(self) -> list[Handler]:
        return general_handlers(self._table.registrations())

    @property
    def _queue(self) -> QueueView:
        return self._queue_view

    @property
    def _active(self) -> bool:
        return self._loop.active

    @property
    def _thread(self) -> threading.Thread:
        return self._loop.thread

    @property
    def _timer(self) -> threading.Thread:
        return self._loop.thread  # the timer has no thread of its own

    # ---- begin and end of the dispatch thread

    def _thread_begins(self) -> None:
        if self.own_watch:
            self._dispatcher.before_first_call = self._watch

    def _thread_ended(self) -> None:
        if self.own_watch:
            _process_watch.remove(self)
            self._dispatcher.before_first_call = None
        _running.discard(self)
        self._ended.set()

    def _watch(self) -> None:
        if not _process_watch.add(self):
            self._log.warning("handlers_unwatched", reason="no thread can be started to look for slow ones")

    def _stuck(self) -> StopReport:
        report = StopReport(self._inbox.waiting_by_class(), self._dispatcher.current_name(), self._loop.stack())
        self._log.error(
            "event_engine_stuck",
            handler=report.stuck_handler,
            left=int(report),
            left_by_class=report.left_by_class,
            stack=report.stack,
        )
        # its time is over: the interpreter need not wait for it at exit
        _running.discard(self)
        self._ended.set()
        return report

    def _wait_at_exit(self) -> None:
        if not self.is_dispatching():
            return  # started before a fork, in the parent process
        try:
            self._ended.wait()
        except KeyboardInterrupt:
            self.stop()


def _wait_for_running() -> None:
    """At interpreter exit, wait for running engines as for non-daemon threads."""
    for engine in tuple(_running):
        engine._wait_at_exit()


atexit.register(_wait_for_running)
