"""Recent events that a program has asked to keep, and frames of them. Thread-safe."""

from __future__ import annotations

import threading
import time
from typing import Any

from foxtrot_protocol.events import EVENT_TYPES
from foxtrot_supervisor.client.event_buffer import event_filter
from foxtrot_supervisor.client.event_history import HISTORY_BYTES_MAX, HISTORY_EVENTS_MAX, EventHistory
from foxtrot_supervisor.client.event_selection import event_type
from foxtrot_supervisor.client.frames import FramesUnavailable, frame_of
from foxtrot_supervisor.client.log_tail import duration_s

__all__ = ["KeptEvents"]


class KeptEvents:
    """One history for each event type."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._histories: dict[str, EventHistory] = {}

    @property
    def types(self) -> list[str]:
        """Event types that are kept."""
        return list(self._histories)

    def keep(
        self,
        types: str | list[str],
        *,
        last: str | float = "10m",
        symbol: str | list[str] | None = None,
        events_max: int = HISTORY_EVENTS_MAX,
        bytes_max: int = HISTORY_BYTES_MAX,
    ) -> list[str]:
        """Keep events of these types from now on; what was kept of them is forgotten. Return the event types.

        Args:
            types: event type or kind, such as ``trade``; or several.
            last: how long: ``10m``, or seconds.
            symbol: only these; None: all.
            events_max: most events of each type.
            bytes_max: their estimated size, for each type: about 500 bytes for an event, and 150 for each level.

        Raises:
            ValueError: for an unknown event type or an unreadable time.
        """
        wanted, keep_s = event_filter(types, symbol), duration_s(last)
        with self._lock:
            for each in sorted(wanted.types):
                self._histories[each] = EventHistory(wanted, keep_s, events_max, bytes_max)
        return sorted(wanted.types)

    def add(self, type_: str, event: Any) -> None:
        """Add an event of type `type_`, if it is kept."""
        history = self._histories.get(type_)
        if history is not None:
            with self._lock:
                history.add(event)

    def frame(self, kind: str, *, last: str | float | None = None, symbol: str | list[str] | None = None) -> Any:
        """Return kept events as a pandas DataFrame (extra ``frames``), oldest first; see `frames.frame_of`.

        Args:
            kind: event type or kind, such as ``trade``.
            last: only those of the last ``10m``, or seconds; None: all that is kept.
            symbol: only these; None: all.

        Raises:
            FramesUnavailable: if events of this type are not kept, or pandas is not installed.
            ValueError: for an unknown event type or an unreadable time.
        """
        wanted = event_filter(kind, symbol)
        name = event_type(kind)
        since_ns = 0 if last is None else time.time_ns() - int(duration_s(last) * 1e9)
        history = self._histories.get(name)
        if history is None:
            raise FramesUnavailable(f'{kind} events are not kept: call keep("{kind}", last="10m") first')
        with self._lock:
            events = history.since(since_ns, wanted.symbols)
        kinds: list[Any] = [made for made, each in EVENT_TYPES.items() if each == name]
        fields = dict.fromkeys(field for made in kinds for field in made.__struct_fields__)
        return frame_of(events, [field for field in fields if _has(events, field)])


def _has(events: list[Any], column: str) -> bool:
    return all(hasattr(event, column) for event in events)
