"""The dispatch thread of an EventEngine: serves queued events, the timer and sources in turn."""

from __future__ import annotations

import contextlib
import math
import os
import select
import sys
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterator
from itertools import islice
from operator import length_hint
from typing import Any

from msgspec import Struct

from foxtrot_protocol.events import EVENT_TIMER
from foxtrot_supervisor.engine.bus.dispatcher import Call, Dispatcher
from foxtrot_supervisor.engine.bus.event import EarlyNotice, Event, EventSource, Poller
from foxtrot_supervisor.engine.bus.inbox import Inbox
from foxtrot_supervisor.engine.bus.queue import CHUNK_MAX

__all__ = ["DRAIN_ROUNDS", "EVENTS_BETWEEN_LOOKS", "STACK_FRAMES", "TURN_S", "DispatchThread"]

TURN_S = 0.01
"""Time after which handling queued events is interrupted for sources and the timer."""

EVENTS_BETWEEN_LOOKS = 16
"""Queued events handled between two clock reads."""

LOOKS_BETWEEN_CALLS = 8
"""Questions to the sources between two system calls of a thread that does not sleep."""

DRAIN_ROUNDS = 10
"""Passes of the final drain; each handles the events that the previous one caused. Bounded, because handlers may go on
putting events."""

STACK_FRAMES = 8
"""Innermost frames of a slow or stuck handler that are shown."""


class _Leaving(Struct, frozen=True, eq=False):
    """A request to detach a source."""

    source: EventSource
    deadline: float
    gone: threading.Event


class DispatchThread:
    """One dispatch thread at a time; `start` after the end of the last begins another.

    `interval`: seconds between timer events. `spin_s`: seconds in which it asks for more again and again before it
    sleeps; 0: it sleeps at once, infinite: never. `on_timer(now)`: called with each (monotonic seconds). `on_begin`,
    `on_end`: called on the thread, first and last.
    """

    def __init__(
        self,
        inbox: Inbox,
        dispatcher: Dispatcher,
        *,
        interval: float,
        spin_s: float = 0.0,
        on_timer: Callable[[float], None],
        on_begin: Callable[[], None],
        on_end: Callable[[], None],
    ) -> None:
        self._inbox = inbox
        self._dispatcher = dispatcher
        self._interval = interval
        self._spin_s = spin_s
        self._on_timer = on_timer
        self._on_begin = on_begin
        self._on_end = on_end
        # both re-entrant: a signal handler or a finalizer may interrupt this thread while it holds one
        self._sources_lock = threading.RLock()
        self._wake_lock = threading.RLock()
        self._sources: tuple[EventSource, ...] = ()
        self._early: EarlyNotice | None = None
        """What announces a source, where one is announced."""
        self._early_came: bool | None = None
        """Whether something has followed its last notice; None: that was said."""
        self._leaving: deque[_Leaving] = deque()
        self._wake_fd: int | None = None
        self._chunk_max = CHUNK_MAX
        self.thread = self._make_thread()
        """The present thread, or the next one, not yet started."""
        self.asleep = False
        """It waits for `wake`: after queueing an event, call `wake_sleeper`."""
        self.active = False
        """It was started, and no stop was requested."""
        self.own_timer = True
        """Whether it makes timer events; in a replay, the source makes them by recorded time."""
        self.drain_until = 0.0
        """When the final drain gives up: monotonic seconds."""

    # ---- from any thread

    def start(self) -> None:
        """Start a thread. Precondition: there is none, or the last one has ended."""
        if self.thread.ident is not None:
            self.thread = self._make_thread()
        self.active = True
        self._wake_fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self.thread.start()

    def is_alive(self) -> bool:
        """Whether the thread runs."""
        return self.thread.is_alive()

    def is_this_thread(self) -> bool:
        """Whether the caller runs on it."""
        return threading.current_thread() is self.thread

    def wake(self) -> None:
        """Interrupt its waiting, so that it checks sources and queue now."""
        # under the lock: the descriptor may be closed meanwhile, and its number reused
        with self._wake_lock:
            if self._wake_fd is not None:
                os.eventfd_write(self._wake_fd, 1)

    def wake_sleeper(self) -> None:
        """Wake it after an event was queued; one wake-up serves all events queued meanwhile."""
        self.asleep = False
        self.wake()

    def attach(self, source: EventSource) -> None:
        """Read `source` as well, from now on; for one that is read already, its descriptor is asked for again."""
        with self._sources_lock:
            self._sources = (*(each for each in self._sources if each is not source), source)
        self.wake()

    def detach(self, source: EventSource, timeout_s: float) -> bool:
        """Dispatch what `source` has available, then forget it; return whether that was done within `timeout_s`."""
        leaving = _Leaving(source, time.monotonic() + timeout_s, threading.Event())
        self._leaving.append(leaving)
        if self.is_alive() and not self.is_this_thread():
            self.wake()
            leaving.gone.wait(timeout_s)
            if self.is_alive():
                return leaving.gone.is_set()
        self._detach_leaving()
        return True

    def stack(self) -> str:
        """Return the innermost frames of what it is doing; "" where it does not run."""
        ident = self.thread.ident
        frame = None if ident is None else sys._current_frames().get(ident)
        return "" if frame is None else "".join(traceback.format_stack(frame)[-STACK_FRAMES:])

    # ---- on the thread

    def _make_thread(self) -> threading.Thread:
        # a daemon thread, so that a handler that never returns cannot prevent interpreter exit. Nothing else is cut
        # off: at exit, the interpreter waits for every engine, unless its `stop` has failed already (event_engine)
        return threading.Thread(target=self._run, name="event-engine", daemon=True)

    def _run(self) -> None:
        self._on_begin()
        try:
            with select.epoll() as poller:
                # edge-triggered: each write wakes it, and the counter, never read, takes centuries to overflow
                assert self._wake_fd is not None
                poller.register(self._wake_fd, select.EPOLLIN | select.EPOLLET)
                self._turn_until_stopped(poller)
                self._join_early(poller, ())
            self._drain()
        finally:
            self.active = False
            with self._wake_lock:
                assert self._wake_fd is not None
                os.close(self._wake_fd)
                self._wake_fd = None
            self._on_end()

    def _turn_until_stopped(self, poller: select.epoll) -> None:
        sources: tuple[EventSource, ...] = ()
        watched: dict[int, EventSource] = {}
        timer_at = time.monotonic() + self._interval
        more = True
        while self.active:
            if self._leaving:
                self._detach_leaving()
            if sources is not self._sources:
                sources, more = self._sources, True
                watched = _exchange(poller, watched, sources)
                self._join_early(poller, sources)
            if not more:
                self._sleep(poller, timer_at)
            more = self._handle_queued()
            for source in sources:
                more = source.pump() or more
            now = time.monotonic()
            if now >= timer_at:
                if self.own_timer:
                    self._dispatcher.dispatch_timed(Event(EVENT_TIMER))
                # an absolute schedule: no drift, and no burst after a long handler
                timer_at += self._interval * (1 + (now - timer_at) // self._interval)
                self._on_timer(now)

    def _sleep(self, poller: select.epoll, timer_at: float) -> None:
        if self._early_came is not None:
            self._judge_early()
        until = timer_at
        for source in self._sources:
            until = min(until, source.due())
        if self._spin_s and self._spin(poller, until, self._spin_s):
            return
        # in this order, since `put` first appends and then checks `asleep`: one of the two sees the other
        self.asleep = True
        if self._inbox or not self.active:
            self.asleep = False
            return
        found = poller.poll(max(0.0, until - time.monotonic()))
        self.asleep = False
        early = self._early
        if found and early is not None and early.is_all(found):
            self._early_came = self._spin(poller, until, early.rung(found))

    def _judge_early(self) -> None:
        """Say what has followed the last early notice: before the next sleep, so that what came did not wait for it."""
        came, self._early_came = self._early_came, None
        if self._early is not None and came is not None:
            self._early.followed(came)

    def _spin(self, poller: select.epoll, until: float, seconds: float) -> bool:
        """Ask for more again and again; False after `seconds`. Each question releases the interpreter lock."""
        ask, inbox, now, give_way = poller.poll, self._inbox, time.monotonic, os.sched_yield
        waiting, early = [source.is_waiting for source in self._sources], self._early
        end = min(until, now() + seconds)
        while self.active and not inbox:
            for _ in range(LOOKS_BETWEEN_CALLS):
                for is_waiting in waiting:
                    if is_waiting():
                        return True
            found = ask(0)
            if found and (early is None or not early.is_all(found)):
                return True
            if now() >= end:
                return end >= until
            give_way()
        return True

    def _join_early(self, poller: Poller, sources: tuple[EventSource, ...]) -> None:
        """Watch what announces the first of `sources` that is announced; a thread that never sleeps needs nothing."""
        if self._early is not None:
            self._early.leave()
        self._early_came = None
        announced = () if math.isinf(self._spin_s) else (source.early for source in sources)
        self._early = next((early for early in announced if early is not None), None)
        if self._early is not None:
            self._early.join(poller)

    def _handle_queued(self) -> bool:
        """Handle one chunk of queued events; return True if there may be more."""
        if not self._inbox:
            return False
        chunk = self._inbox.take(self._chunk_max)
        started = time.monotonic()
        first = next(chunk, None)
        if first is None:
            return False
        self._dispatcher.dispatch_timed(first)  # timed as a sample of its chunk
        while (quick := time.monotonic() - started < TURN_S) and self.active and length_hint(chunk):
            self._dispatcher.call(self._queued_calls(chunk))
        self._dispatcher.current = None
        if not quick or not self.active:
            self._inbox.put_back()
        # smaller chunks for slow handlers, so that timer and sources get their turn
        self._chunk_max = min(CHUNK_MAX, self._chunk_max * 2) if quick else max(1, self._chunk_max // 2)
        return True

    def _queued_calls(self, chunk: Iterator[Any]) -> Iterator[Call]:
        routes = self._dispatcher.routes
        for event in islice(chunk, EVENTS_BETWEEN_LOOKS):
            route = routes.get(event.type)
            yield event, self._dispatcher.route(event) if route is None else route
            if not self.active:
                return

    def _drain(self) -> None:
        for source in self._sources:
            source.finish(self.drain_until)
        for _ in range(DRAIN_ROUNDS):
            for _ in range(len(self._inbox)):
                if time.monotonic() >= self.drain_until:
                    return
                # one at a time: each may take long
                for event in self._inbox.take(1):
                    self._dispatcher.dispatch_timed(event)

    def _detach_leaving(self) -> None:
        while self._leaving:
            leaving = self._leaving.popleft()
            if leaving.source in self._sources:
                leaving.source.finish(leaving.deadline)
                if self._early is not None and self._early is leaving.source.early:
                    self._early.leave()  # now: afterwards its owner may close it
                    self._early = None
                with self._sources_lock:
                    self._sources = tuple(source for source in self._sources if source is not leaving.source)
            leaving.gone.set()


def _exchange(
    poller: select.epoll, watched: dict[int, EventSource], sources: tuple[EventSource, ...]
) -> dict[int, EventSource]:
    """Watch the descriptors of `sources` in place of those in `watched`; return them."""
    now = {source.fileno(): source for source in sources}
    for descriptor, source in watched.items():
        if now.get(descriptor) is not source:
            # its owner may have closed it after detaching; the kernel has then removed it from the poller
            with contextlib.suppress(OSError, ValueError):
                poller.unregister(descriptor)
    for descriptor, source in now.items():
        if watched.get(descriptor) is not source:
            poller.register(descriptor, select.EPOLLIN)
    return now
