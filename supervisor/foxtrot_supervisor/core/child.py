"""One supervised child: its record, the parts that decide about it, and its moves through the life cycle.

A child on its stop ladder is not judged by health: a worker that flushes may block its loop for a while. During the
final stop no child is judged. A child that the supervisor does not own (`ChildPlan.ours`) is never judged.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final, Literal

from foxtrot_protocol.events import WorkerStatus
from foxtrot_protocol.spec import ChildKind
from foxtrot_supervisor.config.schema import SupervisorConfig
from foxtrot_supervisor.core.effects import Ask, DumpStacks, Effect, Publish, Signal, Spawn
from foxtrot_supervisor.core.health import Health, HealthLimits, Watch
from foxtrot_supervisor.core.lifecycle import Desired, Event, State, step
from foxtrot_supervisor.core.records import CAUSE_CHARS_MAX, ChildPlan, ChildRecord, Purpose
from foxtrot_supervisor.core.restart import RestartLimits, RestartPolicy
from foxtrot_supervisor.core.shutdown import Shutdown
from foxtrot_supervisor.core.sides import Flow, Pace, carries
from foxtrot_supervisor.core.stop_ladder import Ladder, Step, StopLimits

__all__ = ["ENDED_FOR_GOOD", "STOPPED_BY_OPERATOR", "Child", "Shared"]

STOPPED_BY_OPERATOR: Final = "stopped by an operator"
"""Cause of a worker's state after an operator has stopped it."""

ENDED_FOR_GOOD: Final = frozenset({State.EXITED, State.FATAL, State.LOST})
"""States that no restart follows, unless an operator asks for one."""

_SILENT_BEFORE_READY: Final[frozenset[ChildKind]] = frozenset({"engine", "nursery", "service"})
"""Kinds that import foreign code (handlers, adapters, libraries) before READY; until then silence is no sign of a hang.
"""


class Shared:
    """What all children of one core have in common: the limits in force, and the effects of the current input."""

    __slots__ = ("changed", "config", "effects", "random", "restart_limits", "shutdown", "stop_limits")

    def __init__(self, config: SupervisorConfig, random: Callable[[], float]) -> None:
        """`random` returns numbers from 0 to 1, for jitter."""
        self.random = random
        self.effects: list[Effect] = []
        self.changed: dict[Child, None] = {}
        """Children changed since `Children.settle`; whatever the table counts may be different now."""
        self.shutdown: Shutdown | None = None
        """The final stop, once it has begun."""
        self.adopt(config)

    def adopt(self, config: SupervisorConfig) -> None:
        """Put the limits of `config` in force; ladders and deadlines under way keep theirs."""
        self.config = config
        self.stop_limits = StopLimits(config.stop_ask_s, config.stop_term_s, config.stop_kill_s)
        self.restart_limits = RestartLimits(
            intensity=config.restart_intensity,
            period_s=config.restart_period_s,
            first_s=config.backoff_first_s,
            base_s=config.backoff_s,
            max_s=config.backoff_max_s,
            jitter=config.backoff_jitter,
            healthy_after_s=config.healthy_after_s,
        )

    def health_limits(self, plan: ChildPlan) -> HealthLimits:
        """Return the health limits of a child with this plan."""
        config = self.config
        ready_s = config.ready_s if plan.ready_s is None else plan.ready_s
        return HealthLimits(config.hello_s, ready_s, config.late_s, config.hung_s, plan.stale_after_s)


class Child:
    """A record and the parts that decide about it. Times are seconds on the monotonic clock."""

    __slots__ = (
        "_shared",
        "awaits_start",
        "born_after",
        "crashed",
        "first_spawned_at",
        "flow",
        "hands_over",
        "ladder",
        "number",
        "outdated",
        "pace",
        "policy",
        "predecessor",
        "record",
        "reported_cause",
        "retiring",
        "retry_after_s",
        "served_once",
        "served_until",
        "stacks",
        "successor",
        "watch",
    )

    def __init__(self, plan: ChildPlan, shared: Shared, *, number: int, born_after: int) -> None:
        """`number` orders children by when they were added; `born_after`: last incarnation of this name, 0 if none."""
        self._shared = shared
        self.number = number
        self.record = ChildRecord(plan=plan, incarnation=born_after)
        self.policy = RestartPolicy(plan.restart, shared.restart_limits, shared.random)
        self.born_after = born_after
        self.awaits_start = True
        """Its first process is started once the lower tiers serve."""
        self.outdated = False
        """Its process runs with a configuration that is no longer in force, and has to be replaced."""
        self.hands_over = False
        """Outdated: whether its other side may serve with the new configuration before this one is stopped."""
        self.retiring = False
        """No longer configured, or superseded by its other side: forgotten once it has ended."""
        self.first_spawned_at: float | None = None
        self.flow: Flow | None = None
        """What the current incarnation last reported of its topics since READY."""
        self.pace = Pace()
        self.successor: str | None = None
        """The spare being started to take over from it."""
        self.predecessor: str | None = None
        """The child that this spare is to take over from; None: it stands on its own."""
        self.ladder: Ladder | None = None
        self.watch: Watch | None = None
        self.crashed = False
        """In BACKOFF: whether the coming restart follows from a crash."""
        self.reported_cause = ""
        """The reason that the current incarnation gave for its exit."""
        self.retry_after_s: float | None = None
        """The delay that the exchange requested of the current incarnation."""
        self.served_once = False
        self.served_until: float | None = None
        """When the current incarnation was put on its stop ladder."""
        self.stacks = ""
        """Stacks that the current incarnation dumped."""
        self.touch()

    # ---- facts

    @property
    def name(self) -> str:
        """Its plan's name."""
        return self.record.plan.name

    @property
    def others_depend_on_it(self) -> bool:
        """Whether the feed needs it: the engine, the simulated exchange, the nursery."""
        return self.record.plan.kind not in ("connection", "service")

    @property
    def has_ended(self) -> bool:
        """Whether the final stop need not wait for it: no process, or one that survives SIGKILL."""
        return self.record.state is State.LOST or not self.record.may_live

    def served_s(self, now: float) -> float:
        """Return how long the current incarnation has been READY and off its stop ladder."""
        if self.record.ready_at is None:
            return 0.0
        return (now if self.served_until is None else self.served_until) - self.record.ready_at

    def stands_in_for(self, other: Child, now: float) -> bool:
        """Return whether no data are missed if `other` goes."""
        record = self.record
        if record.state is not State.RUNNING or record.ready_at is None:
            return False
        return carries(self.flow, record.ready_at, other.flow, now)

    def deadline(self, now: float) -> float:
        """Return when `advance` or a restart is due next; infinity if only an input can change anything."""
        if self.ladder is not None:
            return self.ladder.next_deadline
        if self.watch is not None and self._shared.shutdown is None:
            return self.watch.next_deadline(now)
        return math.inf if self.record.retry_at is None else self.record.retry_at

    def touch(self) -> None:
        """Note that something has changed that the table counts, or a policy looks at."""
        self._shared.changed[self] = None

    # ---- moves

    def move(self, event: Event, cause: str, exit_code: int | None = None, signal: int | None = None) -> None:
        """Take the step that `event` leads to, and publish the new state; raises `IllegalTransition`."""
        record = self.record
        self.touch()
        before, record.state = record.state, step(record.state, event)
        if record.state is before:
            return
        record.cause = cause[:CAUSE_CHARS_MAX]
        self._publish(exit_code, signal)

    def _publish(self, exit_code: int | None = None, signal: int | None = None) -> None:
        record = self.record
        self._shared.effects.append(
            Publish(
                WorkerStatus(
                    worker=record.name,
                    incarnation=record.incarnation,
                    state=record.state.value,
                    cause=record.cause,
                    exit_code=exit_code,
                    signal=signal,
                    rung=record.rung,
                    restarts=record.restarts_total,
                ),
                record.purpose,
                record.rotation,
            )
        )

    def spawn(self, cause: str, now: float) -> None:
        """Start the next incarnation."""
        record = self.record
        self.awaits_start = False
        self.outdated = False
        record.incarnation += 1
        if record.rotation == "going":
            record.rotations_total += 1
        elif self.first_spawned_at is not None:
            record.restarts_total += 1
        if self.first_spawned_at is None:
            self.first_spawned_at = now
        if record.rotation != "coming":
            record.rotation, record.rotation_reason = "", ""
        self.flow = None
        record.retry_at = None
        record.rung = None
        record.purpose = None
        record.ready_at = None
        record.health = Health.STARTING
        self.reported_cause = ""
        self.retry_after_s = None
        self.served_until = None
        self.stacks = ""
        self.watch = None
        if record.plan.ours:
            alive_before_ready = record.plan.kind not in _SILENT_BEFORE_READY
            limits = self._shared.health_limits(record.plan)
            self.watch = Watch(limits, now, alive_before_ready=alive_before_ready)
        self.move(Event.START, cause)
        self._shared.effects.append(Spawn(record.name, record.incarnation))

    def replace(self, cause: str, now: float) -> None:
        """Take it down, if it has a process, and start it again without backoff; earlier crashes are forgiven."""
        self.outdated = False
        self.policy.forgive()
        if self.record.may_live:
            self.take_down(Purpose.RESTART, cause, now)
        else:
            self.spawn(cause, now)

    def retire(self, cause: str, now: float, *, not_after: float = math.inf) -> None:
        """Stop it for good, with SIGKILL at `not_after` at the latest; the table forgets it once it has ended."""
        self.retiring = True
        self.record.stopped_by_operator = False
        self._stop(cause, now, not_after=not_after)

    def stop_for_operator(self, now: float) -> None:
        """Stop it; it stays stopped until an operator restarts it. FATAL and EXITED remain what they are."""
        record = self.record
        record.stopped_by_operator = True
        record.rotation, record.rotation_reason = "", ""
        if record.state is State.STOPPING:
            record.cause = f"{STOPPED_BY_OPERATOR}, when it was stopping: {record.cause}"[:CAUSE_CHARS_MAX]
        elif record.state is State.STOPPED:
            record.cause = STOPPED_BY_OPERATOR
        self._stop(STOPPED_BY_OPERATOR, now)

    def _stop(self, cause: str, now: float, *, not_after: float = math.inf) -> None:
        """Stop it, and start nothing afterwards."""
        record = self.record
        self.awaits_start = False
        self.outdated = False
        record.desired = Desired.STOPPED
        record.retry_at = None
        self.touch()
        if not record.may_live:
            self.move(Event.STOP, cause)
        elif record.state is not State.LOST:
            self.take_down(Purpose.STOP, cause, now, not_after=not_after)

    def clear_process(self) -> None:
        """Forget the process that has ended."""
        self.record.pid = None
        self.record.started_at = None
        self.record.health = None
        self.ladder = None
        self.watch = None
        self.touch()

    # ---- the stop ladder

    def take_down(
        self, purpose: Purpose, cause: str, now: float, *, hung: bool = False, not_after: float = math.inf
    ) -> None:
        """Put it on its stop ladder; if it is on it already, change only the purpose and the limit.

        `hung`: it cannot hear, so begin with stacks and SIGKILL. `not_after`: SIGKILL at this time at the latest.
        """
        self.record.purpose = purpose
        self.touch()
        if self.ladder is None:
            self.served_until = now
            self.watch = None
            self.record.health = None
            self.ladder = Ladder(self._shared.stop_limits, now, hung=hung)
            self.record.rung = None if hung or not_after <= now else "ask"
            self.move(Event.STOP if purpose is Purpose.STOP else Event.REPLACE, cause)
        if not_after <= now:
            self.ladder.kill_now(now)
        else:
            self.ladder.limit(not_after, now)
        self._climb(self.ladder, now)

    def _climb(self, ladder: Ladder, now: float) -> None:
        for due in ladder.due(now):
            self._take_step(ladder, due)

    def _take_step(self, ladder: Ladder, due: Step) -> None:
        record = self.record
        if due == "dump":
            self._shared.effects.append(DumpStacks(record.name, record.incarnation))
            return
        record.rung = due
        if due == "ask":
            self._ask(ladder)
        elif due == "term":
            self._publish()
            self._signal("SIGTERM")
        elif due == "kill":
            record.kills_total += 1
            if self._shared.shutdown is not None:
                self._shared.shutdown.kill_needed = True
            self._publish()
            self._signal("SIGKILL")
        else:
            self.ladder = None
            self.move(Event.LOSE, f"survives SIGKILL: {record.cause}")

    def _ask(self, ladder: Ladder) -> None:
        self._shared.effects.append(Ask(self.record.name, self.record.incarnation, ladder.ask_s))

    def _signal(self, name: Literal["SIGTERM", "SIGKILL"]) -> None:
        """SIGTERM goes to the leader alone, which ends its own processes in order; SIGKILL to the whole session."""
        record = self.record
        if record.pid is not None:
            self._shared.effects.append(Signal(record.name, record.incarnation, name, whole_session=name == "SIGKILL"))

    # ---- messages

    def heard(self, now: float) -> None:
        """Take a message, whichever: the child's event loop turned."""
        if self.watch is not None:
            self.watch.heard(now)

    def heartbeat(self, data_age_s: float | None, asked: int, flowing: int, now: float) -> bool:
        """Take a heartbeat; return whether it reports another flow of its topics than before."""
        if self.watch is not None:
            self.watch.data(now, data_age_s)
        if self.record.state is not State.RUNNING:
            return False
        flow = self.flow
        if flow is not None and flow.asked == asked and flow.flowing == flowing:
            return False
        self.flow = Flow(asked, flowing)
        return True

    def spawned(self, pid: int, now: float) -> None:
        """Its process exists; send the signal that was due before there was a process."""
        record = self.record
        record.pid = pid
        record.started_at = now
        if record.rung == "term":
            self._signal("SIGTERM")
        elif record.rung in ("kill", "lost"):
            self._signal("SIGKILL")

    def hello(self, now: float) -> None:
        """HELLO came."""
        if self.record.state is State.STARTING:
            self.move(Event.HELLO, "HELLO")
            if self.watch is not None:
                self.watch.hello(now)
        elif self.record.rung == "ask" and self.ladder is not None:
            self._ask(self.ladder)  # the first request came before it had a control link

    def ready(self, now: float) -> None:
        """READY came."""
        if self.record.state not in (State.STARTING, State.CONNECTING):
            return
        self.move(Event.READY, "READY")
        self.record.ready_at = now
        self.served_once = True
        if self.watch is not None:
            self.watch.ready(now)

    # ---- the passing of time

    def advance(self, now: float) -> None:
        """Do what is due at `now`: the next steps of the stop ladder, or a verdict on its health."""
        if self.ladder is not None:
            self._climb(self.ladder, now)
        elif self.watch is not None and self._shared.shutdown is None:
            self._judge(self.watch, now)

    def _judge(self, watch: Watch, now: float) -> None:
        health = self.record.health = watch.verdict(now)
        if health is Health.HEALTHY or health is Health.STARTING or health is Health.LATE:
            return
        limits = watch.limits
        if health is Health.HUNG:
            self.take_down(Purpose.UNWELL, f"no heartbeat for {limits.hung_s:g} s", now, hung=True)
        elif health is Health.MUTE:
            self.take_down(Purpose.UNWELL, f"no HELLO within {limits.hello_s:g} s", now, hung=True)
        elif health is Health.UNREADY:
            self.take_down(Purpose.UNWELL, f"no READY within {limits.ready_s:g} s", now, hung=watch.is_deaf(now))
        else:
            self.take_down(Purpose.STALE, "its market data is too old", now)
