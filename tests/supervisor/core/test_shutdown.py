"""The final stop: reverse order, one budget, a second request, the exit code."""

from __future__ import annotations

import itertools

import pytest

from foxtrot_protocol.exit_codes import SupervisorExit
from foxtrot_supervisor.core.shutdown import GRACEFUL_REQUESTS_MAX, Shutdown, exit_code, exit_code_after_audit

TIERS = [["sim"], ["engine"], ["a", "b"]]


def test_tiers_go_in_reverse_order_each_only_after_the_one_above() -> None:
    shutdown = Shutdown(TIERS, 100.0, 60.0, "operator")
    order, stages = [], []
    while turn := shutdown.turn():
        order.append(turn)
        stages.append(shutdown.stage)
        shutdown.ended(turn[0])
    assert order == [["a", "b"], ["b"], ["engine"], ["sim"]]
    assert stages[0] == stages[1] != stages[2] != stages[3], "nothing has to be done again within one tier"
    assert shutdown.all_ended


def test_an_empty_tier_is_passed_over() -> None:
    shutdown = Shutdown(TIERS, 100.0, 60.0, "operator")
    for name in ("a", "b", "engine", "a"):
        assert not shutdown.all_ended
        shutdown.ended(name)
    assert shutdown.turn() == ["sim"]
    shutdown.ended("sim")
    assert shutdown.turn() == []


def test_everything_is_killed_when_the_budget_is_spent() -> None:
    shutdown = Shutdown(TIERS, 100.0, 60.0, "operator")
    assert shutdown.next_deadline == shutdown.not_after == 160.0
    shutdown.check_deadline(159.9)
    assert not shutdown.kill_now
    shutdown.check_deadline(160.0)
    assert shutdown.kill_now
    assert shutdown.next_deadline is None
    shutdown.ended("b")
    assert shutdown.turn() == ["a", "engine", "sim"]


def test_a_second_request_kills_everything() -> None:
    shutdown = Shutdown(TIERS, 100.0, 60.0, "operator")
    for _ in range(GRACEFUL_REQUESTS_MAX):
        shutdown.request()
    assert not shutdown.kill_now
    shutdown.request()
    assert shutdown.kill_now
    shutdown.check_deadline(100.0)
    assert shutdown.kill_now


def test_a_gap_of_the_supervisor_does_not_count() -> None:
    shutdown = Shutdown(TIERS, 100.0, 60.0, "operator")
    shutdown.shift(3600.0)
    shutdown.check_deadline(3759.9)
    assert not shutdown.kill_now
    shutdown.check_deadline(3760.0)
    assert shutdown.kill_now


@pytest.mark.parametrize("flags", list(itertools.product([False, True], repeat=4)))
def test_the_exit_code_is_that_of_the_worst(flags: tuple[bool, bool, bool, bool]) -> None:
    lost, start_failed, fatal, killed = flags
    code = exit_code(lost=lost, start_failed=start_failed, essential_fatal=fatal, kill_needed=killed)
    worst = [value for flag, value in zip(flags, (7, 3, 5, 4), strict=True) if flag] or [0]
    assert code == worst[0]
    assert isinstance(code, SupervisorExit)


@pytest.mark.parametrize("code", [0, 1, 3, 4, 5, 7])
def test_what_the_audit_found_hides_nothing_worse(code: int) -> None:
    assert exit_code_after_audit(code, leftover=False, unhandled=False) == code
    assert exit_code_after_audit(code, leftover=False, unhandled=True) == (4 if code == 0 else code)
    for unhandled in (False, True):
        leftover = exit_code_after_audit(code, leftover=True, unhandled=unhandled)
        assert leftover == (6 if code in (0, 4) else code)
