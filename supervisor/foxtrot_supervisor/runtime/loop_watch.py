"""Watches how late the supervisor's own event loop is."""

from __future__ import annotations

import time

from foxtrot_supervisor.runtime.logs import Log
from foxtrot_supervisor.runtime.timers import Timers
from foxtrot_supervisor.telemetry.loop_lag import LATE_S, PERIOD_S, LoopLag, LoopLagFigures

__all__ = ["LOGGED_AGAIN_S", "LoopWatch"]

LOGGED_AGAIN_S = 60.0
"""Minimum seconds between two log lines about a late loop."""


class LoopWatch:
    """Measures from `start` on, until `timers` are closed; `log` gets ``supervisor_late``."""

    def __init__(self, timers: Timers, log: Log) -> None:
        self._timers = timers
        self._log = log
        self._lag: LoopLag | None = None
        self._log_at = 0.0

    def start(self) -> None:
        """Begin to measure. To be called while the event loop runs."""
        self._lag = LoopLag(time.monotonic())
        self._timers.call_later("loop_lag", PERIOD_S, self._fired)

    def figures(self) -> LoopLagFigures:
        """Return the figures for ``status``."""
        return LoopLagFigures() if self._lag is None else self._lag.figures()

    def _fired(self) -> None:
        assert self._lag is not None
        now = time.monotonic()
        late_s = self._lag.fired(now)
        if late_s >= LATE_S and now >= self._log_at:
            self._log_at = now + LOGGED_AGAIN_S
            self._log.warning("supervisor_late", late_ms=round(late_s * 1e3, 1), late_total=self.figures().late_total)
        self._timers.call_later("loop_lag", PERIOD_S, self._fired)
