"""Read-only views for programs that look at private attributes of vn.py's and Foxtrot's EventEngine.

Such programs read ``_handlers``, ``_general_handlers``, ``_queue`` and ``_timer``. Each view shows the present state;
changing one changes nothing in the engine.
"""

from __future__ import annotations

import queue
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any, NoReturn

from foxtrot_supervisor.engine.bus.event import Handler
from foxtrot_supervisor.engine.bus.handler_registry import GENERAL, Registration

__all__ = ["HandlersView", "QueueView", "general_handlers"]


class HandlersView(defaultdict[str, list[Handler]]):
    """Handlers by event type. As in vn.py, reading an unknown type adds an empty list, here only to the view."""

    def __init__(self) -> None:
        super().__init__(list)

    def refresh(self, registrations: Iterable[Registration]) -> HandlersView:
        """Show `registrations`, and return the view itself."""
        shown: dict[str, list[Handler]] = {}
        for registration in registrations:
            handler = registration.handler
            if registration.type != GENERAL and handler is not None:
                shown.setdefault(registration.type, []).append(handler)
        for type_ in [type_ for type_, handlers in self.items() if handlers and type_ not in shown]:
            del self[type_]
        self.update(shown)
        return self


def general_handlers(registrations: Iterable[Registration]) -> list[Handler]:
    """Return the handlers that get every event."""
    return [
        registration.handler
        for registration in registrations
        if registration.type == GENERAL and registration.handler is not None
    ]


class QueueView(queue.Queue[Any]):
    """The size of an engine's queue. `depth`: returns how many events wait."""

    def __init__(self, depth: Callable[[], int]) -> None:
        super().__init__()
        self._depth = depth

    def qsize(self) -> int:
        """Return how many events wait."""
        return self._depth()

    def empty(self) -> bool:
        """Return whether none waits."""
        return self._depth() == 0

    def full(self) -> bool:
        """Return False: what happens when there is no room depends on the class of the event."""
        return False

    def put(self, item: Any, block: bool = True, timeout: float | None = None) -> NoReturn:
        """Raise TypeError: events go through `EventEngine.put`."""
        raise TypeError("the queue of an EventEngine can only be looked at; use put() of the engine")

    def get(self, block: bool = True, timeout: float | None = None) -> NoReturn:
        """Raise TypeError: events go to the handlers."""
        raise TypeError("the queue of an EventEngine can only be looked at; register a handler")
