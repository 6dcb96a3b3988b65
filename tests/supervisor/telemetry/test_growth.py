"""Growth is found through noise and peaks; warming up, sawteeth and steps are no leak."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foxtrot_supervisor.telemetry.growth import (
    COARSE_SAMPLES,
    LIMITS,
    SAMPLES_MAX,
    Growth,
    GrowthWatch,
    Limit,
    theil_sen,
)

MIB = 1024 * 1024


def watched(
    value_at: Callable[[float], float], count: int = SAMPLES_MAX, pace_s: float = 5.0, name: str = "rss_bytes"
) -> Growth:
    watch = GrowthWatch()
    for index in range(count):
        watch.sample(index * pace_s, {name: value_at(index * pace_s)})
    return watch.growths[name]


def test_a_straight_line_has_its_slope_and_no_noise() -> None:
    slope, noise = theil_sen([(float(at), 3.0 * at + 7) for at in range(20)])
    assert slope == pytest.approx(3.0)
    assert noise == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize("samples", [[], [(1.0, 5.0)], [(1.0, 5.0), (1.0, 9.0)]])
def test_too_few_samples_have_no_slope(samples: list[tuple[float, float]]) -> None:
    assert theil_sen(samples) == (0.0, 0.0)


@given(st.floats(-1e3, 1e3), st.floats(-1e6, 1e6), st.lists(st.floats(-1e9, 1e9), min_size=5, max_size=5))
def test_a_few_wild_samples_hardly_move_it(slope: float, start: float, wild: list[float]) -> None:
    samples = [(float(at), start + slope * at) for at in range(40)]
    for place, value in zip((3, 11, 17, 26, 35), wild, strict=True):
        samples[place] = (float(place), value)
    found, _ = theil_sen(samples)
    assert found == pytest.approx(slope, abs=1e-3 * max(1.0, abs(slope), abs(start)))


def test_a_steady_leak_is_found_with_its_pace() -> None:
    chance = random.Random(1)
    growth = watched(lambda at: 100 * MIB + at * MIB / 5 + chance.uniform(-2, 2) * MIB)
    assert growth.verdict == "growing"
    assert growth.per_hour == pytest.approx(3600 * MIB / 5, rel=0.1)
    assert growth.span_s == 295.0


def test_a_figure_that_stays_is_steady() -> None:
    assert watched(lambda _: 5.0, name="threads") == Growth("steady", 5.0, 0.0, 295.0)


def test_a_figure_that_warms_up_and_stays_is_no_leak() -> None:
    assert watched(lambda at: min(100 + at, 150) * MIB).verdict == "steady"


def test_a_sawtooth_is_no_leak() -> None:
    assert watched(lambda at: (100 + at % 50) * MIB).verdict == "steady"


def test_one_step_is_no_leak() -> None:
    assert watched(lambda at: (100 if at < 150 else 200) * MIB).verdict == "steady"


def test_noise_is_no_leak() -> None:
    chance = random.Random(2)
    for _ in range(20):
        assert watched(lambda _: 100 * MIB + chance.uniform(0, 60) * MIB).verdict == "steady"


def test_nothing_is_judged_before_the_least_window() -> None:
    assert watched(lambda at: at * MIB, count=7).verdict == "early"
    assert watched(lambda at: at * MIB, count=20, pace_s=1.0).verdict == "early"


def test_a_slow_leak_shows_in_the_coarse_window() -> None:
    # 1 MiB in five minutes below peaks of 40: the fine window sees nothing
    chance = random.Random(3)

    def value(at: float) -> float:
        return 100 * MIB + at * MIB / 300 + chance.choice((0, 40 * MIB))

    assert watched(value).verdict == "steady"
    growth = watched(value, count=COARSE_SAMPLES * 40)
    assert growth.verdict == "growing"
    assert growth.per_hour == pytest.approx(12 * MIB, rel=0.2)
    assert growth.span_s > 3600


def test_a_value_over_the_upper_limit_is_over_whether_it_grows_or_not() -> None:
    watch = GrowthWatch({"open_fds": Limit(8, 100)})
    assert watch.sample(0.0, {"open_fds": 101.0, "unknown": 1.0}) == ["open_fds"]
    assert watch.sample(5.0, {"open_fds": 101.0}) == []  # said once
    assert watch.growths["open_fds"].verdict == "over"
    assert watch.bad() == ["open_fds"]
    watch.sample(10.0, {"open_fds": 99.0})
    assert watch.bad() == []
    assert watch.sample(15.0, {"open_fds": 101.0}) == ["open_fds"]


def test_any_uncollectable_garbage_is_over_the_limit() -> None:
    assert GrowthWatch().sample(0.0, {"garbage": 1.0}) == ["garbage"]


def test_restart_forgets_all_samples() -> None:
    watch = GrowthWatch(LIMITS, least_s=10.0)
    for index in range(20):
        watch.sample(float(index), {"open_fds": float(index)})
    assert watch.bad() == ["open_fds"]
    watch.restart()
    assert watch.bad() == []
    watch.sample(21.0, {"open_fds": 1.0})
    assert watch.growths["open_fds"].verdict == "early"


def test_memory_is_bounded() -> None:
    watch = GrowthWatch()
    for index in range(SAMPLES_MAX * COARSE_SAMPLES * 2):
        watch.sample(float(index), {"threads": 1.0})
    assert len(watch._fine["threads"]) == len(watch._coarse["threads"]) == SAMPLES_MAX
