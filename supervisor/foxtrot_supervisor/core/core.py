"""The supervisor's mind: every input and the passing of time become effects here; performs none of them.

Call protocol, for the shell:

1. `handle(input, now)` for each input, in the order they came; perform its effects in their order.
2. Call it with `Tick()` no later than `next_deadline()`. While any process lives that is never more than
   `health.LOOK_S_MAX` away: a longer gap tells the core that the supervisor did not run, and it discounts it.
3. Answer each `Spawn` with `Spawned` or `SpawnFailed`, and each death, once reaped, with `Exited`. Signals are only
   asked for once `Spawned` told that there is a process.
4. After `Finish` nothing more is asked for, except SIGKILL for a process that was made after all when it had been given
   up. Whatever else still comes in is recorded (the death of a LOST child, say).

How the parts are joined: `lifecycle` says which moves there are, `health` when a child must be replaced, `stop_ladder`
how it goes down, `restart` what follows from its death, `shutdown` in which order all go down.

Decisions that belong to no part alone:

- Start: a tier begins when every child of the tiers below serves. One that ended for good does not hold up the rest,
  unless it is what the others stand on (essential engine or simulator): then the start has failed and all is stopped.
- An incarnation number is never used twice, also not by a spawn that failed. Before a name is spawned again, its
  dead incarnation is fenced; so that no order of events can break this, the fence comes with every death.
- A requested stop outlives everything: nothing is started after it, neither what was in BACKOFF nor what was on its
  ladder to be replaced.
- During the final stop nobody is judged by health: each child gets its ladder when its turn comes, and the budget
  lies over all. Nor is a child on the ladder: a worker that flushes may block its loop for a while.
- Too late for READY: the child's loop turns, so it is asked first. Too late for HELLO, or hung: it cannot hear, so
  stacks and SIGKILL. Either is a crash for the restart policy, however it then ends. Stale data is the outside's doing.
- A changed configuration keeps every process that it can. A child that is gone from it goes down its ladder and is
  then forgotten, but for its last incarnation: should the name come back, it counts on. What is added starts in its
  tier's turn; once the start was over, its failure is its own. Of twins that serve, one is replaced at a time, and the
  other when that one serves again: a mistake in the new configuration costs one side.
- An application that started the supervisor and is its engine is a child in name only: its silence is not judged (it
  may stand in a debugger), and it is never replaced. Who performs effects must not signal it either, and reports its
  letting go, or its death, as the exit.
- Rotation (`sides`): whose connection grows old streams on and is replaced when the other side stands in for it. A twin
  goes down and comes back under its name. For a connection with one side the spare is started, and takes over when it
  stands in; the old side then goes as if it were no longer configured. A spare that fails is let go and tried again
  later; if the old side dies meanwhile, the spare is the connection's worker from then on.
- Twins start apart: the second when the first is READY, or a while after it.
- SIGKILLs count for the exit code only within the final stop: a hung worker that was replaced in operation is
  what supervision is for, and is shown in its record.
"""

from __future__ import annotations

import enum
import signal as signals
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Final, Literal, TypeAlias

from msgspec import structs

from foxtrot_protocol.events import WorkerStatus
from foxtrot_protocol.exit_codes import ChildExit, ExitVerdict, SupervisorExit, verdict
from foxtrot_protocol.spec import ChildKind
from foxtrot_supervisor.config.schema import SupervisorConfig
from foxtrot_supervisor.core.effects import Ask, DumpStacks, Effect, Fence, Finish, Publish, Signal, Spawn
from foxtrot_supervisor.core.health import Health, HealthLimits, Watch, gap_s_max, look_s
from foxtrot_supervisor.core.inputs import (
    CapturedStacks,
    ChildrenChanged,
    Exited,
    FailureReported,
    HeartbeatReceived,
    HelloReceived,
    Input,
    ReadyReceived,
    RequestRefused,
    RestartRequested,
    RotationWanted,
    Spawned,
    SpawnFailed,
    StartRequested,
    StopRequested,
    Tick,
)
from foxtrot_supervisor.core.lifecycle import Desired, Event, State, step
from foxtrot_supervisor.core.records import (
    CAUSE_CHARS_MAX,
    STACKS_CHARS_MAX,
    ChildPlan,
    ChildRecord,
    Death,
    tiers_of,
)
from foxtrot_supervisor.core.restart import GiveUp, Leave, RestartLimits, RestartPolicy, Retry
from foxtrot_supervisor.core.shutdown import Shutdown, exit_code
from foxtrot_supervisor.core.sides import CARRY_S_MAX, TWIN_APART_S, Flow, Pace, carries, other_side
from foxtrot_supervisor.core.stop_ladder import Ladder, Step, StopLimits

__all__ = ["CHANGED", "REMOVED", "RETIRED_MAX", "ROTATED", "STOP_GAP_S_MAX", "Core", "Phase"]

Phase: TypeAlias = Literal["starting", "running", "degraded", "stopping", "stopped"]
"""The whole: "running" when every essential child serves, "degraded" when one does not any more; "stopped" also before
the start."""

STOP_GAP_S_MAX: Final = 2.0
"""Looks further apart than this many seconds shift the deadlines of a stop: nobody could answer meanwhile."""

RETIRED_MAX: Final = 10_000
"""Names that are no longer configured and whose last incarnation is remembered; ten times what one file may hold."""

CHANGED: Final = "its configuration has changed"
REMOVED: Final = "it is no longer configured"
ROTATED: Final = "rotated"
"""So begins the cause with which a side that served goes for a rotation."""

_COMING_UP: Final = frozenset({State.STARTING, State.CONNECTING, State.RUNNING})
_ENDED_FOR_GOOD: Final = frozenset({State.EXITED, State.FATAL, State.LOST})

_SILENT_BEFORE_READY: Final[frozenset[ChildKind]] = frozenset({"engine", "nursery"})
"""Kinds that load others' code (handlers, adapters) before they serve: silence means nothing until then."""

_FROM_THE_CHILD: Final = (HeartbeatReceived, HelloReceived, ReadyReceived, RotationWanted, FailureReported)
"""Messages that the child's own event loop sent: each shows that it turns."""


class _Purpose(enum.Enum):
    """Why a child is on the stop ladder, which decides what its death means."""

    STOP = "stop"
    RESTART = "restart"
    UNWELL = "unwell"
    STALE = "stale"


class _Child:
    """A record and the parts that decide about it."""

    __slots__ = (
        "awaits_start",
        "born_after",
        "counted",
        "first_spawned_at",
        "flow",
        "ladder",
        "leaving",
        "outdated",
        "pace",
        "policy",
        "predecessor",
        "purpose",
        "record",
        "reported_cause",
        "retry_after_s",
        "served_once",
        "served_until",
        "stacks",
        "successor",
        "watch",
    )

    def __init__(self, plan: ChildPlan, policy: RestartPolicy, born_after: int) -> None:
        self.record = ChildRecord(plan=plan, incarnation=born_after)
        self.policy = policy
        self.born_after = born_after
        """The last incarnation that this name had before; 0: none."""
        self.awaits_start = True
        """Its first process comes once those of lower tiers serve."""
        self.outdated = False
        """Its process was started with what is no longer configured, and has to be replaced."""
        self.leaving = False
        """No longer configured, or its other side has taken over: forgotten once it has ended."""
        self.first_spawned_at: float | None = None
        self.flow: Flow | None = None
        """What it told of its topics since it is RUNNING."""
        self.pace = Pace()
        self.successor: str | None = None
        """The spare that is started in its place."""
        self.predecessor: str | None = None
        """Whose place it is to take; None: it stands on its own."""
        self.ladder: Ladder | None = None
        self.watch: Watch | None = None
        self.purpose = _Purpose.STOP
        self.counted = False
        """In BACKOFF: whether the coming restart follows from a crash."""
        self.reported_cause = ""
        self.retry_after_s: float | None = None
        self.served_once = False
        self.served_until: float | None = None
        """When it was put on the ladder."""
        self.stacks = ""
        """What the current incarnation dumped."""

    def served_s(self, now: float) -> float:
        """How long the current incarnation was READY and left alone."""
        if self.record.ready_at is None:
            return 0.0
        return (now if self.served_until is None else self.served_until) - self.record.ready_at


class Core:
    """All decisions about all children. Not thread-safe, not reentrant; used for one start and one stop."""

    def __init__(
        self,
        plans: Sequence[ChildPlan],
        config: SupervisorConfig,
        random: Callable[[], float],
        *,
        incarnations_before: int = 0,
    ) -> None:
        """`random` gives numbers from 0 to 1 for jitter. Raises `ValueError` if a name stands twice in `plans`.

        `incarnations_before`: no child has an incarnation as low as this, since an earlier supervisor may have used it.
        """
        self._random = random
        self._configure(config)
        self._children: dict[str, _Child] = {}
        self._records: dict[str, ChildRecord] = {}
        self.records: Mapping[str, ChildRecord] = MappingProxyType(self._records)
        """All records by name; to be read only."""
        self._retired: dict[str, int] = {}
        self._retired_before = incarnations_before
        tiers_of(plans)  # raises for a name that stands twice
        for plan in plans:
            self._add(plan)
        self.unknown_messages_total = 0
        """Messages in the name of a child that does not exist; ignored."""
        self.exit_code: SupervisorExit | None = None
        """How the whole ended; None before `Finish`."""
        self._start_requested = False
        self._start_is_over = False
        self._shutdown: Shutdown | None = None
        self._looked_at: float | None = None
        self._effects: list[Effect] = []

    def _configure(self, config: SupervisorConfig) -> None:
        self._config = config
        self._stop_limits = StopLimits(config.stop_ask_s, config.stop_term_s, config.stop_kill_s)
        self._restart_limits = RestartLimits(
            intensity=config.restart_intensity,
            period_s=config.restart_period_s,
            first_s=config.backoff_first_s,
            base_s=config.backoff_s,
            max_s=config.backoff_max_s,
            jitter=config.backoff_jitter,
            healthy_after_s=config.healthy_after_s,
        )
        self._look_s = look_s(config.hung_s)
        self._gap_s_max = gap_s_max(config.hung_s)

    def _add(self, plan: ChildPlan) -> _Child:
        policy = RestartPolicy(plan.restart, self._restart_limits, self._random)
        child = self._children[plan.name] = _Child(plan, policy, self._retired.pop(plan.name, self._retired_before))
        self._records[plan.name] = child.record
        return child

    # ---- outside

    def handle(self, input: Input, now: float) -> list[Effect]:  # noqa: A002 - the contract's word
        """What has to be done about `input` and about the time that passed; `now` never decreases.

        Raises `RequestRefused` for a request that cannot be served; nothing was changed then.
        """
        self._effects = []
        self._discount_gap(now)
        self._take(input, now)
        self._advance(now)
        return self._effects

    def last_incarnation(self, name: str) -> int:
        """Of a child, also of one that is forgotten; 0: it never had a process, or that is long ago."""
        record = self.records.get(name)
        return record.incarnation if record is not None else self._retired.get(name, 0)

    def next_deadline(self) -> float | None:
        """When `handle` has to be called again if nothing comes in; None: only inputs can change anything."""
        deadlines = [self._deadline_of(child) for child in self._children.values()]
        if self._looked_at is not None and any(child.record.may_live for child in self._children.values()):
            deadlines.append(self._looked_at + self._look_s)
        if self._shutdown is not None and self.exit_code is None:
            deadlines.append(self._shutdown.next_deadline)
        return min((deadline for deadline in deadlines if deadline is not None), default=None)

    def _deadline_of(self, child: _Child) -> float | None:
        if child.ladder is not None:
            return child.ladder.next_deadline
        if child.watch is not None and self._shutdown is None:
            return child.watch.next_deadline(self._looked_at or 0.0)
        return child.record.retry_at

    @property
    def state(self) -> Phase:
        """How the whole is."""
        if self.exit_code is not None or (not self._start_requested and self._shutdown is None):
            return "stopped"
        if self._shutdown is not None:
            return "stopping"
        essential = [
            child
            for child in self._children.values()
            if child.record.plan.essential and not child.leaving and child.predecessor is None
        ]
        if any(child.awaits_start for child in self._children.values()) or any(
            not child.served_once and child.record.state not in _ENDED_FOR_GOOD for child in essential
        ):
            return "starting"
        serves_all = all(child.record.state is State.RUNNING for child in essential)
        return "running" if serves_all else "degraded"

    # ---- inputs

    def _take(self, message: Input, now: float) -> None:
        match message:
            case Tick():
                pass
            case StartRequested():
                self._take_start()
            case StopRequested():
                self._take_stop(message, now)
            case RestartRequested():
                self._take_restart(message, now)
            case ChildrenChanged():
                self._take_changes(message, now)
            case CapturedStacks():
                self._take_stacks(message)
            case _:
                child = self._living(message.name, message.incarnation)
                if child is not None:
                    self._take_news(child, message, now)

    def _living(self, name: str, incarnation: int) -> _Child | None:
        """The child this is news of; None, counted, if that incarnation is dead or never was."""
        child = self._children.get(name)
        if child is None:
            self.unknown_messages_total += 1
            return None
        if child.record.incarnation != incarnation or not child.record.may_live:
            child.record.late_messages_total += 1
            return None
        return child

    def _take_news(
        self,
        child: _Child,
        message: (
            Spawned
            | SpawnFailed
            | HelloReceived
            | ReadyReceived
            | HeartbeatReceived
            | RotationWanted
            | FailureReported
            | Exited
        ),
        now: float,
    ) -> None:
        if child.watch is not None and isinstance(message, _FROM_THE_CHILD):
            child.watch.heard(now)
        match message:
            case HeartbeatReceived():
                if child.watch is not None:
                    child.watch.data(now, message.data_age_s)
                if child.record.state is State.RUNNING:
                    child.flow = Flow(message.asked, message.flowing)
            case RotationWanted():
                self._take_rotation(child, message.reason, now)
            case Spawned():
                self._take_spawned(child, message.pid, now)
            case HelloReceived():
                self._take_hello(child, now)
            case ReadyReceived():
                self._take_ready(child, now)
            case FailureReported():
                child.reported_cause = message.cause[:CAUSE_CHARS_MAX]
                child.retry_after_s = message.retry_after_s
            case SpawnFailed():
                self._died(child, None, None, f"could not be started: {message.reason}", now)
            case _:
                self._died(child, message.exit_code, message.signal, message.cause, now)

    def _take_start(self) -> None:
        if self._start_requested or self._shutdown is not None:
            raise RequestRefused("this supervisor was already started or stopped")
        self._start_requested = True
        for child in self._children.values():
            child.record.desired = Desired.RUNNING

    def _take_stop(self, message: StopRequested, now: float) -> None:
        shutdown = self._shutdown or self._begin_shutdown(message.reason, now)
        shutdown.request()

    def _take_restart(self, message: RestartRequested, now: float) -> None:
        child = self._children.get(message.name)
        if child is None:
            raise RequestRefused(f"there is no child called {message.name!r}")
        if self._shutdown is not None:
            raise RequestRefused("everything is being stopped")
        if child.leaving:
            raise RequestRefused(f"{message.name} is being stopped: {child.record.cause or REMOVED}")
        if not child.record.plan.ours:
            raise RequestRefused(f"{message.name} is the application that started this supervisor")
        if child.successor is not None or child.predecessor is not None:
            raise RequestRefused(f"{message.name} is being rotated: the fresh side serves in a moment")
        if child.record.state is State.STOPPED:
            raise RequestRefused(f"{message.name} has not been started yet, its turn will come")
        if child.record.state is State.LOST:
            raise RequestRefused(f"{message.name} cannot be replaced: its process survives SIGKILL")
        twin = self._twin_of(child)
        if child.record.state is State.RUNNING and twin is not None and not self._stands_in(twin, child, now):
            other = twin.record
            how = "does not yet have all its data" if other.state is State.RUNNING else f"is {other.state.value}"
            raise RequestRefused(
                f"{other.name} {how}: {message.name} is not taken away before the other side stands in for it"
            )
        self._replace(child, "restart requested", now)

    def _replace(self, child: _Child, cause: str, now: float) -> None:
        child.outdated = False
        child.policy.forgive()
        if child.record.may_live:
            self._take_down(child, _Purpose.RESTART, cause, now)
        else:
            self._spawn(child, cause, now)

    # ---- another configuration

    def _take_changes(self, message: ChildrenChanged, now: float) -> None:
        if self._shutdown is not None:
            raise RequestRefused("everything is being stopped")
        if not self._start_requested:
            raise RequestRefused("nothing has been started yet")
        tiers_of(message.plans)  # raises for a name that stands twice, before anything is changed
        self._configure(message.config)
        plans = {plan.name: plan for plan in self.sided(message.plans)}
        spares = self._spares_that_stay(plans)
        for child in self._children.values():
            plan = plans.pop(child.record.name, None)
            if plan is not None:
                self._stand_alone(child)
                self._change(child, plan)
            elif child.record.name in spares:
                self._change(child, spares[child.record.name])
            else:
                self._let_go(child, REMOVED if child.predecessor is None else CHANGED, now)
        for plan in plans.values():
            self._add(plan).record.desired = Desired.RUNNING

    def sided(self, plans: Sequence[ChildPlan]) -> list[ChildPlan]:
        """`plans`, each that has a spare as the plan of that side of the connection that serves now."""
        return [
            other_side(plan)
            if plan.spare is not None and not self._stands(plan.name) and self._stands(plan.spare.name)
            else plan
            for plan in plans
        ]

    def _stands(self, name: str) -> bool:
        child = self._children.get(name)
        return child is not None and not child.leaving and child.predecessor is None

    def _spares_that_stay(self, plans: Mapping[str, ChildPlan]) -> dict[str, ChildPlan]:
        """Rotations go on where nothing has changed that a process is started with."""
        spares = {}
        for child in self._children.values():
            if child.predecessor is None or child.leaving:
                continue
            plan = plans.get(child.predecessor)
            if plan is not None and plan.spare is not None and plan.spare.name == child.record.name:
                spare = other_side(plan)
                if not _new_process_needed(child.record.plan, spare):
                    spares[spare.name] = spare
        return spares

    def _let_go(self, child: _Child, cause: str, now: float) -> None:
        record = child.record
        child.leaving = True
        child.awaits_start = False
        child.outdated = False
        record.desired = Desired.STOPPED
        record.retry_at = None
        if not record.may_live:
            self._move(child, Event.STOP, cause)
        elif record.state is not State.LOST:
            self._take_down(child, _Purpose.STOP, cause, now)

    def _change(self, child: _Child, plan: ChildPlan) -> None:
        record = child.record
        before, record.plan = record.plan, plan
        child.policy.adopt(plan.restart, self._restart_limits)
        if child.watch is not None:
            child.watch.adopt(self._health_limits(plan))
        if child.leaving:
            # it comes back while it is on its way down: what is started then is what is configured now
            child.leaving = False
            child.purpose = _Purpose.RESTART
            record.desired = Desired.RUNNING
        elif plan.ours and _new_process_needed(before, plan) and record.incarnation > child.born_after:
            child.outdated = True

    def _replace_outdated(self, now: float) -> None:
        for child in self._children.values():
            if child.outdated and self._may_be_replaced(child, now):
                if child.record.state is State.LOST:
                    child.outdated = False  # whenever it dies, the next one is as it should be
                else:
                    self._replace(child, CHANGED, now)

    def _may_be_replaced(self, child: _Child, now: float) -> bool:
        """Twins that serve take turns."""
        twin = self._twin_of(child)
        return twin is None or child.record.state is not State.RUNNING or self._stands_in(twin, child, now)

    def _twin_of(self, child: _Child) -> _Child | None:
        twin = self._children.get(child.record.plan.twin or "")
        return None if twin is None or twin.leaving else twin

    def _stands_in(self, child: _Child, other: _Child, now: float) -> bool:
        """Whether nothing is missed if `other` goes."""
        record = child.record
        if record.state is not State.RUNNING or record.ready_at is None:
            return False
        return carries(child.flow, now - record.ready_at, other.flow)

    def _forget_the_gone(self) -> None:
        for child in [child for child in self._children.values() if child.leaving and not child.record.may_live]:
            name = child.record.name
            del self._children[name]
            del self._records[name]
            self._retired[name] = child.record.incarnation
            if len(self._retired) > RETIRED_MAX:
                oldest = self._retired.pop(next(iter(self._retired)))
                self._retired_before = max(self._retired_before, oldest)

    # ---- rotation

    def _take_rotation(self, child: _Child, reason: str, now: float) -> None:
        """It is told again and again; only while it serves, and once for each incarnation, something follows."""
        record = child.record
        alternatives = record.plan.twin is not None or record.plan.spare is not None
        if record.state is not State.RUNNING or record.rotation or not alternatives:
            return
        record.rotation = "wanted"
        record.rotation_reason = reason[:CAUSE_CHARS_MAX]
        child.pace.wanted(now, child.served_s(now), self._restart_limits, self._random())

    def _rotate_what_is_due(self, now: float) -> None:
        """Looked at each time, and that is often enough: no deadline of its own."""
        for child in list(self._children.values()):
            record = child.record
            if child.leaving or record.state is not State.RUNNING:
                continue
            if child.predecessor is not None:
                self._look_at_spare(child, self._children[child.predecessor], now)
            elif record.rotation == "wanted" and now >= child.pace.not_before:
                self._rotate(child, now)

    def _rotate(self, child: _Child, now: float) -> None:
        record = child.record
        twin = self._twin_of(child)
        if twin is not None:
            if self._stands_in(twin, child, now):
                record.rotation = "going"
                self._take_down(child, _Purpose.RESTART, f"{ROTATED}: {record.rotation_reason}", now)
            return
        if record.plan.spare is None or record.plan.spare.name in self._children:
            return  # nobody could take over, or who was there before is still on its way down
        spare = self._add(other_side(record.plan))
        spare.record.desired = Desired.RUNNING
        spare.record.rotation = "coming"
        spare.predecessor, child.successor = record.name, spare.record.name
        record.rotation = "going"
        self._spawn(spare, f"in place of {record.name}: {record.rotation_reason}", now)

    def _look_at_spare(self, spare: _Child, old: _Child, now: float) -> None:
        if self._stands_in(spare, old, now):
            self._take_over(spare, old)
            self._let_go(old, f"{ROTATED}: {spare.record.name} has taken over", now)
        elif now - (spare.record.ready_at or now) >= CARRY_S_MAX:
            self._let_go(spare, f"it does not stand in for {old.record.name} within {CARRY_S_MAX:g} s", now)

    def _take_over(self, spare: _Child, old: _Child) -> None:
        """From now on the spare is the connection's worker, with all that was known of it."""
        self._stand_alone(spare)
        old.leaving = True
        old.record.rotation = "going"
        spare.policy, spare.pace = old.policy, old.pace
        spare.served_once = spare.served_once or old.served_once
        spare.record.restarts_total += old.record.restarts_total
        spare.record.rotations_total = old.record.rotations_total + 1

    def _stand_alone(self, spare: _Child) -> None:
        """It is no spare any more, if it was one."""
        if spare.predecessor is None:
            return
        old = self._children.get(spare.predecessor)
        if old is not None:
            old.successor = None
            if old.record.rotation == "going":
                old.record.rotation = "wanted"
        spare.predecessor = None
        spare.record.rotation = ""

    def _spare_has_failed(self, spare: _Child, now: float) -> None:
        """It died before it had taken over."""
        old = self._children.get(spare.predecessor or "")
        spare.leaving = True
        spare.record.desired = Desired.STOPPED
        self._stand_alone(spare)
        if old is not None:
            old.pace.failed(now, self._restart_limits, self._random())
            old.pace.not_within(spare.retry_after_s, now)

    def _inherit(self, child: _Child, now: float) -> None:
        """It died as its spare was coming up: that need not be waited for."""
        spare = self._children[child.successor or ""]
        if spare.leaving or spare.record.state not in _COMING_UP:
            child.record.rotation = ""  # that one is on its way down itself: a restart as ever
            return
        self._take_over(spare, child)
        spare.pace.not_within(child.retry_after_s, now)
        child.record.desired = Desired.STOPPED

    def _take_stacks(self, message: CapturedStacks) -> None:
        """Stacks may come after the death that they explain."""
        child = self._children.get(message.name)
        if child is None:
            self.unknown_messages_total += 1
            return
        record = child.record
        record.stacks = message.text[:STACKS_CHARS_MAX]
        death = record.last_exit
        if record.may_live and message.incarnation == record.incarnation:
            child.stacks = record.stacks
        elif death is not None and death.incarnation == message.incarnation:
            record.deaths[-1] = structs.replace(death, stacks=record.stacks)

    def _take_spawned(self, child: _Child, pid: int, now: float) -> None:
        record = child.record
        record.pid = pid
        record.started_at = now
        if record.rung == "term":
            self._signal(child, "SIGTERM")
        elif record.rung in ("kill", "lost"):
            self._signal(child, "SIGKILL")

    def _take_hello(self, child: _Child, now: float) -> None:
        if child.record.state is State.STARTING:
            self._move(child, Event.HELLO, "HELLO")
            if child.watch is not None:
                child.watch.hello(now)
        elif child.record.rung == "ask" and child.ladder is not None:
            # It was asked before it could hear.
            self._ask(child, child.ladder)

    def _take_ready(self, child: _Child, now: float) -> None:
        if child.record.state not in (State.STARTING, State.CONNECTING):
            return
        self._move(child, Event.READY, "READY")
        child.record.ready_at = now
        child.served_once = True
        if child.watch is not None:
            child.watch.ready(now)

    # ---- the passing of time

    def _discount_gap(self, now: float) -> None:
        """Ladders and budget are shifted only for gaps that matter to them: short ones are within their tolerance."""
        looked_at, self._looked_at = self._looked_at, now
        gap_s = 0.0 if looked_at is None else now - looked_at
        if gap_s > self._gap_s_max:
            for child in self._children.values():
                if child.watch is not None:
                    child.watch.discount(gap_s, now)
        if gap_s > STOP_GAP_S_MAX:
            for child in self._children.values():
                if child.ladder is not None:
                    child.ladder.shift(gap_s)
            if self._shutdown is not None:
                self._shutdown.shift(gap_s)

    def _advance(self, now: float) -> None:
        for child in self._children.values():
            if child.ladder is not None:
                self._climb(child, child.ladder, now)
            elif child.watch is not None and self._shutdown is None:
                self._judge(child, child.watch, now)
        if self._shutdown is None and self._start_requested:
            self._forget_the_gone()
            self._start_what_is_due(now)
        if self._shutdown is not None:
            self._stop_what_is_due(self._shutdown, now)

    def _judge(self, child: _Child, watch: Watch, now: float) -> None:
        health = child.record.health = watch.verdict(now)
        config = self._config
        if health is Health.HUNG:
            self._take_down(child, _Purpose.UNWELL, f"no heartbeat for {config.hung_s:g} s", now, hung=True)
        elif health is Health.MUTE:
            self._take_down(child, _Purpose.UNWELL, f"no HELLO within {config.hello_s:g} s", now, hung=True)
        elif health is Health.UNREADY:
            self._take_down(child, _Purpose.UNWELL, f"no READY within {config.ready_s:g} s", now)
        elif health is Health.STALE:
            self._take_down(child, _Purpose.STALE, "its market data is too old", now)

    def _start_what_is_due(self, now: float) -> None:
        fallen = next((child.record for child in self._children.values() if self._start_has_failed(child)), None)
        if fallen is not None and not self._start_is_over:
            self._begin_shutdown(f"start failed: {fallen.name}: {fallen.cause}", now, start_failed=True)
            return
        for child in self._children.values():
            retry_at = child.record.retry_at
            if retry_at is not None and now >= retry_at:
                child.policy.restarted(now, child.counted)
                self._spawn(child, child.record.cause, now)
        self._replace_outdated(now)
        self._rotate_what_is_due(now)
        self._start_the_awaited(now)
        self._note_whether_the_start_is_over()

    def _start_the_awaited(self, now: float) -> None:
        awaited = [child for child in self._children.values() if child.awaits_start]
        if not awaited:
            return
        lowest = min(child.record.plan.tier for child in self._children.values() if self._holds_up_others(child))
        for child in awaited:
            if child.record.plan.tier <= lowest and not self._starts_apart(child, now):
                self._spawn(child, "start requested", now)

    def _starts_apart(self, child: _Child, now: float) -> bool:
        """Whether it waits for its twin, which was started before it."""
        twin = self._twin_of(child)
        if twin is None or twin.first_spawned_at is None or now >= twin.first_spawned_at + TWIN_APART_S:
            return False
        return twin.record.state in (State.STARTING, State.CONNECTING)

    def _holds_up_others(self, child: _Child) -> bool:
        """Whether those of higher tiers have to wait for it."""
        state = child.record.state
        return not child.leaving and state is not State.RUNNING and state not in _ENDED_FOR_GOOD

    def _start_has_failed(self, child: _Child) -> bool:
        record = child.record
        if child.leaving or not record.plan.essential or not _is_stood_on(child) or record.state not in _ENDED_FOR_GOOD:
            return False
        return not child.served_once or any(other.awaits_start for other in self._children.values())

    def _note_whether_the_start_is_over(self) -> None:
        """Once everything was started, and what the others stand on has served, no failure is one of the start."""
        self._start_is_over = self._start_is_over or not any(
            child.awaits_start or (child.record.plan.essential and _is_stood_on(child) and not child.served_once)
            for child in self._children.values()
        )

    # ---- the final stop

    def _begin_shutdown(self, reason: str, now: float, *, start_failed: bool = False) -> Shutdown:
        tiers = tiers_of([child.record.plan for child in self._children.values()])
        shutdown = Shutdown(tiers, now, self._config.shutdown_s, reason, start_failed=start_failed)
        self._shutdown = shutdown
        for child in self._children.values():
            child.record.desired = Desired.STOPPED
            child.record.retry_at = None
            child.record.health = None
            if not child.record.may_live:
                self._move(child, Event.STOP, reason)
            elif child.ladder is not None:
                child.ladder.limit(shutdown.not_after, now)
        return shutdown

    def _stop_what_is_due(self, shutdown: Shutdown, now: float) -> None:
        if self.exit_code is not None:
            return
        shutdown.look(now)
        for name in shutdown.turn(self._has_ended):
            child = self._children[name]
            self._take_down(
                child,
                _Purpose.STOP,
                shutdown.reason,
                now,
                not_after=now if shutdown.hastened else shutdown.not_after,
            )
        if all(self._has_ended(name) for name in self._children):
            self._finish(shutdown)

    def _has_ended(self, name: str) -> bool:
        record = self._children[name].record
        return record.state is State.LOST or not record.may_live

    def _finish(self, shutdown: Shutdown) -> None:
        records = self.records.values()
        self.exit_code = exit_code(
            lost=any(record.state is State.LOST for record in records),
            start_failed=shutdown.start_failed,
            essential_fatal=any(record.state is State.FATAL and record.plan.essential for record in records),
            kill_needed=shutdown.kill_needed,
        )
        self._effects.append(Finish(self.exit_code))

    # ---- one child

    def _move(
        self, child: _Child, event: Event, cause: str, exit_code: int | None = None, signal: int | None = None
    ) -> None:
        record = child.record
        before, record.state = record.state, step(record.state, event)
        if record.state is before:
            return
        record.cause = cause[:CAUSE_CHARS_MAX]
        self._publish(record, exit_code, signal)

    def _publish(self, record: ChildRecord, exit_code: int | None = None, signal: int | None = None) -> None:
        self._effects.append(
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
                )
            )
        )

    def _spawn(self, child: _Child, cause: str, now: float) -> None:
        record = child.record
        child.awaits_start = False
        child.outdated = False
        record.incarnation += 1
        if record.rotation == "going":
            record.rotations_total += 1
        elif child.first_spawned_at is not None:
            record.restarts_total += 1
        if child.first_spawned_at is None:
            child.first_spawned_at = now
        if record.rotation != "coming":
            record.rotation, record.rotation_reason = "", ""
        child.flow = None
        record.retry_at = None
        record.rung = None
        record.ready_at = None
        record.health = Health.STARTING
        child.reported_cause = ""
        child.retry_after_s = None
        child.served_until = None
        child.stacks = ""
        child.watch = self._watch_of(record.plan, now)
        if not record.plan.ours:
            child.watch = None
        self._move(child, Event.START, cause)
        self._effects.append(Spawn(record.name, record.incarnation))

    def _health_limits(self, plan: ChildPlan) -> HealthLimits:
        config = self._config
        return HealthLimits(config.hello_s, config.ready_s, config.late_s, config.hung_s, plan.stale_after_s)

    def _watch_of(self, plan: ChildPlan, now: float) -> Watch:
        return Watch(self._health_limits(plan), now, alive_before_ready=plan.kind not in _SILENT_BEFORE_READY)

    def _take_down(
        self,
        child: _Child,
        purpose: _Purpose,
        cause: str,
        now: float,
        *,
        hung: bool = False,
        not_after: float = float("inf"),
    ) -> None:
        """Put it on the stop ladder; where it is on it already, only the purpose changes and how long it may take."""
        child.purpose = purpose
        if child.ladder is None:
            child.served_until = now
            child.watch = None
            child.record.health = None
            child.ladder = Ladder(self._stop_limits, now, hung=hung)
            child.record.rung = None if hung or not_after <= now else "ask"
            self._move(child, Event.STOP if purpose is _Purpose.STOP else Event.REPLACE, cause)
        if not_after <= now:
            child.ladder.hasten(now)
        else:
            child.ladder.limit(not_after, now)
        self._climb(child, child.ladder, now)

    def _climb(self, child: _Child, ladder: Ladder, now: float) -> None:
        for due in ladder.due(now):
            self._do(child, ladder, due)

    def _do(self, child: _Child, ladder: Ladder, due: Step) -> None:
        record = child.record
        if due == "dump":
            self._effects.append(DumpStacks(record.name, record.incarnation))
            return
        record.rung = due
        if due == "ask":
            self._ask(child, ladder)
        elif due == "term":
            self._publish(record)
            self._signal(child, "SIGTERM")
        elif due == "kill":
            record.kills_total += 1
            if self._shutdown is not None:
                self._shutdown.kill_needed = True
            self._publish(record)
            self._signal(child, "SIGKILL")
        else:
            child.ladder = None
            self._move(child, Event.LOSE, f"survives SIGKILL: {record.cause}")

    def _ask(self, child: _Child, ladder: Ladder) -> None:
        self._effects.append(Ask(child.record.name, child.record.incarnation, ladder.ask_s))

    def _signal(self, child: _Child, name: Literal["SIGTERM", "SIGKILL"]) -> None:
        """Leader only at SIGTERM: it ends its own in its own order. The whole session at SIGKILL."""
        record = child.record
        if record.pid is not None:
            self._effects.append(Signal(record.name, record.incarnation, name, whole_session=name == "SIGKILL"))

    def _died(self, child: _Child, code: int | None, signal: int | None, found: str, now: float) -> None:
        record = child.record
        cause = self._cause_of_death(child, code, signal, found)
        record.deaths.append(Death(record.incarnation, code, signal, record.rung, cause, now, child.stacks))
        self._effects.append(Fence(record.name, record.incarnation))
        if self._shutdown is None and child.predecessor is not None:
            self._spare_has_failed(child, now)
        elif self._shutdown is None and child.successor is not None:
            self._inherit(child, now)
        follows = self._what_follows(child, code, signal, now)
        record.pid = None
        record.started_at = None
        record.health = None
        child.ladder = None
        child.watch = None
        match follows:
            case None:
                self._move(child, Event.ENDED, cause, code, signal)
            case Leave():
                self._move(child, Event.LEAVE, cause, code, signal)
            case GiveUp():
                self._move(child, Event.GIVE_UP, f"{follows.reason}: {cause}", code, signal)
            case _:
                child.counted = follows.crashed
                record.retry_at = now + follows.delay_s
                self._move(child, Event.RETRY, cause, code, signal)

    def _what_follows(
        self, child: _Child, code: int | None, signal: int | None, now: float
    ) -> Retry | Leave | GiveUp | None:
        """None: it was to end."""
        if child.record.desired is Desired.STOPPED:
            return None
        on_ladder = child.record.state in (State.STOPPING, State.LOST)
        if on_ladder and child.purpose is _Purpose.RESTART:
            return Retry(0.0, crashed=False)
        kind = verdict(code, signal)
        if on_ladder:
            kind = ExitVerdict.OUTSIDE if child.purpose is _Purpose.STALE else ExitVerdict.CRASH
        return child.policy.died(kind, now, child.served_s(now), child.retry_after_s)

    def _cause_of_death(self, child: _Child, code: int | None, signal: int | None, found: str) -> str:
        on_ladder = child.record.state in (State.STOPPING, State.LOST)
        said = found or (child.record.cause if on_ladder else child.reported_cause)
        how = _how_it_ended(code, signal)
        return f"{said} ({how})" if said and how else said or how


def _is_stood_on(child: _Child) -> bool:
    """Whether the others cannot do without it."""
    return child.record.plan.kind != "connection"


def _new_process_needed(before: ChildPlan, after: ChildPlan) -> bool:
    """How it is restarted, judged and counted can be changed as it runs."""
    return (before.fingerprint, before.kind) != (after.fingerprint, after.kind)


def _how_it_ended(code: int | None, signal: int | None) -> str:
    if signal is not None:
        known = signal in signals.Signals._value2member_map_
        return f"killed by {signals.Signals(signal).name if known else f'signal {signal}'}"
    if code is None:
        return ""
    known = code in ChildExit._value2member_map_
    return f"exit code {code}, {ChildExit(code).name}" if known else f"exit code {code}"
