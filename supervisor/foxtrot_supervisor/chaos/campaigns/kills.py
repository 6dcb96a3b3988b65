"""Many SIGKILLs of workers or of the supervisor under load: time to detection and to recovery.

The figures are for the promises of one sentence each (`rules.report.judge_kills`, `judge_supervisor_kills`). Which
worker and when follows from the seed.
"""

from __future__ import annotations

import os
import random
import signal
import time
from typing import Any, Final

from foxtrot_supervisor.chaos.harness.ground import Ground
from foxtrot_supervisor.chaos.harness.supervised_run import SupervisedRun, Trouble, wait_until_gone
from foxtrot_supervisor.chaos.rules.report import (
    GONE_MS,
    Kill,
    SupervisorKill,
    figures,
    judge_kills,
    judge_supervisor_kills,
)
from foxtrot_supervisor.chaos.rules.schedule import ChaosOptions, Progress
from foxtrot_supervisor.system import procfs

__all__ = ["KILLS_A_WORKER", "run_kills"]

KILLS_A_WORKER: Final = 4
"""Kills of one worker in one run: beyond it the supervisor's log begins to hold back what repeats itself."""

START_S: Final = 30.0
RECOVERY_S: Final = 10.0

PAUSE_S_MAX: Final = 0.05
"""Longest random pause before a kill."""

SETTINGS: Final[dict[str, object]] = {
    "heartbeat_s": 0.25,
    "stop_ask_s": 3.0,
    "shutdown_s": 20.0,
    "backoff_jitter": 0.0,
    # each kill counts as the first: replaced at once, without backoff
    "healthy_after_s": 0.0,
    "restart_intensity": 1_000_000,
}


def run_kills(options: ChaosOptions, progress: Progress) -> dict[str, Any]:
    """Kill workers `options.kills` times, then the supervisor `options.supervisor_kills` times; the report."""
    symbols = {f"load{number}": f"LOAD{number}USDT" for number in range(options.workers)}
    with Ground(
        symbols.values(), rate=options.rate_per_s, seed=options.seed, venue=options.venue, transport=options.transport
    ) as ground:
        campaign = _Campaign(ground, symbols, options, progress)
        kills = campaign.kill_workers()
        supervisor_kills = campaign.kill_supervisors()
        trades = ground.end_exchange()
        broken = judge_kills(kills, with_nursery=options.nursery, patience=options.patience) if kills else []
        broken += judge_supervisor_kills(supervisor_kills, options.patience)
        broken += campaign.trouble
        report: dict[str, Any] = {"held": not broken, "broken": broken, "trades": trades}
        if kills:
            report["kills"] = {
                "count": len(kills),
                "workers": options.workers,
                "detected_ms": figures([kill.detected_ms for kill in kills if kill.detected_ms is not None]),
                "hello_ms": figures([kill.hello_ms for kill in kills if kill.hello_ms is not None]),
                "event_ms": figures([kill.event_ms for kill in kills if kill.event_ms is not None]),
                "worker_pss_mib": campaign.pss_mib,
            }
        if supervisor_kills:
            gone = [kill.gone_ms for kill in supervisor_kills if kill.gone_ms is not None]
            starts = [kill.next_start_ms for kill in supervisor_kills if kill.next_start_ms is not None]
            report["supervisor_kills"] = {
                "count": len(supervisor_kills),
                "children": supervisor_kills[0].children,
                "slowest_child_gone_ms": figures(gone),
                "next_start_ms": figures(starts),
                "orphans": sum(len(kill.orphans) for kill in supervisor_kills),
            }
        if broken:
            report["logs"] = str(ground.keep())
        return report


class _Campaign:
    """Runs that follow one another on one ground."""

    def __init__(self, ground: Ground, symbols: dict[str, str], options: ChaosOptions, progress: Progress) -> None:
        self._ground = ground
        self._symbols = symbols
        self._workers = [f"{name}.a" for name in symbols]
        self._options = options
        self._progress = progress
        self._random = random.Random(options.seed)
        self.pss_mib: list[float] = []
        """Memory of each worker at the end of the first run."""
        self.trouble: list[str] = []

    def _start(self) -> tuple[SupervisedRun, float]:
        """A run in which all serve, and how long that took in milliseconds."""
        run = self._ground.start({}, self._symbols, {**SETTINGS, "start_method": self._options.start_method})
        try:
            run.wait(lambda: run.serves(self._workers), START_S * self._options.patience, "all workers to serve")
        except Trouble:
            run.close()
            raise
        return run, (time.monotonic() - run.started_at) * 1000.0

    # ---- workers

    def kill_workers(self) -> list[Kill]:
        """As many as wanted, in runs of a few each."""
        kills: list[Kill] = []
        while len(kills) < self._options.kills and not self.trouble:
            order = [worker for worker in self._workers for _ in range(KILLS_A_WORKER)]
            self._random.shuffle(order)
            try:
                kills += self._kill_some(order[: self._options.kills - len(kills)])
            except Trouble as trouble:
                self.trouble.append(str(trouble))
            text = f"{len(kills)} of {self._options.kills} workers killed"
            self._progress(text, len(kills), self._options.kills)
        return kills

    def _kill_some(self, order: list[str]) -> list[Kill]:
        run, _ = self._start()
        try:
            kills = [self._kill(run, worker) for worker in order]
            if not self.pss_mib:
                pids = [pid for name, (pid, _) in run.children().items() if name in self._workers and pid is not None]
                self.pss_mib = [round(_pss_bytes(pid) / 2**20, 1) for pid in pids]
            run.signal(signal.SIGTERM)
            if not run.ended(START_S) or run.process.returncode != 0:
                self.trouble.append(f"the stop after the kills gave exit code {run.process.returncode}")
        finally:
            self.trouble += [f"left running: {orphan}" for orphan in run.close().found]
        return kills

    def _kill(self, run: SupervisedRun, worker: str) -> Kill:
        run.rest(self._random.random() * PAUSE_S_MAX)
        pid, incarnation = run.children()[worker]
        if pid is None:
            raise Trouble(f"{worker} has no process to kill")
        killed_ns = time.time_ns()
        os.kill(pid, signal.SIGKILL)
        next_one = worker, incarnation + 1
        run.waited(
            lambda: next_one in run.events.first_ns and run.serves([worker]), RECOVERY_S * self._options.patience
        )
        ended = run.log.first(worker, incarnation, ("BACKOFF", "FATAL"), killed_ns)
        heard = run.log.first(*next_one, ("CONNECTING", "RUNNING"), killed_ns)
        return Kill(
            worker,
            _ms(killed_ns, ended.at_ns if ended is not None else None),
            _ms(killed_ns, heard.at_ns if heard is not None else None),
            _ms(killed_ns, run.events.first_ns.get(next_one)),
        )

    # ---- supervisors

    def kill_supervisors(self) -> list[SupervisorKill]:
        """As many as wanted; the start of each run shows what the kill before it has left behind."""
        kills: list[SupervisorKill] = []
        if not self._options.supervisor_kills:
            return kills
        run, _ = self._start()
        while len(kills) < self._options.supervisor_kills:
            run.rest(self._random.random() * PAUSE_S_MAX)
            children = [facts.pid for facts in procfs.children_of(run.process.pid) if not facts.zombie]
            gone_ms = wait_until_gone(children, run.process.kill, 5 * GONE_MS / 1000.0)
            orphans = run.close().found
            try:
                run, next_start_ms = self._start()
            except Trouble as trouble:
                self.trouble.append(str(trouble))
                kills.append(SupervisorKill(gone_ms, len(children), None, orphans))
                return kills
            kills.append(SupervisorKill(gone_ms, len(children), next_start_ms, orphans))
            wanted = self._options.supervisor_kills
            kept = len(kills) % 10 == 0 or len(kills) == wanted
            self._progress(f"{len(kills)} of {wanted} supervisors killed" if kept else "", len(kills), wanted)
        run.signal(signal.SIGTERM)
        if not run.ended(START_S) or run.process.returncode != 0:
            self.trouble.append(f"the stop after the kills gave exit code {run.process.returncode}")
        self.trouble += [f"left running: {orphan}" for orphan in run.close().found]
        return kills


def _pss_bytes(pid: int) -> int:
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as rollup:
        return next(int(line.split()[1]) * 1024 for line in rollup if line.startswith("Pss:"))


def _ms(since_ns: int, until_ns: int | None) -> float | None:
    return None if until_ns is None else round((until_ns - since_ns) / 1e6, 2)
