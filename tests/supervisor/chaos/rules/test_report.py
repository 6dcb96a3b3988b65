"""Judgement: every broken promise is reported, and nothing else."""

from __future__ import annotations

import random
from collections.abc import Callable

import msgspec
import pytest

from foxtrot_supervisor.chaos.rules.report import (
    DETECTED_MS,
    Kill,
    Observed,
    Recovery,
    StepResult,
    SupervisorKill,
    TradeAccount,
    account,
    figures,
    judge,
    judge_kills,
    judge_supervisor_kills,
    promise,
    recovery_figures,
)
from foxtrot_supervisor.chaos.rules.schedule import FAULTS, PHASES, Blow, Phase, Step, scene, schedule
from foxtrot_supervisor.chaos.rules.venues import VENUES

BEFORE = {"alpha.a": (11, 1), "beta.a": (12, 1), "gamma.a": (13, 1), "engine": (10, 1)}


def step_of(fault: str, phase: Phase = "streaming") -> Step:
    return schedule(random.Random(1).random, [fault], [phase], with_nursery=False)[-1]


def seen_well(step: Step) -> Observed:
    """What is seen when every promise is kept."""
    stage = scene(step)
    recoveries = []
    after = dict(BEFORE)
    for blow in stage.blows:
        promised = promise(step, blow)
        incarnation = blow.incarnation + (promised.outcome == "replaced")
        after[blow.child] = (99, incarnation)
        recoveries.append(
            Recovery(
                child=blow.child,
                incarnation=blow.incarnation,
                fault=blow.fault,
                seen_ms=None if promised.seen_ms is None else promised.seen_ms / 2,
                event_ms=50.0,
                state="FATAL" if promised.outcome == "fatal" else "RUNNING",
                incarnation_after=incarnation,
            )
        )
    faults = {blow.fault for blow in stage.blows}
    hard = stage.stop_first and faults & {"blocked_loop", "gil_held"}
    exit_code = 4 if "sigterm_ignored" in faults or hard else 0
    if step.fault == "crash_loop" and step.phase not in ("streaming", "stopping"):
        exit_code = 5
    return Observed(
        recoveries=recoveries,
        before=BEFORE,
        after=after,
        grandchild_ms=100.0,
        gone_ms=20.0,
        exit_code=exit_code,
        audit_clean=True,
        rungs={blow.child: "kill" for blow in stage.blows},
        stop_ms=200.0,
    )


def verdict(step: Step, observed: Observed, patience: float = 1.0) -> list[str]:
    return judge(step, scene(step), observed, patience)


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("fault", FAULTS)
def test_kept_promises_are_held(fault: str, phase: Phase) -> None:
    step = step_of(fault, phase)
    assert verdict(step, seen_well(step)) == []


def change(field: str, value: object) -> Callable[[Observed], None]:
    return lambda observed: setattr(observed, field, value)


def change_recovery(field: str, value: object) -> Callable[[Observed], None]:
    return lambda observed: setattr(observed.recoveries[-1], field, value)


def disturb(observed: Observed) -> None:
    struck = {recovery.child for recovery in observed.recoveries}
    other = next(name for name in BEFORE if name not in struck)
    observed.after = {**observed.after, other: (77, 2)}


@pytest.mark.parametrize(
    ("fault", "spoil", "told"),
    [
        ("sigkill", change("trouble", "waited in vain"), "waited in vain"),
        ("sigkill", change("orphans", ["7 sleep"]), "left running: 7 sleep"),
        ("sigkill", change("files", ["data.ipc"]), "left behind: data.ipc"),
        ("sigkill", change("zombie_ms", 1500.0), "a zombie stayed 1500 ms"),
        ("sigkill", change_recovery("seen_ms", 101.0), "sigkill was noticed after 101 ms, promised within 100"),
        ("sigkill", change_recovery("seen_ms", None), "noticed after more than 100 ms, or never"),
        ("sigkill", change_recovery("incarnation_after", 1), "was not replaced"),
        ("sigkill", change_recovery("state", "BACKOFF"), "should be RUNNING, is BACKOFF"),
        ("sigkill", change_recovery("event_ms", 60_000.0), "events came again after 60000 ms"),
        ("sigkill", disturb, "was disturbed, incarnation 1 became 2"),
        ("sigkill", change("exit_code", 4), "exit code 4, not 0"),
        ("sigkill", change("audit_clean", False), "the audit found something"),
        ("sigkill", change("audit_clean", None), "no audit was told"),
        ("sigkill", change("stop_ms", 9000.0), "the stop took 9000 ms"),
        ("gil_held", change_recovery("seen_ms", 2300.0), "gil_held was noticed after 2300 ms"),
        ("clock_jump", change_recovery("incarnation_after", 2), "was replaced without need"),
        ("crash_loop", change_recovery("state", "RUNNING"), "should be FATAL, is RUNNING"),
        ("grandchild", change("grandchild_ms", None), "the grandchild was ended after more than 3000 ms"),
        ("sigterm_ignored", change("exit_code", 0), "exit code 0, not 4"),
        ("sigterm_ignored", change("rungs", {}), "ended at rung None, not kill"),
        ("supervisor_sigkill", change("gone_ms", 1200.0), "the last child was gone after 1200 ms"),
        ("supervisor_sigstop", disturb, "was disturbed"),
    ],
)
def test_each_broken_promise_is_reported(fault: str, spoil: Callable[[Observed], None], told: str) -> None:
    step = step_of(fault)
    observed = seen_well(step)
    spoil(observed)
    broken = verdict(step, observed)
    assert len(broken) == 1
    assert told in broken[0]


def test_patience_multiplies_limits() -> None:
    step = step_of("sigkill")
    observed = seen_well(step)
    observed.recoveries[0].seen_ms = 2.5 * DETECTED_MS
    assert len(verdict(step, observed, patience=2.0)) == 1
    assert verdict(step, observed, patience=3.0) == []


def test_a_kill_that_only_prepares_the_fault_need_not_be_noticed() -> None:
    step = step_of("crash_loop", "connecting")
    observed = seen_well(step)
    observed.recoveries[0].state = "FATAL"
    assert verdict(step, observed) == []
    observed.recoveries[0].seen_ms = 1000.0
    assert "sigkill was noticed after 1000 ms" in verdict(step, observed)[0]


def test_a_victim_that_was_not_up_before_the_blow_is_not_compared() -> None:
    step = step_of("sigkill", "backing_off")
    observed = seen_well(step)
    observed.before = {**BEFORE, step.victim: (None, 1)}
    observed.after = {**observed.after, step.victim: (55, 2)}
    assert verdict(step, observed) == []


@pytest.mark.parametrize(
    ("fault", "code", "held"), [("gil_held", 4, True), ("gil_held", 0, False), ("sigkill", 0, True)]
)
def test_when_stopping_only_the_end_is_judged(fault: str, code: int, held: bool) -> None:
    step = step_of(fault, "stopping")
    observed = Observed(exit_code=code, audit_clean=True, stop_ms=100.0)
    assert (verdict(step, observed) == []) == held


def test_a_child_that_hangs_before_hello_is_noticed_by_its_missing_hello() -> None:
    step = step_of("blocked_loop", "starting")
    (blow,) = scene(step).blows
    other = Blow(child="other.a", incarnation=1, fault="blocked_loop", action="strike")
    early, late = promise(step, other).seen_ms, promise(step, blow).seen_ms
    assert early is not None
    assert late is not None
    assert early < late


# ---- figures


def test_figures() -> None:
    assert figures([]) is None
    found = figures([float(number) for number in range(1, 101)])
    assert found is not None
    assert (found.count, found.median, found.p99, found.max) == (100, 50.5, 99.0, 100.0)


def test_recovery_figures_are_of_workers_that_ended_while_streaming() -> None:
    results = []
    for fault, phase, child in (
        ("sigkill", "streaming", "alpha.a"),
        ("sigkill", "connecting", "alpha.a"),
        ("sigkill", "streaming", "engine"),
        ("gil_held", "streaming", "alpha.a"),
        ("crash_at_import", "streaming", "alpha.a"),
    ):
        step = msgspec.structs.replace(step_of(fault, phase), victim=child)  # type: ignore[arg-type]  # a phase
        recovery = Recovery(child=child, incarnation=1, fault="sigkill" if fault != "gil_held" else fault, seen_ms=5.0)
        results.append(StepResult(step=step, observed=Observed(recoveries=[recovery]), broken=[], took_s=1.0))
    found = recovery_figures(results)
    assert found["detected_ms"] is not None
    assert found["detected_ms"].count == 1
    assert found["event_ms"] is None


# ---- many kills


def test_kills_are_judged_each_by_detection_and_together_by_medians() -> None:
    good = [Kill("a", 5.0, 20.0, 80.0)] * 9
    assert judge_kills(good, with_nursery=True) == []
    assert "1 of 10 deaths were noticed later than 100 ms, worst 150" in judge_kills(
        [*good, Kill("a", 150.0, 20.0, 80.0)], with_nursery=True
    )
    unnoticed = judge_kills([*good, Kill("a", None, None, None)], with_nursery=True)
    assert unnoticed == [
        "1 of 10 deaths were noticed later than 100 ms, worst inf",
        "1 of 10 workers were not replaced",
    ]
    slow = [Kill("a", 5.0, 30.0, 130.0)] * 3
    assert len(judge_kills(slow, with_nursery=True)) == 2
    assert judge_kills(slow, with_nursery=False) == []
    assert judge_kills(slow, with_nursery=True, patience=2.0) == []
    assert len(judge_kills([Kill("a", None, None, None)], with_nursery=True)) == 4


def test_kills_of_the_supervisor() -> None:
    good = SupervisorKill(20.0, 5, 900.0, [])
    assert judge_supervisor_kills([good]) == []
    broken = judge_supervisor_kills(
        [good, SupervisorKill(1500.0, 5, None, ["8 sleep"]), SupervisorKill(None, 5, 1.0, [])]
    )
    assert broken == [
        "after 2 of 3 kills children were there for more than 1000 ms",
        "after 1 of 3 kills the next start did not work",
        "left running: 8 sleep",
    ]


# ---- trades


def test_the_ledger_is_compared_with_what_was_seen() -> None:
    ledger = [
        {"what": "open", "connection": 0},
        {"what": "sent", "connection": 0, "stream": "btcusdt@trade", "ids": [1, 2, 3]},
        {"what": "sent", "connection": 1, "stream": "btcusdt@trade", "ids": [3, 6]},
        {"what": "sent", "connection": 0, "stream": "btcusdt@bookTicker", "ids": [1, 2]},
        {"what": "sent", "connection": 1, "stream": "ethusdt@trade", "ids": [9]},
        {"what": "unheard", "stream": "btcusdt@trade", "count": 2},
        {"what": "made", "stream": "btcusdt@trade", "total": 6},
    ]
    assert account(ledger, {"BTCUSDT": {1: 1, 3: 2, 6: 1}}, VENUES["binance"]) == TradeAccount(
        sent=5, unheard=2, seen=3, lost=2, duplicated=1
    )
