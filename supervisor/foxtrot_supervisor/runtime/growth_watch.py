"""Samples the growth of memory, descriptors, threads, tasks and queues, and logs what exceeds its limit."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Mapping

from foxtrot_supervisor.runtime.logs import Log
from foxtrot_supervisor.runtime.timers import Timers
from foxtrot_supervisor.system import procfs
from foxtrot_supervisor.telemetry.growth import Growth, GrowthWatch
from foxtrot_supervisor.telemetry.vitals import Vitals

__all__ = ["CHILDREN_MAX", "GROWTH_S", "GrowthMonitor"]

GROWTH_S = 5.0
"""Seconds between two samples."""

CHILDREN_MAX = 64
"""Children sampled each time, in turn: a slope may cost half a millisecond, and the loop must not be held up."""


class GrowthMonitor:
    """Samples this process and the children of `vitals` (by name) from `start` on, until `timers` are closed."""

    def __init__(self, vitals: Mapping[str, Vitals], timers: Timers, log: Log) -> None:
        self._vitals = vitals
        self._timers = timers
        self._log = log
        self._own = GrowthWatch()
        self._next_child = 0

    @property
    def own(self) -> Mapping[str, Growth]:
        """Growth of this process, by figure."""
        return self._own.growths

    def start(self) -> None:
        """Take the first sample in `GROWTH_S` seconds."""
        self._timers.call_later("growth", GROWTH_S, self._sample)

    def _sample(self) -> None:
        now = time.monotonic()
        own = {
            "rss_bytes": procfs.rss_bytes(),
            "open_fds": procfs.open_fds(),
            "threads": threading.active_count(),
            "tasks": len(asyncio.all_tasks()),
        }
        for figure in self._own.sample(now, own):
            self._warn("supervisor", figure, self._own.growths[figure])
        for name in self._take_turn():
            vitals = self._vitals[name]
            for figure in vitals.look(now):
                self._warn(name, figure, vitals.growth.growths[figure])
        self.start()

    def _take_turn(self) -> list[str]:
        names = list(self._vitals)
        turn = names[self._next_child : self._next_child + CHILDREN_MAX]
        self._next_child = self._next_child + CHILDREN_MAX if self._next_child + CHILDREN_MAX < len(names) else 0
        return turn

    def _warn(self, name: str, figure: str, growth: Growth) -> None:
        self._log.warning(
            "growth",
            worker=name,
            what=figure,
            verdict=growth.verdict,
            value=growth.value,
            per_hour=round(growth.per_hour, 1),
            span_s=round(growth.span_s),
        )
