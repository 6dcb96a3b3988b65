"""Lifetime of the supervisor that is an application's child: started, watched, stopped, restarted after a death.

The decisions (when to restart a dead supervisor, how to stop a living one, when silence means that it hangs) are those
that the supervisor itself uses for its children: `core.restart`, `core.stop_ladder`, `core.health`.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import threading
import time
from collections.abc import Callable
from typing import Any, Literal, TypeAlias

import msgspec
from msgspec import Struct

from foxtrot_protocol import endpoints
from foxtrot_protocol.events import WorkerStatus
from foxtrot_protocol.exit_codes import ExitVerdict, SupervisorExit
from foxtrot_supervisor.config.schema import FoxtrotConfig, SupervisorConfig
from foxtrot_supervisor.config.shards import Placements
from foxtrot_supervisor.core.health import Health, HealthLimits, Watch, gap_s_max, look_s
from foxtrot_supervisor.core.restart import GiveUp, RestartLimits, RestartPolicy, Retry
from foxtrot_supervisor.core.stop_ladder import Ladder, StopLimits
from foxtrot_supervisor.core.targets import Targets
from foxtrot_supervisor.embedding.child import SupervisorChild, write_order
from foxtrot_supervisor.embedding.engine_part import EnginePart
from foxtrot_supervisor.embedding.errors import SupervisorFailed
from foxtrot_supervisor.embedding.subscriptions import Subscriptions
from foxtrot_supervisor.embedding.wire import Alive, Call, Ended, News, Serving
from foxtrot_supervisor.runtime.processes.survivors import end_survivors
from foxtrot_supervisor.runtime.processes.syscalls import ExitStatus
from foxtrot_supervisor.runtime.run_dir import AlreadyRunning, RunDir, RunDirRefused

__all__ = [
    "FORCED_STOP_S",
    "INCARNATIONS_STEP",
    "KILL_S",
    "SUPERVISOR",
    "Phase",
    "SupervisorEnd",
    "SupervisorLifetime",
]

SUPERVISOR = "supervisor"
"""Name of the supervisor itself in `eWorker.` events; its incarnation is the number of its start."""

FORCED_STOP_S = 5.0
"""Time for a supervisor that has exceeded its stop timeout to SIGKILL its children; then it gets SIGKILL itself."""

KILL_S = 5.0
"""Time after SIGKILL until a supervisor counts as unkillable."""

LIMITS_POLL_S = 0.2
"""Interval of checking, while the supervisor stops, whether a shorter timeout was requested."""

INCARNATIONS_STEP = 1000
"""A new supervisor's incarnations begin after a multiple of this: the last one may have used some that nobody saw."""

Phase: TypeAlias = Literal["starting", "up", "down", "failed", "stopping", "stopped"]
"""`down`: the supervisor died and will be restarted; `failed`: it will not, unless a restart is requested."""

_Target: TypeAlias = Literal["run", "stop", "restart"]


class SupervisorEnd(Struct):
    """How one supervisor ended."""

    status: ExitStatus | None
    """None: it could not be started, or not be killed."""
    report: Ended | None
    """Its own report; None: it died without one."""
    served_s: float
    failure: str = "it survives SIGKILL"
    """Cause, if `status` is None."""
    hung: str = ""
    """Why it was killed as hanging; "" if it was not."""

    @property
    def died(self) -> bool:
        """Whether it ended by a fault: without a report, with an internal error, or unable to start."""
        faults = (SupervisorExit.INTERNAL_ERROR, SupervisorExit.START_FAILED)
        return self.report is None or self.report.exit_code in faults

    @property
    def text(self) -> str:
        """The cause, for people."""
        if self.status is None:
            return self.failure
        if self.status.signal is not None:
            how = f"it was killed by {signal.Signals(self.status.signal).name}"
            return f"{how}: {self.hung}" if self.hung else how
        if self.report is not None and self.report.failure:
            return self.report.failure
        return f"it ended with exit code {self.status.exit_code}"


class SupervisorLifetime:
    """Runs one supervisor after the other until a stop is requested or one cannot be used.

    `on_phase(phase, cause)` is called at every change. Methods are called on one event loop, unless they say otherwise.
    """

    def __init__(
        self,
        run_dir: RunDir,
        subscriptions: Subscriptions,
        shards: Placements,
        part: EnginePart,
        *,
        log_level: str,
        targets: Targets,
        on_phase: Callable[[Phase, str], None],
    ) -> None:
        self._run_dir = run_dir
        self._subscriptions = subscriptions
        self._shards = shards
        self._part = part
        self._log_level = log_level
        self._targets = targets
        self._on_phase = on_phase
        self._config = subscriptions.begin()
        self._target: _Target = "run"
        self._target_changed = asyncio.Event()
        self._limits = _stop_limits(self._config.supervisor.shutdown_s)
        self._stop_cause = ""
        self._child: SupervisorChild | None = None
        self._order_lock = threading.Lock()
        """Held while an order is rewritten: a dead supervisor's must not replace that of its successor."""
        self._health: Watch | None = None
        self._hung = ""
        self._serving_since: float | None = None
        self._has_ever_served = False
        self._starts = 0
        self.report: Ended | None = None
        """What the latest supervisor reported of its end."""
        self.restarts_total = 0
        """How often a supervisor was restarted."""

    # ---- requests

    def request_stop(self, timeout_s: float, cause: str) -> None:
        """Stop everything; what has not ended after `timeout_s` seconds is killed."""
        self._set_target("stop", timeout_s, cause)

    def request_restart(self, timeout_s: float) -> None:
        """Stop the supervisor, if it lives, within `timeout_s` seconds, and start another."""
        self._set_target("restart", timeout_s, "restart requested")

    def note_stopping(self) -> None:
        """The supervisor stops although this application did not request it: an operator did."""
        if self._is_target("run"):
            self._on_phase("stopping", "the supervisor is being stopped")

    def rewrite_order(self, config: FoxtrotConfig) -> None:
        """Write the order that the living supervisor reads when it reloads. From any thread."""
        with self._order_lock:
            if self._child is not None:
                write_order(self._run_dir.path, msgspec.structs.replace(self._child.order, config=config))

    def forget(self) -> None:
        """Close the descriptors of the supervisor in a forked copy of the application. From any thread."""
        if self._child is not None:
            self._child.forget()

    def _set_target(self, target: _Target, timeout_s: float, cause: str) -> None:
        if self._is_target("stop"):
            return
        self._target = target
        self._stop_cause = cause
        self._limits = _stop_limits(timeout_s)
        self._on_phase("stopping", cause)
        self._target_changed.set()

    def _is_target(self, target: _Target) -> bool:
        return self._target == target

    # ---- one supervisor after the other

    async def run(self) -> str:
        """Run supervisors until the end, and return its cause."""
        policy = RestartPolicy("permanent", _restart_limits(self._config.supervisor), random.random)
        while True:
            if self._is_target("stop"):
                return self._stop_cause
            end = await self._run_one()
            text = end.text
            if end.died:
                self._clean_up(text)
            if self._is_target("stop"):
                return self._stop_cause
            if not end.died and self._is_target("run"):
                return "the supervisor was stopped"
            if not self._has_ever_served:
                return f"the supervisor cannot be started: {text}"
            if self._is_target("run"):
                decision = policy.died(ExitVerdict.CRASH, time.monotonic(), end.served_s, None)
                if isinstance(decision, Retry):
                    self._on_phase("down", f"the supervisor has died: {text}")
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(decision.delay_s):
                            await self._target_changed.wait()
                    policy.restarted(time.monotonic(), decision.crashed)
                else:
                    reason = decision.reason if isinstance(decision, GiveUp) else "it is not restarted"
                    self._on_phase("failed", f"the supervisor has died: {text} ({reason})")
                    await self._target_changed.wait()
            if self._is_target("restart"):
                policy.forgive()
            self.restarts_total += 1
            self._on_phase("starting", "")

    async def _run_one(self) -> SupervisorEnd:
        self._target = "run"
        self._target_changed.clear()
        self.report = None
        self._serving_since = None
        self._config = self._subscriptions.begin()
        self._health = Watch(_health_limits(self._config.supervisor), time.monotonic(), alive_before_ready=True)
        self._hung = ""
        self._starts += 1
        try:
            self._run_dir.rejoin()
        except (AlreadyRunning, RunDirRefused, OSError) as error:
            return SupervisorEnd(None, None, 0.0, f"the run directory is gone and cannot be made again: {error}")
        if self._starts > 1:
            self._run_dir.rename_run()  # a guard that still kills processes of the last run must not kill these
        dead: asyncio.Future[ExitStatus] = asyncio.get_running_loop().create_future()
        try:
            child = self._child = SupervisorChild(
                self._run_dir,
                self._config,
                self._shards,
                log_level=self._log_level,
                targets=self._targets,
                incarnations_before=-(-self._part.incarnations_seen // INCARNATIONS_STEP) * INCARNATIONS_STEP,
                on_news=self._take_news,
                on_death=dead.set_result,
            )
        except SupervisorFailed as failure:
            return SupervisorEnd(None, None, 0.0, str(failure))
        self._announce("STARTING", "", None)
        try:
            first: set[asyncio.Future[Any]] = {dead, changed := asyncio.ensure_future(self._target_changed.wait())}
            await asyncio.wait(first, return_when=asyncio.FIRST_COMPLETED)
            changed.cancel()
            if not dead.done():
                await self._stop(child, dead)
        finally:
            self._part.unlink()
            child.close()
            with self._order_lock:
                self._child = None
        served_s = 0.0 if self._serving_since is None else time.monotonic() - self._serving_since
        end = SupervisorEnd(dead.result() if dead.done() else None, self.report, served_s, hung=self._hung)
        self._announce("EXITED", end.text, end.status)
        return end

    async def _stop(self, child: SupervisorChild, dead: asyncio.Future[ExitStatus]) -> None:
        """Send SIGTERM (an orderly stop), SIGTERM again (it SIGKILLs its children), SIGKILL."""
        limits = self._limits
        ladder = Ladder(limits, time.monotonic())
        while not dead.done() and ladder.rung != "lost":
            if self._limits is not limits:  # a shorter timeout was requested meanwhile
                limits = self._limits
                ladder.limit(time.monotonic() + limits.ask_s + limits.term_s, time.monotonic())
            for step in ladder.due(time.monotonic()):
                if step in ("ask", "term"):
                    child.signal(signal.SIGTERM)
                elif step == "kill":
                    child.signal(signal.SIGKILL)
            left_s = max(0.0, ladder.next_deadline - time.monotonic())
            await asyncio.wait({dead}, timeout=min(left_s, LIMITS_POLL_S))

    def _take_news(self, news: News) -> None:
        if self._health is not None:
            self._health.heard(time.monotonic())
        if isinstance(news, Alive):
            return
        if isinstance(news, Serving):
            if self._health is not None:
                self._health.ready(time.monotonic())
            self._serving_since = time.monotonic()
            self._has_ever_served = True
            self._announce("RUNNING", "", None)
            if self._is_target("run"):
                self._on_phase("up", "")
        elif isinstance(news, Call):
            self._part.link(news.incarnation)
        else:
            self.report = news

    async def watch_health(self) -> None:
        """SIGKILL a supervisor that hangs, until cancelled; `run` then treats it as any other death."""
        looked_at = time.monotonic()
        while True:
            await asyncio.sleep(look_s(self._config.supervisor.hung_s))
            before, looked_at = looked_at, time.monotonic()
            health, child, hung_s = self._health, self._child, self._config.supervisor.hung_s
            if health is None or child is None or not self._is_target("run"):
                continue
            if looked_at - before > gap_s_max(hung_s):
                health.discount(looked_at - before, looked_at)  # this process did not run either
            verdict = health.verdict(looked_at)
            if verdict in (Health.HUNG, Health.MUTE):
                self._health = None
                self._hung = f"no sign of life for {hung_s:g} s" if verdict is Health.HUNG else "it never served"
                child.signal(signal.SIGKILL)

    def _clean_up(self, text: str) -> None:
        """Kill what a dead supervisor left, tell the engine that nothing more comes from it, remove its files."""
        end_survivors(self._run_dir.run_id, self._run_dir.start_ticks)
        self._part.fence_workers(f"the supervisor has died: {text}")
        path = self._run_dir.path
        sockets = (
            endpoints.ipc_path(endpoints.child_control_endpoint(path)),
            endpoints.operator_path(path),
            endpoints.nursery_path(path),
        )
        names = {os.path.basename(each) for each in sockets}
        for name in self._run_dir.files():
            if name in names or name.startswith("stacks-"):
                self._run_dir.remove(name)

    def _announce(self, state: str, cause: str, status: ExitStatus | None) -> None:
        """Announce the supervisor's own state as an event."""
        changed = WorkerStatus(
            worker=SUPERVISOR,
            incarnation=self._starts,
            state=state,
            cause=cause,
            exit_code=status.exit_code if status is not None else None,
            signal=status.signal if status is not None else None,
            rung=None,
            restarts=self.restarts_total,
        )
        self._part.announce(changed)


def _stop_limits(timeout_s: float) -> StopLimits:
    return StopLimits(timeout_s, FORCED_STOP_S, KILL_S)


def _health_limits(config: SupervisorConfig) -> HealthLimits:
    return HealthLimits(config.hello_s, config.ready_s, config.late_s, config.hung_s)


def _restart_limits(config: SupervisorConfig) -> RestartLimits:
    return RestartLimits(
        intensity=config.restart_intensity,
        period_s=config.restart_period_s,
        first_s=config.backoff_first_s,
        base_s=config.backoff_s,
        max_s=config.backoff_max_s,
        jitter=config.backoff_jitter,
        healthy_after_s=config.healthy_after_s,
    )
