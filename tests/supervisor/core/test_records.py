"""Plans and records are data: bounded, checked for names, tiers in order."""

from __future__ import annotations

import time

import pytest

from foxtrot_supervisor.core.lifecycle import Desired, State
from foxtrot_supervisor.core.records import DEATHS_REMEMBERED, ChildPlan, ChildRecord, Death, tiers_of


def plan(name: str, tier: int) -> ChildPlan:
    return ChildPlan(name=name, tier=tier)


def test_tiers_in_order_of_start_and_plan() -> None:
    plans = [plan("b", 2), plan("engine", 1), plan("a", 2), plan("sim", -1)]
    assert tiers_of(plans) == [["sim"], ["engine"], ["b", "a"]]
    assert tiers_of([]) == []


def test_the_cost_of_tiers_grows_with_the_number_of_plans_and_not_with_its_square() -> None:
    plans = [plan(f"worker{number}", number % 3) for number in range(30_000)]
    began = time.process_time()
    assert sum(map(len, tiers_of(plans))) == len(plans)
    assert time.process_time() - began < 3.0  # 20 ms; comparing each name with each takes 20 s


def test_two_children_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="two children are called 'a'"):
        tiers_of([plan("a", 1), plan("b", 1), plan("a", 2)])


def test_a_new_record_was_never_started_and_is_not_wanted() -> None:
    record = ChildRecord(plan=plan("a", 1))
    assert (record.name, record.state, record.desired) == ("a", State.STOPPED, Desired.STOPPED)
    assert (record.incarnation, record.pid, record.last_exit, record.may_live) == (0, None, None, False)


def test_the_history_of_deaths_is_bounded_latest_last() -> None:
    record = ChildRecord(plan=plan("a", 1))
    for incarnation in range(1, DEATHS_REMEMBERED + 10):
        record.deaths.append(Death(incarnation, 1, None, None, "exit code 1", 0.0))
    assert len(record.deaths) == DEATHS_REMEMBERED
    assert record.last_exit is not None
    assert record.last_exit.incarnation == DEATHS_REMEMBERED + 9


def test_records_do_not_share_their_history() -> None:
    first, second = ChildRecord(plan=plan("a", 1)), ChildRecord(plan=plan("b", 1))
    first.deaths.append(Death(1, 1, None, None, "", 0.0))
    assert not second.deaths


@pytest.mark.parametrize(
    ("state", "may_live"),
    [
        (State.STOPPED, False),
        (State.STARTING, True),
        (State.CONNECTING, True),
        (State.RUNNING, True),
        (State.BACKOFF, False),
        (State.STOPPING, True),
        (State.EXITED, False),
        (State.FATAL, False),
        (State.LOST, True),
    ],
)
def test_where_a_process_may_live(state: State, may_live: bool) -> None:
    assert ChildRecord(plan=plan("a", 1), state=state).may_live is may_live
