"""One step of the fault matrix: bring a child into a phase, inject the fault, and judge what follows."""

from __future__ import annotations

import functools
import os
import signal
import time
from collections.abc import Callable
from typing import Final

from foxtrot_protocol.control import RestartRequest
from foxtrot_supervisor.chaos.harness.ground import STALE_AFTER_S, Ground
from foxtrot_supervisor.chaos.harness.supervised_run import SupervisedRun, Trouble, wait_until_gone
from foxtrot_supervisor.chaos.rules.report import (
    GONE_MS,
    STOPPED_MS,
    SWEPT_MS,
    Observed,
    Promise,
    Recovery,
    StepResult,
    judge,
    promise,
)
from foxtrot_supervisor.chaos.rules.schedule import (
    CONNECTIONS,
    ENGINE,
    HELLO_S,
    HUNG_S,
    NURSERY,
    PAUSE_S,
    STARTS,
    WORKERS,
    Blow,
    ChaosOptions,
    Scene,
    Step,
    scene,
)
from foxtrot_supervisor.system import procfs

__all__ = ["DWELL_OTHERS_S", "DWELL_S", "PHASE_S", "SETTINGS", "START_S", "play", "play_scene"]

START_S: Final = 20.0
"""How long a supervisor may take until all of it serves."""

PHASE_S: Final = 10.0
"""How long it may take until the victim is in its phase."""

DWELL_S: Final[dict[str, float]] = {"clock_jump": 2.5 * STALE_AFTER_S, "supervisor_sigstop": 2.0, "fd_exhaustion": 1.5}
"""How long it is watched whether a child that should live on does."""

DWELL_OTHERS_S: Final = 0.2

SETTINGS: Final[dict[str, object]] = {
    "heartbeat_s": 0.1,
    "late_s": 0.5,
    "hung_s": HUNG_S,
    "hello_s": HELLO_S,
    "ready_s": 5.0,
    "stop_ask_s": 1.0,
    "stop_term_s": 1.0,
    "stop_kill_s": 2.0,
    "shutdown_s": 10.0,
    "restart_intensity": 3,
    "backoff_s": 0.1,
    "backoff_max_s": 0.5,
    "backoff_jitter": 0.0,
}
"""Of every supervisor under test: deadlines so short that a pass takes minutes."""


def play(ground: Ground, step: Step, options: ChaosOptions) -> StepResult:
    """Play one step of the matrix against a supervisor of its own; return what was observed."""
    return play_scene(ground, step, scene(step), options)


def play_scene(ground: Ground, step: Step, stage: Scene, options: ChaosOptions) -> StepResult:
    """Play `stage` for `step`; trouble on the way is part of the result."""
    started_at = time.monotonic()
    settings = {**SETTINGS, "start_method": options.start_method, "backoff_first_s": stage.backoff_s}
    run = ground.start(stage.plan, CONNECTIONS, settings)
    play = _Play(run, step, stage, options.patience)
    try:
        play.perform()
    except Trouble as trouble:
        play.observed.trouble = str(trouble)
    finally:
        observed = play.observed
        observed.zombie_ms = run.zombie_ms
        observed.orphans = run.close().found
        # a killed supervisor cannot tidy up: the start after it does, and is judged by it
        if stage.supervisor != "SIGKILL" and run.run_dir.exists():
            observed.files = sorted(entry.name for entry in run.run_dir.iterdir()) or [run.run_dir.name]
    broken = judge(step, stage, observed, options.patience)
    return StepResult(step=step, observed=observed, broken=broken, took_s=round(time.monotonic() - started_at, 2))


class _Play:
    """One step on one supervisor."""

    def __init__(self, run: SupervisedRun, step: Step, stage: Scene, patience: float) -> None:
        self._run = run
        self._step = step
        self._stage = stage
        self._patience = patience
        self._struck_ns: list[int] = []
        self.observed = Observed()

    def perform(self) -> None:
        """Play the whole step; raises `Trouble` where a condition that it needs is not reached."""
        stage, run = self._stage, self._run
        self._begin()
        self._bring_to_phase()
        run.rest(self._step.delay_s)
        self.observed.before = run.children()
        if stage.supervisor == "SIGKILL":
            self._kill_supervisor()
            return
        self._strike()
        if stage.supervisor == "pause":
            self._pause_supervisor()
        if stage.release:
            self._trigger(self._step.victim)
        if stage.stop_at_once:
            bad = stage.blows[-1]
            self._wait_for(lambda: run.log.first(bad.child, bad.incarnation, ("STARTING",)), PHASE_S, "its beginning")
            run.rest(self._step.delay_s)
        elif not stage.stop_first:
            self._settle()
        self._end()

    def _wait_for(self, condition: Callable[[], object], limit_s: float, what: str) -> None:
        self._run.wait(condition, limit_s * self._patience, what)

    # ---- until the blow

    def _begin(self) -> None:
        """Wait until all serve, except a victim whose first incarnation has the fault."""
        late = self._step.fault in STARTS and self._step.phase == "starting"
        names = [worker for worker in WORKERS if not (late and worker == self._step.victim)]
        self._wait_for(lambda: self._run.serves(names) and self._nursery_is_up(), START_S, "all workers to serve")
        self.observed.start_ms = (time.monotonic() - self._run.started_at) * 1000.0

    def _nursery_is_up(self) -> bool:
        line = self._run.log.latest(NURSERY)
        return line is None or line.state == "RUNNING"

    def _bring_to_phase(self) -> None:
        stage, victim, run = self._stage, self._step.victim, self._run
        if stage.kill_first:
            self._signal(victim, signal.SIGKILL)
        if stage.stop_first:
            run.signal(signal.SIGTERM)
        self._wait_for(
            lambda: run.log.first(victim, stage.incarnation, (stage.state,)), PHASE_S, f"{victim} to be {stage.state}"
        )
        if stage.held:
            self._wait_for(self._all_are_held, PHASE_S, "the hook to hold")

    def _all_are_held(self) -> bool:
        return all(
            self._run.noted("held", child, part.first)
            for child, parts in self._stage.plan.items()
            for part in parts
            if part.hold
        )

    # ---- the blow

    def _strike(self) -> None:
        """All at once: process ids are asked for before the first."""
        pids = self._run.children()
        for blow in self._stage.blows:
            self._struck_ns.append(time.time_ns())
            pid = pids[blow.child][0]
            if not blow.action:
                continue
            if pid is None:
                raise Trouble(f"{blow.child} has no process to strike")
            os.kill(pid, signal.SIGUSR1 if blow.action == "strike" else signal.Signals[blow.action])

    def _trigger(self, child: str) -> None:
        self._signal(child, signal.SIGUSR1)

    def _signal(self, child: str, number: int) -> None:
        pid, _ = self._run.children()[child]
        if pid is None:
            raise Trouble(f"{child} has no process to signal")
        os.kill(pid, number)

    def _kill_supervisor(self) -> None:
        children = [facts.pid for facts in procfs.children_of(self._run.process.pid) if not facts.zombie]
        self.observed.gone_ms = wait_until_gone(children, self._run.process.kill, 5 * GONE_MS / 1000.0 * self._patience)

    def _pause_supervisor(self) -> None:
        self._run.signal(signal.SIGSTOP)
        time.sleep(PAUSE_S)  # nothing can be seen of it meanwhile
        self._run.signal(signal.SIGCONT)
        self._struck_ns.append(time.time_ns())

    # ---- the recovery

    def _settle(self) -> None:
        """Wait until the promises are kept or their limits have passed; record what was observed."""
        run, step, stage = self._run, self._step, self._stage
        struck = list(zip(stage.blows, self._struck_ns, strict=False))
        last = {blow.child: (blow, struck_ns) for blow, struck_ns in struck}
        for blow, struck_ns in last.values():
            promised = promise(step, blow)
            recovered = functools.partial(self._recovered, blow, promised, struck_ns)
            run.waited(recovered, promised.limit_s * self._patience)
        self.observed.recoveries = [self._recovery(blow, struck_ns) for blow, struck_ns in struck]
        if any(blow.fault == "grandchild" for blow in stage.blows):
            self._wait_for_grandchild()
        unstruck = [worker for worker in WORKERS if worker not in last]
        since_ns = time.time_ns()
        self._wait_for(
            lambda: run.serves(unstruck) and all(run.events.last_ns[name] > since_ns for name in unstruck),
            PHASE_S,
            "events of all who were not struck",
        )
        run.rest(DWELL_S.get(step.fault, DWELL_OTHERS_S))
        self.observed.after = run.children()
        self._note_final_states()
        if step.fault == "crash_loop" and step.phase == "streaming":
            self._revive()

    def _recovered(self, blow: Blow, promised: Promise, struck_ns: int) -> bool:
        line = self._run.log.latest(blow.child)
        if promised.outcome == "fatal":
            return line is not None and line.state == "FATAL"
        wanted = blow.incarnation + (promised.outcome == "replaced")
        if line is None or line.state != "RUNNING" or line.incarnation < wanted:
            return False
        return blow.child == NURSERY or self._first_event_ns(blow.child, line.incarnation, struck_ns) is not None

    def _first_event_ns(self, child: str, incarnation: int, struck_ns: int) -> int | None:
        """When the first event came of this incarnation of a worker; of an engine: through it."""
        events = self._run.events
        if child != ENGINE:
            first_ns = events.first_ns.get((child, incarnation))
            # an incarnation that lives on has had its first long ago: one that came after the blow counts
            if first_ns is not None and first_ns < struck_ns:
                last_ns = events.last_ns.get(child, 0)
                return last_ns if last_ns > struck_ns else None
            return first_ns
        up = self._run.log.first(ENGINE, incarnation, ("RUNNING",), struck_ns)
        last_ns = max(events.last_ns.values(), default=0)
        return last_ns if up is not None and last_ns > up.at_ns else None

    def _recovery(self, blow: Blow, struck_ns: int) -> Recovery:
        log = self._run.log
        begun = log.first(blow.child, blow.incarnation, ("STARTING",))
        since_ns = begun.at_ns if not blow.action and begun is not None else struck_ns
        ended = log.first(blow.child, blow.incarnation, ("BACKOFF", "STOPPING", "FATAL", "EXITED"), since_ns)
        latest = log.latest(blow.child)
        incarnation = latest.incarnation if latest is not None else 0
        heard = log.first(blow.child, incarnation, ("CONNECTING", "RUNNING"), since_ns)
        event_ns = self._first_event_ns(blow.child, incarnation, since_ns)
        return Recovery(
            child=blow.child,
            incarnation=blow.incarnation,
            fault=blow.fault,
            seen_ms=_ms(since_ns, ended.at_ns if ended is not None else None),
            hello_ms=_ms(since_ns, heard.at_ns if heard is not None else None),
            event_ms=_ms(since_ns, event_ns),
        )

    def _note_final_states(self) -> None:
        for recovery in self.observed.recoveries:
            latest = self._run.log.latest(recovery.child)
            if latest is not None:
                recovery.state, recovery.incarnation_after = latest.state, latest.incarnation

    def _wait_for_grandchild(self) -> None:
        blow = next(blow for blow in self._stage.blows if blow.fault == "grandchild")
        who = "grandchild", blow.child, blow.incarnation
        self._wait_for(lambda: self._run.noted(*who), PHASE_S, "the grandchild")
        pid = int(self._run.noted(*who))
        if self._run.waited(lambda: procfs.read_facts(pid) is None, 2 * SWEPT_MS / 1000.0 * self._patience):
            self.observed.grandchild_ms = _ms(self._struck_ns[0], time.time_ns())

    def _revive(self) -> None:
        """An operator's `restart` revives what is FATAL."""
        self._run.forget_plan()
        self._run.ask(RestartRequest(self._step.victim), PHASE_S)
        self._wait_for(lambda: self._run.serves([self._step.victim]), PHASE_S, "the revived worker")

    # ---- the end

    def _end(self) -> None:
        run, observed = self._run, self.observed
        started_at = time.monotonic()
        if not self._stage.stop_first:
            run.signal(signal.SIGTERM)
        if not run.ended(2 * STOPPED_MS / 1000.0 * self._patience):
            raise Trouble("the supervisor does not end")
        observed.stop_ms = (time.monotonic() - started_at) * 1000.0
        observed.exit_code = run.process.returncode
        if run.log.stopped is not None:
            observed.audit_clean = run.log.stopped["audit"]["clean"]
            observed.rungs = run.log.stopped["rungs"]


def _ms(since_ns: int, until_ns: int | None) -> float | None:
    return None if until_ns is None else round((until_ns - since_ns) / 1e6, 2)
