"""Collects the incidents of a run: gives what the supervisor learns its time and its connection."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from foxtrot_protocol.commands import Heartbeat
from foxtrot_supervisor.core.effects import Publish
from foxtrot_supervisor.core.targets import ENGINE
from foxtrot_supervisor.report.incident_rules import Lives, engine_heartbeat, logged, worker_heartbeat
from foxtrot_supervisor.report.incidents import Incidents, Occurrence
from foxtrot_supervisor.runtime.active_config import ActiveConfig
from foxtrot_supervisor.runtime.logs import Log

__all__ = ["IncidentWatch", "WatchedLog"]


class IncidentWatch:
    """The incidents of one run; `active`: the configuration in force, which names the connection of each worker."""

    def __init__(self, active: ActiveConfig) -> None:
        self._active = active
        self._lives = Lives()
        self.memory = Incidents()
        """The incidents so far."""

    def state_changed(self, change: Publish) -> None:
        """A child has changed its state."""
        found = self._lives.changed(change, time.monotonic())
        if found is not None:
            self._note((found,))

    def heartbeat(self, name: str, before: Heartbeat | None, now: Heartbeat) -> None:
        """A heartbeat has come; `before`: the one before of the same incarnation."""
        self._note((engine_heartbeat if name == ENGINE else worker_heartbeat)(name, before, now))

    def logged(self, event: str, fields: Mapping[str, Any]) -> None:
        """The supervisor has logged a line."""
        found = logged(event, fields)
        if found is not None:
            self._note((found,))

    def _note(self, found: Iterable[Occurrence]) -> None:
        for occurrence in found:
            place = self._active.specs.places.get(occurrence.worker)
            self.memory.note(
                occurrence,
                at_ns=time.time_ns(),
                now=time.monotonic(),
                connection=place.connection.name if place is not None else "",
                exchange=place.connection.exchange if place is not None else "",
            )


class WatchedLog:
    """A log whose lines `noted` gets as well, whatever its level."""

    def __init__(self, log: Log, noted: Callable[[str, Mapping[str, Any]], None]) -> None:
        self._log = log
        self._noted = noted

    def debug(self, event: str, /, **fields: Any) -> Any:
        """Log a line of level debug; it is no incident."""
        return self._log.debug(event, **fields)

    def info(self, event: str, /, **fields: Any) -> Any:
        """Log a line of level info."""
        self._noted(event, fields)
        return self._log.info(event, **fields)

    def warning(self, event: str, /, **fields: Any) -> Any:
        """Log a line of level warning."""
        self._noted(event, fields)
        return self._log.warning(event, **fields)

    def error(self, event: str, /, **fields: Any) -> Any:
        """Log a line of level error."""
        self._noted(event, fields)
        return self._log.error(event, **fields)
