"""Logs when this machine's clock differs from that of an exchange, and when it does not any more."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from foxtrot_supervisor.report.clocks import clock_problem
from foxtrot_supervisor.runtime.logs import Log
from foxtrot_supervisor.runtime.timers import Timers

__all__ = ["LOOK_S", "ClockWatch"]

LOOK_S = 10.0
"""Seconds between two looks."""


class ClockWatch:
    """Looks from `start` on, until `timers` are closed.

    Args:
        clocks: returns ``clocks`` of the status.
        timers: for the next look.
        log: gets ``clock_off`` and ``clock_in_step``, once for each change of an exchange.
    """

    def __init__(self, clocks: Callable[[], Sequence[dict[str, Any]]], timers: Timers, log: Log) -> None:
        self._clocks = clocks
        self._timers = timers
        self._log = log
        self._off: set[str] = set()

    def start(self) -> None:
        """Look in `LOOK_S` seconds, and then again and again."""
        self._timers.call_later("clocks", LOOK_S, self._look)

    def _look(self) -> None:
        for clock in self._clocks():
            exchange, problem = clock["exchange"], clock_problem(clock)
            if problem and exchange not in self._off:
                self._off.add(exchange)
                self._log.warning("clock_off", exchange=exchange, offset_ms=clock["offset_ms"], reason=problem)
            elif not problem and exchange in self._off:
                self._off.discard(exchange)
                self._log.info("clock_in_step", exchange=exchange, offset_ms=clock["offset_ms"])
        self.start()
