"""Gathers what ``status`` shows, for operators and for a live view."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from msgspec import structs

from foxtrot_protocol import __version__, compiled, standard_streams
from foxtrot_supervisor.core.core import Core
from foxtrot_supervisor.core.targets import ENGINE
from foxtrot_supervisor.report.clocks import clock_of, clocks_by_exchange
from foxtrot_supervisor.report.incidents import Incidents
from foxtrot_supervisor.report.ring_accounts import RingAccounts
from foxtrot_supervisor.report.status import Moment, SupervisorFacts, status_head, worker_statuses
from foxtrot_supervisor.runtime.active_config import ActiveConfig
from foxtrot_supervisor.runtime.coordinator import Coordinator
from foxtrot_supervisor.runtime.growth_watch import GrowthMonitor
from foxtrot_supervisor.runtime.logs import Logs
from foxtrot_supervisor.runtime.run_dir import RunDir
from foxtrot_supervisor.runtime.timers import Timers
from foxtrot_supervisor.system import procfs
from foxtrot_supervisor.telemetry.loop_lag import LoopLagFigures
from foxtrot_supervisor.telemetry.ring_figures import list_rings, read_figures
from foxtrot_supervisor.telemetry.vitals import Vitals

__all__ = ["SLICE_WORKERS", "RunStatus"]

SLICE_WORKERS = 25
"""Workers in one slice of the status: about 3 ms, rings included (scripts/bench_status.py)."""


class RunStatus:
    """The status of one run.

    Args:
        run_dir: whose rings are read.
        active: the configuration in force.
        core: the state of the whole and the records of children.
        vitals: by child name.
        rings: accounts of drained rings.
        coordinator: figures of backfills and rate limits.
        growth: growth of this process.
        loop_lag: returns the lateness of this process's event loop.
        start: returns how far the start is; None unless the run is starting.
        counters: returns strays killed and messages rejected so far.
        markets: returns figures of sharded connections.
        incidents: the incidents so far, of which the counts are shown.
    """

    def __init__(
        self,
        run_dir: RunDir,
        active: ActiveConfig,
        core: Core,
        *,
        vitals: Mapping[str, Vitals],
        rings: RingAccounts,
        coordinator: Coordinator,
        growth: GrowthMonitor,
        loop_lag: Callable[[], LoopLagFigures],
        start: Callable[[], dict[str, Any] | None],
        counters: Callable[[], tuple[int, int]],
        markets: Callable[[], dict[str, Any]],
        incidents: Incidents,
    ) -> None:
        self._run_dir = run_dir
        self._active = active
        self._core = core
        self._vitals = vitals
        self._rings = rings
        self._coordinator = coordinator
        self._growth = growth
        self._loop_lag = loop_lag
        self._start = start
        self._counters = counters
        self._markets = markets
        self._incidents = incidents
        self._form = compiled.describe()
        self._started_at = time.monotonic()

    def assemble(self) -> dict[str, Any]:
        """Return the answer to ``status --json`` (docs/operating.md)."""
        head, *slices = self.slices()
        return {**head, "workers": [worker for part in slices for worker in part["workers"]]}

    def slices(self) -> Iterator[dict[str, Any]]:
        """Yield the status in parts, each made when it is requested: all but the workers, then `SLICE_WORKERS` each.

        The control loop may turn between two parts. Each is true at its own moment; a worker that has gone meanwhile is
        left out.
        """
        yield self._head()
        names, files = list(self._active.specs.places), list_rings(self._run_dir.path)
        sources = self._vitals[ENGINE].sources() if ENGINE in self._vitals else {}
        for start in range(0, len(names), SLICE_WORKERS):
            part = names[start : start + SLICE_WORKERS]
            figures = read_figures(self._run_dir.path, [file for name in part for file in files.get(name, ())])
            accounts = self._rings.with_open(figures, part)
            specs = self._active.specs
            moment = Moment(time.monotonic(), time.time())
            workers = worker_statuses(part, self._core.records, self._vitals, specs.places, sources, moment, accounts)
            for worker in workers:
                change = specs.changes_in_operation(worker["name"])
                worker |= {"subscribed_at_run_time": change.added, "unsubscribed_at_run_time": change.removed}
            yield {"workers": workers}

    def _head(self) -> dict[str, Any]:
        strays_killed_total, rejected_messages_total = self._counters()
        facts = SupervisorFacts(
            pid=os.getpid(),
            version=__version__,
            form=self._form,
            run_dir=self._run_dir.path,
            run_id=self._run_dir.run_id,
            state=self._core.state,
            started_at=self._started_at,
            strays_killed_total=strays_killed_total,
            rejected_messages_total=rejected_messages_total,
            rss_bytes=procfs.rss_bytes(),
            open_fds=procfs.open_fds(),
            tasks=_tasks(),
            threads=threading.active_count(),
            log_dropped_total=standard_streams.dropped_total(),
            growth=self._growth.own,
            loop_lag=self._loop_lag(),
        )
        moment = Moment(time.monotonic(), time.time())
        places, backfills = self._active.specs.places, self._coordinator.backfill_figures()
        return {
            **status_head(facts, self._core.records, self._vitals, places, moment, backfills),
            "markets": self._markets(),
            "budgets": self._coordinator.rate_limits(moment.monotonic),
            "incidents": structs.asdict(self._incidents.figures()),
            "clocks": self.clocks(),
            "start": self._start(),
        }

    def clocks(self) -> list[dict[str, Any]]:
        """Return the offset between this machine's clock and that of each exchange, as far as it is known."""
        sources = self._vitals[ENGINE].sources() if ENGINE in self._vitals else {}
        return clocks_by_exchange(
            (
                place.connection.exchange,
                clock_of(self._vitals[name].latest if name in self._vitals else None, sources.get(name)),
            )
            for name, place in self._active.specs.places.items()
        )

    def show_regularly(
        self, show: Callable[[dict[str, Any]], float | None], period_s: float, *, timers: Timers, logs: Logs
    ) -> None:
        """Call `show` every `period_s` seconds with the status and, as ``log``, the last log lines.

        `show` may return the seconds until it needs the next status, if these are more: a status of hundreds of workers
        costs tens of milliseconds. A view that fails is logged and not called again: it does not end supervision.
        """

        def snapshot() -> None:
            try:
                wanted_s = show({**self.assemble(), "log": logs.recent()})
            except Exception as error:
                logs.log.error("snapshot_failed", reason=repr(error))
                return
            timers.call_later("snapshot", max(period_s, wanted_s or 0.0), snapshot)

        timers.call_later("snapshot", 0.0, snapshot)


def _tasks() -> int:
    """Return how many tasks the running event loop has; 0 if none runs."""
    try:
        return len(asyncio.all_tasks())
    except RuntimeError:
        return 0
