"""What follows from a death, scene by scene."""

from __future__ import annotations

import pytest

from foxtrot_protocol.exit_codes import ChildExit, SupervisorExit
from foxtrot_supervisor.core.effects import Ask, Fence, Finish, Spawn
from foxtrot_supervisor.core.inputs import (
    Exited,
    FailureReported,
    RequestRefused,
    RestartRequested,
    SpawnFailed,
    Tick,
)
from foxtrot_supervisor.core.lifecycle import Desired, State
from foxtrot_supervisor.core.records import CAUSE_CHARS_MAX, DEATHS_REMEMBERED, ChildPlan
from tests.support.core_rig import ENGINE, STOP, Rig, acts, lost_rig, timed


def test_a_dead_worker_is_fenced_then_started_again_at_once() -> None:
    rig = Rig().start()
    assert acts(rig.die("feed.a", signal=9)) == [Fence("feed.a", 1), Spawn("feed.a", 2)]
    record = rig.core.records["feed.a"]
    assert (record.restarts_total, record.pid, record.started_at, record.ready_at) == (1, None, None, None)
    assert rig.state("feed.b") is State.RUNNING


def test_the_engine_is_replaced_alone() -> None:
    rig = Rig().start()
    assert acts(rig.die("engine", signal=9)) == [Fence("engine", 1), Spawn("engine", 2)]
    assert rig.core.state == "degraded"
    assert (rig.state("feed.a"), rig.state("feed.b")) == (State.RUNNING, State.RUNNING)


def test_a_crash_loop_backs_off_and_ends_fatal_others_unaffected() -> None:
    rig = Rig().start()
    delays = []
    for _ in range(5):
        rig.die("feed.a", 1)
        died_at = rig.now
        delays.append((rig.core.records["feed.a"].retry_at or died_at) - died_at)
        rig.wait(delays[-1])
        rig.serve("feed.a")
    assert delays == [0.0, 0.5, 1.0, 2.0, 4.0]
    rig.die("feed.a", 1)
    record = rig.core.records["feed.a"]
    assert record.state is State.FATAL
    assert record.cause == "more than 5 crashes within 60 s: exit code 1, CRASH"
    assert record.desired is Desired.RUNNING
    assert rig.state("feed.b") is State.RUNNING
    assert acts([effect for _, effect in rig.wait(300.0)]) == []


def test_restart_revives_a_fatal_child_with_a_clean_window() -> None:
    rig = Rig().start()
    for _ in range(6):
        rig.die("feed.a", 1)
        rig.wait(4.0)
    assert rig.state("feed.a") is State.FATAL
    assert acts(rig.tell(RestartRequested("feed.a"))) == [Spawn("feed.a", 7)]
    for _ in range(5):
        rig.serve("feed.a")
        rig.die("feed.a", 1)
        rig.wait(4.0)
    assert rig.state("feed.a") is State.STARTING


def test_an_exchange_that_is_away_for_a_day_costs_nothing() -> None:
    rig = Rig().start()
    for _ in range(200):
        rig.tell(FailureReported("feed.a", rig.inc("feed.a"), "connection refused"))
        rig.die("feed.a", ChildExit.CONNECTION_LOST)
        assert rig.state("feed.a") in (State.BACKOFF, State.STARTING)
        rig.wait(60.0)
        rig.make("feed.a")
    assert len(rig.core.records["feed.a"].deaths) == DEATHS_REMEMBERED


def test_the_exchanges_delay_is_kept_and_its_cause_shown() -> None:
    rig = Rig().start()
    rig.tell(FailureReported("feed.a", 1, "429 too many requests", 90.0))
    rig.die("feed.a", ChildExit.REFUSED)
    record = rig.core.records["feed.a"]
    assert record.cause == "429 too many requests (exit code 11, REFUSED)"
    assert record.retry_at == rig.now + 90.0
    died_at = rig.now
    assert timed(rig.wait(91.0), died_at) == [(90.0, Spawn("feed.a", 2))]


def test_a_planned_replacement_is_at_once_and_uncounted() -> None:
    rig = Rig().start()
    for number in range(20):
        rig.wait(15.0)
        assert Spawn("feed.a", number + 2) in rig.die("feed.a", ChildExit.ROTATE)
        rig.serve("feed.a")


def test_a_mistake_is_fatal_at_once() -> None:
    rig = Rig().start()
    assert acts(rig.die("feed.a", ChildExit.CONFIGURATION)) == [Fence("feed.a", 1)]
    assert rig.core.records["feed.a"].cause == "no restart can help: exit code 78, CONFIGURATION"


def test_a_transient_child_that_ends_cleanly_has_exited() -> None:
    rig = Rig(ENGINE, ChildPlan(name="once", tier=2, restart="transient")).start()
    rig.die("once", 0)
    assert rig.state("once") is State.EXITED
    assert acts(rig.tell(RestartRequested("once"))) == [Spawn("once", 2)]


def test_a_spawn_that_fails_is_a_crash_of_its_own_incarnation() -> None:
    rig = Rig().start()
    rig.die("feed.a", 1)
    effects = rig.tell(SpawnFailed("feed.a", 2, "no memory"))
    assert acts(effects) == [Fence("feed.a", 2)]
    record = rig.core.records["feed.a"]
    assert (record.state, record.cause) == (State.BACKOFF, "could not be started: no memory")
    assert record.last_exit is not None
    assert (record.last_exit.code, record.last_exit.signal) == (None, None)


def test_what_the_shell_found_out_comes_first() -> None:
    rig = Rig().start()
    rig.tell(Exited("feed.a", 1, None, 9, "the kernel ran out of memory"))
    assert rig.core.records["feed.a"].cause == "the kernel ran out of memory (killed by SIGKILL)"


@pytest.mark.parametrize(
    ("code", "signal", "cause"),
    [
        (3, None, "exit code 3"),
        (10, None, "exit code 10, CONNECTION_LOST"),
        (None, 64, "killed by SIGRTMAX"),
        (None, 200, "killed by signal 200"),
    ],
)
def test_causes_without_a_report(code: int | None, signal: int | None, cause: str) -> None:
    rig = Rig().start()
    rig.die("feed.a", code, signal)
    assert rig.core.records["feed.a"].last_exit is not None
    assert rig.core.records["feed.a"].last_exit.cause == cause


def test_serving_for_long_resets_the_backoff() -> None:
    rig = Rig().start()
    for _ in range(3):
        rig.die("feed.a", 1)
        rig.wait(1.0)
        rig.serve("feed.a")
    rig.wait(61.0)
    assert Spawn("feed.a", 5) in rig.die("feed.a", 1)


def test_a_cause_from_the_child_is_bounded() -> None:
    rig = Rig().start()
    rig.tell(FailureReported("feed.a", 1, "x" * 100_000))
    rig.die("feed.a", 10)
    assert len(rig.core.records["feed.a"].cause) <= CAUSE_CHARS_MAX


def test_a_lost_child_is_never_doubled() -> None:
    rig = lost_rig()
    assert rig.core.state == "degraded"
    with pytest.raises(RequestRefused, match="survives SIGKILL"):
        rig.tell(RestartRequested("feed.a"))
    assert acts([effect for _, effect in rig.wait(100.0)]) == []


def test_a_lost_child_that_dies_after_all_is_replaced() -> None:
    rig = lost_rig()
    assert acts(rig.die("feed.a", signal=9)) == [Fence("feed.a", 1), Spawn("feed.a", 2)]


def test_a_lost_child_is_shown_by_the_exit_code_and_not_waited_for() -> None:
    rig = lost_rig()
    assert acts(rig.tell(STOP)) == [Ask("engine", 1, 30.0)]
    assert Finish(SupervisorExit.UNKILLABLE) in rig.die("engine", 0)
    assert acts(rig.die("feed.a", signal=9)) == [Fence("feed.a", 1)]
    assert rig.state("feed.a") is State.STOPPED
    assert acts(rig.tell(STOP)) == []
    assert acts(rig.tell(Tick())) == []
