"""Handlers of events, their owners and their statistics. Pure.

A *registration* is one handler for one event type (or, as a general handler, for all types). It may have owners, and
ends when the last of them closes. An ended registration is never called again, not even from a route that was made
before: its `call` then does nothing.

Nothing here locks: the caller admits one thread at a time (`handler_table`).
"""

from __future__ import annotations

import heapq
import weakref
from collections.abc import Callable, Iterator
from types import MethodType
from typing import Any, TypeAlias

from msgspec import Struct

from foxtrot_supervisor.engine.bus.queue_policy import event_class as event_class_of
from foxtrot_supervisor.telemetry.latency import LatencyHistogram

__all__ = [
    "GENERAL",
    "HandlerInfo",
    "HandlerRegistry",
    "HandlerWatcher",
    "OwnerRecord",
    "OwnerWatcher",
    "Registration",
    "handler_name",
]

SAMPLES_BUFFERED = 64
"""Durations that are buffered before they enter the histogram."""

GENERAL = ""
"""Type under which general handlers are registered; no event has it."""


class HandlerInfo(Struct, frozen=True):
    """Statistics of one registration.

    `type`: "" for a general handler. `calls`: number of all calls. `timed`: number of calls whose duration was sampled;
    `p50_us` and `p99_us` are percentiles of the samples of the last 30 to 60 s. `max_us`: longest sampled call, or
    longer if a slow call was observed. `slow`: calls that took longer than ``slow_handler_ms``. `errors`: exceptions.
    """

    type: str
    handler: str
    owners: list[str]
    calls: int
    timed: int
    p50_us: float
    p99_us: float
    max_us: float
    slow: int
    errors: int
    suspended: bool
    weak: bool


class OwnerRecord:
    """An owner and its registrations. `key`: its name, or the id of the object that is the owner.

    `life`: weak reference to the object whose collection closes the owner; None: only `HandlerRegistry.close` does.
    """

    __slots__ = ("closed", "key", "life", "name", "registrations")

    def __init__(self, key: str | int, name: str, life: weakref.ref[Any] | None = None) -> None:
        self.key = key
        self.name = name
        self.life = life
        self.closed = False
        self.registrations: dict[Registration, None] = {}


class Registration:
    """One handler for one event type. The dispatcher calls `call` and counts in `calls`."""

    __slots__ = (
        "__weakref__",
        "_reference",
        "_samples",
        "_timed",
        "_times",
        "call",
        "calls",
        "errors",
        "errors_in_row",
        "failed_call",
        "max_ns",
        "name",
        "owners",
        "slow",
        "suspended",
        "type",
    )

    def __init__(
        self,
        type: str,  # noqa: A002 - vn.py's name
        handler: Callable[[Any], Any],
        on_collected: Callable[[Registration], None] | None,
    ) -> None:
        """`on_collected`: hold a bound method weakly, and call this when its object is collected."""
        self.type = type
        self.name = handler_name(handler)
        self.owners: list[OwnerRecord] = []
        self.calls = self.errors = self.errors_in_row = self.failed_call = 0
        self.max_ns = self.slow = self._timed = 0
        self._samples: list[int] = []
        self.suspended = False
        self._times: LatencyHistogram | None = None
        self._reference: Callable[[], Callable[[Any], Any] | None]
        if on_collected is None:
            self._reference = lambda: handler
        else:
            self._reference = _weakly(handler, self, on_collected)
        self.call: Callable[[Any], Any] = _ignore
        self.resume()

    @property
    def handler(self) -> Callable[[Any], Any] | None:
        """The handler; None when the registration has ended or its object was collected."""
        return self._reference()

    @property
    def weak(self) -> bool:
        """Whether the handler's object is held weakly."""
        return isinstance(self._reference, weakref.WeakMethod)

    def resume(self) -> None:
        """Call the handler from now on."""
        self.suspended = False
        self.errors_in_row = 0
        reference = self._reference
        if not isinstance(reference, weakref.WeakMethod):
            handler = reference()
            assert handler is not None
            self.call = handler
            return

        def call(event: Any) -> None:
            method = reference()
            if method is not None:
                method(event)

        self.call = call

    def suspend(self) -> None:
        """Skip the handler until `resume`."""
        self.suspended = True
        self.call = _ignore

    def end(self) -> None:
        """Never call the handler again, and drop all references to it."""
        self.call = _ignore
        self._reference = _no_handler

    def failed(self) -> int:
        """Count an exception of the latest call, and return the number of consecutive failures."""
        self.errors += 1
        self.errors_in_row = self.errors_in_row + 1 if self.calls == self.failed_call + 1 else 1
        self.failed_call = self.calls
        return self.errors_in_row

    def took(self, ns: int, now_ns: int) -> None:
        """Record the duration of a call, `ns`, in nanoseconds. `now_ns`: monotonic time of its end."""
        # hot path: samples are buffered here and enter the histogram in groups
        self._samples.append(ns)
        if len(self._samples) >= SAMPLES_BUFFERED:
            self._flush_samples(now_ns / 1e9)

    def _flush_samples(self, now_s: float | None = None) -> None:
        # called by the dispatch thread and by readers of the statistics: a race may lose one sample, which does not
        # matter among samples
        samples, self._samples = self._samples, []
        if not samples:
            return
        if self._times is None:
            self._times = LatencyHistogram()
        if now_s is not None:
            self._times.rotate(now_s)
        for ns in samples:
            self._times.record(ns)
        self._timed += len(samples)
        self.max_ns = max(self.max_ns, *samples)

    def running_for(self, ns: int) -> None:
        """Record that the current call has run for `ns` nanoseconds so far."""
        self.max_ns = max(self.max_ns, ns)

    def info(self) -> HandlerInfo:
        """Return its statistics."""
        self._flush_samples()
        times = self._times
        return HandlerInfo(
            type=self.type,
            handler=self.name,
            owners=[owner.name for owner in self.owners],
            calls=self.calls,
            timed=self._timed,
            p50_us=0.0 if times is None else times.percentile_us(0.5),
            p99_us=0.0 if times is None else times.percentile_us(0.99),
            max_us=self.max_ns / 1000.0,
            slow=self.slow,
            errors=self.errors,
            suspended=self.suspended,
            weak=self.weak,
        )


class HandlerRegistry:
    """All registrations and owners."""

    def __init__(self) -> None:
        self._by_type: dict[str, tuple[Registration, ...]] = {}
        self._watchers: dict[str, tuple[HandlerWatcher, ...]] = {}
        self._owner_watchers: tuple[OwnerWatcher, ...] = ()
        self._owners: dict[str | int, OwnerRecord] = {}
        self._calls_of_ended = 0

    def __len__(self) -> int:
        return sum(map(len, self._by_type.values()))

    def __iter__(self) -> Iterator[Registration]:
        for registrations in tuple(self._by_type.values()):
            yield from registrations

    @property
    def calls_total(self) -> int:
        """Number of calls of all handlers, including removed ones."""
        return self._calls_of_ended + sum(registration.calls for registration in self)

    def of(self, type: str) -> tuple[Registration, ...]:  # noqa: A002 - vn.py's name
        """Return the active registrations of exactly `type` (`GENERAL`: the general ones), in order of registration."""
        return tuple(known for known in self._by_type.get(type, ()) if not known.suspended)

    def has_longer(self, prefix: str) -> bool:
        """Whether there are registrations for types that begin with `prefix` and are longer."""
        return any(known.startswith(prefix) and known != prefix for known in self._by_type)

    def find(self, type: str, handler: Callable[[Any], Any]) -> Registration | None:  # noqa: A002 - vn.py's name
        """Return the registration of `handler` for `type`; None without one."""
        return next((known for known in self._by_type.get(type, ()) if known.handler == handler), None)

    def add(
        self,
        type: str,  # noqa: A002 - vn.py's name
        handler: Callable[[Any], Any],
        owner: OwnerRecord | None,
        on_collected: Callable[[Registration], None] | None,
    ) -> None:
        """Register `handler`; an existing registration gets `owner` as a further owner."""
        registration = self.find(type, handler)
        if registration is None:
            registration = Registration(type, handler, on_collected)
            self._by_type[type] = (*self._by_type.get(type, ()), registration)
            if owner is not None:
                self._own(owner, registration)
            if self._watchers:
                self._notify_watchers(registration, here=True)
        elif owner is None:
            # also registered without an owner: it outlives its owners
            self._disown(registration)
        elif registration.owners:
            self._own(owner, registration)

    def remove(self, registration: Registration) -> None:
        """End one registration; does nothing if it has ended already."""
        known = self._by_type.get(registration.type, ())
        if registration not in known:
            return
        left = tuple(other for other in known if other is not registration)
        if left:
            self._by_type[registration.type] = left
        else:
            del self._by_type[registration.type]
        self._calls_of_ended += registration.calls
        if self._watchers:
            self._notify_watchers(registration, here=False)
        registration.end()
        self._disown(registration)

    def clear(self) -> None:
        """End all registrations; owners stay open."""
        for registration in tuple(self):
            self.remove(registration)

    def worst(self, count: int) -> list[Registration]:
        """Return the `count` registrations that need attention most: suspended, failing, slow, busy, in this order."""
        return heapq.nlargest(count, self, key=lambda each: (each.suspended, each.errors, each.slow, each.calls))

    # ---- owners

    def named(self, name: str) -> OwnerRecord | None:
        """Return the open owner called `name`; None without one."""
        return self._owners.get(name)

    def object(self, owner: object) -> OwnerRecord | None:
        """Return the record of the open owner that is the object `owner`; None without one."""
        record = self._owners.get(id(owner))
        return record if record is not None and record.life is not None and record.life() is owner else None

    def open(self, record: OwnerRecord) -> OwnerRecord:
        """Keep a new owner until it is closed, and return it."""
        self._owners[record.key] = record
        return record

    def owners(self) -> list[OwnerRecord]:
        """Return the open owners."""
        return list(self._owners.values())

    def close(self, record: OwnerRecord) -> int:
        """Close an owner, end registrations without another owner, and return their number.

        A second call does nothing.
        """
        if record.closed:
            return 0
        record.closed = True
        if self._owners.get(record.key) is record:
            del self._owners[record.key]
        ended = 0
        of_ended: dict[int, object] = {}
        for registration in tuple(record.registrations):
            registration.owners.remove(record)
            if not registration.owners:
                if self._owner_watchers and isinstance(registration.handler, MethodType):
                    of_ended[id(registration.handler.__self__)] = registration.handler.__self__
                self.remove(registration)
                ended += 1
        record.registrations.clear()
        for watcher in self._owner_watchers:
            watcher(record.name, list(of_ended.values()))
        return ended

    # ---- watchers

    def watch(self, event_class: str, watcher: HandlerWatcher) -> None:
        """Call `watcher` for each registration for types of `event_class` that begins (True) or ends (False).

        Existing ones are reported at once.
        """
        self._watchers[event_class] = (*self._watchers.get(event_class, ()), watcher)
        for registration in self:
            if event_class_of(registration.type) == event_class:
                watcher(registration, True)

    def watch_owners(self, watcher: OwnerWatcher) -> None:
        """Call `watcher` for each owner that closes: its name, and the objects whose methods only it had registered."""
        self._owner_watchers = (*self._owner_watchers, watcher)

    def forget_watcher(self, watcher: Callable[..., None]) -> None:
        """Undo `watch` and `watch_owners` for `watcher`."""
        self._owner_watchers = tuple(known for known in self._owner_watchers if known != watcher)
        self._watchers = {
            event_class: left
            for event_class, known in self._watchers.items()
            if (left := tuple(each for each in known if each != watcher))
        }

    def _notify_watchers(self, registration: Registration, *, here: bool) -> None:
        for watcher in self._watchers.get(event_class_of(registration.type), ()):
            watcher(registration, here)

    @staticmethod
    def _own(owner: OwnerRecord, registration: Registration) -> None:
        if registration not in owner.registrations:
            owner.registrations[registration] = None
            registration.owners.append(owner)

    @staticmethod
    def _disown(registration: Registration) -> None:
        for owner in registration.owners:
            del owner.registrations[registration]
        registration.owners.clear()


HandlerWatcher: TypeAlias = Callable[[Registration, bool], None]
OwnerWatcher: TypeAlias = Callable[[str, list[object]], None]


def handler_name(handler: Callable[[Any], Any]) -> str:
    """Return module and qualified name of `handler`, or else its representation."""
    name = getattr(handler, "__qualname__", None)
    module = getattr(handler, "__module__", None)
    if not isinstance(name, str):
        return repr(handler)
    return f"{module}.{name}" if isinstance(module, str) else name


def _weakly(
    handler: Callable[[Any], Any], registration: Registration, on_collected: Callable[[Registration], None]
) -> weakref.WeakMethod[Any]:
    if not isinstance(handler, MethodType):
        raise TypeError(f"only a bound method can be held weakly, not {handler!r}")
    reference = weakref.ref(registration)

    def collected(_: object) -> None:
        known = reference()
        if known is not None:
            on_collected(known)

    return weakref.WeakMethod(handler, collected)


def _ignore(_: Any) -> None:
    """Replace a handler that is no longer registered, or suspended."""


def _no_handler() -> None:
    """Replace the reference to a handler that is no longer registered."""
