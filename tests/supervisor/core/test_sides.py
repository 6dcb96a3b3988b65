"""When one side stands in for the other, and how fast rotations follow one another."""

from __future__ import annotations

import pytest

from foxtrot_supervisor.core.records import ChildPlan
from foxtrot_supervisor.core.restart import RETRY_AFTER_S_MAX, ROTATE_SERVED_S_MIN, RestartLimits
from foxtrot_supervisor.core.sides import SETTLE_S, Flow, Pace, carries, other_side

LIMITS = RestartLimits(
    intensity=5, period_s=60.0, first_s=0.0, base_s=0.5, max_s=60.0, jitter=0.0, healthy_after_s=60.0
)
FRESH_S = 1.0


@pytest.mark.parametrize(
    ("flow", "ready_s", "other", "expected"),
    [
        (None, 100.0, None, False),  # it has said nothing yet
        (Flow(1, 5), 100.0, Flow(0, 5), False),  # a subscription is not answered
        (Flow(0, 5), FRESH_S, Flow(0, 5), True),
        (Flow(0, 4), FRESH_S, Flow(0, 5), False),
        (Flow(0, 4), SETTLE_S, Flow(0, 5), True),  # the fifth may be a quiet one
        (Flow(0, 0), SETTLE_S, Flow(0, 5), False),  # not all of them at once
        (Flow(0, 0), FRESH_S, Flow(0, 0), True),  # neither side has data
        (Flow(0, 0), FRESH_S, None, True),
    ],
)
def test_a_side_stands_in_when_nothing_is_missed(
    flow: Flow | None, ready_s: float, other: Flow | None, expected: bool
) -> None:
    assert carries(flow, 1000.0, other, 1000.0 + ready_s) is expected


def test_the_other_side_of_the_other_side_is_this_side() -> None:
    plan = ChildPlan(name="x.a", tier=2, fingerprint="1", spare=ChildPlan(name="x.b", tier=2, fingerprint="2"))
    assert other_side(plan).name == "x.b"
    assert other_side(other_side(plan)) == plan


def test_who_has_served_is_rotated_at_once_who_has_not_later_and_later() -> None:
    pace = Pace()
    delays = []
    for _ in range(4):
        pace.wanted(100.0, ROTATE_SERVED_S_MIN - 1, LIMITS, 0.5)
        delays.append(pace.not_before - 100.0)
    assert delays == [0.0, 0.5, 1.0, 2.0]
    pace.wanted(200.0, ROTATE_SERVED_S_MIN, LIMITS, 0.5)
    assert pace.not_before == 200.0


def test_a_spare_that_fails_is_tried_again_later_and_later() -> None:
    pace = Pace()
    pace.wanted(100.0, 3600.0, LIMITS, 0.5)
    delays = []
    for _ in range(3):
        pace.failed(100.0, LIMITS, 0.5)
        delays.append(pace.not_before - 100.0)
    assert delays == [0.5, 1.0, 2.0]


def test_the_exchanges_delay_is_kept_whatever_comes() -> None:
    pace = Pace()
    pace.not_within(30.0, 100.0)
    pace.wanted(101.0, 3600.0, LIMITS, 0.5)
    assert pace.not_before == 130.0
    for wish_s in (None, -1.0, float("nan"), 5.0):
        pace.not_within(wish_s, 100.0)
    assert pace.not_before == 130.0
    pace.not_within(1e12, 100.0)
    assert pace.not_before == 100.0 + RETRY_AFTER_S_MAX
