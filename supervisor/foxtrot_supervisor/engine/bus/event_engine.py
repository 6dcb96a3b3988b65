"""The EventEngine: events in, handlers called, on one dispatch thread.

In the vn.py tradition: ``register(type, handler)``, ``put(event)``, typed handlers before general ones, a
handler at most once for each type, a timer event. Different where that design leaks or hangs: the queue
is bounded, with a policy for each class of events; handlers have owners; a handler's exception is counted
and hurts nobody; the timer needs no thread and does not drift; `stop` ends within a deadline and says what
it left.

A *source* (the receiver of the workers' batches) can be attached: the dispatch thread then reads it
directly, without a queue between, so a batch costs one wake-up and no hand-over.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import select
import sys
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, Protocol

import structlog
from msgspec import Struct

from foxtrot_protocol.child import ChildLog
from foxtrot_protocol.events import EVENT_TIMER
from foxtrot_supervisor.engine.bus.handler_registry import (
    GENERAL,
    HandlerInfo,
    HandlerWatcher,
    OwnerWatcher,
    Registration,
)
from foxtrot_supervisor.engine.bus.handler_table import HandlerDesk
from foxtrot_supervisor.engine.bus.owner import Owner
from foxtrot_supervisor.engine.bus.queue import HAND_MAX, NEVER_DROP_LIMIT, EventQueue, QueueCounts
from foxtrot_supervisor.engine.bus.queue_policy import POLICIES, Policy
from foxtrot_supervisor.engine.bus.slow_calls import SlowCallJudge
from foxtrot_supervisor.engine.bus.stop_report import StopReport
from foxtrot_supervisor.engine.bus.watch import HandlerWatch
from foxtrot_supervisor.telemetry.latency import LatencyHistogram

__all__ = ["EVENT_TIMER", "Event", "EventEngine", "EventSource", "Handler", "QueueFull"]

TURN_S = 0.01
"""How long queued events may be handled before the source and the timer are looked at again, about."""

EVENTS_BETWEEN_LOOKS = 16
"""Queued events handled between two looks at the clock."""

PUT_WAIT_S = 5.0
"""How long `put` waits for room in a full queue before the event is dropped and counted."""

NEVER_DROP_WAIT_S = 30.0
"""How long `put` waits before it gives back an event that must not be dropped."""

STOP_S = 30.0

DRAIN_ROUNDS = 10
"""`stop` handles what is queued, then what was put meanwhile, and so on, so many times: handlers' answers to the last
events are handled, and a flood that goes on does not use up the whole of its time."""

LAST_CALL_S = 0.1
"""`stop` begins no call in the last part of its time: a tenth of it, at most this."""

BATCHES_TIMED = 8
"""Of so many batches of market data the handlers of one event are timed."""

STACK_FRAMES = 8
"""Innermost frames of a slow or stuck handler that are shown."""

ERRORS_LOGGED = 10
"""Failures of one handler that are logged each; after that the 16th, 32nd, 64th ... are."""

HANDLER_ERRORS = BaseException
"""What a handler may raise without harm: SystemExit and CancelledError, too, would end the dispatch thread."""

_process_watch = HandlerWatch()
"""Sees slow handlers of all engines of this process that do not look themselves."""

_running: set[EventEngine] = set()
"""Engines whose dispatch threads must end before the interpreter may."""


class Event(Struct, eq=False):
    """Something of a `type` has happened; `data` says what. Equal only to itself."""

    type: str
    data: Any = None

    def __repr__(self) -> str:
        return f"Event({self.type!r}, {self.data!r})"


Handler = Callable[[Event], Any]


class QueueFull(Exception):
    """An event that must not be dropped found no room in time; its putter still has it."""


class EventSource(Protocol):
    """Where the dispatch thread gets market events from."""

    def fileno(self) -> int:
        """Readable (edge-triggered) when there may be something."""

    def due(self) -> float:
        """When to `pump` at the latest, though nothing is readable: monotonic seconds."""

    def pump(self) -> bool:
        """Dispatch a bounded amount; True if more may be waiting."""

    def finish(self, deadline: float) -> None:
        """At the end: dispatch all that is at hand, until `deadline` (monotonic seconds) at the latest."""


class _Leaving(Struct, frozen=True, eq=False):
    """A source that is to be detached."""

    source: EventSource
    deadline: float
    gone: threading.Event


class EventEngine:
    """Calls the handlers of each event, in order of arrival, on one thread.

    `interval`: seconds between timer events. `queue_limit`: events that may wait, of the classes that block, and
    symbols of those that conflate; `never_drop_limit`: events that may wait before one is refused that must not be
    dropped. `policies`: of event classes (`queue_policy`). `put_wait_s`: how long `put` waits for room.

    `slow_handler_ms`: a call that takes longer is logged with its stack while it runs, and counted; None: never.
    `own_watch`: False if the caller calls `look` regularly; else a thread does, one for all engines of the process.
    `suspend_after`: a handler that fails so many times in a row is suspended until `revive`; None: never.
    """

    def __init__(
        self,
        interval: float = 1,
        *,
        queue_limit: int = 100_000,
        never_drop_limit: int = NEVER_DROP_LIMIT,
        policies: Mapping[str, Policy] = POLICIES,
        put_wait_s: float = PUT_WAIT_S,
        never_drop_wait_s: float = NEVER_DROP_WAIT_S,
        slow_handler_ms: float | None = 100.0,
        own_watch: bool = True,
        suspend_after: int | None = None,
        log: ChildLog | None = None,
    ) -> None:
        if interval <= 0:
            raise ValueError(f"interval must be more than 0 seconds, not {interval}")
        self._interval = interval
        self._put_wait_s = put_wait_s
        self._never_drop_wait_s = never_drop_wait_s
        self._suspend_after = suspend_after
        self._log: ChildLog = log if log is not None else structlog.get_logger("foxtrot.engine")

        # re-entrant, all of them: a signal handler or a finalizer may come in where this thread holds one
        self._life_lock = threading.RLock()
        self._lock = threading.RLock()
        self._room = threading.Condition(self._lock)
        self._wake_lock = threading.RLock()

        self._queue = EventQueue(queue_limit, policies, never_drop_limit)
        self._entries = self._queue.entries
        self._roomy_below = self._queue.roomy_below
        self._waiting = 0
        self._most = HAND_MAX

        self._desk = HandlerDesk(self._log)
        self._routes = self._desk.routes
        self._market_routes = self._desk.market_routes

        self._sources: tuple[EventSource, ...] = ()
        self._leaving: deque[_Leaving] = deque()
        self._thread: threading.Thread | None = None
        self._wake_fd: int | None = None
        self._asleep = False
        self._active = False
        self._ended = threading.Event()
        self._drain_until = 0.0

        self._batches = 0
        self._current: Registration | None = None
        self._judge = None if slow_handler_ms is None else SlowCallJudge(slow_handler_ms / 1000.0)
        self.own_watch = own_watch and self._judge is not None
        """Whether it looks at its handlers itself; else somebody is expected to call `look`."""
        self._to_watch = False
        """Whether a watch has yet to be asked for: before the first call, so that what only waits has one thread."""
        self.handler_errors_total = 0
        self.slow_calls_total = 0
        self.last_stop: StopReport | None = None
        """What the latest `stop` reported."""
        self.dispatch_latency = LatencyHistogram()

    # ---- life

    def start(self) -> None:
        """Start dispatching; does nothing if started. After a `stop` it goes on with what was left in the queue.

        Raises `RuntimeError` if the last run's handler has still not returned.
        """
        while True:
            with self._life_lock:
                before = self._thread
                if before is None or not before.is_alive():
                    self._start()
                    return
                if self._active:
                    return
                left_s = self._drain_until + LAST_CALL_S - time.monotonic()
            if left_s <= 0 or before is threading.current_thread():
                raise RuntimeError(f"the engine cannot start again: {self._current_name()} has not returned")
            before.join(left_s)

    def _start(self) -> None:
        self._active = True
        self._wake_fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._ended.clear()
        # a daemon, so that a handler that never returns cannot keep the interpreter from ending; nothing is cut off
        # all the same: the end of the interpreter waits for every engine that was not stopped in vain
        self._thread = threading.Thread(target=self._run, name="event-engine", daemon=True)
        _running.add(self)
        self._thread.start()

    def stop(self, timeout_s: float = STOP_S) -> StopReport:
        """Handle what is queued, then end the dispatch thread; returns how many events were left, and why.

        Safe from any thread, and twice. From a handler it only asks: the thread ends after that handler has returned,
        within the same time. A handler that never returns makes this give up after `timeout_s`: the report then
        names it and where it is. What was left stays queued for the next `start`.
        """
        deadline = time.monotonic() + timeout_s
        until = deadline - min(LAST_CALL_S, timeout_s / 10)
        with self._life_lock:
            thread = self._thread
            # the tightest of several wins
            self._drain_until = until if self._active else min(self._drain_until, until)
            self._active = False
        self.wake()
        if thread is not None and thread is not threading.current_thread():
            thread.join(max(0.0, deadline - time.monotonic()))
            if thread.is_alive():
                self.last_stop = self._stuck()
                return self.last_stop
        self.last_stop = StopReport(self._left())
        return self.last_stop

    def is_active(self) -> bool:
        """Whether it was started and not yet asked to stop."""
        return self._active

    def is_dispatching(self) -> bool:
        """Whether the dispatch thread lives."""
        thread = self._thread
        return thread is not None and thread.is_alive()

    def attach(self, source: EventSource) -> None:
        """Let the dispatch thread read `source` as well, from now on or from `start` on."""
        with self._life_lock:
            self._sources = (*self._sources, source)
        self.wake()

    def detach(self, source: EventSource, timeout_s: float = STOP_S) -> bool:
        """Have what `source` has at hand dispatched, then forget it; whether that is done within `timeout_s`.

        False: a handler did not return; the source must not be closed yet.
        """
        leaving = _Leaving(source, time.monotonic() + timeout_s, threading.Event())
        self._leaving.append(leaving)
        if self.is_dispatching() and not self.dispatches_on(threading.current_thread()):
            self.wake()
            leaving.gone.wait(timeout_s)
            if self.is_dispatching():
                return leaving.gone.is_set()
        self._let_go()
        return True

    def dispatches_on(self, thread: threading.Thread) -> bool:
        """Whether handlers are called on `thread`."""
        return thread is self._thread

    def wake(self) -> None:
        """Let the dispatch thread look at its source and queue now; from any thread."""
        # under the lock, or the number could meanwhile be another file's
        with self._wake_lock:
            if self._wake_fd is not None:
                os.eventfd_write(self._wake_fd, 1)

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

        `owner`: from `owner`, or a name, or any object that can be referred to weakly. When it closes or is collected,
        the handler goes, unless it has another. A bound method of the owner itself is held weakly. `weak`: hold a bound
        method weakly, so that it goes with its object.
        """
        if not type:
            raise ValueError("an event type cannot be empty")
        self._desk.register(type, handler, owner=owner, weak=weak)

    def unregister(self, type: str, handler: Handler) -> None:  # noqa: A002 - vn.py's name
        """Undo `register`, for all owners; does nothing if it was not registered."""
        self._desk.unregister(type, handler)

    def register_general(self, handler: Handler, *, owner: object = None, weak: bool = False) -> None:
        """Call `handler` for every event, after the typed handlers; else as `register`."""
        self._desk.register(GENERAL, handler, owner=owner, weak=weak)

    def unregister_general(self, handler: Handler) -> None:
        """Undo `register_general`."""
        self._desk.unregister(GENERAL, handler)

    def clear_handlers(self) -> None:
        """Forget every handler; owners stay open."""
        self._desk.clear()

    def handler_count(self) -> int:
        """How many registrations there are, general ones included."""
        return self._desk.count()

    def handlers(self) -> list[HandlerInfo]:
        """Every registration: of what, by whom, how often called, how slow, how many errors."""
        return self._desk.infos()

    def worst_handlers(self, count: int) -> list[HandlerInfo]:
        """Those of `handlers` that most need looking at: suspended, then failing, then slow, then busy."""
        return self._desk.worst(count)

    def revive(self, type: str, handler: Handler) -> bool:  # noqa: A002 - vn.py's name
        """Call a suspended handler again (`type` "" for a general one); False if it is not suspended."""
        return self._desk.revive(type, handler)

    def owner(self, who: object) -> Owner:
        """The owner of that name, or the owner that is the object `who`; opened if need be.

        A named owner closes when it is closed, when its ``with`` block ends, or when what this returns is collected,
        so keep it (unless handlers were also registered with the name itself). An object's closes with the object.
        """
        return self._desk.owner(who)

    def owners(self) -> list[str]:
        """The names of the owners that are open."""
        return self._desk.owners()

    def watch_handlers(self, event_class: str, watcher: HandlerWatcher) -> None:
        """Tell `watcher` of each handler for types of `event_class` (``eTick.``): that is there or comes, or goes.

        It is called within the change, on the thread that makes it: it must be quick, and may register handlers.
        """
        self._desk.watch_handlers(event_class, watcher)

    def watch_owners(self, watcher: OwnerWatcher) -> None:
        """Tell `watcher` of each owner that closes: its name, and the objects whose methods it alone had registered."""
        self._desk.watch_owners(watcher)

    def forget_watcher(self, watcher: Callable[..., None]) -> None:
        """Undo `watch_handlers` and `watch_owners`."""
        self._desk.forget_watcher(watcher)

    # ---- events in

    def put(self, event: Event) -> bool:
        """Queue `event`. With a full queue waits for room (never on the dispatch thread itself).

        Returns False if it was dropped (and counted): the queue stayed full. Raises `QueueFull` instead for an event
        that must not be dropped.
        """
        # no lock and no call where there is room for sure: this is what every event costs its putter
        entries = self._entries
        if len(entries) < self._roomy_below.get(event.type, 0):
            entries.append(event)
        else:
            with self._lock:
                queued = self._queue.offer(event)
            if not queued:
                return self._put_when_roomy(event)
        if self._asleep:
            self._wake_sleeper()
        return True

    def queue_depth(self) -> int:
        """Events waiting for their handlers."""
        with self._lock:
            return len(self._queue)

    def counts(self) -> QueueCounts:
        """What became of all that was put; adds up exactly."""
        with self._lock:
            return self._queue.counts()

    @property
    def dropped_total(self) -> int:
        """Events for which there was no room."""
        return self.counts().dropped

    @property
    def calls_total(self) -> int:
        """Calls of handlers."""
        return self._desk.calls_total()

    @property
    def current_handler(self) -> Handler | None:
        """The handler that is running now."""
        registration = self._current
        return None if registration is None else registration.handler

    def dispatch(self, event: Event) -> None:
        """Call the handlers of `event` now; only from the dispatch thread (a source's `pump`, a handler)."""
        route = self._routes.get(event.type)
        if route is None:
            route = self._desk.route(event.type)
        if self._to_watch:
            self._watch()
        before = self._current
        for registration in route:
            self._current = registration
            registration.calls += 1
            try:
                registration.call(event)
            except HANDLER_ERRORS as error:
                self._handler_failed(registration, event, error)
        self._current = before

    def dispatch_market(self, data: Any) -> None:
        """Fan `data` out under its event type and under that type plus ``SYMBOL.EXCHANGE``.

        `data` is one of the structs of `foxtrot_protocol.events` with a symbol. General handlers see it
        once, under the plain type. Only from the dispatch thread.
        """
        self.dispatch_batch((data,))

    def dispatch_batch(self, batch: Iterable[Any]) -> None:
        """`dispatch_market` for each of `batch`, in order."""
        # the hot path of the engine process: one loop, since a call for each event costs what a handler does
        routes = self._market_routes
        before = self._current
        rest = iter(batch)
        self._batches += 1
        for data in rest if self._batches % BATCHES_TIMED == 0 else ():
            # the handlers of one event are timed, in place of all
            key = (data.__class__, data.symbol, data.exchange)
            route = routes.get(key)
            if route is None:
                route = self._desk.market_route(key)
            event_name = ""
            for name, registration in route:
                if name is not event_name:
                    event_name = name
                    event = Event(name, data)
                self._call_timed(registration, event)
            break
        for data in rest:
            key = (data.__class__, data.symbol, data.exchange)
            route = routes.get(key)
            if route is None:
                route = self._desk.market_route(key)
            event_name = ""
            for name, registration in route:
                if name is not event_name:
                    event_name = name
                    event = Event(name, data)
                self._current = registration
                registration.calls += 1
                try:
                    registration.call(event)
                except HANDLER_ERRORS as error:
                    self._handler_failed(registration, event, error)
        self._current = before

    def look(self, now: float) -> None:
        """Warn of the running handler if it is slow; from another thread than the dispatch thread, again and again.

        `now`: monotonic seconds.
        """
        registration = self._current
        if self._judge is None:
            return
        elapsed_s, tell = self._judge.look(registration, now)
        if registration is None:
            return
        registration.running_for(int(elapsed_s * 1e9))
        if tell:
            registration.slow += 1
            self.slow_calls_total += 1
            self._log.warning(
                "slow_handler", handler=registration.name, type=registration.type, stack=self._dispatch_stack()
            )

    # ---- calls

    def _watch(self) -> None:
        self._to_watch = False
        if not _process_watch.add(self):
            self._log.warning("handlers_unwatched", reason="no thread can be started to look for slow ones")

    def _call_timed(self, registration: Registration, event: Event) -> None:
        if self._to_watch:
            self._watch()
        self._current = registration
        registration.calls += 1
        started_ns = time.monotonic_ns()
        try:
            registration.call(event)
        except HANDLER_ERRORS as error:
            self._handler_failed(registration, event, error)
        ended_ns = time.monotonic_ns()
        registration.took(ended_ns - started_ns, ended_ns)

    def _dispatch_timed(self, event: Event) -> None:
        route = self._routes.get(event.type)
        if route is None:
            route = self._desk.route(event.type)
        for registration in route:
            self._call_timed(registration, event)
        self._current = None

    def _handler_failed(self, registration: Registration, event: Event, error: BaseException) -> None:
        self.handler_errors_total += 1
        in_row = registration.failed()
        errors = registration.errors
        if errors <= ERRORS_LOGGED or errors & (errors - 1) == 0:
            self._log.error(
                "handler_failed",
                handler=registration.name,
                type=event.type,
                errors=errors,
                reason=repr(error),
                trace="".join(traceback.format_exception(error)),
            )
        if self._suspend_after is not None and in_row >= self._suspend_after:
            self._desk.suspend(registration)
            self._log.error("handler_suspended", handler=registration.name, type=registration.type, in_row=in_row)

    # ---- the dispatch thread

    def _run(self) -> None:
        self._to_watch = self.own_watch
        try:
            self._turn_until_stopped()
            self._drain()
        finally:
            self._active = False
            if self.own_watch:
                _process_watch.remove(self)
                self._to_watch = False
            with self._wake_lock:
                assert self._wake_fd is not None
                os.close(self._wake_fd)
                self._wake_fd = None
            _running.discard(self)
            self._ended.set()

    def _turn_until_stopped(self) -> None:
        with select.epoll() as poller:
            # edge-triggered: nobody reads the counter, each write is an edge, and it takes centuries to fill
            assert self._wake_fd is not None
            poller.register(self._wake_fd, select.EPOLLIN | select.EPOLLET)
            self._turn_on(poller)

    def _turn_on(self, poller: select.epoll) -> None:
        sources: tuple[EventSource, ...] = ()
        timer_at = time.monotonic() + self._interval
        more = True
        while self._active:
            if self._leaving:
                self._let_go()
            if sources is not self._sources:
                _exchange(poller, sources, self._sources)
                sources, more = self._sources, True
            if not more:
                self._sleep(poller, timer_at)
            more = self._handle_queued()
            for source in sources:
                more = source.pump() or more
            now = time.monotonic()
            if now >= timer_at:
                self._dispatch_timed(Event(EVENT_TIMER))
                # an absolute schedule: no drift, and no burst after a long handler
                timer_at += self._interval * (1 + (now - timer_at) // self._interval)
                self.dispatch_latency.rotate(now)

    def _sleep(self, poller: select.epoll, timer_at: float) -> None:
        # in this order, since whoever puts first appends and then asks whether to wake: one of the two sees the other
        self._asleep = True
        if self._queue or not self._active:
            self._asleep = False
            return
        until = timer_at
        for source in self._sources:
            until = min(until, source.due())
        poller.poll(max(0.0, until - time.monotonic()))
        self._asleep = False

    def _handle_queued(self) -> bool:
        """Handle one hand of queued events; True if there may be more."""
        hand = self._take(self._most)
        started = time.monotonic()
        for event in hand:
            # the handlers of the first are timed, in place of all
            self._dispatch_timed(event)
            break
        else:
            return False
        while (quick := time.monotonic() - started < TURN_S) and self._active and self._handle_some(hand):
            pass
        self._current = None
        if not quick or not self._active:
            with self._lock:
                self._queue.put_back()
        # slow handlers get smaller hands, so that timer and source keep their turns
        self._most = min(HAND_MAX, self._most * 2) if quick else max(1, self._most // 2)
        return True

    def _handle_some(self, hand: Iterator[Any]) -> bool:
        """Handle the next `EVENTS_BETWEEN_LOOKS` of `hand`; False if there is none."""
        routes = self._routes
        event = None
        for event in islice(hand, EVENTS_BETWEEN_LOOKS):
            route = routes.get(event.type)
            if route is None:
                route = self._desk.route(event.type)
            for registration in route:
                self._current = registration
                registration.calls += 1
                try:
                    registration.call(event)
                except HANDLER_ERRORS as error:
                    self._handler_failed(registration, event, error)
            if not self._active:
                break
        return event is not None

    def _take(self, most: int) -> Iterator[Any]:
        with self._lock:
            hand = self._queue.take(most)
            if self._waiting:
                self._room.notify_all()
        return hand

    def _drain(self) -> None:
        for source in self._sources:
            source.finish(self._drain_until)
        for _ in range(DRAIN_ROUNDS):
            for _ in range(len(self._queue)):
                if time.monotonic() >= self._drain_until:
                    return
                # one at a time: nobody knows how long each takes
                for event in self._take(1):
                    self._dispatch_timed(event)

    # ---- out of room, out of time

    def _let_go(self) -> None:
        while self._leaving:
            leaving = self._leaving.popleft()
            if leaving.source in self._sources:
                leaving.source.finish(leaving.deadline)
                with self._life_lock:
                    self._sources = tuple(source for source in self._sources if source is not leaving.source)
            leaving.gone.set()

    def _put_when_roomy(self, event: Event) -> bool:
        never_drop = self._queue.policy_of(event.type) == "never_drop"
        wait_s = self._never_drop_wait_s if never_drop else self._put_wait_s
        if threading.current_thread() is self._thread:
            wait_s = 0.0  # it would wait for itself
        with self._room:
            self._waiting += 1
            try:
                queued = self._room.wait_for(lambda: self._queue.offer(event), wait_s)
            finally:
                self._waiting -= 1
            if not queued and never_drop:
                self._queue.refuse()
            elif not queued:
                self._queue.drop(event)
        if queued:
            if self._asleep:
                self._wake_sleeper()
        elif never_drop:
            raise QueueFull(f"no room for an event {event.type!r} within {wait_s:g} s")
        return queued

    def _wake_sleeper(self) -> None:
        # one wake-up is enough, whoever else puts meanwhile
        self._asleep = False
        self.wake()

    def _left(self) -> dict[str, int]:
        with self._lock:
            return self._queue.waiting_by_class()

    def _stuck(self) -> StopReport:
        report = StopReport(self._left(), self._current_name(), self._dispatch_stack())
        self._log.error(
            "event_engine_stuck",
            handler=report.stuck_handler,
            left=int(report),
            left_by_class=report.left_by_class,
            stack=report.stack,
        )
        # it was given its time: the interpreter need not wait for it any more
        _running.discard(self)
        self._ended.set()
        return report

    def _current_name(self) -> str:
        registration = self._current
        return "the dispatch thread, in no handler," if registration is None else registration.name

    def _dispatch_stack(self) -> str:
        thread = self._thread
        frame = None if thread is None or thread.ident is None else sys._current_frames().get(thread.ident)
        return "" if frame is None else "".join(traceback.format_stack(frame)[-STACK_FRAMES:])

    def _wait_at_exit(self) -> None:
        if not self.is_dispatching():
            return  # another process's, before a fork
        try:
            self._ended.wait()
        except KeyboardInterrupt:
            self.stop()


def _exchange(poller: select.epoll, before: tuple[EventSource, ...], after: tuple[EventSource, ...]) -> None:
    for source in before:
        if source not in after:
            # once let go, its owner may have closed it; then it has gone from the poller by itself
            with contextlib.suppress(OSError, ValueError):
                poller.unregister(source.fileno())
    for source in after:
        if source not in before:
            poller.register(source.fileno(), select.EPOLLIN)


def _wait_for_running() -> None:
    """At the end of the interpreter: as with a thread that is no daemon, what runs goes on until it is stopped."""
    for engine in tuple(_running):
        engine._wait_at_exit()


atexit.register(_wait_for_running)
