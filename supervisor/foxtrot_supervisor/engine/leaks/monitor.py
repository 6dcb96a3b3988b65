"""Leak detection for a process: resources that grow, and closed objects that stay alive.

It needs no thread, but samples with the timer event of an EventEngine (ours, vn.py's or Foxtrot's): memory, threads,
descriptors, tasks, queue, handlers, garbage of the collector. A figure that grows or passes its limit
(`telemetry.growth`) is reported once, with the difference to the first sample: threads by what they run, descriptors
by what they refer to, tasks by their coroutine.

When an owner of our EventEngine closes, the objects whose methods it had registered should be collected soon;
`expect_gone` says the same of any other object. An object that is still alive after a grace period is reported with
the path of references that holds it, or with its reference cycle.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import msgspec
import structlog
from msgspec import Struct

from foxtrot_protocol.child import ChildLog
from foxtrot_protocol.events import EVENT_LEAK, EVENT_TIMER, Leak
from foxtrot_supervisor.engine.bus.event_engine import Event, EventEngine
from foxtrot_supervisor.engine.leaks.reference_paths import SEARCH_S, find_holding
from foxtrot_supervisor.telemetry import census as resource_census
from foxtrot_supervisor.telemetry.census import Census, more_of, take_census
from foxtrot_supervisor.telemetry.growth import LIMITS, SAMPLES_MAX, Growth, GrowthWatch, Limit

__all__ = ["EXPECTED_MAX", "FOUND_MAX", "LeakMonitor", "TimerEngine", "leak_text"]

SAMPLE_S = 5.0
"""Interval of samples."""

GONE_S = 5.0
"""Grace period for a closed object: its last call may not have returned yet."""

EXPECTED_MAX = 1000
"""Limit of objects expected to be gone; beyond it the oldest is evicted and counted."""

FOUND_MAX = 100
"""Number of latest findings kept."""


def leak_text(leak: Leak) -> str:
    """Return a finding as text: what leaks in the first line, the likely causes in the following ones."""
    if leak.what == "held":
        return f"held: {leak.detail}"
    pace = f" by {leak.per_hour:.1f} an hour" if leak.per_hour else ""
    return f"{leak.what} {leak.verdict}{pace}, now {leak.value:.0f}\n{leak.detail}".rstrip()


class TimerEngine(Protocol):
    """The required part of an EventEngine; ours, vn.py's and Foxtrot's have it."""

    def register(self, type: str, handler: Callable[[Any], Any], /) -> Any: ...  # noqa: A002 - vn.py's name
    def unregister(self, type: str, handler: Callable[[Any], Any], /) -> Any: ...  # noqa: A002 - vn.py's name
    def put(self, event: Any, /) -> Any: ...


class _Expected(Struct):
    """A closed object that should be collected by `due` (monotonic seconds)."""

    name: str
    reference: weakref.ref[Any]
    due: float


class LeakMonitor:
    """Samples this process with the timer events of `engine`, until `close`.

    `sample_s`: seconds between samples. `least_s`: seconds of samples needed to judge growth. `gone_s`: grace period of
    closed objects in seconds. `limits`: as `telemetry.growth.LIMITS`. `loops`: event loops whose tasks are counted.
    `event`: makes an event of that engine from type and data; ours by default. `find_paths`: search for what holds a
    leaked object, which stops the process for up to `search_s` seconds.
    """

    def __init__(
        self,
        engine: TimerEngine,
        *,
        sample_s: float = SAMPLE_S,
        least_s: float = 120.0,
        gone_s: float = GONE_S,
        limits: Mapping[str, Limit] = LIMITS,
        loops: Sequence[asyncio.AbstractEventLoop] = (),
        event: Callable[[str, Any], Any] | None = None,
        find_paths: bool = True,
        search_s: float = SEARCH_S,
        log: ChildLog | None = None,
    ) -> None:
        self._engine = engine
        self._sample_s = sample_s
        self._gone_s = gone_s
        self._loops = loops
        self._event = event or Event
        self._find_paths = find_paths
        self._search_s = search_s
        self._log: ChildLog = log if log is not None else structlog.get_logger("foxtrot.leaks")
        self._lock = threading.Lock()
        self._watch = GrowthWatch(limits, least_s=least_s)
        self._censuses: deque[Census] = deque(maxlen=SAMPLES_MAX)
        self._expected: deque[_Expected] = deque()
        self._due = 0.0
        self.found: deque[Leak] = deque(maxlen=FOUND_MAX)
        """The latest findings."""
        self.leaks_total = 0
        self.failures_total = 0
        """Number of samples that failed."""
        self.unwatched_total = 0
        """Number of expected objects that were evicted without a check."""
        self.cycles_total = 0
        """Number of closed objects that only a reference cycle kept alive."""
        engine.register(EVENT_TIMER, self._on_timer)
        if isinstance(engine, EventEngine):
            engine.watch_owners(self._on_owner_closed)

    def close(self) -> None:
        """Stop sampling."""
        self._engine.unregister(EVENT_TIMER, self._on_timer)
        if isinstance(self._engine, EventEngine):
            self._engine.forget_watcher(self._on_owner_closed)
        with self._lock:
            self._expected.clear()

    # ---- closed objects

    def expect_gone(self, thing: object, name: str = "") -> None:
        """Report `thing`, which was closed, if it is still alive after `gone_s`. From any thread.

        `name`: of the object, for the report. Raises TypeError if it does not support weak references.
        """
        reference = weakref.ref(thing)
        text = name or f"{type(thing).__module__}.{type(thing).__qualname__}"
        with self._lock:
            if len(self._expected) >= EXPECTED_MAX:
                self._expected.popleft()
                self.unwatched_total += 1
            self._expected.append(_Expected(text, reference, time.monotonic() + self._gone_s))

    # ---- samples

    def look(self, now: float | None = None) -> list[Leak]:
        """Take a sample now, judge it, and return the new findings. `now`: monotonic seconds."""
        at = time.monotonic() if now is None else now
        census = take_census(self._loops)
        figures = census.figures()
        for name, measure in (("queue_depth", "queue_depth"), ("handlers", "handler_count")):
            method = getattr(self._engine, measure, None)
            if callable(method):
                figures[name] = float(method())
        with self._lock:
            self._censuses.append(census)
            news = self._watch.sample(at, figures)
            leaks = [self._leak(name, self._watch.growths[name]) for name in news]
        leaks += self._check_expected(at)
        for leak in leaks:
            self.found.append(leak)
            self.leaks_total += 1
            self._log.warning("leak", **msgspec.structs.asdict(leak))
            self._engine.put(self._event(EVENT_LEAK, leak))
        return leaks

    def growths(self) -> dict[str, Growth]:
        """Return the latest judgement of each figure."""
        with self._lock:
            return dict(self._watch.growths)

    def registry(self) -> dict[str, Any]:
        """Return what is alive in this process: ``threads``, ``tasks``, ``processes``, ``descriptors``, ``owners``."""
        owners = getattr(self._engine, "owners", None)
        return {
            "threads": resource_census.threads(),
            "tasks": resource_census.tasks(self._loops),
            "processes": resource_census.children(),
            "descriptors": resource_census.descriptors(),
            "owners": list(owners()) if callable(owners) else [],
        }

    # ---- private

    def _on_owner_closed(self, name: str, things: list[object]) -> None:
        for thing in things:
            with contextlib.suppress(TypeError):  # it does not support weak references
                self.expect_gone(thing, f"{name}: {type(thing).__qualname__}")

    def _on_timer(self, _: Any) -> None:
        now = time.monotonic()
        if now < self._due:
            return
        self._due = now + self._sample_s
        try:
            self.look(now)
        except Exception as error:
            # there may be no free descriptor for reading /proc; an exception would end vn.py's dispatch thread
            self.failures_total += 1
            self._log.error("leak_look_failed", reason=repr(error))

    def _leak(self, name: str, growth: Growth) -> Leak:
        return Leak(name, growth.verdict, growth.value, growth.per_hour, "\n".join(self._causes(name)))

    def _causes(self, name: str) -> list[str]:
        """Return what has become more since the beginning of the window."""
        now, before = self._censuses[-1], self._censuses[0]
        if name == "threads":
            names: dict[str, list[str]] = {}
            for thread in resource_census.threads():
                names.setdefault(thread.runs, []).append(thread.name)
            return [
                f"{more} more threads that run {runs}, among them {', '.join(names.get(runs, [])[-3:])}"
                for runs, more in more_of(now.threads, before.threads)
            ]
        if name == "open_fds":
            numbers: dict[str, list[int]] = {}
            for descriptor in resource_census.descriptors():
                numbers.setdefault(descriptor.stands_for, []).append(descriptor.number)
            return [
                f"{more} more descriptors of {what}, among them {', '.join(map(str, numbers.get(what, [])[-3:]))}"
                for what, more in more_of(now.fds, before.fds)
            ]
        if name == "tasks":
            return [f"{more} more tasks of {runs}" for runs, more in more_of(now.tasks, before.tasks)]
        if name == "garbage":
            kinds = sorted({type(each).__qualname__ for each in gc.garbage[:1000]})
            return [f"in gc.garbage: {', '.join(kinds)}"]
        return []

    def _check_expected(self, now: float) -> list[Leak]:
        with self._lock:
            due = [each for each in self._expected if each.due <= now]
            for each in due:
                self._expected.remove(each)
        leaks = []
        for each in due:
            if each.reference() is None:
                continue
            if not self._find_paths:
                leaks.append(Leak("held", "held", 1.0, 0.0, each.name))
                continue
            # one search per sample: the others are due in the next ones
            if leaks:
                with self._lock:
                    self._expected.appendleft(each)
                continue
            leak = self._held(each)
            if leak is not None:
                leaks.append(leak)
        return leaks

    def _held(self, expected: _Expected) -> Leak | None:
        thing = expected.reference()
        if thing is None:
            return None
        holding = find_holding(thing, search_s=self._search_s, ignore=(expected,))
        del thing
        if holding.kind == "cycle":
            self.cycles_total += 1
            gc.collect()
            freed = expected.reference() is None
            what = "reference cycle, freed by the collector" if freed else "reference cycle"
            return Leak("held", "held", 1.0, 0.0, f"{expected.name}: {what}: {holding.path}")
        if holding.kind == "gone" or expected.reference() is None:
            return None
        how = {"outside": " (held from outside Python)", "unknown": " (and so on)"}.get(holding.kind, "")
        return Leak("held", "held", 1.0, 0.0, f"{expected.name}: held by {holding.path}{how}")
