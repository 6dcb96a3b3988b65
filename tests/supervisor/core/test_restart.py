"""What follows from a death: table of verdicts and policies, backoff, intensity, the exchange's own delay."""

from __future__ import annotations

import math
from collections.abc import Callable

import msgspec
import pytest

from foxtrot_protocol.exit_codes import ExitVerdict
from foxtrot_supervisor.config.schema import Restart
from foxtrot_supervisor.core.restart import (
    DOUBLINGS_MAX,
    RETRY_AFTER_S_MAX,
    ROTATE_SERVED_S_MIN,
    GiveUp,
    Leave,
    RestartLimits,
    RestartPolicy,
    Retry,
    backoff_s,
)

LIMITS = RestartLimits(
    intensity=5, period_s=60.0, first_s=0.0, base_s=0.5, max_s=60.0, jitter=0.2, healthy_after_s=60.0
)


def policy_of(policy: Restart = "permanent", limits: RestartLimits = LIMITS, random: float = 0.0) -> RestartPolicy:
    return RestartPolicy(policy, limits, lambda: random)


def crash_until_given_up(policy: RestartPolicy, every_s: float, deaths_max: int = 50) -> int:
    """Number of deaths that were answered by a restart."""
    for death in range(deaths_max):
        now = death * every_s
        follows = policy.died(ExitVerdict.CRASH, now, 0.0, None)
        if isinstance(follows, GiveUp):
            return death
        assert isinstance(follows, Retry)
        policy.restarted(now, follows.crashed)
    return deaths_max


# policy, verdict -> what follows; written from the design
AGAIN, LEFT, OVER = Retry, Leave, GiveUp


@pytest.mark.parametrize(
    ("policy", "verdict", "follows"),
    [
        ("permanent", ExitVerdict.CLEAN, AGAIN),
        ("permanent", ExitVerdict.CRASH, AGAIN),
        ("permanent", ExitVerdict.OUTSIDE, AGAIN),
        ("permanent", ExitVerdict.ROTATE, AGAIN),
        ("permanent", ExitVerdict.PERMANENT, OVER),
        ("transient", ExitVerdict.CLEAN, LEFT),
        ("transient", ExitVerdict.CRASH, AGAIN),
        ("transient", ExitVerdict.OUTSIDE, AGAIN),
        ("transient", ExitVerdict.ROTATE, AGAIN),
        ("transient", ExitVerdict.PERMANENT, OVER),
        ("temporary", ExitVerdict.CLEAN, LEFT),
        ("temporary", ExitVerdict.CRASH, LEFT),
        ("temporary", ExitVerdict.OUTSIDE, LEFT),
        ("temporary", ExitVerdict.ROTATE, LEFT),
        ("temporary", ExitVerdict.PERMANENT, OVER),
    ],
)
def test_policy_and_verdict(policy: Restart, verdict: ExitVerdict, follows: type) -> None:
    assert isinstance(policy_of(policy).died(verdict, 0.0, 0.0, None), follows)


# ---- backoff


def test_the_series_begins_at_once_and_doubles_to_its_maximum() -> None:
    assert [backoff_s(attempt, LIMITS, 0.0) for attempt in range(10)] == [0, 0.5, 1, 2, 4, 8, 16, 32, 60, 60]


def test_jitter_only_shortens_and_stays_within_its_share() -> None:
    delays = [backoff_s(20, LIMITS, random) for random in (0.0, 0.5, 0.999999)]
    assert delays[0] == 60.0
    assert delays[1] == pytest.approx(54.0)
    assert 48.0 <= delays[2] < 48.001


def test_a_long_series_does_not_overflow() -> None:
    assert backoff_s(10**9, LIMITS, 0.0) == 60.0
    assert math.isfinite(LIMITS.base_s * 2.0**DOUBLINGS_MAX)


def test_each_death_waits_longer_with_the_randomness_it_was_given() -> None:
    randoms = iter([0.0, 0.5, 1.0])
    policy = RestartPolicy("permanent", LIMITS, lambda: next(randoms))
    delays = [policy.died(ExitVerdict.OUTSIDE, 0.0, 0.0, None) for _ in range(3)]
    assert [delay.delay_s for delay in delays if isinstance(delay, Retry)] == [0.0, 0.45, 0.8]


def test_serving_long_enough_resets_the_series_of_failures() -> None:
    policy = policy_of()
    for _ in range(5):
        policy.died(ExitVerdict.OUTSIDE, 0.0, 59.9, None)
    assert policy.died(ExitVerdict.OUTSIDE, 0.0, 59.9, None) == Retry(8.0, crashed=False)
    assert policy.died(ExitVerdict.OUTSIDE, 0.0, 60.0, None) == Retry(0.0, crashed=False)


# ---- intensity


def test_more_crashes_than_the_intensity_are_given_up() -> None:
    assert crash_until_given_up(policy_of(), every_s=1.0) == 5


def test_the_reason_names_the_numbers() -> None:
    policy = policy_of(limits=RestartLimits(0, 60.0, 0.0, 0.5, 60.0, 0.2, 60.0))
    assert policy.died(ExitVerdict.CRASH, 0.0, 0.0, None) == GiveUp("more than 0 crashes within 60 s")


def test_crashes_further_apart_than_the_period_allows_go_on_for_ever() -> None:
    assert crash_until_given_up(policy_of(), every_s=12.1) == 50


def test_the_window_counts_its_edge() -> None:
    """Five restarts in exactly sixty seconds: a sixth would be too many within the period."""
    assert crash_until_given_up(policy_of(), every_s=12.0) == 5


@pytest.mark.parametrize("verdict", [ExitVerdict.OUTSIDE, ExitVerdict.ROTATE, ExitVerdict.CLEAN])
def test_what_is_no_crash_is_never_given_up(verdict: ExitVerdict) -> None:
    policy = policy_of()
    for _ in range(1000):
        follows = policy.died(verdict, 0.0, 0.0, None)
        assert isinstance(follows, Retry)
        assert not follows.crashed
        policy.restarted(0.0, follows.crashed)


def test_what_is_past_counting_is_not_kept() -> None:
    policy = policy_of(limits=msgspec.structs.replace(LIMITS, intensity=1_000_000))
    for second in range(1000):
        policy.restarted(float(second), crashed=True)
    assert list(policy._crash_restarts) == [float(second) for second in range(939, 1000)]


def test_what_is_no_crash_does_not_use_up_the_intensity() -> None:
    policy = policy_of()
    for _ in range(20):
        policy.restarted(0.0, crashed=False)
    assert crash_until_given_up(policy, every_s=1.0) == 5


def test_an_operators_restart_resets_the_series_of_failures() -> None:
    policy = policy_of()
    assert crash_until_given_up(policy, every_s=1.0) == 5
    policy.forgive()
    assert policy.died(ExitVerdict.CRASH, 5.0, 0.0, None) == Retry(0.0, crashed=True)
    assert crash_until_given_up(policy_of(), every_s=1.0) == 5


# ---- rotation, the exchange's delay


def test_a_planned_replacement_is_at_once_and_leaves_the_series_alone() -> None:
    policy = policy_of()
    for _ in range(3):
        policy.died(ExitVerdict.OUTSIDE, 0.0, 0.0, None)
    assert policy.died(ExitVerdict.ROTATE, 0.0, ROTATE_SERVED_S_MIN, None) == Retry(0.0, crashed=False)
    assert policy.died(ExitVerdict.OUTSIDE, 0.0, 0.0, None) == Retry(2.0, crashed=False)


def test_rotating_without_having_served_backs_off() -> None:
    policy = policy_of()
    follows = [policy.died(ExitVerdict.ROTATE, 0.0, ROTATE_SERVED_S_MIN / 2, None) for _ in range(3)]
    assert [each.delay_s for each in follows if isinstance(each, Retry)] == [0.0, 0.5, 1.0]


@pytest.mark.parametrize(
    ("wish_s", "delay_s"),
    [
        (None, 0.0),
        (0.0, 0.0),
        (-5.0, 0.0),
        (math.nan, 0.0),
        (30.0, 30.0),
        (RETRY_AFTER_S_MAX, RETRY_AFTER_S_MAX),
        (math.inf, RETRY_AFTER_S_MAX),
    ],
)
def test_the_exchanges_delay_is_a_bounded_lower_bound(wish_s: float | None, delay_s: float) -> None:
    assert policy_of().died(ExitVerdict.OUTSIDE, 0.0, 0.0, wish_s) == Retry(delay_s, crashed=False)
    planned = policy_of().died(ExitVerdict.ROTATE, 0.0, ROTATE_SERVED_S_MIN, wish_s)
    assert planned == Retry(delay_s, crashed=False)


def test_a_backoff_beyond_the_exchanges_delay_stays() -> None:
    policy = policy_of()
    for _ in range(6):
        policy.died(ExitVerdict.OUTSIDE, 0.0, 0.0, None)
    assert policy.died(ExitVerdict.OUTSIDE, 0.0, 0.0, 3.0) == Retry(16.0, crashed=False)


def test_randomness_is_only_taken_where_it_is_used() -> None:
    def no_random() -> float:
        raise AssertionError("asked for randomness")

    random: Callable[[], float] = no_random
    policy = RestartPolicy("permanent", LIMITS, random)
    assert policy.died(ExitVerdict.ROTATE, 0.0, ROTATE_SERVED_S_MIN, None) == Retry(0.0, crashed=False)
    with pytest.raises(AssertionError):
        policy.died(ExitVerdict.CRASH, 0.0, 0.0, None)


def test_other_limits_hold_at_once_and_what_has_happened_still_counts() -> None:
    policy = policy_of()
    for now in (0.0, 1.0, 2.0):
        follows = policy.died(ExitVerdict.CRASH, now, 0.0, None)
        assert isinstance(follows, Retry)
        policy.restarted(now, follows.crashed)
    policy.adopt("permanent", msgspec.structs.replace(LIMITS, intensity=3))
    assert isinstance(policy.died(ExitVerdict.CRASH, 3.0, 0.0, None), GiveUp)
    policy.adopt("temporary", LIMITS)
    assert policy.died(ExitVerdict.CRASH, 3.0, 0.0, None) == Leave()
