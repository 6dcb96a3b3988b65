"""A bell that rings in vain is muted for longer and longer; one that is followed is heard."""

from __future__ import annotations

import pytest

from foxtrot_supervisor.engine.delivery.bell_habit import (
    EXPECT_S_MAX,
    EXPECT_S_MIN,
    EXPECT_SHARE,
    MUTED_S_MAX,
    MUTED_S_MIN,
    TRIAL_COUNT,
    VAIN_MAX,
    BellHabit,
    expected_s,
)


def vain_until_muted(habit: BellHabit, now: float) -> int:
    for count in range(1, 2 * VAIN_MAX):
        if habit.followed(False, now):
            return count
    raise AssertionError("never muted")


def test_a_bell_that_is_always_followed_is_never_muted() -> None:
    habit = BellHabit()
    assert not any(habit.followed(True, now) for now in range(1000))
    assert not any(habit.followed(number % 2 == 0, 0.0) for number in range(1000)), "nor one that is as often as not"


def test_a_bell_in_vain_is_muted_for_longer_each_time_and_tried_again() -> None:
    habit = BellHabit()
    now, pauses = 0.0, []
    counts = []
    for _ in range(10):
        counts.append(vain_until_muted(habit, now))
        assert habit.muted_until is not None
        pauses.append(habit.muted_until - now)
        assert not habit.due(habit.muted_until - 0.001)
        now = habit.muted_until
        assert habit.due(now)
        assert habit.muted_until is None
        assert not habit.due(now)
    assert counts == [VAIN_MAX] + [TRIAL_COUNT] * 9
    assert pauses[0] == pytest.approx(MUTED_S_MIN)
    assert pauses == sorted(pauses)
    assert pauses[-1] == pytest.approx(MUTED_S_MAX)


def test_a_bell_that_is_followed_again_begins_with_a_short_pause() -> None:
    habit = BellHabit()
    for _ in range(5):
        vain_until_muted(habit, 0.0)
        habit.due(1e9)
    for _ in range(VAIN_MAX):
        habit.followed(True, 0.0)
    assert vain_until_muted(habit, 100.0) == VAIN_MAX
    assert habit.muted_until == pytest.approx(100.0 + MUTED_S_MIN)


def test_one_that_is_followed_once_in_ten_costs_little() -> None:
    habit = BellHabit()
    vain = 0
    now = 0.0
    for number in range(10_000):  # a thousand a second
        now = number / 1000.0
        if habit.muted_until is not None and not habit.due(now):
            continue
        came = number % 10 == 0
        vain += not came
        habit.followed(came, now)
    assert vain < 300, "of 9,000"


@pytest.mark.parametrize("since_s", [0.0, 1e-5, 0.001, 0.002, 0.005, 0.006, 1.0, 1e9])
def test_a_batch_is_expected_for_a_small_share_of_the_time(since_s: float) -> None:
    assert EXPECT_S_MIN <= expected_s(since_s) <= EXPECT_S_MAX
    assert expected_s(since_s) <= max(EXPECT_S_MIN, EXPECT_SHARE * since_s)
    assert expected_s(since_s) <= expected_s(2 * since_s)
