"""The final stop: reverse order, one budget, a second request, the exit code."""

from __future__ import annotations

import itertools

import pytest

from foxtrot_protocol.exit_codes import SupervisorExit
from foxtrot_supervisor.core.shutdown import REQUESTS_PATIENT_MAX, Shutdown, exit_code

TIERS = [["sim"], ["engine"], ["a", "b"]]


def test_tiers_go_in_reverse_order_each_only_after_the_one_above() -> None:
    shutdown = Shutdown(TIERS, 100.0, 60.0, "operator")
    ended: set[str] = set()
    order = []
    while turn := shutdown.turn(ended.__contains__):
        order.append(turn)
        ended.add(turn[0])
    assert order == [["a", "b"], ["b"], ["engine"], ["sim"]]


def test_an_empty_tier_is_passed_over() -> None:
    shutdown = Shutdown(TIERS, 100.0, 60.0, "operator")
    assert shutdown.turn({"a", "b", "engine"}.__contains__) == ["sim"]
    assert shutdown.turn(lambda name: True) == []


def test_the_budget_ends_all_patience() -> None:
    shutdown = Shutdown(TIERS, 100.0, 60.0, "operator")
    assert shutdown.next_deadline == shutdown.not_after == 160.0
    shutdown.look(159.9)
    assert not shutdown.hastened
    shutdown.look(160.0)
    assert shutdown.hastened
    assert shutdown.next_deadline is None
    assert sorted(shutdown.turn({"b"}.__contains__)) == ["a", "engine", "sim"]


def test_the_second_request_ends_all_patience() -> None:
    shutdown = Shutdown(TIERS, 100.0, 60.0, "operator")
    for _ in range(REQUESTS_PATIENT_MAX):
        shutdown.request()
    assert not shutdown.hastened
    shutdown.request()
    assert shutdown.hastened
    shutdown.look(100.0)
    assert shutdown.hastened


def test_a_gap_of_the_supervisor_does_not_count() -> None:
    shutdown = Shutdown(TIERS, 100.0, 60.0, "operator")
    shutdown.shift(3600.0)
    shutdown.look(3759.9)
    assert not shutdown.hastened
    shutdown.look(3760.0)
    assert shutdown.hastened


@pytest.mark.parametrize("flags", list(itertools.product([False, True], repeat=4)))
def test_the_exit_code_is_that_of_the_worst(flags: tuple[bool, bool, bool, bool]) -> None:
    lost, start_failed, fatal, killed = flags
    code = exit_code(lost=lost, start_failed=start_failed, essential_fatal=fatal, kill_needed=killed)
    worst = [value for flag, value in zip(flags, (7, 3, 5, 4), strict=True) if flag] or [0]
    assert code == worst[0]
    assert isinstance(code, SupervisorExit)
