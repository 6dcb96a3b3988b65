"""Registration of handlers from any thread, and the routes by which the dispatcher finds them.

The registry is changed under a lock. A finalizer, a signal handler or the callback of a weak reference may interrupt a
change on the same thread; the changes that they request are applied right after it.
"""

from __future__ import annotations

import inspect
import threading
import weakref
from collections import deque
from collections.abc import Callable
from types import MethodType
from typing import Any, TypeAlias

from foxtrot_protocol.child import ChildLog
from foxtrot_protocol.events import EVENT_TYPES
from foxtrot_supervisor.engine.bus.handler_registry import (
    GENERAL,
    HandlerInfo,
    HandlerRegistry,
    HandlerWatcher,
    OwnerRecord,
    OwnerWatcher,
    Registration,
)
from foxtrot_supervisor.engine.bus.owner import Owner, OwnerClosed, innermost_owner

__all__ = ["ROUTES_MAX", "HandlerTable"]

ROUTES_MAX = 100_000
"""Limit of cached routes: by type, and by type, symbol and exchange."""

AnyHandler = Callable[[Any], Any]

NamedCalls: TypeAlias = tuple[str, tuple[Registration, ...]]
"""An event type, and the registrations that get market data under it."""


class HandlerTable:
    """The handlers and owners of one EventEngine.

    `routes`: registrations by event type. `market_routes`: registrations by kind, symbol and exchange of market data.
    `only_routes`: see `only_route`. All are caches, cleared by each change; on a miss call the method of that name.
    """

    def __init__(self, log: ChildLog) -> None:
        self._log = log
        self._lock = threading.RLock()
        self._registry = HandlerRegistry()
        self._changes: deque[Callable[[], None]] = deque()
        self._changing = False
        self.routes: dict[str, tuple[Registration, ...]] = {}
        self.market_routes: dict[tuple[type, str, str], tuple[NamedCalls, ...]] = {}
        self.only_routes: dict[type, tuple[str, Registration] | None] = {}
        self.changes = [0]
        """How often the caches were cleared."""

    # ---- handlers; `type` may be GENERAL

    def register(
        self,
        type: str,  # noqa: A002 - vn.py's name
        handler: AnyHandler,
        *,
        owner: object = None,
        weak: bool = False,
    ) -> None:
        """See `EventEngine.register`."""
        if not callable(handler):
            raise TypeError(f"a handler must be callable, not {handler!r}")
        if inspect.iscoroutinefunction(handler):
            raise TypeError(f"a handler is called, not awaited: {handler!r} is a coroutine function")
        weakly = weak or (isinstance(handler, MethodType) and handler.__self__ is owner)

        def add() -> None:
            record = self._record_of(owner)
            self._registry.add(type, handler, record, self._when_collected if weakly else None)

        self._change(add)

    def unregister(self, type: str, handler: AnyHandler) -> None:  # noqa: A002 - vn.py's name
        """See `EventEngine.unregister`."""

        def remove() -> None:
            registration = self._registry.find(type, handler)
            if registration is not None:
                self._registry.remove(registration)

        self._change(remove)

    def clear(self) -> None:
        """End all registrations."""
        self._change(self._registry.clear)

    def suspend(self, registration: Registration) -> None:
        """Skip the handler until `revive`."""
        self._change(registration.suspend)

    def revive(self, type: str, handler: AnyHandler) -> bool:  # noqa: A002 - vn.py's name
        """Undo `suspend`; return False if it is not suspended."""
        with self._lock:
            registration = self._registry.find(type, handler)
            if registration is None or not registration.suspended:
                return False
            self._change(registration.resume)
            return True

    def count(self) -> int:
        """Return the number of registrations."""
        with self._lock:
            return len(self._registry)

    def calls_total(self) -> int:
        """Return the number of calls of all handlers, including removed ones."""
        with self._lock:
            return self._registry.calls_total

    def registrations(self) -> list[Registration]:
        """Return every registration."""
        with self._lock:
            return list(self._registry)

    def infos(self) -> list[HandlerInfo]:
        """Return the statistics of every registration."""
        with self._lock:
            return [registration.info() for registration in self._registry]

    def worst(self, count: int) -> list[HandlerInfo]:
        """Return the statistics of the `count` registrations that need attention most."""
        with self._lock:
            return [registration.info() for registration in self._registry.worst(count)]

    # ---- watchers

    def watch_handlers(self, event_class: str, watcher: HandlerWatcher) -> None:
        """See `EventEngine.watch_handlers`."""
        self._change(lambda: self._registry.watch(event_class, watcher))

    def watch_owners(self, watcher: OwnerWatcher) -> None:
        """See `EventEngine.watch_owners`."""
        self._change(lambda: self._registry.watch_owners(watcher))

    def forget_watcher(self, watcher: Callable[..., None]) -> None:
        """See `EventEngine.forget_watcher`."""
        self._change(lambda: self._registry.forget_watcher(watcher))

    # ---- owners

    def owner(self, name_or_object: object) -> Owner:
        """See `EventEngine.owner`."""
        if isinstance(name_or_object, Owner):
            return name_or_object
        opened: list[Owner] = []

        def open_it() -> None:
            if isinstance(name_or_object, str):
                opened.append(self._named(name_or_object))
            else:
                opened.append(Owner(self, self._of_object(name_or_object)))

        self._change(open_it)
        if not opened:
            raise RuntimeError("an owner cannot be opened by a finalizer in the middle of another change")
        return opened[0]

    def owners(self) -> list[str]:
        """Return the names of the open owners."""
        with self._lock:
            return [record.name for record in self._registry.owners()]

    def close_owner(self, record: OwnerRecord) -> int:
        """Close an owner, and return the number of registrations that ended."""
        ended: list[int] = [0]

        def close_it() -> None:
            ended[0] = self._registry.close(record)

        self._change(close_it)
        return ended[0]

    # ---- routes

    def route(self, type: str) -> tuple[Registration, ...]:  # noqa: A002 - vn.py's name
        """Return the registrations to call for an event of `type`, in this order, and cache them."""
        with self._lock:
            route = self._registry.of(type) + self._registry.of(GENERAL)
            if len(self.routes) >= ROUTES_MAX:
                self.routes.clear()
            self.routes[type] = route
        return route

    def market_route(self, key: tuple[type, str, str]) -> tuple[NamedCalls, ...]:
        """Return event types and registrations for market data of this kind, symbol and exchange, and cache them."""
        kind, symbol, exchange = key
        name = EVENT_TYPES[kind]
        full_name = f"{name}{symbol}.{exchange}"
        with self._lock:
            of = self._registry.of
            typed, exact, general = of(name), of(full_name), of(GENERAL)
            parts: tuple[NamedCalls, ...] = ((name, typed + general),)
            if exact:
                parts = ((name, typed), (full_name, exact), (name, general))
            route = tuple((part_name, part) for part_name, part in parts if part)
            if len(self.market_routes) >= ROUTES_MAX:
                self.market_routes.clear()
                self.changes[0] += 1
            self.market_routes[key] = route
        return route

    def only_route(self, kind: type) -> tuple[str, Registration] | None:
        """Return the only registration for market data of a kind, whatever its symbol, and its event type, cached.

        None: there are several or none, or some for single symbols.
        """
        name = EVENT_TYPES[kind]
        with self._lock:
            registry = self._registry
            found = registry.of(name) + registry.of(GENERAL)
            only = len(found) == 1 and not registry.has_longer(name)
            route = self.only_routes[kind] = (name, found[0]) if only else None
        return route

    # ---- changes

    def _change(self, change: Callable[[], None]) -> None:
        with self._lock:
            self._changes.append(change)
            if self._changing:
                return  # this thread is in the middle of another change
            error: Exception | None = None
            while self._changes:
                self._changing = True
                try:
                    self._changes.popleft()()
                except Exception as reason:
                    error = error or reason
                finally:
                    self._changing = False
            self.routes.clear()
            self.market_routes.clear()
            self.only_routes.clear()
            self.changes[0] += 1
            if error is not None:
                raise error

    def _record_of(self, owner: object) -> OwnerRecord | None:
        if owner is None:
            owner = innermost_owner(self)
            if owner is None:
                return None
        if isinstance(owner, Owner):
            if not owner.belongs_to(self):
                raise ValueError(f"{owner!r} belongs to another engine")
            if owner.closed:
                raise OwnerClosed(f"owner {owner.name!r} is closed")
            return owner.record
        if isinstance(owner, str):
            record = self._registry.named(owner)
            if record is None:
                record = self._registry.open(OwnerRecord(owner, owner))
            # its user holds no `Owner`: it stays open until it is closed
            record.life = None
            return record
        return self._of_object(owner)

    def _named(self, name: str) -> Owner:
        record = self._registry.named(name)
        if record is None:
            record = OwnerRecord(name, name)
            owner = Owner(self, record)
            record.life = weakref.ref(owner, self._closer(record))
            self._registry.open(record)
            return owner
        known = None if record.life is None else record.life()
        return known if isinstance(known, Owner) else Owner(self, record)

    def _of_object(self, owner: object) -> OwnerRecord:
        record = self._registry.object(owner)
        if record is None:
            record = OwnerRecord(id(owner), f"{owner.__class__.__qualname__} object")
            try:
                record.life = weakref.ref(owner, self._closer(record))
            except TypeError:
                raise TypeError(f"{owner!r} cannot be an owner: no weak reference to it is possible") from None
            self._registry.open(record)
        return record

    # ---- collected objects; their callbacks must not keep the table alive

    @property
    def _when_collected(self) -> Callable[[Registration], None]:
        reference = weakref.ref(self)

        def collected(registration: Registration) -> None:
            table = reference()
            if table is not None:
                table._change(lambda: table._registry.remove(registration))

        return collected

    def _closer(self, record: OwnerRecord) -> Callable[[object], None]:
        reference = weakref.ref(self)

        def collected(life: object) -> None:
            table = reference()
            if table is not None:
                table._change(lambda: table._close_collected(record, life))

        return collected

    def _close_collected(self, record: OwnerRecord, life: object) -> None:
        if record.life is not life:
            return  # it no longer depends on that object
        ended = self._registry.close(record)
        if ended:
            self._log.info("owner_collected", owner=record.name, handlers=ended)
