"""What an EventEngine handles: events, their handlers, and sources that the dispatch thread reads itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from msgspec import Struct

__all__ = ["Event", "EventSource", "Handler", "QueueFull"]


class Event(Struct, eq=False):
    """An event of a `type`, with its `data`. Equal only to itself."""

    type: str
    data: Any = None

    def __repr__(self) -> str:
        return f"Event({self.type!r}, {self.data!r})"


Handler = Callable[[Event], Any]


class QueueFull(Exception):
    """There was no room in time for an event that must not be dropped; the caller of `put` keeps it."""


class EventSource(Protocol):
    """A source of market data that the dispatch thread reads directly, without a queue."""

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
