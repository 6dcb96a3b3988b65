"""The observer is worth what it catches: each broken core here has to be caught, for the right reason."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest

from foxtrot_protocol.exit_codes import ExitVerdict
from foxtrot_supervisor.config.schema import SupervisorConfig
from foxtrot_supervisor.core import core as core_module
from foxtrot_supervisor.core import stop_ladder
from foxtrot_supervisor.core.core import ROTATED, Core
from foxtrot_supervisor.core.effects import DumpStacks, Effect, Fence, Publish, Signal
from foxtrot_supervisor.core.inputs import Input
from foxtrot_supervisor.core.lifecycle import Desired, State
from foxtrot_supervisor.core.restart import RestartPolicy
from foxtrot_supervisor.core.shutdown import Shutdown
from foxtrot_supervisor.core.sides import Pace
from foxtrot_supervisor.core.stop_ladder import Ladder, Step
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

    monkeypatch.setattr(core_module, "Ladder", Rude)
    assert caught() == "asked before SIGTERM"


def test_skipping_the_last_wait_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    class GivesUp(Ladder):
        def due(self, now: float) -> list[Step]:
            self._kill_s = 0.0
            return super().due(now)

    monkeypatch.setattr(core_module, "Ladder", GivesUp)
    assert caught() == "LOST only after SIGKILL and the last wait"


def test_half_the_grace_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    class Hasty(Ladder):
        def due(self, now: float) -> list[Step]:
            self._term_s = min(self._term_s, 0.75)
            return super().due(now)

    monkeypatch.setattr(core_module, "Ladder", Hasty)
    assert caught() == "SIGKILL never precedes an expired SIGTERM deadline"


def test_a_ladder_without_end_is_caught() -> None:
    class Patient(Core):
        def _do(self, child: Any, ladder: Ladder, due: Step) -> None:
            if due != "lost":
                super()._do(child, ladder, due)

    assert caught(Patient) == "every stop ends in time or is LOST"


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


def test_rotating_both_twins_is_caught() -> None:
    class Reckless(Core):
        def _stands_in(self, child: Any, other: Any, now: float) -> bool:
            return bool(child.record.plan.twin) or super()._stands_in(child, other, now)

    assert caught(Reckless) in (
        "twins are rotated one at a time",
        "twins are replaced one at a time",
        "twins are restarted one at a time",
    )


def test_taking_the_other_twin_before_its_data_flow_is_caught() -> None:
    class Hasty(Core):
        def _stands_in(self, child: Any, other: Any, now: float) -> bool:
            return (
                child.record.state is State.RUNNING if child.record.plan.twin else super()._stands_in(child, other, now)
            )

    assert caught(Hasty) in ("twins are rotated one at a time", "twins are replaced one at a time")


def test_stopping_the_old_side_before_the_new_one_serves_is_caught() -> None:
    class BreakBeforeMake(Core):
        def _rotate(self, child: Any, now: float) -> None:
            super()._rotate(child, now)
            if child.successor is not None:
                self._take_over(self._children[child.successor], child)
                self._let_go(child, f"{ROTATED}: too soon", now)

    assert caught(BreakBeforeMake) == "a rotation leaves no connection without a side that serves"


def test_stopping_the_old_side_before_the_data_of_the_new_one_flow_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(core_module, "carries", lambda flow, ready_s, other: True)
    assert caught() in (
        "a rotation leaves no connection without a side that serves",
        "twins are rotated one at a time",
        "twins are replaced one at a time",
        "twins are restarted one at a time",
    )


def test_rotating_what_did_not_ask_for_it_is_caught() -> None:
    class Busy(Core):
        def _take_ready(self, child: Any, now: float) -> None:
            super()._take_ready(child, now)
            self._take_rotation(child, "just so", now)

    assert caught(Busy) == "nothing is rotated unasked"


def test_restarting_what_a_spare_has_inherited_is_caught() -> None:
    class Doubling(Core):
        def _take_over(self, spare: Any, old: Any) -> None:
            super()._take_over(spare, old)
            old.leaving = False

    assert caught(Doubling) != "not caught"


def test_twins_that_start_together_are_caught() -> None:
    class Together(Core):
        def _starts_apart(self, child: Any, now: float) -> bool:
            return False

    assert caught(Together) == "twins start apart"


def test_ignoring_the_delay_of_an_exchange_that_refused_a_spare_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Pace, "not_within", lambda pace, retry_after_s, now: None)
    assert caught() == "the exchange's delay is kept"


# ---- another configuration


def test_not_forgetting_who_has_gone_is_caught() -> None:
    class Nostalgic(Core):
        def _forget_the_gone(self) -> None:
            pass

    assert caught(Nostalgic) == "who has gone is forgotten"


def test_replacing_both_twins_at_once_is_caught() -> None:
    class Impatient(Core):
        def _may_be_replaced(self, child: Any, now: float) -> bool:
            return True

    assert caught(Impatient) == "twins are replaced one at a time"


def test_replacing_what_has_not_changed_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(core_module, "_new_process_needed", lambda before, after: True)
    assert caught() == "what has not changed keeps its process"


def test_keeping_what_has_changed_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(core_module, "_new_process_needed", lambda before, after: False)
    assert caught() == "what has changed is replaced"


def test_an_incarnation_number_that_is_used_again_is_caught() -> None:
    class Forgetful(Core):
        def _add(self, plan: Any) -> Any:
            self._retired.clear()
            return super()._add(plan)

    assert caught(Forgetful) == "incarnations count up"


def test_starting_what_is_added_before_its_turn_is_caught() -> None:
    class Eager(Core):
        def _holds_up_others(self, child: Any) -> bool:
            return super()._holds_up_others(child) and child.awaits_start

    assert caught(Eager) == "tiers start in order"


# ---- restarts


def test_a_restart_after_a_requested_stop_is_caught() -> None:
    class Stubborn(Core):
        def _what_follows(self, child: Any, *rest: Any) -> Any:
            wanted, child.record.desired = child.record.desired, Desired.RUNNING
            follows = super()._what_follows(child, *rest)
            child.record.desired = wanted
            return follows

        def _advance(self, now: float) -> None:
            if self._start_requested:
                self._start_what_is_due(now)
            super()._advance(now)

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
        def _do(self, child: Any, ladder: Ladder, due: Step) -> None:
            if due == "lost" and self._shutdown is None:
                self._died(child, None, 9, "as good as dead", self._looked_at or 0.0)
            else:
                super()._do(child, ladder, due)

    assert caught(Doubling) in ("never two live incarnations", "no child is forgotten alive")


def test_forgetting_the_intensity_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(RestartPolicy, "_restarts_within", lambda policy, now: 0)
    assert caught() == "restart rate within intensity"


def test_counting_what_the_exchange_did_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(core_module, "verdict", lambda code, signal: ExitVerdict.CRASH)
    assert caught() == "only crashes and mistakes are fatal"


def test_ignoring_the_delay_an_exchange_asked_for_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    delay_s = RestartPolicy._delay_s
    monkeypatch.setattr(RestartPolicy, "_delay_s", lambda policy, planned, wish: delay_s(policy, planned, None))
    assert caught() == "the exchange's delay is kept"


# ---- order and budget of the final stop


def test_forgetting_the_reverse_order_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    def forward(shutdown: Shutdown, has_ended: Callable[[str], bool]) -> list[str]:
        waiting = [[name for name in tier if not has_ended(name)] for tier in reversed(shutdown._tiers)]
        return next((tier for tier in waiting if tier), [])

    monkeypatch.setattr(Shutdown, "turn", forward)
    assert caught() == "reverse order"


def test_stopping_all_tiers_together_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    def together(shutdown: Shutdown, has_ended: Callable[[str], bool]) -> list[str]:
        return [name for tier in shutdown._tiers for name in tier if not has_ended(name)]

    monkeypatch.setattr(Shutdown, "turn", together)
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


def test_leaving_before_all_have_ended_is_caught() -> None:
    class Hurried(Core):
        def _has_ended(self, name: str) -> bool:
            return super()._has_ended(name) or self.records[name].rung == "kill"

    assert caught(Hurried) == "no child outlives the supervisor"


def test_forgetting_that_a_kill_was_needed_is_caught() -> None:
    class Forgetful(Core):
        def _finish(self, shutdown: Shutdown) -> None:
            shutdown.kill_needed = False
            super()._finish(shutdown)

    assert caught(Forgetful) == "the exit code tells how it ended"


# ---- health, start, publishing


def test_not_discounting_the_own_lag_is_caught() -> None:
    class Sleepy(Core):
        def _discount_gap(self, now: float) -> None:
            self._looked_at = now

    assert caught(Sleepy) == "nobody is killed in good health"


def test_starting_all_tiers_together_is_caught() -> None:
    class Eager(Core):
        def _start_the_awaited(self, now: float) -> None:
            for child in self._children.values():
                if child.awaits_start:
                    self._spawn(child, "start requested", now)

    assert caught(Eager) == "tiers start in order"


def test_not_looking_is_caught() -> None:
    class Blind(Core):
        def next_deadline(self) -> float | None:
            deadline = super().next_deadline()
            return None if deadline is None else deadline + 5.0

    assert caught(Blind) == "a living child is looked at"


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
