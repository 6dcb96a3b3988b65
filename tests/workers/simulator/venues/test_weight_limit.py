"""REST weight by the minute, refusals, and the ban of a client that does not wait."""

from __future__ import annotations

from foxtrot_workers.simulator.venues.weight_limit import Refusal, WeightLimit


def test_weight_beyond_the_limit_is_refused_until_the_minute_ends() -> None:
    limit = WeightLimit(100, None, 120.0)
    assert [limit.spend(50, 60.0), limit.spend(50, 61.0)] == [None, None]
    assert limit.spend(1, 90.0) == Refusal(429, 30.0)
    assert limit.used == 101
    assert limit.spend(1, 120.0) is None
    assert limit.used == 1


def test_who_goes_on_after_refusals_is_banned() -> None:
    limit = WeightLimit(10, 2, 120.0)
    found = [limit.spend(11, 60.0 + number) for number in range(4)]
    assert found == [Refusal(429, 60.0), Refusal(429, 59.0), Refusal(418, 120.0), Refusal(418, 119.0)]
    assert (limit.banned_s(100.0), limit.banned_s(182.0)) == (82.0, 0.0)
    assert limit.spend(1, 182.0) is None


def test_without_a_limit_weight_is_only_counted() -> None:
    limit = WeightLimit(None, 0, 120.0)
    assert all(limit.spend(1_000_000, 60.0) is None for _ in range(3))
    assert limit.used == 3_000_000
