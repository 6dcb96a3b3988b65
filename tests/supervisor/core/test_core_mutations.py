"""The observer is worth what it catches: each broken core here has to be caught, for the right reason."""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable
from typing import Any

import pytest

from foxtrot_protocol.exit_codes import ExitVerdict
from foxtrot_supervisor.config.schema import SupervisorConfig
from foxtrot_supervisor.core import child as child_module
from foxtrot_supervisor.core import children as children_module
from foxtrot_supervisor.core import deaths as deaths_module
from foxtrot_supervisor.core import reconfigure as reconfigure_module
from foxtrot_supervisor.core import stop_ladder
from foxtrot_supervisor.core.child import Child
from foxtrot_supervisor.core.children import Children, Standing, standing_of
from foxtrot_supervisor.core.core import Core
from foxtrot_supervisor.core.deadlines import Deadlines
from foxtrot_supervisor.core.deaths import Deaths
from foxtrot_supervisor.core.effects import DumpStacks, Effect, Fence, Publish, Signal
from foxtrot_supervisor.core.inputs import Input
from foxtrot_supervisor.core.lifecycle import Desired, State
from foxtrot_supervisor.core.reconfigure import Reconfiguration
from foxtrot_supervisor.core.records import ChildPlan
from foxtrot_supervisor.core.restart import RestartPolicy
from foxtrot_supervisor.core.rotation import ROTATED, Rotation
from foxtrot_supervisor.core.shutdown import Shutdown
from foxtrot_supervisor.core.sides import Pace
from foxtrot_supervisor.core.starting import Starting
from foxtrot_supervisor.core.stop_ladder import Ladder, Step
from foxtrot_supervisor.core.stopping import Stopping
from tests.support.core_invariants import Violation
from tests.support.process_world import World

SEEDS_MAX = 1500
"""A mutation that survives this many schedules counts as not caught."""


def caught(make_core: Callable[..., Core] = Core) -> str:
    """The first promise that is seen broken."""
    for seed in range(SEEDS_MAX):
        try:
            World(seed, make_core).run()
        except Violation as violation:
            return violation.promise
    return "not caught"


# ---- the ladder


def test_skipping_sigterm_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(stop_ladder._NEXT, "ask", "kill")
    assert caught() == "SIGKILL never precedes an expired SIGTERM deadline"


def test_skipping_the_request_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    class Rude(Ladder):
        def due(self, now: float) -> list[Step]:
            if self._next == "ask":
                self._next = "term"
            return super().due(now)

    monkeypatch.setattr(child_module, "Ladder", Rude)
    assert caught() == "asked before SIGTERM"


def test_skipping_the_last_wait_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    class GivesUp(Ladder):
        def due(self, now: float) -> list[Step]:
            self._kill_s = 0.0
            return super().due(now)

    monkeypatch.setattr(child_module, "Ladder", GivesUp)
    assert caught() == "LOST only after SIGKILL and the last wait"


def test_half_the_grace_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    class Hasty(Ladder):
        def due(self, now: float) -> list[Step]:
            self._term_s = min(self._term_s, 0.75)
            return super().due(now)

    monkeypatch.setattr(child_module, "Ladder", Hasty)
    assert caught() == "SIGKILL never precedes an expired SIGTERM deadline"


def test_a_ladder_without_end_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    take_step = Child._take_step

    def patient(child: Child, ladder: Ladder, due: Step) -> None:
        if due != "lost":
            take_step(child, ladder, due)

    monkeypatch.setattr(Child, "_take_step", patient)
    assert caught() == "every stop ends in time or is LOST"


def test_killing_only_the_leader_is_caught() -> None:
    class LeaderOnly(Core):
        def handle(self, input: Input, now: float) -> list[Effect]:  # noqa: A002
            return [_without_session(effect) for effect in super().handle(input, now)]

    assert caught(LeaderOnly) == "SIGKILL ends the whole session"


def _without_session(effect: Effect) -> Effect:
    if isinstance(effect, Signal):
        return Signal(effect.name, effect.incarnation, effect.signal)
    return effect


# ---- rotation and twins


def test_rotating_both_twins_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    stands_in_for = Child.stands_in_for

    def reckless(child: Child, other: Child, now: float) -> bool:
        return bool(child.record.plan.twin) or stands_in_for(child, other, now)

    monkeypatch.setattr(Child, "stands_in_for", reckless)
    assert caught() in (
        "twins are rotated one at a time",
        "twins are replaced one at a time",
        "twins are restarted one at a time",
    )


def test_taking_the_other_twin_before_its_data_flow_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    stands_in_for = Child.stands_in_for

    def hasty(child: Child, other: Child, now: float) -> bool:
        if child.record.plan.twin:
            return child.record.state is State.RUNNING
        return stands_in_for(child, other, now)

    monkeypatch.setattr(Child, "stands_in_for", hasty)
    assert caught() in ("twins are rotated one at a time", "twins are replaced one at a time")


def test_stopping_the_old_side_before_the_new_one_serves_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    start_spare = Rotation._start_spare

    def break_before_make(rotation: Rotation, child: Child, now: float) -> None:
        start_spare(rotation, child, now)
        rotation.take_over(rotation._children[child.successor or ""], child)
        child.retire(f"{ROTATED}: too soon", now)

    monkeypatch.setattr(Rotation, "_start_spare", break_before_make)
    assert caught() == "a rotation leaves no connection without a side that serves"


def test_stopping_the_old_side_before_the_data_of_the_new_one_flow_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child_module, "carries", lambda flow, ready_at, other, now: True)
    assert caught() in (
        "a rotation leaves no connection without a side that serves",
        "twins are rotated one at a time",
        "twins are replaced one at a time",
        "twins are restarted one at a time",
    )


def test_rotating_what_did_not_ask_for_it_is_caught() -> None:
    class Busy(Core):
        def _take_news(self, child: Child, message: Any, now: float) -> None:
            super()._take_news(child, message, now)
            self._rotation.request(child, "just so", now)

    assert caught(Busy) == "nothing is rotated unasked"


def test_restarting_what_a_spare_has_taken_over_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    take_over = Rotation.take_over

    def doubling(rotation: Rotation, spare: Child, old: Child) -> None:
        take_over(rotation, spare, old)
        old.retiring = False

    monkeypatch.setattr(Rotation, "take_over", doubling)
    assert caught() != "not caught"


def test_twins_that_start_together_are_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Starting, "_apart_until", lambda starting, child, now: now)
    assert caught() == "twins start apart"


def test_ignoring_the_delay_of_an_exchange_that_refused_a_spare_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Pace, "not_within", lambda pace, retry_after_s, now: None)
    assert caught() == "the exchange's delay is kept"


# ---- another configuration


def test_not_forgetting_who_has_gone_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Children, "forget_the_gone", lambda children: None)
    assert caught() == "who has gone is forgotten"


def test_replacing_both_twins_at_once_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    replace = Reconfiguration._replace

    def impatient(reconfiguration: Reconfiguration, child: Child, now: float) -> float:
        with monkeypatch.context() as inside:
            inside.setattr(Children, "twin_of", lambda children, child: None)
            return replace(reconfiguration, child, now)

    monkeypatch.setattr(Reconfiguration, "_replace", impatient)
    assert caught() == "twins are replaced one at a time"


def test_replacing_what_has_not_changed_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconfigure_module, "needs_new_process", lambda before, after: True)
    assert caught() == "what has not changed keeps its process"


def test_keeping_what_has_changed_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconfigure_module, "needs_new_process", lambda before, after: False)
    assert caught() == "what has changed is replaced"


def test_an_incarnation_number_that_is_used_again_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    add = Children.add

    def forgetful(children: Children, plan: ChildPlan) -> Child:
        children._retired.clear()
        return add(children, plan)

    monkeypatch.setattr(Children, "add", forgetful)
    assert caught() == "incarnations count up"


def test_starting_what_is_added_before_its_turn_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    def eager(child: Child) -> Standing:
        standing = standing_of(child)
        return standing if child.awaits_start else standing._replace(blocks=None)

    monkeypatch.setattr(children_module, "standing_of", eager)
    assert caught() == "tiers start in order"


# ---- restarts


def test_a_restart_after_a_requested_stop_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    consequence = Deaths.consequence

    def stubborn(deaths: Deaths, child: Child, *rest: Any) -> Any:
        wanted, child.record.desired = child.record.desired, Desired.RUNNING
        follows = consequence(deaths, child, *rest)
        child.record.desired = wanted
        return follows

    class Stubborn(Core):
        def _advance(self, addressed: Child | None, now: float) -> None:
            if self._start_requested:
                self._run_policies(self._children.due(now), now)
            super()._advance(addressed, now)

    monkeypatch.setattr(Deaths, "consequence", stubborn)
    assert caught(Stubborn) == "no restart after a requested stop"


def test_forgetting_the_fence_is_caught() -> None:
    class Fenceless(Core):
        def handle(self, input: Input, now: float) -> list[Effect]:  # noqa: A002
            return [effect for effect in super().handle(input, now) if not isinstance(effect, Fence)]

    assert caught(Fenceless) == "fence before respawn"


def test_a_late_fence_is_caught() -> None:
    class LateFence(Core):
        def handle(self, input: Input, now: float) -> list[Effect]:  # noqa: A002
            effects = super().handle(input, now)
            return sorted(effects, key=lambda effect: isinstance(effect, Fence))

    assert caught(LateFence) == "fence before respawn"


def test_a_second_incarnation_beside_a_lost_one_is_caught() -> None:
    class Doubling(Core):
        def _advance(self, addressed: Child | None, now: float) -> None:
            super()._advance(addressed, now)
            for child in self._children:
                if child.record.state is State.LOST and self._shared.shutdown is None:
                    self._deaths.died(child, None, 9, "as good as dead", now)

    assert caught(Doubling) in ("never two live incarnations", "no child is forgotten alive")


def test_forgetting_the_intensity_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(RestartPolicy, "_restarts_within", lambda policy, now: 0)
    assert caught() == "restart rate within intensity"


def test_counting_what_the_exchange_did_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deaths_module, "verdict", lambda code, signal: ExitVerdict.CRASH)
    assert caught() == "only crashes and mistakes are fatal"


def test_ignoring_the_delay_an_exchange_asked_for_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    delay_s = RestartPolicy._delay_s
    monkeypatch.setattr(RestartPolicy, "_delay_s", lambda policy, planned, wish: delay_s(policy, planned, None))
    assert caught() == "the exchange's delay is kept"


# ---- order and budget of the final stop


def test_forgetting_the_reverse_order_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    def forward(shutdown: Shutdown) -> list[str]:
        return next((list(tier) for tier in shutdown._left if tier), [])

    monkeypatch.setattr(Shutdown, "turn", forward)
    assert caught() == "reverse order"


def test_stopping_all_tiers_together_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Shutdown, "turn", lambda shutdown: [name for tier in shutdown._left for name in tier])
    assert caught() == "reverse order"


def test_ignoring_a_second_request_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Shutdown, "request", lambda shutdown: None)
    assert caught() == "a second request kills at once"


def test_forgetting_the_budget_is_caught() -> None:
    class Boundless(Core):
        def __init__(self, plans: Any, config: SupervisorConfig, random: Callable[[], float]) -> None:
            super().__init__(plans, _with_budget(config, math.inf), random)

    assert caught(Boundless) == "the whole stop ends within its budget"


def _with_budget(config: SupervisorConfig, shutdown_s: float) -> SupervisorConfig:
    fields = {name: getattr(config, name) for name in config.__struct_fields__}
    return SupervisorConfig(**{**fields, "shutdown_s": shutdown_s})


def test_leaving_before_all_have_ended_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    has_ended = Child.has_ended.fget
    assert has_ended is not None
    hurried = property(lambda child: has_ended(child) or child.record.rung == "kill")
    monkeypatch.setattr(Child, "has_ended", hurried)
    assert caught() == "no child outlives the supervisor"


def test_forgetting_that_a_kill_was_needed_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    finish = Stopping._finish

    def forgetful(stopping: Stopping, shutdown: Shutdown) -> None:
        shutdown.kill_needed = False
        finish(stopping, shutdown)

    monkeypatch.setattr(Stopping, "_finish", forgetful)
    assert caught() == "the exit code tells how it ended"


# ---- health, start, publishing


def test_not_discounting_the_own_lag_is_caught() -> None:
    class Sleepy(Core):
        def _discount_gap(self, now: float) -> None:
            self._looked_at = now

    assert caught(Sleepy) == "nobody is killed in good health"


def test_starting_all_tiers_together_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Children, "lowest_blocking_tier", None)
    assert caught() == "tiers start in order"


# ---- the table: what is kept at hand has to be current


def test_a_deadline_that_is_not_brought_forward_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    def sluggish(deadlines: Deadlines, name: str, at: float) -> None:
        deadlines._at[name] = at
        if name not in deadlines._queued and at != math.inf:
            deadlines._queued[name] = at
            heapq.heappush(deadlines._heap, (at, name))

    monkeypatch.setattr(Deadlines, "set", sluggish)
    assert caught() != "not caught"


def test_a_change_that_is_not_noted_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    def forgetful(child: Child) -> None:
        if child.record.rotation != "wanted":
            child._shared.changed[child] = None

    monkeypatch.setattr(Child, "touch", forgetful)
    assert caught() != "not caught"


def test_not_looking_is_caught() -> None:
    class Blind(Core):
        def next_deadline(self) -> float | None:
            deadline = super().next_deadline()
            return None if deadline is None else deadline + 5.0

    assert caught(Blind) == "a living child has a deadline"


def test_an_unpublished_state_is_caught() -> None:
    class Silent(Core):
        def handle(self, input: Input, now: float) -> list[Effect]:  # noqa: A002
            effects = super().handle(input, now)
            return [e for e in effects if not (isinstance(e, Publish) and e.status.state == "BACKOFF")]

    assert caught(Silent) == "each change of state is published"


def test_dumping_the_stacks_of_the_dead_is_caught() -> None:
    class Necromancer(Core):
        def handle(self, input: Input, now: float) -> list[Effect]:  # noqa: A002
            effects = super().handle(input, now)
            dead = [e for e in effects if isinstance(e, Fence)]
            return effects + [DumpStacks(e.name, e.incarnation) for e in dead]

    assert caught(Necromancer) == "only the living are addressed"
