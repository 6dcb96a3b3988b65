"""The service manager (systemd), told of states and of progress as they come."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from foxtrot_supervisor.core.children import Phase
from foxtrot_supervisor.core.records import ChildRecord
from foxtrot_supervisor.runtime.active_config import ActiveConfig
from foxtrot_supervisor.runtime.service_state import ServiceState
from foxtrot_supervisor.runtime.systemd import Systemd
from foxtrot_supervisor.runtime.timers import Timers

__all__ = ["ServiceManager"]


class ServiceManager:
    """Sends what `ServiceState` decides. `active`: its limits say how long the next step may take."""

    def __init__(self, systemd: Systemd, active: ActiveConfig, timers: Timers) -> None:
        self._systemd = systemd
        self._active = active
        self._timers = timers
        self._state = ServiceState(active.start_limit_s, active.stop_limit_s)
        self._ended_total = 0

    def start_watchdog(self, turns: Callable[[], bool]) -> None:
        """From now on send WATCHDOG three times in the period that systemd has set, while `turns` says so."""
        period_s = self._systemd.watchdog_s
        if period_s is None:
            return

        def notify() -> None:
            if turns():
                self._systemd.watchdog()
            self._timers.call_later("watchdog", period_s / 3.0, notify)

        self._timers.call_later("watchdog", 0.0, notify)

    def child_ended(self) -> None:
        """A process has ended: progress, during a stop."""
        self._ended_total += 1

    def update(self, phase: Phase, records: Mapping[str, ChildRecord]) -> None:
        """A child's state has changed."""
        if not self._systemd.present:
            return
        serving = [name for name, record in records.items() if record.ready_at is not None and record.may_live]
        self._systemd.tell(self._state.look(phase, serving, len(records), self._ended_total))

    def reconfigured(self) -> None:
        """Another configuration is in force."""
        self._state.adopt(self._active.start_limit_s, self._active.stop_limit_s)

    def reloading(self) -> None:
        """A reload begins."""
        self._systemd.tell(self._state.reloading())

    def reloaded(self) -> None:
        """A reload has ended, or was refused."""
        self._systemd.tell(self._state.reloaded())

    def broken(self) -> None:
        """An internal error has ended the run."""
        self._systemd.tell(self._state.broken())
