"""Who is called for what: handlers, their owners, their figures; pure.

A *registration* is one handler for one event type (or, as a general handler, for all). It may have owners; when the
last of them closes, it goes. What is gone is never called again, not even from a list of handlers that was made
before: the registration's `call` then does nothing.

Nothing here locks: the engine lets one thread at a time in.
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

NOTED_MAX = 64
"""Durations that are noted before they are worked up."""

GENERAL = ""
"""Stands for the type of general handlers; no event has it."""


class HandlerInfo(Struct, frozen=True):
    """What is known of one registration.

    `type`: "" for a general handler. `calls`: all of them. `timed`: those whose duration was taken, which are samples;
    `p50_us` and `p99_us` are of these, of the last half to whole minute. `max_us`: of these and of all that were seen
    running for long. `slow`: calls that took longer than ``slow_handler_ms``. `errors`: exceptions.
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
    """An owner and what it has registered. `key`: its name or the id of the object it is.

    `life`: refers to the object whose end closes it; None while nothing but `HandlerRegistry.close` does.
    """

    __slots__ = ("closed", "key", "life", "name", "registrations")

    def __init__(self, key: str | int, name: str, life: weakref.ref[Any] | None = None) -> None:
        self.key = key
        self.name = name
        self.life = life
        self.closed = False
        self.registrations: dict[Registration, None] = {}


class Registration:
    """One handler for one type. `call` is what the dispatch calls; `calls` counts it there."""

    __slots__ = (
        "__weakref__",
        "_noted",
        "_reference",
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
        """`on_collected`: hold a bound method weakly and call this when its object is gone."""
        self.type = type
        self.name = handler_name(handler)
        self.owners: list[OwnerRecord] = []
        self.calls = self.errors = self.errors_in_row = self.failed_call = 0
        self.max_ns = self.slow = self._timed = 0
        self._noted: list[int] = []
        self.suspended = False
        self._times: LatencyHistogram | None = None
        self._reference: Callable[[], Callable[[Any], Any] | None]
        if on_collected is None:
            self._reference = lambda: handler
        else:
            self._reference = _weakly(handler, self, on_collected)
        self.call: Callable[[Any], Any] = _gone
        self.resume()

    @property
    def handler(self) -> Callable[[Any], Any] | None:
        """What was registered; None when it is gone."""
        return self._reference()

    @property
    def weak(self) -> bool:
        """Whether the handler's object may be collected while it is registered."""
        return isinstance(self._reference, weakref.WeakMethod)

    def resume(self) -> None:
        """Let it be called, from now on."""
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
        """Let it be called no more until it is resumed."""
        self.suspended = True
        self.call = _gone

    def end(self) -> None:
        """Let it never be called again, and hold nothing."""
        self.call = _gone
        self._reference = _nothing

    def failed(self) -> int:
        """Count an exception of the latest call; returns how many calls in a row have failed."""
        self.errors += 1
        self.errors_in_row = self.errors_in_row + 1 if self.calls == self.failed_call + 1 else 1
        self.failed_call = self.calls
        return self.errors_in_row

    def took(self, ns: int, now_ns: int) -> None:
        """Note that a call took `ns`; `now_ns`: monotonic."""
        # on the hot path: only noted here, and worked up a few at a time
        self._noted.append(ns)
        if len(self._noted) >= NOTED_MAX:
            self._work_up(now_ns / 1e9)

    def _work_up(self, now_s: float | None = None) -> None:
        # by the dispatch thread or by who asks for the figures: one note may get lost between the two, which
        # nobody misses among samples
        noted, self._noted = self._noted, []
        if not noted:
            return
        if self._times is None:
            self._times = LatencyHistogram()
        if now_s is not None:
            self._times.rotate(now_s)
        for ns in noted:
            self._times.record(ns)
        self._timed += len(noted)
        self.max_ns = max(self.max_ns, *noted)

    def running_for(self, ns: int) -> None:
        """Note that the present call has run for `ns`, and may go on."""
        self.max_ns = max(self.max_ns, ns)

    def info(self) -> HandlerInfo:
        """Its figures."""
        self._work_up()
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
        """Calls of all handlers, of those that are gone, too."""
        return self._calls_of_ended + sum(registration.calls for registration in self)

    def of(self, type: str) -> tuple[Registration, ...]:  # noqa: A002 - vn.py's name
        """Those to be called for `type` (`GENERAL`: for every event), in the order of registration."""
        return tuple(known for known in self._by_type.get(type, ()) if not known.suspended)

    def find(self, type: str, handler: Callable[[Any], Any]) -> Registration | None:  # noqa: A002 - vn.py's name
        """The registration of `handler` for `type`."""
        return next((known for known in self._by_type.get(type, ()) if known.handler == handler), None)

    def add(
        self,
        type: str,  # noqa: A002 - vn.py's name
        handler: Callable[[Any], Any],
        owner: OwnerRecord | None,
        on_collected: Callable[[Registration], None] | None,
    ) -> None:
        """Register, once: what is registered already gets `owner` as one more owner."""
        registration = self.find(type, handler)
        if registration is None:
            registration = Registration(type, handler, on_collected)
            self._by_type[type] = (*self._by_type.get(type, ()), registration)
            if owner is not None:
                self._own(owner, registration)
            if self._watchers:
                self._tell_watchers(registration, here=True)
        elif owner is None:
            # now it also belongs to nobody, and so outlives its owners
            self._disown(registration)
        elif registration.owners:
            self._own(owner, registration)

    def remove(self, registration: Registration) -> None:
        """End one registration; does nothing if it has ended."""
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
            self._tell_watchers(registration, here=False)
        registration.end()
        self._disown(registration)

    def clear(self) -> None:
        """End every registration; owners stay open."""
        for registration in tuple(self):
            self.remove(registration)

    def worst(self, count: int) -> list[Registration]:
        """The `count` that most need looking at: suspended, then failing, then slow, then busy."""
        return heapq.nlargest(count, self, key=lambda each: (each.suspended, each.errors, each.slow, each.calls))

    # ---- owners

    def named(self, name: str) -> OwnerRecord | None:
        """The open owner of that name."""
        return self._owners.get(name)

    def object(self, owner: object) -> OwnerRecord | None:
        """The open owner that is `owner` itself."""
        record = self._owners.get(id(owner))
        return record if record is not None and record.life is not None and record.life() is owner else None

    def open(self, record: OwnerRecord) -> OwnerRecord:
        """Keep a new owner until it is closed."""
        self._owners[record.key] = record
        return record

    def owners(self) -> list[OwnerRecord]:
        """Those that are open."""
        return list(self._owners.values())

    def close(self, record: OwnerRecord) -> int:
        """Close an owner, and end what has no other; returns how many registrations ended. Twice is once."""
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

    # ---- who wants to know

    def watch(self, event_class: str, watcher: HandlerWatcher) -> None:
        """Tell `watcher` of each registration for types of `event_class` that begins (True) or ends (False).

        Of those that are there already, at once.
        """
        self._watchers[event_class] = (*self._watchers.get(event_class, ()), watcher)
        for registration in self:
            if event_class_of(registration.type) == event_class:
                watcher(registration, True)

    def watch_owners(self, watcher: OwnerWatcher) -> None:
        """Tell `watcher` of each owner that closes: its name, and the objects whose methods it alone had registered."""
        self._owner_watchers = (*self._owner_watchers, watcher)

    def forget_watcher(self, watcher: Callable[..., None]) -> None:
        """Tell `watcher` nothing more."""
        self._owner_watchers = tuple(known for known in self._owner_watchers if known != watcher)
        self._watchers = {
            event_class: left
            for event_class, known in self._watchers.items()
            if (left := tuple(each for each in known if each != watcher))
        }

    def _tell_watchers(self, registration: Registration, *, here: bool) -> None:
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
    """A name by which people know `handler`: module and qualified name, else its representation."""
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
    here = weakref.ref(registration)

    def collected(_: object) -> None:
        known = here()
        if known is not None:
            on_collected(known)

    return weakref.WeakMethod(handler, collected)


def _gone(_: Any) -> None:
    """In place of a handler that is registered no more."""


def _nothing() -> None:
    """In place of a reference to it."""
