"""The schedule follows from the seed alone, and every step is staged as the documents say."""

from __future__ import annotations

import itertools
import random

import pytest

from foxtrot_protocol.chaos import plan_for
from foxtrot_supervisor.chaos.rules.schedule import (
    BACKOFF_S,
    DELAY_S_MAX,
    ENGINE,
    FAULTS,
    NURSERY,
    PAIRABLE,
    PHASES,
    SIGNALS,
    STARTS,
    STRIKES,
    SUPERVISOR,
    WORKERS,
    ChaosOptions,
    Phase,
    Step,
    scene,
    schedule,
)
from foxtrot_supervisor.chaos.rules.venues import VENUES

ALL = list(itertools.product(FAULTS, PHASES))


def a_pass(seed: int, *, with_nursery: bool = True) -> list[Step]:
    return schedule(random.Random(seed).random, with_nursery=with_nursery)


def step_of(fault: str, phase: Phase, seed: int = 1) -> Step:
    return schedule(random.Random(seed).random, [fault], [phase], with_nursery=False)[0]


def test_the_same_seed_gives_the_same_schedule_and_another_another() -> None:
    assert a_pass(7) == a_pass(7)
    assert a_pass(7) != a_pass(8)


@pytest.mark.parametrize("with_nursery", [True, False])
def test_a_pass_is_every_fault_in_every_phase_once_for_workers_and_more_while_streaming(with_nursery: bool) -> None:
    steps = a_pass(3, with_nursery=with_nursery)
    assert sorted((s.fault, s.phase) for s in steps if s.victim in WORKERS) == sorted(ALL)
    assert sorted(s.fault for s in steps if s.victim == ENGINE) == sorted(PAIRABLE)
    assert sorted(s.fault for s in steps if s.victim == NURSERY) == (sorted(SIGNALS) if with_nursery else [])
    assert {s.phase for s in steps if s.victim not in WORKERS} == {"streaming"}
    assert [s.number for s in steps] == list(range(1, len(steps) + 1))
    assert all(0 <= s.delay_s <= DELAY_S_MAX for s in steps)


def test_over_many_seeds_every_worker_is_a_victim_and_every_pair_of_faults_comes() -> None:
    pairs = [step_of("two_faults", "streaming", seed) for seed in range(300)]
    assert {step.victim for step in pairs} == set(WORKERS)
    assert {fault for step in pairs for _, fault in step.blows} == set(PAIRABLE)
    assert all(step.blows[0][0] != step.blows[1][0] for step in pairs)
    assert {step_of("clock_jump", "connecting", seed).jump_s for seed in range(20)} == {3600.0, -3600.0}
    assert {step_of("clock_jump", "streaming", seed).jump_s for seed in range(20)} == {-3600.0}


def test_chance_at_its_upper_end_picks_the_last() -> None:
    assert schedule(lambda: 1.0, ["sigkill"], ["streaming"], with_nursery=False)[-1].victim in (*WORKERS, ENGINE)


def test_an_unknown_fault_is_named() -> None:
    with pytest.raises(ValueError, match="no such fault: earthquake"):
        schedule(random.Random(1).random, ["sigkill", "earthquake"], with_nursery=True)


def test_numbers_go_on_in_the_next_pass() -> None:
    steps = schedule(random.Random(1).random, ["sigkill"], ["stopping"], with_nursery=True, first_number=41)
    assert [step.number for step in steps] == [41]


def test_every_fault_is_of_one_kind() -> None:
    kinds = [*SIGNALS, *STRIKES, *STARTS, *SUPERVISOR, "two_faults"]
    assert sorted(kinds) == sorted(FAULTS)


@pytest.mark.parametrize(("fault", "phase"), ALL)
def test_children_struck_by_the_hook_are_in_the_plan(fault: str, phase: Phase) -> None:
    stage = scene(step_of(fault, phase))
    for blow in stage.blows:
        part = plan_for(stage.plan, blow.child, blow.incarnation)
        if blow.action == "strike":
            assert part is not None
            assert part.strike == STRIKES[blow.fault]
        elif blow.action == "":
            assert part is not None
            assert part.bad_start == STARTS[blow.fault]


@pytest.mark.parametrize(("fault", "phase"), ALL)
def test_the_victim_is_brought_into_its_phase(fault: str, phase: Phase) -> None:
    step = step_of(fault, phase)
    stage = scene(step)
    # a second incarnation is there only after the first was killed
    assert stage.kill_first or stage.incarnation == 1
    if stage.held:
        part = plan_for(stage.plan, step.victim, stage.incarnation)
        assert part is not None
        assert part.hold == phase
    assert stage.backoff_s == (BACKOFF_S if phase == "backing_off" else 0.0)
    assert (stage.stop_first or stage.stop_at_once) == (phase == "stopping")


@pytest.mark.parametrize("fault", [fault for fault in FAULTS if fault not in STARTS and fault not in SUPERVISOR])
def test_while_one_backs_off_others_are_struck(fault: str) -> None:
    step = step_of(fault, "backing_off")
    assert step.victim not in {child for child, _ in step.blows}
    assert {blow.incarnation for blow in scene(step).blows} == {1}


def test_in_phase_stopping_every_victim_is_held() -> None:
    stage = scene(step_of("two_faults", "stopping"))
    holds = [part.hold for blow in stage.blows if (part := plan_for(stage.plan, blow.child, 1)) is not None]
    assert holds == ["stopping", "stopping"]


@pytest.mark.parametrize(
    ("phase", "bad", "blows", "killed"),
    [
        ("starting", 1, ["crash_loop"], False),
        ("connecting", 3, ["sigkill", "crash_loop"], True),
        ("streaming", 2, ["sigkill", "crash_loop"], False),
        ("backing_off", 2, ["crash_loop"], True),
        ("stopping", 2, ["sigkill", "crash_loop"], False),
    ],
)
def test_faulty_starts_affect_the_incarnation_after_the_one_in_the_phase(
    phase: Phase, bad: int, blows: list[str], killed: bool
) -> None:
    stage = scene(step_of("crash_loop", phase))
    assert [blow.fault for blow in stage.blows] == blows
    assert stage.blows[-1].incarnation == bad
    assert stage.kill_first == killed
    part = plan_for(stage.plan, stage.blows[-1].child, bad + 5)
    assert part is not None, "a loop goes on"
    once = scene(step_of("crash_at_import", phase))
    assert plan_for(once.plan, once.blows[-1].child, bad + 1) is None


def test_a_suspended_supervisor_finds_its_held_child_released() -> None:
    assert scene(step_of("supervisor_sigstop", "connecting")).release
    assert not scene(step_of("supervisor_sigstop", "streaming")).release
    assert scene(step_of("supervisor_sigstop", "streaming")).supervisor == "pause"
    assert scene(step_of("supervisor_sigkill", "streaming")).supervisor == "SIGKILL"


@pytest.mark.parametrize("kills", [{"node_kills": 1}, {"node_cuts": 1}, {"engine_host_kills": 1}, {"nats_kills": 1}])
def test_what_is_played_on_a_cluster(kills: dict[str, int]) -> None:
    assert ChaosOptions(**kills).of_cluster
    assert not ChaosOptions(kills=5, recordings=2, supervisor_kills=1).of_cluster


def test_the_simulated_exchange_is_the_one_named() -> None:
    assert {name: ChaosOptions(exchange=name).venue.exchange for name in VENUES} == {name: name for name in VENUES}
