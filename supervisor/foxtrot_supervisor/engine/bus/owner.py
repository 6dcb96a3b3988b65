"""An owner of handlers: what a strategy registers goes when the strategy goes."""

from __future__ import annotations

import contextlib
import itertools
import weakref
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from types import TracebackType
from typing import Any, Protocol

from foxtrot_supervisor.engine.bus.handler_registry import GENERAL, HandlerInfo, OwnerRecord

__all__ = ["Owner", "OwnerClosed", "innermost_owner", "unshared_owner"]

_active_owners: ContextVar[tuple[weakref.ref[Owner], ...]] = ContextVar("foxtrot_owners", default=())
"""Owners whose ``with`` block is active in this context, innermost last."""


class OwnerClosed(Exception):
    """A handler cannot be registered for a closed owner."""


class OwnerTable(Protocol):
    """Registers the handlers of an owner."""

    def register(
        self,
        type: str,  # noqa: A002 - vn.py's name
        handler: Callable[[Any], Any],
        *,
        owner: object = None,
        weak: bool = False,
    ) -> None: ...

    def close_owner(self, record: OwnerRecord) -> int: ...


class OwnerEngine(Protocol):
    """The part of an EventEngine that opens owners."""

    def owner(self, who: object) -> Owner: ...
    def owners(self) -> list[str]: ...


class Owner:
    """Owner of handlers, made by `EventEngine.owner`. Keep a reference: it is closed when it is garbage-collected.

    As a context manager it owns what is registered within its block (in the same thread or task, without another
    ``owner``), and is closed at the end of the block.
    """

    __slots__ = ("__weakref__", "_table", "record")

    def __init__(self, table: OwnerTable, record: OwnerRecord) -> None:
        self._table = table
        self.record = record

    def __repr__(self) -> str:
        return f"<Owner {self.name!r}{' closed' if self.closed else ''}>"

    @property
    def name(self) -> str:
        """Name under which `EventEngine.owners` lists it."""
        return self.record.name

    @property
    def closed(self) -> bool:
        """Whether it is closed; it cannot be opened again."""
        return self.record.closed

    def register(self, type: str, handler: Callable[[Any], Any], *, weak: bool = False) -> None:  # noqa: A002
        """Do as `EventEngine.register`, for this owner."""
        self._table.register(type, handler, owner=self, weak=weak)

    def register_general(self, handler: Callable[[Any], Any], *, weak: bool = False) -> None:
        """Do as `EventEngine.register_general`, for this owner."""
        self._table.register(GENERAL, handler, owner=self, weak=weak)

    def handlers(self) -> list[HandlerInfo]:
        """Return its registrations."""
        return [registration.info() for registration in tuple(self.record.registrations)]

    def close(self) -> int:
        """Unregister everything, and return the number of handlers removed. Safe from any thread, also from a handler.

        No call of them begins after that; one that is running continues. A second call does nothing.
        """
        return self._table.close_owner(self.record)

    @contextlib.contextmanager
    def registering(self) -> Iterator[None]:
        """Own what is registered within a ``with`` block, without closing at its end."""
        if self.closed:
            raise OwnerClosed(f"owner {self.name!r} is closed")
        before = _active_owners.set((*_active_owners.get(), weakref.ref(self)))
        try:
            yield
        finally:
            _active_owners.reset(before)

    def belongs_to(self, table: object) -> bool:
        """Whether its handlers are registered in `table`."""
        return self._table is table

    def __enter__(self) -> Owner:
        if self.closed:
            raise OwnerClosed(f"owner {self.name!r} is closed")
        _active_owners.set((*_active_owners.get(), weakref.ref(self)))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _active_owners.set(tuple(each for each in _active_owners.get() if each() is not self))
        self.close()


def unshared_owner(engine: OwnerEngine, name: str) -> Owner:
    """Open a new owner called `name`, with a number appended if that name is taken."""
    taken = engine.owners()
    names = itertools.chain((name,), (f"{name} {number}" for number in itertools.count(2)))
    return engine.owner(next(each for each in names if each not in taken))


def innermost_owner(table: object) -> Owner | None:
    """Return the innermost open owner of `table` whose ``with`` block is active; None without one."""
    for reference in reversed(_active_owners.get()):
        owner = reference()
        if owner is not None and not owner.closed and owner.belongs_to(table):
            return owner
    return None
