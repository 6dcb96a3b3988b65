"""Invariants of the supervision core, checked by an observer of inputs and effects.

It knows the core only from outside: its inputs, its effects, and their times. Its view of which process
lives is its own. `Violation` names the broken promise, so that a test can tell which one caught a mutation.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

from foxtrot_protocol.exit_codes import ExitVerdict, SupervisorExit, verdict
from foxtrot_supervisor.config.schema import SupervisorConfig
from foxtrot_supervisor.core.core import STOP_GAP_S_MAX
from foxtrot_supervisor.core.effects import Ask, DumpStacks, Effect, Fence, Finish, Publish, Signal, Spawn
from foxtrot_supervisor.core.inputs import (
    ChildrenChanged,
    Exited,
    FailureReported,
    HeartbeatReceived,
    HelloReceived,
    Input,
    ReadyReceived,
    RestartRequested,
    RotationWanted,
    Spawned,
    SpawnFailed,
    StopRequested,
    WorkersStopRequested,
)
from foxtrot_supervisor.core.lifecycle import Desired
from foxtrot_supervisor.core.reconfigure import CHANGED
from foxtrot_supervisor.core.records import ChildPlan, ChildRecord
from foxtrot_supervisor.core.rotation import ROTATED
from foxtrot_supervisor.core.sides import other_side

EPSILON_S = 1e-6
"""Rounding of sums of binary fractions; far below any deadline."""

LATE_S = 0.5
"""How late in all the shell may be over one whole stop."""

RETRY_AFTER_CAP_S = 3 * 24 * 3600.0
APART_S = 10.0
SETTLE_S = 10.0


class Violation(AssertionError):
    """A promise was broken."""

    def __init__(self, promise: str, text: str) -> None:
        super().__init__(f"{promise}: {text}")
        self.promise = promise


class Seen:
    """One child as the observer saw it."""

    def __init__(self, plan: ChildPlan) -> None:
        self.plan = plan
        self.incarnation = 0
        self.alive = False
        self.made = False
        self.lost = False
        self.state = "STOPPED"
        self.fenced: set[int] = set()
        self.crash_restarts: list[float] = []
        self.crashed = False
        """Whether its latest death counts towards the intensity."""
        self.death: ExitVerdict | None = None
        self.not_before = 0.0
        self.retry_after_s: float | None = None
        self.restart_requested = False
        self.served_once = False
        self.wanted = True
        """It stands in the configuration."""
        self.stopped = False
        """An operator has stopped it, and not restarted it."""
        self.known = True
        """The core has to show it."""
        self.changed = False
        """Its process was started with another fingerprint than the configured one."""
        self.coming_for: str | None = None
        """The side that it is to take over from."""
        self.first_at = 0.0
        """When it was first started."""
        self.begin()

    def come_back(self) -> None:
        """The name has a new life: of the old one only the incarnation counts on."""
        self.restart_requested = self.served_once = self.crashed = False
        self.crash_restarts.clear()
        self.known = self.wanted = True
        self.changed = self.stopped = False
        self.state = "STOPPED"
        self.coming_for = None

    def begin(self) -> None:
        """A new incarnation has nothing behind it."""
        self.asked_at: float | None = None
        self.term_at: float | None = None
        self.kill_at: float | None = None
        self.was_silent = False
        """Stacks were dumped before SIGTERM, and it had really not been heard of for long enough."""
        self.ladder_at: float | None = None
        self.heard_at: float | None = None
        self.greeted = False
        """HELLO, or READY without it, has come."""
        self.ladder_before_stop = False
        self.spawned_at = 0.0
        self.ready_at = math.inf
        self.flow: tuple[int, int] | None = None
        """Topics not acknowledged, topics with data, as it told since it is RUNNING."""
        self.wants_rotation = False
        self.retry_after_s = None
        self.restart_requested = False


class Observer:
    """Raises `Violation` from `saw` as soon as a promise is broken."""

    def __init__(self, plans: Sequence[ChildPlan], config: SupervisorConfig) -> None:
        self.config = config
        self.look_s = min(1.0, config.hung_s / 5)
        self.children = {plan.name: Seen(plan) for plan in plans}
        self.stop_at: float | None = None
        self.stop_requests = 0
        self.start_failed = False
        self.start_is_over = False
        self.finished: int | None = None
        self.kill_in_stop = False
        self.looked_at: float | None = None
        self.expected_by = math.inf
        self.slack_s = 0.0
        """How late the core was called, in gaps too short to be discounted for a stop: so much later may it end."""

    @property
    def hastened(self) -> bool:
        """Whether somebody asked twice."""
        return self.stop_requests > 1

    def expect(self, next_deadline: float | None) -> None:
        """When the core wants to be called again."""
        self.expected_by = math.inf if next_deadline is None else next_deadline

    def look(self, now: float) -> None:
        """The core was called (also with what it refuses). Where it was not for long, deadlines move by the gap."""
        looked_at, self.looked_at = self.looked_at, now
        gap_s = 0.0 if looked_at is None else now - looked_at
        if gap_s <= STOP_GAP_S_MAX:
            self.slack_s += max(0.0, now - self.expected_by)
            return
        if self.stop_at is not None:
            self.stop_at += gap_s
        for child in self.children.values():
            if child.ladder_at is not None:
                child.ladder_at += gap_s

    # ---- what went in

    def told(self, message: Input, now: float) -> None:
        """Call after the core accepted `message`, before `saw`."""
        self.look(now)
        if isinstance(message, StopRequested):
            self.stop_requests += 1
            self.stop_at = now if self.stop_at is None else self.stop_at
            return
        if isinstance(message, RestartRequested):
            child = self.children[message.name]
            if child.state == "RUNNING" and (twin := self._twin(child)) and not self._stands_in(twin, child, now):
                raise Violation("twins are restarted one at a time", f"{message.name} while {twin.state}")
            self._forgive(child)
            child.stopped = False
            return
        if isinstance(message, WorkersStopRequested):
            for stopped in message.names:
                self.children[stopped].stopped = True
                self.children[stopped].changed = False
            return
        if isinstance(message, ChildrenChanged):
            self._changed(message, now)
            return
        name = getattr(message, "name", None)
        child_or_none = self.children.get(name) if name is not None else None
        if child_or_none is None:
            return
        child = child_or_none
        if getattr(message, "incarnation", 0) != child.incarnation or not child.alive:
            return
        self._told_of(child, message, now)

    @staticmethod
    def _forgive(child: Seen) -> None:
        child.restart_requested = True
        child.crash_restarts.clear()
        child.crashed = False
        child.not_before = 0.0

    def _changed(self, message: ChildrenChanged, now: float) -> None:
        plans = {plan.name: plan for plan in map(self._on_its_side, message.plans)}
        configured = dict(plans)
        self.config = message.config
        for name, child in self.children.items():
            plan = plans.pop(name, None)
            if plan is None:
                if child.coming_for is not None and self._goes_on(child, configured.get(child.coming_for)):
                    continue
                child.wanted = child.stopped = False
                child.not_before = 0.0
                continue
            child.coming_for = None
            if not child.known:
                child.come_back()
                child.not_before = 0.0
            elif not child.wanted:
                child.restart_requested = True  # it comes back while it is on its way down
            elif plan.fingerprint != child.plan.fingerprint and child.incarnation and not child.stopped:
                child.changed = True
                if child.ladder_at is not None and child.alive and not child.lost:
                    self._forgive(child)  # it is on its way down already
            child.plan = plan
            child.wanted = True
        for plan in plans.values():
            self.children[plan.name] = Seen(plan)
        for child in self.children.values():
            if child.known and child.state in ("FATAL", "EXITED", "LOST"):
                self._note_failed_start(child, now)  # it may have become essential

    def _on_its_side(self, plan: ChildPlan) -> ChildPlan:
        """A connection that was rotated stays on the side where it is."""
        if plan.spare is None or self._stands(plan.name) or not self._stands(plan.spare.name):
            return plan
        return other_side(plan)

    def _stands(self, name: str) -> bool:
        child = self.children.get(name)
        return child is not None and child.known and child.wanted and child.coming_for is None

    @staticmethod
    def _goes_on(spare: Seen, plan: ChildPlan | None) -> bool:
        """Whether a rotation goes on with the new configuration."""
        if plan is None or plan.spare is None or not spare.wanted:
            return False
        now = other_side(plan)
        if (now.name, now.fingerprint, now.kind) != (spare.plan.name, spare.plan.fingerprint, spare.plan.kind):
            return False
        spare.plan = now
        return True

    def _twin(self, child: Seen) -> Seen | None:
        twin = self.children.get(child.plan.twin or "")
        return twin if twin is not None and twin.known and twin.wanted and not twin.stopped else None

    @staticmethod
    def _stands_in(child: Seen, other: Seen, now: float) -> bool:
        """Nothing is missed if `other` goes: all topics answered, and data on as many, in the end on some."""
        if child.state != "RUNNING" or child.flow is None or child.flow[0]:
            return False
        flowing = other.flow[1] if other.flow is not None else 0
        return child.flow[1] >= flowing or (child.flow[1] > 0 and now >= child.ready_at + SETTLE_S - EPSILON_S)

    def _told_of(self, child: Seen, message: Input, now: float) -> None:
        if isinstance(message, Spawned):
            child.made = True
        elif isinstance(message, (HelloReceived, HeartbeatReceived)):
            child.heard_at = now
            child.greeted = child.greeted or isinstance(message, HelloReceived)
            if isinstance(message, HeartbeatReceived) and child.state == "RUNNING":
                child.flow = (message.asked, message.flowing)
        elif isinstance(message, RotationWanted):
            child.heard_at = now
            child.wants_rotation = child.wants_rotation or child.state == "RUNNING"
        elif isinstance(message, ReadyReceived):
            child.heard_at = now
            child.greeted = True
            child.ready_at = min(child.ready_at, now)
            # who is on its way down does not serve any more
            child.served_once = child.served_once or child.ladder_at is None
        elif isinstance(message, FailureReported):
            child.retry_after_s = message.retry_after_s
        elif isinstance(message, SpawnFailed):
            self._died(child, ExitVerdict.CRASH, now)
        elif isinstance(message, Exited):
            self._died(child, verdict(message.exit_code, message.signal), now)

    def _died(self, child: Seen, kind: ExitVerdict, now: float) -> None:
        on_ladder = child.ladder_at is not None
        if on_ladder:
            kind = ExitVerdict.CLEAN if child.restart_requested else ExitVerdict.CRASH
        child.death = kind
        child.crashed = kind is ExitVerdict.CRASH
        child.alive = False
        child.made = False
        child.lost = False
        if not child.restart_requested and child.wanted:
            child.not_before = now + min(child.retry_after_s or 0.0, RETRY_AFTER_CAP_S)
        if self.stop_at is not None:
            return
        if child.coming_for is not None:
            child.wanted = False
            child.coming_for = None
        for spare in self.children.values():
            if spare.coming_for == child.plan.name and spare.alive and spare.ladder_at is None:
                spare.coming_for = None  # what it was to do later it does now
                child.wanted = False

    # ---- what came out

    def saw(self, effects: Iterable[Effect], now: float) -> None:
        """Judge what the core asked for at `now`."""
        for effect in effects:
            if (
                self.finished is not None
                and not isinstance(effect, (Fence, Publish))
                and not self._is_late_kill(effect)
            ):
                raise Violation("nothing after the end", f"{effect}")
            if isinstance(effect, Finish):
                self._finish(effect, now)
            elif isinstance(effect, Publish):
                self._look_for_spares(effect)
                self._published(effect, now)
            else:
                self._acted(self.children[effect.name], effect, now)
        self._check_times(now)

    def _look_for_spares(self, effect: Publish) -> None:
        """Who is started without being configured is the spare of one that wants to be replaced."""
        name = effect.status.worker
        child = self.children.get(name)
        if effect.status.state != "STARTING" or (child is not None and child.known and child.wanted):
            return
        for old in [old for old in self.children.values() if old.plan.spare and old.plan.spare.name == name]:
            if not (old.known and old.wanted and old.coming_for is None):
                continue
            if not old.wants_rotation or old.state != "RUNNING":
                raise Violation("nothing is rotated unasked", f"{name} beside {old.plan.name}, which is {old.state}")
            spare = self.children[name] = child or Seen(old.plan)
            spare.come_back()
            spare.plan = other_side(old.plan)
            spare.coming_for = old.plan.name
            return
        raise Violation("what is not configured is not started", name)

    def _rotated(self, child: Seen, now: float) -> None:
        """The core says that a child that serves has to go for a rotation."""
        if not child.wants_rotation:
            raise Violation("nothing is rotated unasked", child.plan.name)
        if child.plan.spare is None:
            twin = self._twin(child)
            if twin is None or not self._stands_in(twin, child, now):
                raise Violation("twins are rotated one at a time", child.plan.name)
            self._forgive(child)
            return
        spare = self.children.get(child.plan.spare.name)
        if spare is None or spare.coming_for != child.plan.name or not self._stands_in(spare, child, now):
            raise Violation("a rotation leaves no connection without a side that serves", child.plan.name)
        spare.coming_for = None
        child.wanted = False

    def _is_late_kill(self, effect: Effect) -> bool:
        """A process that was made after it had been given up is not left alive."""
        return isinstance(effect, Signal) and effect.signal == "SIGKILL" and self.children[effect.name].lost

    def _acted(self, child: Seen, effect: Ask | Signal | DumpStacks | Spawn | Fence, now: float) -> None:
        if isinstance(effect, Fence):
            child.fenced.add(effect.incarnation)
            return
        if isinstance(effect, Spawn):
            self._spawned(child, effect, now)
            return
        if effect.incarnation != child.incarnation or not child.alive:
            raise Violation("only the living are addressed", f"{effect}")
        self._check_order(child, now)
        if isinstance(effect, Ask):
            child.asked_at = now if child.asked_at is None else child.asked_at
        elif isinstance(effect, DumpStacks):
            child.was_silent = child.term_at is None and self._is_silent(child, now)
        elif not child.made:
            raise Violation("no signal without a process", f"{effect}")
        elif effect.signal == "SIGTERM":
            self._termed(child, now)
        else:
            self._killed(child, now, effect.whole_session)

    def _spawned(self, child: Seen, effect: Spawn, now: float) -> None:
        if child.alive:
            raise Violation("never two live incarnations", f"{effect} while {child.incarnation} lives")
        if self.stop_at is not None:
            raise Violation("no restart after a requested stop", f"{effect}")
        if not child.wanted:
            raise Violation("what is not configured is not started", f"{effect}")
        if child.stopped:
            raise Violation("what an operator has stopped stays stopped", f"{effect}")
        if effect.incarnation != child.incarnation + 1:
            raise Violation("incarnations count up", f"{effect} after {child.incarnation}")
        if child.incarnation and child.incarnation not in child.fenced:
            raise Violation("fence before respawn", f"{effect}, {child.incarnation} is not fenced")
        if now < child.not_before - EPSILON_S:
            raise Violation("the exchange's delay is kept", f"{effect} at {now}, not before {child.not_before}")
        self._check_tiers_below(child)
        self._check_apart(child, now)
        if child.crashed:
            self._count_restart(child, now)
        child.begin()
        child.changed = False
        child.incarnation = effect.incarnation
        child.alive = True
        child.spawned_at = now

    def _check_apart(self, child: Seen, now: float) -> None:
        if child.incarnation:
            return
        child.first_at = now
        twin = self._twin(child)
        if twin is None or not twin.alive or twin.state not in ("STARTING", "CONNECTING"):
            return
        if twin.incarnation == 1 and now < twin.first_at + APART_S - EPSILON_S:
            raise Violation("twins start apart", f"{child.plan.name} at {now}, {twin.plan.name} at {twin.first_at}")

    def _check_tiers_below(self, child: Seen) -> None:
        if child.incarnation or child.coming_for is not None:
            return
        for other in self.children.values():
            if not other.known or not other.wanted or other.stopped:
                continue
            if other.plan.tier < child.plan.tier and other.state not in ("RUNNING", "EXITED", "FATAL", "LOST"):
                raise Violation("tiers start in order", f"{child.plan.name} before {other.plan.name} serves")

    def _count_restart(self, child: Seen, now: float) -> None:
        child.crash_restarts.append(now)
        window = [at for at in child.crash_restarts if now - at <= self.config.restart_period_s]
        child.crash_restarts = window
        if len(window) > self.config.restart_intensity:
            raise Violation("restart rate within intensity", f"{child.plan.name}: {window}")

    def is_budget_spent(self, now: float) -> bool:
        """Whether the final stop has used up its time."""
        return self.stop_at is not None and now >= self.stop_at + self.config.shutdown_s - EPSILON_S

    def _check_order(self, child: Seen, now: float) -> None:
        """In the final stop, nothing is done to a child while one of a higher tier lives."""
        if self.stop_at is None or self.hastened or self.is_budget_spent(now):
            return
        if child.ladder_at is not None and child.ladder_before_stop:
            return
        for other in self.children.values():
            if other.plan.tier > child.plan.tier and other.alive and not other.lost:
                raise Violation("reverse order", f"{child.plan.name} before {other.plan.name} has ended")

    def _termed(self, child: Seen, now: float) -> None:
        if child.asked_at is None:
            raise Violation("asked before SIGTERM", child.plan.name)
        if now < child.asked_at + self.config.stop_ask_s - EPSILON_S and self.stop_at is None:
            raise Violation("asking has its whole grace", f"{child.plan.name}: {child.asked_at} to {now}")
        child.term_at = now if child.term_at is None else child.term_at

    def _killed(self, child: Seen, now: float, whole_session: bool) -> None:
        if not whole_session:
            raise Violation("SIGKILL ends the whole session", child.plan.name)
        child.kill_at = now if child.kill_at is None else child.kill_at
        if self.hastened or self.is_budget_spent(now) or child.was_silent:
            return
        if child.term_at is None or now < child.term_at + self.config.stop_term_s - EPSILON_S:
            raise Violation("SIGKILL never precedes an expired SIGTERM deadline", f"{child.plan.name} at {now}")

    def _is_silent(self, child: Seen, now: float) -> bool:
        if not child.greeted:
            return now >= child.spawned_at + self.config.hello_s - EPSILON_S
        return child.heard_at is not None and now >= child.heard_at + self.config.hung_s - EPSILON_S

    def _published(self, effect: Publish, now: float) -> None:
        status = effect.status
        child = self.children[status.worker]
        if status.cause == CHANGED and status.state in ("STOPPING", "STARTING") and child.state != status.state:
            self._replaced(child, now)
        if status.cause.startswith(ROTATED) and status.state == "STOPPING" and child.state == "RUNNING":
            self._rotated(child, now)
        child.state = status.state
        if status.state == "STOPPING":
            self._on_ladder(child, status.rung, now)
        elif status.state == "LOST":
            child.lost = True
            if child.kill_at is None or now < child.kill_at + self.config.stop_kill_s - EPSILON_S:
                raise Violation("LOST only after SIGKILL and the last wait", child.plan.name)
        elif status.state == "FATAL" and child.death not in (ExitVerdict.CRASH, ExitVerdict.PERMANENT):
            raise Violation("only crashes and mistakes are fatal", f"{child.plan.name}: {child.death}")
        if status.state in ("FATAL", "EXITED", "LOST"):
            self._note_failed_start(child, now)
        if status.state in ("STOPPED", "BACKOFF", "EXITED", "FATAL") and child.alive:
            raise Violation("no child is forgotten alive", f"{child.plan.name} is called {status.state}")

    def _replaced(self, child: Seen, now: float) -> None:
        """The core says that a child has to go because of its configuration."""
        if not child.wanted:
            return  # a spare that was begun with what is not configured any more
        if not child.changed:
            raise Violation("what has not changed keeps its process", child.plan.name)
        twin = self._twin(child)
        if child.state == "RUNNING" and twin is not None and not self._stands_in(twin, child, now):
            raise Violation("twins are replaced one at a time", f"{child.plan.name} while {twin.state}")
        self._forgive(child)

    def _note_failed_start(self, child: Seen, now: float) -> None:
        """What the others stand on ended for good before everything was started: that ends the whole."""
        if self.start_is_over or not child.wanted:
            return
        if self.stop_at is not None or not child.plan.essential or child.plan.kind == "connection":
            return
        if not child.served_once or any(
            other.incarnation == 0 and other.wanted and not other.stopped for other in self.children.values()
        ):
            self.stop_at = now
            self.start_failed = True

    def _on_ladder(self, child: Seen, rung: str | None, now: float) -> None:
        if child.ladder_at is None:
            child.ladder_at = now
            child.ladder_before_stop = self.stop_at is None
        if rung == "term" and child.term_at is None:
            child.term_at = now
        if rung == "kill" and child.kill_at is None:
            child.kill_at = now
            self.kill_in_stop = self.kill_in_stop or self.stop_at is not None

    def _check_times(self, now: float) -> None:
        late_s = LATE_S + self.slack_s
        whole_s = self.config.stop_ask_s + self.config.stop_term_s + self.config.stop_kill_s + late_s
        for child in self.children.values():
            if self.hastened and child.alive and child.made and child.kill_at is None:
                raise Violation("a second request kills at once", child.plan.name)
            if child.ladder_at is None or not child.alive or child.lost:
                continue
            if now > child.ladder_at + whole_s:
                raise Violation("every stop ends in time or is LOST", child.plan.name)
        if self.stop_at is None or self.finished is not None:
            return
        if now > self.stop_at + self.config.shutdown_s + self.config.stop_kill_s + late_s:
            raise Violation("the whole stop ends within its budget", f"asked at {self.stop_at}, now {now}")

    def compare(self, records: Mapping[str, ChildRecord], next_deadline: float | None, now: float) -> None:
        """What the core shows has to agree with what was seen."""
        self.expect(next_deadline)
        any_alive = False
        self.start_is_over = self.start_is_over or not any(
            child.wanted
            and not child.stopped
            and (
                child.incarnation == 0
                or (child.plan.essential and child.plan.kind != "connection" and not child.served_once)
            )
            for child in self.children.values()
        )
        for name, child in self.children.items():
            if not child.wanted and not child.alive and self.stop_at is None:
                child.known = False
            if not child.known:
                if name in records:
                    raise Violation("who has gone is forgotten", f"{records[name]}")
                continue
            record = records[name]
            if self.stop_at is None:
                self._check_replaced(child, now)
            if self.stop_at is None and child.wanted and record.plan != child.plan:
                raise Violation("the plan is the configured one", f"{record.plan}")
            any_alive = any_alive or child.alive
            if record.may_live != child.alive or record.incarnation != child.incarnation:
                raise Violation("records tell the truth", f"{record}, alive: {child.alive}")
            if record.state.value != child.state:
                raise Violation("each change of state is published", f"{record}, published: {child.state}")
            desired = record.desired is Desired.RUNNING
            # a spare that fails is let go before it has ended
            if child.coming_for is None and desired != (self.stop_at is None and child.wanted and not child.stopped):
                raise Violation("desired follows the requests", f"{record}")
        if any_alive and (next_deadline is None or next_deadline > now + self.look_s + EPSILON_S):
            raise Violation("a living child has a deadline", f"{next_deadline} at {now}")

    def _check_replaced(self, child: Seen, now: float) -> None:
        """Nobody goes on with what is no longer configured, but for a twin whose turn has not come."""
        if not (child.changed and child.alive and child.wanted) or child.lost or child.ladder_at is not None:
            return
        twin = self._twin(child)
        if child.state != "RUNNING" or twin is None or self._stands_in(twin, child, now):
            raise Violation("what has changed is replaced", child.plan.name)

    def _finish(self, effect: Finish, now: float) -> None:
        left = [child.plan.name for child in self.children.values() if child.alive and not child.lost]
        if left:
            raise Violation("no child outlives the supervisor", f"{left}")
        if self.stop_at is None:
            raise Violation("no end without a stop", f"{effect}")
        self.finished = effect.exit_code
        expected = self.expected_exit()
        if effect.exit_code != expected:
            raise Violation("the exit code tells how it ended", f"{effect.exit_code}, not {expected}")

    def expected_exit(self) -> int:
        """What the exit code has to be, from what was seen."""
        children = self.children.values()
        if any(child.lost and child.known for child in children):
            return SupervisorExit.UNKILLABLE
        if self.start_failed:
            return SupervisorExit.START_FAILED
        if any(child.state == "FATAL" and child.plan.essential and child.known for child in children):
            return SupervisorExit.ESSENTIAL_FATAL
        if self.kill_in_stop:
            return SupervisorExit.KILL_NEEDED
        return SupervisorExit.CLEAN
