"""RateLimits of an address: never more than the limit in any window, in the order of asking, closed for everybody."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foxtrot_protocol.commands import BudgetAsk
from foxtrot_supervisor.core.coordination import rate_limits as module
from foxtrot_supervisor.core.coordination.rate_limits import (
    ACCOUNTS_MAX,
    CLOSED_S_MAX,
    GRACE_S,
    PERIOD_SLACK,
    SLOTS,
    Grant,
    RateLimits,
)

GO = Grant(0.0)


def ask(worker: str = "w", number: int = 1, **fields: Any) -> BudgetAsk:
    values: dict[str, Any] = {"kind": "rest", "address": "h:1", "weight": 1, "limit": 10, "period_s": 60.0, **fields}
    return BudgetAsk(worker, 1, number, **values)


def test_what_is_within_the_limit_is_granted_at_once() -> None:
    limits = RateLimits()
    assert [limits.acquire(ask(number=number), 0.0) for number in range(10)] == [GO] * 10
    assert limits.acquire(ask(number=11), 0.0).wait_s == pytest.approx(60.0 * PERIOD_SLACK)


def test_it_is_granted_when_the_first_of_the_window_is_a_period_old() -> None:
    limits = RateLimits()
    limits.acquire(ask(number=1, weight=6), 0.0)
    limits.acquire(ask(number=2, weight=4), 30.0)
    wait_s = limits.acquire(ask(number=3, weight=5), 40.0).wait_s
    assert 40.0 + wait_s == pytest.approx(60.0 * PERIOD_SLACK)
    assert limits.acquire(ask(number=3, weight=5), 40.0 + wait_s) == GO


def test_who_comes_first_is_served_first() -> None:
    """One that comes later takes nothing from those who wait; who has asked keeps its place."""
    limits = RateLimits()
    limits.acquire(ask("spender", weight=9), 0.0)
    large = limits.acquire(ask("large", weight=5), 1.0)
    small = limits.acquire(ask("small", weight=1), 1.0)
    assert large.wait_s > 0
    assert small.wait_s >= large.wait_s
    due = 1.0 + large.wait_s
    assert limits.acquire(ask("late", weight=5), due).wait_s > 0, "behind those who wait, who come back later"
    assert limits.acquire(ask("large", weight=5), due + 0.1) == GO
    assert limits.acquire(ask("small", weight=1), due + 0.1) == GO


def test_who_does_not_come_back_loses_its_place() -> None:
    limits = RateLimits()
    limits.acquire(ask("spender", weight=10), 0.0)
    gone = limits.acquire(ask("gone", weight=10), 1.0)
    after = 1.0 + gone.wait_s + GRACE_S
    assert limits.acquire(ask("next"), after).wait_s > 0
    assert limits.acquire(ask("next"), after + 0.01) == GO


def test_no_request_waits_behind_a_dead_worker() -> None:
    limits = RateLimits()
    limits.acquire(ask("spender", weight=10), 0.0)
    dead = limits.acquire(ask("dead", weight=10), 1.0)
    limits.forget("dead", 2)
    assert limits.acquire(ask("next"), 1.0).wait_s > dead.wait_s
    limits.forget("dead", 1)
    assert limits.acquire(ask("next"), 1.0).wait_s == pytest.approx(dead.wait_s)


def test_what_is_closed_is_closed_for_everybody_also_for_those_who_wait() -> None:
    limits = RateLimits()
    limits.acquire(ask("spender", weight=10), 0.0)
    waiting = limits.acquire(ask("first"), 1.0)
    limits.close("rest", "h:1", 300.0, 2.0)
    limits.close("rest", "h:1", 1.0, 3.0)
    assert limits.acquire(ask("first"), 1.0 + waiting.wait_s).wait_s == pytest.approx(302.0 - 1.0 - waiting.wait_s)
    assert limits.acquire(ask("second"), 100.0).wait_s == pytest.approx(202.0)
    assert limits.acquire(ask("elsewhere", address="h:2"), 100.0) == GO
    assert limits.acquire(ask("otherwise", kind="connect"), 100.0) == GO
    assert limits.acquire(ask("first"), 302.0) == GO


def test_without_a_number_only_a_closure_holds() -> None:
    limits = RateLimits()
    free = {"limit": 0, "period_s": 0.0}
    assert [limits.acquire(ask(number=n, weight=10_000, **free), 0.0) for n in range(50)] == [GO] * 50
    limits.close("rest", "h:1", 5.0, 0.0)
    assert limits.acquire(ask(**free), 1.0).wait_s == pytest.approx(4.0)
    assert limits.acquire(ask(**free), 5.0) == GO


def test_more_than_the_whole_limit_takes_the_whole_limit() -> None:
    limits = RateLimits()
    assert limits.acquire(ask(number=1, weight=1000), 0.0) == GO
    assert limits.acquire(ask(number=2), 0.0).wait_s > 0


@pytest.mark.parametrize(
    "fields",
    [
        {"weight": -5},
        {"weight": 0},
        {"limit": -1},
        {"period_s": -1.0},
        {"period_s": math.nan},
        {"period_s": math.inf},
        {"address": "x" * 100_000},
    ],
)
def test_nonsense_is_brought_into_bounds(fields: dict[str, Any]) -> None:
    limits = RateLimits()
    for number in range(20):
        grant = limits.acquire(ask(number=number, **fields), 0.0)
        assert math.isfinite(grant.wait_s)
    for for_s in (math.nan, -1.0, math.inf):
        limits.close("rest", "h:1", for_s, 0.0)
    assert limits.acquire(ask(number=99), 0.0).wait_s <= CLOSED_S_MAX + 3 * 60.0 * PERIOD_SLACK


def test_who_may_wait_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WAITING_MAX", 2)
    limits = RateLimits()
    limits.acquire(ask("spender", weight=10), 0.0)
    assert [limits.acquire(ask(f"w{n}"), 1.0).refused for n in range(3)] == [False, False, True]
    assert not limits.acquire(ask("w1"), 2.0).refused, "who has a place keeps it"
    (account,) = limits.as_list(2.0)
    assert (account["waiting"], account["waits_total"], account["refused_total"]) == (2, 2, 1)


def test_accounts_are_bounded() -> None:
    limits = RateLimits()
    for number in range(ACCOUNTS_MAX + 5):
        limits.acquire(ask(address=f"h:{number}"), 0.0)
    assert len(limits.as_list(0.0)) == ACCOUNTS_MAX
    assert limits.forgotten_total == 5


def test_memory_does_not_grow_with_what_is_spent() -> None:
    limits = RateLimits()
    for number in range(5000):
        limits.acquire(ask(number=number, limit=100_000), number * 0.01)
    assert len(limits._accounts["rest", "h:1"].spendings) <= SLOTS + 2


def test_status_shows_what_stands_on_an_account() -> None:
    limits = RateLimits()
    limits.acquire(ask(weight=4), 0.0)
    limits.close("rest", "h:1", 7.5, 0.0)
    assert limits.as_list(0.5) == [
        {
            "kind": "rest",
            "address": "h:1",
            "limit": 10,
            "period_s": 60.0,
            "used": 4,
            "waiting": 0,
            "closed_s": 7.0,
            "granted_total": 1,
            "waits_total": 0,
            "refused_total": 0,
            "closings_total": 1,
        }
    ]


@given(
    st.lists(
        st.tuples(st.integers(1, 12), st.floats(0.0, 3.0, allow_nan=False), st.sampled_from([0.0, 0.0, 0.1, 3.0])),
        max_size=60,
    )
)
def test_no_window_ever_holds_more_than_the_limit(asks: list[tuple[int, float, float]]) -> None:
    """Any askers, who come back on time, late, or too late: they are served in order, and never too much."""
    limit, period_s = 12, 5.0
    limits = RateLimits()
    now = 0.0
    spent: list[tuple[float, int]] = []
    waiting: list[tuple[float, int, int]] = []
    for number, (weight, pause_s, late_s) in enumerate([*asks, *[(1, 100.0, 0.0)] * 3]):
        now += pause_s
        due = sorted(entry for entry in waiting if entry[0] <= now)
        waiting = [entry for entry in waiting if entry[0] > now]
        for asker, asked in [*((entry[1], entry[2]) for entry in due), (number, weight)]:
            grant = limits.acquire(ask(number=asker, weight=asked, limit=limit, period_s=period_s), now)
            assert not grant.refused
            if grant.wait_s:
                waiting.append((now + grant.wait_s + late_s, asker, asked))
            else:
                spent.append((now, asked))
    for at, _ in spent:
        assert sum(weight for then, weight in spent if at <= then < at + period_s) <= limit
