"""Verdicts from what was heard and when; the supervisor's own sleep is not held against a child."""

from __future__ import annotations

import math

import pytest

from foxtrot_supervisor.core.health import RESUME_GRACE_S, Health, HealthLimits, Watch, gap_s_max, look_s

LIMITS = HealthLimits(hello_s=30.0, ready_s=30.0, late_s=5.0, hung_s=10.0)


def watch(limits: HealthLimits = LIMITS, *, alive_before_ready: bool = True) -> Watch:
    return Watch(limits, 100.0, alive_before_ready=alive_before_ready)


def ready_watch(limits: HealthLimits = LIMITS) -> Watch:
    """READY and just heard at 102."""
    watched = watch(limits)
    watched.hello(101.0)
    watched.ready(102.0)
    return watched


def heartbeat(watched: Watch, now: float, data_age_s: float) -> None:
    watched.heard(now)
    watched.data(now, data_age_s)


def test_without_hello_it_is_starting_and_then_mute() -> None:
    watched = watch()
    assert watched.verdict(129.999) is Health.STARTING
    assert watched.verdict(130.0) is Health.MUTE
    assert watched.next_deadline(100.0) == 130.0


def test_a_heartbeat_is_no_hello() -> None:
    watched = watch()
    watched.heard(129.0)
    assert watched.verdict(130.0) is Health.MUTE


def test_ready_is_awaited_from_hello_on() -> None:
    watched = watch()
    watched.hello(120.0)
    for second in range(121, 150):
        watched.heard(float(second))
        assert watched.verdict(float(second)) is Health.STARTING
    watched.heard(149.5)
    assert watched.verdict(150.0) is Health.UNREADY


def test_a_child_may_hang_before_ready() -> None:
    watched = watch()
    watched.hello(101.0)
    assert watched.verdict(106.0) is Health.LATE
    assert watched.verdict(111.0) is Health.HUNG


def test_an_engine_may_block_its_loop_until_ready() -> None:
    """It runs the user's set-up code; its limit is that for READY."""
    watched = watch(alive_before_ready=False)
    watched.hello(101.0)
    assert watched.verdict(130.9) is Health.STARTING
    assert watched.next_deadline(101.0) == 131.0
    assert watched.verdict(131.0) is Health.UNREADY
    watched.ready(130.5)
    assert watched.verdict(135.4) is Health.HEALTHY
    assert watched.verdict(140.5) is Health.HUNG


def test_heartbeats_keep_it_healthy() -> None:
    watched = ready_watch()
    for second in range(103, 200):
        watched.heard(float(second))
        assert watched.verdict(second + 0.999) is Health.HEALTHY


def test_silence_makes_it_late_then_hung() -> None:
    watched = ready_watch()
    assert watched.next_deadline(102.0) == 107.0
    assert watched.verdict(106.999) is Health.HEALTHY
    assert watched.verdict(107.0) is Health.LATE
    assert watched.next_deadline(107.0) == 112.0
    assert watched.verdict(111.999) is Health.LATE
    assert watched.verdict(112.0) is Health.HUNG


def test_a_late_child_that_is_heard_again_is_healthy() -> None:
    watched = ready_watch()
    assert watched.verdict(108.0) is Health.LATE
    watched.heard(108.0)
    assert watched.verdict(108.0) is Health.HEALTHY


def test_ready_without_hello_counts() -> None:
    watched = watch()
    watched.ready(101.0)
    assert watched.verdict(102.0) is Health.HEALTHY
    assert watched.verdict(111.0) is Health.HUNG


# ---- age of data


@pytest.mark.parametrize(
    ("age_s", "stale_s", "verdict"),
    [
        (None, 60.0, Health.HEALTHY),
        (59.9, 60.0, Health.HEALTHY),
        (60.0, 60.0, Health.STALE),
        (1e6, None, Health.HEALTHY),
    ],
)
def test_age_of_data(age_s: float | None, stale_s: float | None, verdict: Health) -> None:
    watched = ready_watch(HealthLimits(30.0, 30.0, 5.0, 10.0, stale_s))
    watched.data(103.0, age_s)
    assert watched.verdict(103.0) is verdict


def test_fresh_data_ends_staleness() -> None:
    watched = ready_watch(HealthLimits(30.0, 30.0, 5.0, 10.0, 60.0))
    heartbeat(watched, 103.0, 61.0)
    heartbeat(watched, 104.0, 0.1)
    assert watched.verdict(104.0) is Health.HEALTHY


def test_hung_is_worse_than_stale() -> None:
    watched = ready_watch(HealthLimits(30.0, 30.0, 5.0, 10.0, 60.0))
    heartbeat(watched, 103.0, 61.0)
    assert watched.verdict(113.0) is Health.HUNG


# ---- the supervisor's own sleep


def test_a_supervisor_that_slept_kills_no_child() -> None:
    starting, connecting, running = watch(), watch(), ready_watch()
    connecting.hello(101.0)
    for watched in (starting, connecting, running):
        watched.discount(3600.0, 3703.0)
        assert watched.verdict(3703.0) in (Health.STARTING, Health.HEALTHY)
    assert starting.verdict(3729.9) is Health.STARTING
    assert starting.verdict(3730.0) is Health.MUTE


def test_after_a_gap_there_is_a_least_time_to_be_heard_again() -> None:
    """It was silent for 9 s of its 10 before the gap: it has not one second left, but the grace."""
    watched = ready_watch()
    watched.discount(60.0, 111.0 + 60.0)
    assert watched.verdict(171.0 + RESUME_GRACE_S - 0.001) is Health.LATE
    assert watched.verdict(171.0 + RESUME_GRACE_S) is Health.HUNG


def test_the_grace_is_at_most_half_the_limit() -> None:
    watched = ready_watch(HealthLimits(30.0, 30.0, 0.4, 1.0))
    watched.discount(60.0, 163.0)
    assert watched.verdict(163.4) is Health.LATE
    assert watched.verdict(163.5) is Health.HUNG


def test_a_real_hang_is_found_after_the_gap() -> None:
    watched = ready_watch()
    watched.discount(60.0, 162.5)
    assert watched.verdict(162.0 + 10.0) is Health.HUNG


def test_data_that_aged_while_the_machine_slept_is_not_stale() -> None:
    watched = ready_watch(HealthLimits(30.0, 30.0, 5.0, 10.0, 60.0))
    heartbeat(watched, 103.0, 61.0)
    watched.discount(100.0, 203.0)
    assert watched.verdict(203.0) is Health.HEALTHY
    heartbeat(watched, 203.5, 100.0)
    assert watched.verdict(203.5) is Health.HEALTHY
    heartbeat(watched, 203.0 + RESUME_GRACE_S, 105.0)
    assert watched.verdict(203.0 + RESUME_GRACE_S) is Health.STALE


def test_nothing_heard_and_nothing_awaited_has_no_deadline() -> None:
    watched = watch(HealthLimits(math.inf, math.inf, 5.0, 10.0))
    assert watched.next_deadline(100.0) == math.inf


@pytest.mark.parametrize(
    ("hung_s", "look", "gap"), [(10.0, 1.0, 2.0), (100.0, 1.0, 2.0), (5.0, 1.0, 2.0), (1.0, 0.2, 0.4)]
)
def test_looks_and_gaps_follow_from_the_limit(hung_s: float, look: float, gap: float) -> None:
    assert (look_s(hung_s), gap_s_max(hung_s)) == (look, gap)


def test_other_limits_hold_for_what_is_heard_from_now_on() -> None:
    watched = ready_watch()
    watched.adopt(HealthLimits(hello_s=30.0, ready_s=30.0, late_s=1.0, hung_s=2.0, stale_s=5.0))
    assert watched.verdict(103.5) is Health.LATE
    assert watched.verdict(104.0) is Health.HUNG
    heartbeat(watched, 104.0, 6.0)
    assert watched.verdict(104.0) is Health.STALE


def test_a_child_is_deaf_once_its_loop_has_not_turned_for_as_long_as_counts_as_hung() -> None:
    limits = HealthLimits(hello_s=10.0, ready_s=10.0, late_s=1.0, hung_s=2.0)
    watch = Watch(limits, 100.0, alive_before_ready=False)
    watch.heard(101.0)
    watch.hello(101.0)
    assert not watch.is_deaf(102.9)
    assert watch.is_deaf(103.0)
    watch.heard(103.0)
    assert not watch.is_deaf(104.0)
