"""The final stop, scene by scene."""

from __future__ import annotations

import pytest

from foxtrot_protocol.exit_codes import ChildExit, SupervisorExit
from foxtrot_supervisor.config.schema import SupervisorConfig
from foxtrot_supervisor.core.effects import Ask, DumpStacks, Fence, Finish, Publish, Signal
from foxtrot_supervisor.core.inputs import (
    RestartRequested,
    Tick,
)
from foxtrot_supervisor.core.lifecycle import Desired, State
from foxtrot_supervisor.core.records import ChildPlan
from tests.support.core_rig import ENGINE, FEED_A, FEED_B, SIMULATOR, STOP, Rig, acts, timed


def test_a_stop_goes_in_reverse_order_and_ends_clean() -> None:
    rig = Rig(SIMULATOR, ENGINE, FEED_A, FEED_B).start()
    assert acts(rig.tell(STOP)) == [Ask("feed.a", 1, 30.0), Ask("feed.b", 1, 30.0)]
    assert all(record.desired is Desired.STOPPED for record in rig.core.records.values())
    assert acts(rig.die("feed.a", 0)) == [Fence("feed.a", 1)]
    assert acts(rig.die("feed.b", 0)) == [Fence("feed.b", 1), Ask("engine", 1, 30.0)]
    assert acts(rig.die("engine", 0)) == [Fence("engine", 1), Ask("simulator", 1, 30.0)]
    assert acts(rig.die("simulator", 0)) == [Fence("simulator", 1), Finish(SupervisorExit.CLEAN)]
    assert (rig.core.state, rig.core.exit_code, rig.core.next_deadline()) == ("stopped", SupervisorExit.CLEAN, None)


def test_the_ladder_with_default_deadlines() -> None:
    rig = Rig(ENGINE).start()
    began = rig.now
    rig.tell(STOP)
    rig.wait(46.0)
    assert timed(rig.seen, began)[-5:] == [
        (0.0, Ask("engine", 1, 30.0)),
        (30.0, Signal("engine", 1, "SIGTERM")),
        (39.0, DumpStacks("engine", 1)),
        (40.0, Signal("engine", 1, "SIGKILL", whole_session=True)),
        (45.0, Finish(SupervisorExit.UNKILLABLE)),
    ]
    rungs = [e.status.rung for _, e in rig.seen if isinstance(e, Publish) and e.status.state == "STOPPING"]
    assert rungs == ["ask", "term", "kill"]
    assert rig.state("engine") is State.LOST
    assert rig.core.records["engine"].cause == "survives SIGKILL: operator"


@pytest.mark.parametrize(
    ("seconds", "rung", "code"),
    [
        (1.0, "ask", SupervisorExit.CLEAN),
        (31.0, "term", SupervisorExit.CLEAN),
        (40.5, "kill", SupervisorExit.KILL_NEEDED),
    ],
)
def test_the_rung_it_ended_at_is_remembered(seconds: float, rung: str, code: SupervisorExit) -> None:
    rig = Rig(ENGINE).start()
    rig.tell(STOP)
    rig.wait(seconds)
    assert Finish(code) in rig.die("engine", 0)
    assert rig.core.records["engine"].last_exit is not None
    assert rig.core.records["engine"].last_exit.rung == rung


def test_the_budget_lies_over_all_tiers() -> None:
    """Workers that take all their time leave the engine what is left of 60 s, for every rung."""
    rig = Rig(ENGINE, FEED_A).start()
    began = rig.now
    rig.tell(STOP)
    rig.wait(40.0)
    rig.die("feed.a", signal=9)
    seen = timed([(at, effect) for at, effect in rig.seen if at >= began + 40.0], began)
    assert seen[-1] == (40.0, Ask("engine", 1, 15.0))
    assert timed(rig.wait(25.0), began) == [
        (55.0, Signal("engine", 1, "SIGTERM")),
        (59.0, DumpStacks("engine", 1)),
        (60.0, Signal("engine", 1, "SIGKILL", whole_session=True)),
        (65.0, Finish(SupervisorExit.UNKILLABLE)),
    ]


def test_everything_is_killed_when_the_budget_is_spent() -> None:
    rig = Rig(ENGINE, FEED_A, config=SupervisorConfig(shutdown_s=5.0)).start()
    began = rig.now
    rig.tell(STOP)
    kills = [(at, e) for at, e in timed(rig.wait(5.0), began) if isinstance(e, Signal) and e.signal == "SIGKILL"]
    assert [(at, kill.name) for at, kill in kills] == [(5.0, "feed.a"), (5.0, "engine")]


def test_a_second_request_kills_everything_at_once() -> None:
    rig = Rig().start()
    rig.tell(STOP)
    effects = acts(rig.tell(STOP))
    assert sorted(e.name for e in effects if isinstance(e, Signal) and e.signal == "SIGKILL" and e.whole_session) == [
        "engine",
        "feed.a",
        "feed.b",
    ]
    assert len(effects) == 3
    assert acts(rig.tell(STOP)) == []
    for name in ("feed.a", "feed.b", "engine"):
        effects = rig.die(name, signal=9)
    assert effects[-1] == Finish(SupervisorExit.KILL_NEEDED)


def test_a_stop_is_served_during_a_crash_loop() -> None:
    rig = Rig(ENGINE, FEED_A).start()
    rig.die("feed.a", 1)
    rig.die("feed.a", 1)
    assert rig.state("feed.a") is State.BACKOFF
    assert acts(rig.tell(STOP)) == [Ask("engine", 1, 30.0)]
    assert rig.state("feed.a") is State.STOPPED
    assert acts(rig.die("engine", 0)) == [Fence("engine", 1), Finish(SupervisorExit.CLEAN)]
    assert acts([effect for _, effect in rig.wait(100.0)]) == []


def test_a_child_that_dies_before_its_turn_is_not_started_again() -> None:
    rig = Rig(ENGINE, FEED_A).start()
    rig.tell(STOP)
    assert acts(rig.die("engine", signal=9)) == [Fence("engine", 1)]
    assert rig.state("engine") is State.STOPPED


def test_a_child_that_is_being_replaced_is_not_started_again_and_keeps_its_rung() -> None:
    rig = Rig(ENGINE, FEED_A).start()
    rig.tell(RestartRequested("feed.a"))
    rig.wait(31.0)
    assert acts(rig.tell(STOP)) == []
    assert acts(rig.die("feed.a", signal=15)) == [Fence("feed.a", 1), Ask("engine", 1, 30.0)]


def test_a_hung_child_in_the_final_stop_is_left_to_its_ladder() -> None:
    rig = Rig(ENGINE, FEED_A).start()
    rig.tell(STOP)
    rig.silent = {"engine", "feed.a"}
    assert timed(rig.wait(29.9), 0.0) == []


def test_a_gap_during_the_stop_takes_no_time_from_anyone() -> None:
    rig = Rig(ENGINE).start()
    rig.tell(STOP)
    rig.now += 3600.0
    assert acts(rig.tell(Tick())) == []
    assert rig.core.state == "stopping"


def test_a_kill_in_operation_does_not_change_the_exit_code() -> None:
    rig = Rig(ENGINE, FEED_A).start()
    rig.silent = {"feed.a"}
    rig.wait(11.0)
    rig.die("feed.a", signal=9)
    rig.tell(STOP)
    rig.die("feed.a", 0)
    assert Finish(SupervisorExit.CLEAN) in rig.die("engine", 0)


@pytest.mark.parametrize(("essential", "code"), [(True, SupervisorExit.ESSENTIAL_FATAL), (False, SupervisorExit.CLEAN)])
def test_a_fatal_worker_shows_in_the_exit_code_if_essential(essential: bool, code: SupervisorExit) -> None:
    rig = Rig(ENGINE, ChildPlan(name="feed.a", tier=2, essential=essential)).start()
    rig.die("feed.a", ChildExit.CONFIGURATION)
    rig.tell(STOP)
    assert rig.state("feed.a") is State.FATAL
    assert Finish(code) in rig.die("engine", 0)
