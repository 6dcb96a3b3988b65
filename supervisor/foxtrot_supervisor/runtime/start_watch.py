"""Shows how far the start is: log lines at intervals, and ``start`` of the status."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from msgspec import structs

from foxtrot_supervisor.core.core import Core
from foxtrot_supervisor.core.lifecycle import State
from foxtrot_supervisor.report.start_progress import StartProgress, remaining_s
from foxtrot_supervisor.runtime.logs import Log
from foxtrot_supervisor.runtime.timers import Timers

__all__ = ["FIRST_S", "LOOK_S", "PROGRESS_S", "StartWatch"]

LOOK_S = 0.5
"""Seconds between two looks, to the precision of which the end of a start is known."""

FIRST_S = 2.0
"""Seconds after the beginning of the start at which it is reported first, if it lasts so long."""

PROGRESS_S = 10.0
"""Seconds between two further log lines."""


class StartWatch:
    """Of one run, from `begin` until everything serves.

    Args:
        core: read only.
        places: returns the workers, by name.
        accounts: returns the rate limits, as in ``budgets`` of the status.
        timers: for the next line.
        log: gets ``start_progress``, and ``start_complete`` if there was any progress to report.
    """

    def __init__(
        self,
        core: Core,
        places: Callable[[], Mapping[str, Any]],
        accounts: Callable[[], Sequence[Mapping[str, Any]]],
        timers: Timers,
        log: Log,
    ) -> None:
        self._core = core
        self._places = places
        self._accounts = accounts
        self._timers = timers
        self._log = log
        self._began_at: float | None = None
        self._next_at = 0.0
        """When the next line is due."""

    def begin(self) -> None:
        """The start begins now."""
        self._began_at = time.monotonic()
        self._timers.call_later("start_progress", FIRST_S, self._report)

    def progress(self) -> dict[str, Any] | None:
        """Return ``start`` of the status; None unless the run is starting."""
        found = self._progress()
        return None if found is None else structs.asdict(found)

    def _progress(self) -> StartProgress | None:
        if self._began_at is None or self._core.state != "starting":
            return None
        records = self._core.records
        workers = [record for name in self._places() if (record := records.get(name)) is not None]
        serving = sum(record.state is State.RUNNING for record in workers)
        elapsed_s = time.monotonic() - self._began_at
        left_s = remaining_s(len(workers), serving, elapsed_s, self._accounts())
        return StartProgress(len(workers), serving, round(elapsed_s, 1), left_s)

    def _report(self) -> None:
        found = self._progress()
        if found is not None:
            if time.monotonic() >= self._next_at:
                self._next_at = time.monotonic() + PROGRESS_S
                self._log.info("start_progress", **structs.asdict(found))
            self._timers.call_later("start_progress", LOOK_S, self._report)
        elif self._core.state in ("running", "degraded") and self._began_at is not None:
            self._log.info("start_complete", within_s=round(time.monotonic() - self._began_at, 1))
