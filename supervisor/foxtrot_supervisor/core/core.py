"""Supervision state machine (sans-I/O): `handle(input, now)` returns effects, and performs none of them.

Call protocol, for the shell:

1. Call `handle(input, now)` for each input, in the order they arrive; perform its effects in their order.
2. Call it with `Tick()` no later than `next_deadline()`. While any process lives that is never more than
   `health.LOOK_S_MAX` away: a longer gap between two calls means that the supervisor did not run, and is discounted.
3. Answer each `Spawn` with `Spawned` or `SpawnFailed`, and each death with `Exited`. Signals are only asked for after
   `Spawned`.
4. After `Finish` nothing more is asked for, except SIGKILL for a process created late, after its child had been given
   up. Further inputs are still recorded (the death of a LOST child, say).

Where decisions are made: `lifecycle` has the table of moves, `child` one child's way through it, `health` when a child
must be replaced, `stop_ladder` how it is stopped, `restart` what follows from its death, `starting`, `rotation`,
`reconfigure` and `stopping` which child is started, replaced or stopped when. `children` is the table they work on.

Cost: a heartbeat costs the same whatever the number of children. Deadlines are kept in a heap; policies run only when a
child has changed or a deadline of theirs has come.

An application that started the supervisor and is its engine is a child in name only: its silence is not judged (it may
be stopped in a debugger), and it is never replaced. The shell must not signal it, and reports its detaching, or its
death, as the exit.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from foxtrot_protocol.exit_codes import SupervisorExit
from foxtrot_supervisor.config.schema import SupervisorConfig
from foxtrot_supervisor.core.child import Child, Shared
from foxtrot_supervisor.core.children import Children, Phase, in_order
from foxtrot_supervisor.core.deaths import Deaths
from foxtrot_supervisor.core.effects import Effect
from foxtrot_supervisor.core.health import gap_s_max, look_s
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
    WorkersStopRequested,
)
from foxtrot_supervisor.core.lifecycle import Desired, State
from foxtrot_supervisor.core.reconfigure import REMOVED, Reconfiguration
from foxtrot_supervisor.core.records import CAUSE_CHARS_MAX, ChildPlan, ChildRecord, tiers_of
from foxtrot_supervisor.core.rotation import Rotation
from foxtrot_supervisor.core.shutdown import Shutdown
from foxtrot_supervisor.core.starting import Starting
from foxtrot_supervisor.core.stopping import Stopping

__all__ = ["STOP_GAP_S_MAX", "Core"]

STOP_GAP_S_MAX: Final = 2.0
"""A gap between two calls longer than this many seconds shifts the deadlines of a stop: no child could answer then."""

_News = (
    Spawned
    | SpawnFailed
    | HelloReceived
    | ReadyReceived
    | HeartbeatReceived
    | RotationWanted
    | FailureReported
    | Exited
)

_FROM_THE_CHILD: Final = (HeartbeatReceived, HelloReceived, ReadyReceived, RotationWanted, FailureReported)
"""Messages sent by the child's own event loop: each shows that it turns."""


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
        """Raise `ValueError` if a name stands twice in `plans`. `random` returns numbers from 0 to 1, for jitter.

        `incarnations_before`: no child is given an incarnation as low as this; an earlier supervisor may have used it.
        """
        tiers_of(plans)
        self._shared = Shared(config, random)
        self._children = Children(self._shared, incarnations_before)
        self.records: Mapping[str, ChildRecord] = self._children.records
        """All records by name; read only."""
        self._rotation = Rotation(self._children, self._shared)
        self._deaths = Deaths(self._children, self._shared, self._rotation)
        self._starting = Starting(self._children)
        self._reconfiguration = Reconfiguration(self._children, self._shared, self._rotation)
        self._stopping = Stopping(self._children, self._shared)
        self._start_requested = False
        self._looked_at: float | None = None
        self._policies_at = math.inf
        """When the policies have to run though no child has changed."""
        for plan in plans:
            self._children.add(plan)
        self._children.settle(0.0)

    # ---- outside

    def handle(self, input: Input, now: float) -> list[Effect]:  # noqa: A002 - the contract's word
        """Return what has to be done about `input` and about the time that has passed.

        `now`: monotonic seconds, never decreasing. Raises `RequestRefused` for a request that cannot be served; nothing
        was changed then.
        """
        self._shared.effects = []
        self._discount_gap(now)
        self._advance(self._take(input, now), now)
        return self._shared.effects

    def next_deadline(self) -> float | None:
        """Return when `handle` has to be called again if nothing comes in; None: only inputs can change anything."""
        deadline = min(self._children.next_deadline(), self._policies_at)
        if self._looked_at is not None and self._children.any_lives:
            deadline = min(deadline, self._looked_at + look_s(self._shared.config.hung_s))
        shutdown = self._shared.shutdown
        if shutdown is not None and self.exit_code is None and shutdown.next_deadline is not None:
            deadline = min(deadline, shutdown.next_deadline)
        return None if deadline == math.inf else deadline

    def last_incarnation(self, name: str) -> int:
        """Return the last incarnation of a child, forgotten ones included; 0 if none is known."""
        return self._children.last_incarnation(name)

    def sided(self, plans: Sequence[ChildPlan]) -> list[ChildPlan]:
        """Return `plans`, each connection with a spare as the plan of the side that serves now."""
        return self._reconfiguration.sided(plans)

    @property
    def exit_code(self) -> SupervisorExit | None:
        """How the run ended; None before `Finish`."""
        return self._stopping.exit_code

    @property
    def unknown_messages_total(self) -> int:
        """Messages in the name of a child that does not exist; ignored."""
        return self._children.unknown_messages_total

    @property
    def state(self) -> Phase:
        """State of the whole."""
        if self.exit_code is not None or (not self._start_requested and self._shared.shutdown is None):
            return "stopped"
        return "stopping" if self._shared.shutdown is not None else self._children.phase

    # ---- inputs

    def _take(self, message: Input, now: float) -> Child | None:
        """Take an input; return the child that a message is news of."""
        match message:
            case Tick():
                pass
            case StartRequested():
                self._take_start()
            case StopRequested():
                self._take_stop(message, now)
            case RestartRequested():
                self._take_restart(message, now)
            case WorkersStopRequested():
                self._take_stop_of_workers(message, now)
            case ChildrenChanged():
                self._take_changes(message, now)
            case CapturedStacks():
                self._deaths.take_stacks(message)
            case _:
                child = self._children.living(message.name, message.incarnation)
                if child is not None:
                    self._take_news(child, message, now)
                return child
        return None

    def _take_news(self, child: Child, message: _News, now: float) -> None:
        if isinstance(message, _FROM_THE_CHILD):
            child.heard(now)
        match message:
            case HeartbeatReceived():
                flow_changed = child.heartbeat(message.data_age_s, message.asked, message.flowing, now)
                if flow_changed and (self._children.changing_sides or self._children.outdated):
                    child.touch()  # a rotation or reload that waits for this side to stand in may go on
            case RotationWanted():
                self._rotation.request(child, message.reason, now)
            case Spawned():
                child.spawned(message.pid, now)
            case HelloReceived():
                child.hello(now)
            case ReadyReceived():
                child.ready(now)
            case FailureReported():
                child.reported_cause = message.cause[:CAUSE_CHARS_MAX]
                child.retry_after_s = message.retry_after_s
            case SpawnFailed():
                self._deaths.died(child, None, None, f"could not be started: {message.reason}", now)
            case _:
                self._deaths.died(child, message.exit_code, message.signal, message.cause, now)

    def _take_start(self) -> None:
        if self._start_requested or self._shared.shutdown is not None:
            raise RequestRefused("this supervisor was already started or stopped")
        self._start_requested = True
        for child in self._children:
            child.record.desired = Desired.RUNNING
            child.touch()

    def _take_stop(self, message: StopRequested, now: float) -> None:
        shutdown = self._shared.shutdown or self._stopping.begin(message.reason, now)
        shutdown.request()

    def _take_changes(self, message: ChildrenChanged, now: float) -> None:
        if self._shared.shutdown is not None:
            raise RequestRefused("everything is being stopped")
        if not self._start_requested:
            raise RequestRefused("nothing has been started yet")
        self._reconfiguration.apply(message, now)

    def _take_restart(self, message: RestartRequested, now: float) -> None:
        child = self._children.get(message.name)
        if child is None:
            raise RequestRefused(f"there is no child called {message.name!r}")
        refusal = self._refuse_restart(child, now)
        if refusal:
            raise RequestRefused(refusal)
        child.record.stopped_by_operator = False
        child.record.desired = Desired.RUNNING
        if child.first_spawned_at is None:
            child.awaits_start = True  # it was stopped before its turn came
            child.touch()
        else:
            child.replace("restart requested", now)

    def _take_stop_of_workers(self, message: WorkersStopRequested, now: float) -> None:
        workers = []
        for name in message.names:
            child = self._children.get(name)
            if child is None:
                raise RequestRefused(f"there is no child called {name!r}")
            refusal = self._refuse_stop(child)
            if refusal:
                raise RequestRefused(refusal)
            workers.append(child)
        for child in workers:
            child.stop_for_operator(now)

    def _refuse_stop(self, child: Child) -> str:
        name = child.name
        if child.record.plan.kind != "connection":
            return f"{name} is no worker: only workers can be stopped alone"
        if not self._start_requested:
            return "nothing has been started yet"
        return self._refuse_change(child)

    def _refuse_restart(self, child: Child, now: float) -> str:
        record = child.record
        refusal = self._refuse_change(child)
        if refusal:
            return refusal
        if child.awaits_start:
            return f"{record.name} has not been started yet, its turn will come"
        if record.state is State.LOST:
            return f"{record.name} cannot be replaced: its process survives SIGKILL"
        twin = self._children.twin_of(child)
        if record.state is not State.RUNNING or twin is None or twin.stands_in_for(child, now):
            return ""
        other = twin.record
        how = "does not yet have all its data" if other.state is State.RUNNING else f"is {other.state.value}"
        return f"{other.name} {how}: {record.name} is not taken away before the other side stands in for it"

    def _refuse_change(self, child: Child) -> str:
        record = child.record
        if self._shared.shutdown is not None:
            return "everything is being stopped"
        if child.retiring:
            return f"{record.name} is being stopped: {record.cause or REMOVED}"
        if not record.plan.ours:
            return f"{record.name} is the application that started this supervisor"
        if child.successor is not None or child.predecessor is not None:
            return f"{record.name} is being rotated: the fresh side serves in a moment"
        return ""

    # ---- the passing of time

    def _discount_gap(self, now: float) -> None:
        """Discount time in which the supervisor did not run; shorter gaps are within every deadline's tolerance."""
        looked_at, self._looked_at = self._looked_at, now
        gap_s = 0.0 if looked_at is None else now - looked_at
        if gap_s > gap_s_max(self._shared.config.hung_s):
            for child in self._children:
                if child.watch is not None:
                    child.watch.discount(gap_s, now)
                    child.touch()
        if gap_s > STOP_GAP_S_MAX:
            for child in self._children:
                if child.ladder is not None:
                    child.ladder.shift(gap_s)
                    child.touch()
            if self._shared.shutdown is not None:
                self._shared.shutdown.shift(gap_s)

    def _advance(self, addressed: Child | None, now: float) -> None:
        """Advance the children that are due, have changed or were addressed; run the policies if need be."""
        changed = self._children.settle(now)
        due = self._children.due(now)
        for child in in_order({*changed, *due, *([addressed] if addressed is not None else [])}):
            child.advance(now)
        shutdown = self._shared.shutdown
        if shutdown is None and self._start_requested and (changed or self._shared.changed or now >= self._policies_at):
            shutdown = self._run_policies(due, now)
        if shutdown is not None:
            self._policies_at = math.inf
            self._stopping.advance(shutdown, now)
        self._children.settle(now)
        if addressed is not None:
            self._children.schedule(addressed, now)

    def _run_policies(self, due: Sequence[Child], now: float) -> Shutdown | None:
        """Run the policies for starts, replacements and rotations; return the final stop if the start has failed."""
        children = self._children
        children.settle(now)
        children.forget_the_gone()
        self._policies_at = math.inf
        failure = self._starting.failure()
        if failure:
            return self._stopping.begin(failure, now, start_failed=True)
        for child in due:
            retry_at = child.record.retry_at
            if retry_at is not None and now >= retry_at:
                child.policy.restarted(now, child.crashed)
                child.spawn(child.record.cause, now)
        next_at = self._reconfiguration.advance(now)
        children.settle(now)
        next_at = min(next_at, self._rotation.advance(now))
        children.settle(now)
        next_at = min(next_at, self._starting.advance(now))
        children.settle(now)
        self._starting.note_progress()
        self._policies_at = next_at
        return None
