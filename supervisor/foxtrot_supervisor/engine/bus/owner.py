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

_within: ContextVar[tuple[weakref.ref[Owner], ...]] = ContextVar("foxtrot_owners", default=())
"""Owners whose ``with`` block runs in this context, innermost last."""


class OwnerClosed(Exception):
    """Something was to be registered for an owner that is closed."""


class OwnersDesk(Protocol):
    """Where an owner's handlers are registered."""

    def register(
        self,
        type: str,  # noqa: A002 - vn.py's name
        handler: Callable[[Any], Any],
        *,
        owner: object = None,
        weak: bool = False,
    ) -> None: ...

    def close_owner(self, record: OwnerRecord) -> int: ...


class NamingEngine(Protocol):
    """An EventEngine, of which owners can be had."""

    def owner(self, who: object) -> Owner: ...
    def owners(self) -> list[str]: ...


class Owner:
    """From `EventEngine.owner`. Keep it: when it is collected, it is closed.

    As a context manager it owns what is registered in its block (in the same thread or task, without another
    ``owner``), and is closed at the block's end.
    """

    __slots__ = ("__weakref__", "_desk", "record")

    def __init__(self, desk: OwnersDesk, record: OwnerRecord) -> None:
        self._desk = desk
        self.record = record

    def __repr__(self) -> str:
        return f"<Owner {self.name!r}{' closed' if self.closed else ''}>"

    @property
    def name(self) -> str:
        """How it is listed."""
        return self.record.name

    @property
    def closed(self) -> bool:
        """Whether it is closed: for good."""
        return self.record.closed

    def register(self, type: str, handler: Callable[[Any], Any], *, weak: bool = False) -> None:  # noqa: A002
        """As `EventEngine.register`, for this owner."""
        self._desk.register(type, handler, owner=self, weak=weak)

    def register_general(self, handler: Callable[[Any], Any], *, weak: bool = False) -> None:
        """As `EventEngine.register_general`, for this owner."""
        self._desk.register(GENERAL, handler, owner=self, weak=weak)

    def handlers(self) -> list[HandlerInfo]:
        """What it has registered."""
        return [registration.info() for registration in tuple(self.record.registrations)]

    def close(self) -> int:
        """Deregister everything; returns how many handlers went. Safe from any thread, also from a handler.

        No call of them begins after that; one that has begun goes on. Twice is allowed.
        """
        return self._desk.close_owner(self.record)

    @contextlib.contextmanager
    def registering(self) -> Iterator[None]:
        """As its ``with`` block, which owns what is registered in it, but stays open at the block's end."""
        if self.closed:
            raise OwnerClosed(f"owner {self.name!r} is closed")
        before = _within.set((*_within.get(), weakref.ref(self)))
        try:
            yield
        finally:
            _within.reset(before)

    def belongs_to(self, desk: object) -> bool:
        """Whether its handlers are registered at `desk`."""
        return self._desk is desk

    def __enter__(self) -> Owner:
        if self.closed:
            raise OwnerClosed(f"owner {self.name!r} is closed")
        _within.set((*_within.get(), weakref.ref(self)))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _within.set(tuple(here for here in _within.get() if here() is not self))
        self.close()


def unshared_owner(engine: NamingEngine, name: str) -> Owner:
    """An owner of that name that nobody else has; with a number behind it, where one is open already."""
    taken = engine.owners()
    names = itertools.chain((name,), (f"{name} {number}" for number in itertools.count(2)))
    return engine.owner(next(each for each in names if each not in taken))


def innermost_owner(desk: object) -> Owner | None:
    """The open owner at `desk` in whose ``with`` block this runs."""
    for here in reversed(_within.get()):
        owner = here()
        if owner is not None and not owner.closed and owner.belongs_to(desk):
            return owner
    return None
