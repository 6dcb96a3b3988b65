"""What an EventEngine handles: events, their handlers, and sources that the dispatch thread reads itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from msgspec import Struct

__all__ = ["Event", "EventSource", "Handler", "QueueFull"]


class Event(Struct, eq=False):
    """Something of a `type` has happened; `data` says what. Equal only to itself."""

    type: str
    data: Any = None

    def __repr__(self) -> str:
        return f"Event({self.type!r}, {self.data!r})"


Handler = Callable[[Event], Any]


class QueueFull(Exception):
    """An event that must not be dropped found no room in time; the caller of `put` still has it."""


class EventSource(Protocol):
    """Where the dispatch thread gets market events from without a queue between."""

    def fileno(self) -> int:
        """Return a descriptor that becomes readable (edge-triggered) when there may be something."""

    def due(self) -> float:
        """Return the latest time to call `pump` though nothing is readable: monotonic seconds."""

    def pump(self) -> bool:
        """Dispatch a bounded amount; return True if more may be waiting."""

    def finish(self, deadline: float) -> None:
        """Dispatch all that is available, at the latest until `deadline` (monotonic seconds)."""
