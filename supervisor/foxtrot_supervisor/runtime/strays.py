"""Finds, kills and reaps strays: descendants of children that left their session and became children of ours."""

from __future__ import annotations

import asyncio
import time

from foxtrot_supervisor.runtime.logs import Log
from foxtrot_supervisor.runtime.processes.processes import Processes
from foxtrot_supervisor.runtime.timers import Timers
from foxtrot_supervisor.system.oom import OomEvidence

__all__ = ["STRAYS_S", "SWEEP_S", "SWEEP_SOON_S", "ZOMBIE_S", "Strays"]

SWEEP_S = 2.0
"""Seconds between two sweeps without a death."""

ZOMBIE_S = 0.5
"""Seconds between two checks for a dead stray; each is a single system call."""

SWEEP_SOON_S = 0.1
"""Seconds from a death to the sweep: the orphans of one child arrive together."""

STRAYS_S = 3.0
"""Limit in seconds for killed strays to be gone at the end of a run; the audit reports what is left."""

_POLL_S = 0.01


class Strays:
    """Sweeps from `start` on, until `timers` are closed."""

    def __init__(self, processes: Processes, timers: Timers, oom: OomEvidence, log: Log) -> None:
        """`oom`: its counter is read with each sweep."""
        self._processes = processes
        self._timers = timers
        self._oom = oom
        self._log = log
        self.killed_total = 0
        """Strays killed so far."""

    def start(self) -> None:
        """Begin to sweep at regular intervals."""
        self._timers.call_later("sweep", SWEEP_S, self.sweep)
        self._timers.call_later("zombies", ZOMBIE_S, self._check_for_zombies)

    def sweep(self) -> None:
        """Kill and reap the strays that exist now."""
        self._oom.look()
        for stray in self._processes.sweep():
            if not stray.was_zombie:
                self.killed_total += 1
                self._log.warning("stray_killed", pid=stray.pid, stray=stray.name, command=stray.command)
        self._timers.call_later("sweep", SWEEP_S, self.sweep)

    def sweep_soon(self) -> None:
        """A child has died: sweep once its orphans have arrived."""
        self._timers.call_later("sweep", SWEEP_SOON_S, self.sweep)

    async def end_all(self) -> None:
        """Sweep until no stray is left, for `STRAYS_S` seconds at most.

        The children of a killed stray become ours only after its death, so one sweep is not enough.
        """
        deadline = time.monotonic() + STRAYS_S
        self.sweep()
        while (self._processes.busy or self._processes.strays_left()) and time.monotonic() < deadline:
            await asyncio.sleep(_POLL_S)
            self.sweep()

    def remaining(self) -> list[str]:
        """Describe every child process that still exists, strays included."""
        left = [f"{child.pid} {child.name}" for child in self._processes.living()]
        left += [f"{pid} stray" for pid in self._processes.strays_left()]
        return left or ([] if self._processes.childless() else ["a child that cannot be named"])

    def _check_for_zombies(self) -> None:
        if self._processes.dead_stray():
            self.sweep()
        self._timers.call_later("zombies", ZOMBIE_S, self._check_for_zombies)
