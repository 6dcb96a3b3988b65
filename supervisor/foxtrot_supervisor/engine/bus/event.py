"""What an EventEngine handles: events, their handlers, and sources that the dispatch thread reads itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from msgspec import Struct

__all__ = ["EarlyNotice", "Event", "EventSource", "Handler", "Poller", "QueueFull"]


class Event(Struct, eq=False):
    """An event of a `type`, with its `data`. Equal only to itself."""

    type: str
    data: Any = None

    def __repr__(self) -> str:
        return f"Event({self.type!r}, {self.data!r})"


Handler = Callable[[Event], Any]


class QueueFull(Exception):
    """There was no room in time for an event that must not be dropped; the caller of `put` keeps it."""


class Poller(Protocol):
    """Watches descriptors: a `select.epoll`."""

    def register(self, fd: int, eventmask: int, /) -> None:
        """Watch a descriptor."""

    def unregister(self, fd: int, /) -> None:
        """Watch it no more."""


class EarlyNotice(Protocol):
    """Tells a sleeping dispatch thread that its source will probably have something in a moment.

    Used on the dispatch thread.
    """

    def join(self, poller: Poller) -> None:
        """Have `poller` watch its descriptors, those that come later too, edge-triggered, in place of any other."""

    def leave(self) -> None:
        """Have no poller watch them."""

    def is_all(self, found: Sequence[tuple[int, int]]) -> bool:
        """Whether all descriptors that a poller has `found` are its own."""

    def rung(self, found: Sequence[tuple[int, int]]) -> float:
        """Take a notice; return for how many seconds it pays to ask the source before sleeping again."""

    def followed(self, came: bool) -> None:
        """Take whether something `came` in that time."""


class EventSource(Protocol):
    """A source of market data that the dispatch thread reads directly, without a queue."""

    @property
    def early(self) -> EarlyNotice | None:
        """What announces it; None: nothing does."""

    def fileno(self) -> int:
        """Return a descriptor that becomes readable (edge-triggered) when there may be something."""

    def due(self) -> float:
        """Return the latest time to call `pump` though nothing is readable: monotonic seconds."""

    def is_waiting(self) -> bool:
        """Whether `pump` has something to do although the descriptor need not be readable yet.

        Asked again and again by a thread that does not sleep: it must cost far less than a system call.
        """

    def pump(self) -> bool:
        """Dispatch a bounded amount; return True if more may be waiting."""

    def finish(self, deadline: float) -> None:
        """Dispatch all that is available, at the latest until `deadline` (monotonic seconds)."""
