"""Streams and kept events of an embedded run: they get what the application's EventEngine dispatches."""

from __future__ import annotations

import weakref
from typing import Any

from foxtrot_supervisor.client.event_buffer import (
    BUFFER_BYTES_MAX,
    BUFFER_EVENTS,
    EventBuffer,
    Overflow,
    event_filter,
)
from foxtrot_supervisor.client.event_feed import EventFeed, Funnel
from foxtrot_supervisor.client.kept_events import KeptEvents
from foxtrot_supervisor.engine.bus.event import Event
from foxtrot_supervisor.engine.bus.event_engine import EventEngine

__all__ = ["EngineStreams"]


class EngineStreams:
    """Consumers of one EventEngine; `close` ends them."""

    def __init__(self, engine: EventEngine) -> None:
        self._engine = engine
        self._kept = KeptEvents()
        self._keeps: set[str] = set()
        self._funnels: weakref.WeakSet[Funnel] = weakref.WeakSet()

    def stream(
        self,
        types: str | list[str],
        symbol: str | list[str] | None = None,
        limit: int = BUFFER_EVENTS,
        bytes_max: int = BUFFER_BYTES_MAX,
        overflow: Overflow = "drop_oldest",
    ) -> EventFeed:
        """Return events for ``async for``; see `Supervisor.stream`."""
        wanted = event_filter(types, symbol)
        funnel = Funnel(EventBuffer(limit, bytes_max, overflow))

        def handle(event: Event) -> None:
            if wanted.accepts(event.data):
                funnel.offer(event.data)

        def release() -> None:
            for each in wanted.types:
                self._engine.unregister(each, handle)

        for each in wanted.types:
            self._engine.register(each, handle)
        self._funnels.add(funnel)
        return EventFeed(funnel, release)

    def keep(self, types: str | list[str], last: str | float, symbol: str | list[str] | None, **bounds: int) -> None:
        """Keep recent events in memory from now on; see `KeptEvents.keep`."""
        for each in self._kept.keep(types, last=last, symbol=symbol, **bounds):
            if each not in self._keeps:
                self._keeps.add(each)
                self._engine.register(each, self._keep)

    def frame(self, kind: str, last: str | float | None, symbol: str | list[str] | None) -> Any:
        """Return kept events as a DataFrame; see `KeptEvents.frame`."""
        return self._kept.frame(kind, last=last, symbol=symbol)

    def close(self) -> None:
        """End all streams, and keep nothing more; what is kept can still be read."""
        for funnel in list(self._funnels):
            funnel.close()
        for each in self._keeps:
            self._engine.unregister(each, self._keep)
        self._keeps.clear()

    def _keep(self, event: Event) -> None:
        self._kept.add(event.type, event.data)
