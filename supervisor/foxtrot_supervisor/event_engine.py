"""The EventEngine: events in, handlers called, on one dispatch thread.

In the vn.py tradition: ``register(type, handler)``, ``put(event)``, typed handlers before general ones, a
handler at most once for each type, a timer event. Different where that design leaks or hangs: the queue
is bounded, a handler's exception is counted and hurts nobody, the timer needs no thread and does not
drift, `stop` ends within a deadline and says what it left.

A *source* (the receiver of the workers' batches) can be attached: the dispatch thread then reads it
directly, without a queue between, so a batch costs one wake-up and no hand-over.
"""

from __future__ import annotations

import contextlib
import os
import select
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, Protocol

import structlog
from msgspec import Struct

from foxtrot_protocol.child import ChildLog
from foxtrot_protocol.events import EVENT_TIMER, EVENT_TYPES
from foxtrot_supervisor.latency import LatencyHistogram

__all__ = ["EVENT_TIMER", "Event", "EventEngine", "EventSource", "Handler"]

ROUTES_MAX = 100_000
"""Combinations of type, symbol and exchange whose handlers are remembered."""

QUEUED_PER_TURN = 1000
"""Queued events handled before the source is looked at again."""

PUT_WAIT_S = 5.0
"""How long `put` waits for room in a full queue before the event is dropped and counted."""

STOP_S = 30.0

HANDLER_ERRORS = (Exception, SystemExit)
"""What a handler may raise without harm; SystemExit too, which would end the dispatch thread without a word."""


class Event(Struct, eq=False):
    """Something of a `type` has happened; `data` says what. Equal only to itself."""

    type: str
    data: Any = None

    def __repr__(self) -> str:
        return f"Event({self.type!r}, {self.data!r})"


Handler = Callable[[Event], Any]


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


class EventEngine:
    """Calls the handlers of each event, in order of arrival, on one thread.

    `interval`: seconds between timer events. `queue_limit`: events that `put` may queue.
    """

    def __init__(self, interval: float = 1, *, queue_limit: int = 100_000, log: ChildLog | None = None) -> None:
        self._interval = interval
        self._queue_limit = queue_limit
        self._log: ChildLog = log if log is not None else structlog.get_logger("foxtrot.engine")
        self._lock = threading.RLock()
        self._handlers: dict[str, tuple[Handler, ...]] = {}
        self._general: tuple[Handler, ...] = ()
        self._routes: dict[tuple[type, str, str], tuple[tuple[str, Handler], ...]] = {}
        self._queue: deque[Event] = deque()
        self._room = threading.Condition(threading.Lock())
        self._source: EventSource | None = None
        self._thread: threading.Thread | None = None
        self._wake_fd: int | None = None
        self._asleep = False
        self._active = False
        self._drain_until = 0.0
        self.current_handler: Handler | None = None
        """The handler that is running now, for whoever watches for slow ones."""
        self.calls_total = 0
        self.handler_errors_total = 0
        self.dropped_total = 0
        self.dispatch_latency = LatencyHistogram()

    # ---- life

    def start(self) -> None:
        """Start dispatching; does nothing if started."""
        with self._lock:
            if self._active:
                return
            self._active = True
            self._wake_fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
            # not a daemon: a daemon thread is cut off in the middle of its work when the process ends
            self._thread = threading.Thread(target=self._run, name="event-engine", daemon=False)
            self._thread.start()

    def stop(self, timeout_s: float = STOP_S) -> int:
        """Handle what is queued, then end the dispatch thread; returns how many events were left.

        Called from a handler, it only asks: the thread ends after that handler has returned. A handler
        that never returns makes this give up after `timeout_s`, with the queue's length as the answer.
        """
        with self._lock:
            thread = self._thread
            if thread is None:
                return len(self._queue)
            self._drain_until = time.monotonic() + timeout_s
            self._active = False
        self.wake()
        if thread is threading.current_thread():
            return len(self._queue)
        thread.join(timeout_s)
        with self._lock:
            if not thread.is_alive() and self._thread is thread:
                self._thread = None
                if self._wake_fd is not None:
                    os.close(self._wake_fd)
                    self._wake_fd = None
        if thread.is_alive():
            self._log.error("event_engine_stuck", handler=repr(self.current_handler), left=len(self._queue))
        return len(self._queue)

    def attach(self, source: EventSource) -> None:
        """Let the dispatch thread read `source`; before `start`."""
        if self._active:
            raise RuntimeError("attach a source before the engine is started")
        self._source = source

    def wake(self) -> None:
        """Let the dispatch thread look at its source and queue now; from any thread."""
        fd = self._wake_fd
        if fd is not None:
            with contextlib.suppress(OSError):
                os.eventfd_write(fd, 1)

    # ---- handlers

    def register(self, type: str, handler: Handler) -> None:  # noqa: A002 - vn.py's name
        """Call `handler` for events of `type`; a second registration changes nothing."""
        with self._lock:
            known = self._handlers.get(type, ())
            if handler not in known:
                self._handlers[type] = (*known, handler)
                self._routes.clear()

    def unregister(self, type: str, handler: Handler) -> None:  # noqa: A002 - vn.py's name
        """Undo `register`; does nothing if it was not registered."""
        with self._lock:
            left = tuple(known for known in self._handlers.get(type, ()) if known != handler)
            if left:
                self._handlers[type] = left
            else:
                self._handlers.pop(type, None)
            self._routes.clear()

    def register_general(self, handler: Handler) -> None:
        """Call `handler` for every event, after the typed handlers."""
        with self._lock:
            if handler not in self._general:
                self._general = (*self._general, handler)
                self._routes.clear()

    def unregister_general(self, handler: Handler) -> None:
        """Undo `register_general`."""
        with self._lock:
            self._general = tuple(known for known in self._general if known != handler)
            self._routes.clear()

    def clear_handlers(self) -> None:
        """Forget every handler."""
        with self._lock:
            self._handlers.clear()
            self._general = ()
            self._routes.clear()

    def handler_count(self) -> int:
        """How many registrations there are, general ones included."""
        with self._lock:
            return sum(map(len, self._handlers.values())) + len(self._general)

    # ---- events in

    def put(self, event: Event) -> bool:
        """Queue `event`. With a full queue waits up to `PUT_WAIT_S` (never on the dispatch thread itself).

        Returns False if it was dropped (and counted): the queue stayed full.
        """
        if len(self._queue) >= self._queue_limit and not self._wait_for_room():
            self.dropped_total += 1
            return False
        self._queue.append(event)
        if self._asleep:
            self.wake()
        return True

    def is_dispatching(self) -> bool:
        """Whether the dispatch thread lives."""
        thread = self._thread
        return thread is not None and thread.is_alive()

    def queue_depth(self) -> int:
        """Events waiting in the queue."""
        return len(self._queue)

    def dispatch(self, event: Event) -> None:
        """Call the handlers of `event` now; only from the dispatch thread (a source's `pump`)."""
        for handler in self._handlers.get(event.type, ()):
            self._call(handler, event)
        for handler in self._general:
            self._call(handler, event)

    def dispatch_market(self, data: Any) -> None:
        """Fan `data` out under its event type and under that type plus ``SYMBOL.EXCHANGE``.

        `data` is one of the structs of `foxtrot_protocol.events` with a symbol. General handlers see it
        once, under the plain type. Only from the dispatch thread.
        """
        self.dispatch_batch((data,))

    def dispatch_batch(self, batch: Iterable[Any]) -> None:
        """`dispatch_market` for each of `batch`, in order."""
        # the hot path of the engine process: one loop, since a call for each event costs what a handler does
        routes = self._routes
        for data in batch:
            key = (data.__class__, data.symbol, data.exchange)
            route = routes.get(key)
            if route is None:
                route = self._make_route(key)
            event_name = ""
            for name, handler in route:
                if name is not event_name:
                    event_name = name
                    event = Event(name, data)
                self.current_handler = handler
                self.calls_total += 1
                try:
                    handler(event)
                except HANDLER_ERRORS as error:
                    self._handler_failed(handler, event, error)
        self.current_handler = None

    # ---- the dispatch thread

    def _make_route(self, key: tuple[type, str, str]) -> tuple[tuple[str, Handler], ...]:
        kind, symbol, exchange = key
        name = EVENT_TYPES[kind]
        full_name = f"{name}{symbol}.{exchange}"
        with self._lock:
            parts = (
                (name, self._handlers.get(name, ())),
                (full_name, self._handlers.get(full_name, ())),
                (name, self._general),
            )
            route = tuple((part_name, handler) for part_name, handlers in parts for handler in handlers)
            if len(self._routes) >= ROUTES_MAX:
                self._routes.clear()
            self._routes[key] = route
        return route

    def _call(self, handler: Handler, event: Event) -> None:
        self.current_handler = handler
        self.calls_total += 1
        try:
            handler(event)
        except HANDLER_ERRORS as error:
            self._handler_failed(handler, event, error)
        self.current_handler = None

    def _handler_failed(self, handler: Handler, event: Event, error: BaseException) -> None:
        self.handler_errors_total += 1
        trace = "".join(traceback.format_exception(error))
        self._log.error("handler_failed", handler=repr(handler), type=event.type, reason=repr(error), trace=trace)

    def _run(self) -> None:
        poller = select.poll()
        assert self._wake_fd is not None
        poller.register(self._wake_fd, select.POLLIN)
        if self._source is not None:
            poller.register(self._source.fileno(), select.POLLIN)
        timer_at = time.monotonic() + self._interval
        more = True
        while self._active:
            if not more:
                self._sleep(poller, timer_at)
            more = self._handle_queued()
            if self._source is not None:
                more = self._source.pump() or more
            now = time.monotonic()
            if now >= timer_at:
                self.dispatch(Event(EVENT_TIMER))
                # an absolute schedule: no drift, and no burst after a long handler
                timer_at += self._interval * (1 + (now - timer_at) // self._interval)
                self.dispatch_latency.rotate(now)
        self._drain()

    def _sleep(self, poller: select.poll, timer_at: float) -> None:
        self._asleep = True
        if not self._queue and self._active:
            until = timer_at if self._source is None else min(timer_at, self._source.due())
            poller.poll(max(0.0, until - time.monotonic()) * 1000)
        self._asleep = False
        with contextlib.suppress(BlockingIOError):
            assert self._wake_fd is not None
            os.eventfd_read(self._wake_fd)

    def _handle_queued(self) -> bool:
        for _ in range(QUEUED_PER_TURN):
            try:
                event = self._queue.popleft()
            except IndexError:
                return False
            self.dispatch(event)
            if len(self._queue) == self._queue_limit - 1:
                with self._room:
                    self._room.notify_all()
        return True

    def _drain(self) -> None:
        if self._source is not None:
            self._source.finish(self._drain_until)
        while time.monotonic() < self._drain_until and self._handle_queued():
            pass

    def _wait_for_room(self) -> bool:
        if threading.current_thread() is self._thread:
            return False
        with self._room:
            return self._room.wait_for(lambda: len(self._queue) < self._queue_limit, PUT_WAIT_S)
