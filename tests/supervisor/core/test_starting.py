"""The start, scene by scene."""

from __future__ import annotations

import pytest

from foxtrot_protocol.exit_codes import ChildExit, SupervisorExit
from foxtrot_supervisor.config.schema import SupervisorConfig
from foxtrot_supervisor.core.core import Core
from foxtrot_supervisor.core.effects import Ask, Fence, Finish, Publish, Signal, Spawn
from foxtrot_supervisor.core.inputs import (
    HelloReceived,
    ReadyReceived,
    RequestRefused,
    StartRequested,
)
from foxtrot_supervisor.core.lifecycle import Desired, State
from foxtrot_supervisor.core.records import ChildPlan
from foxtrot_supervisor.core.starting import BOOTING_MAX
from tests.support.core_rig import ENGINE, FEED_A, FEED_B, SIMULATOR, STOP, Rig, acts


def test_tiers_start_one_after_the_other_when_the_one_below_serves() -> None:
    rig = Rig(FEED_A, ENGINE, SIMULATOR, FEED_B)
    assert rig.core.state == "stopped"
    assert acts(rig.tell(StartRequested())) == [Spawn("simulator", 1)]
    rig.make("simulator")
    assert acts(rig.tell(HelloReceived("simulator", 1))) == []
    assert acts(rig.tell(ReadyReceived("simulator", 1))) == [Spawn("engine", 1)]
    rig.make("engine")
    assert rig.core.state == "starting"
    assert acts(rig.tell(ReadyReceived("engine", 1))) == [Spawn("feed.a", 1), Spawn("feed.b", 1)]
    rig.serve("feed.a")
    assert rig.core.state == "starting"
    rig.serve("feed.b")
    assert rig.core.state == "running"
    assert all(record.desired is Desired.RUNNING for record in rig.core.records.values())


def test_each_state_is_published_with_its_cause() -> None:
    rig = Rig().start()
    said = [(e.status.worker, e.status.state) for _, e in rig.seen if isinstance(e, Publish)]
    assert said[:3] == [("engine", "STARTING"), ("engine", "CONNECTING"), ("engine", "RUNNING")]
    effects = rig.die("feed.a", signal=11)
    status = next(e.status for e in effects if isinstance(e, Publish))
    assert (status.state, status.cause, status.signal, status.exit_code) == ("BACKOFF", "killed by SIGSEGV", 11, None)
    assert (status.incarnation, status.rung, status.restarts) == (1, None, 0)


def test_what_is_not_essential_does_not_hold_up_the_whole() -> None:
    rig = Rig(ENGINE, FEED_A, ChildPlan(name="feed.b", tier=2, essential=False))
    rig.tell(StartRequested())
    rig.serve("engine", "feed.a")
    assert rig.core.state == "running"
    rig.die("feed.a", ChildExit.CONFIGURATION)
    assert rig.core.state == "degraded"


def test_nothing_to_supervise_starts_and_stops() -> None:
    core = Core((), SupervisorConfig(), lambda: 0.0)
    assert core.handle(StartRequested(), 0.0) == []
    assert (core.state, core.next_deadline()) == ("running", None)
    assert core.handle(STOP, 1.0) == [Finish(0)]


def test_stop_before_the_start() -> None:
    rig = Rig()
    assert rig.tell(STOP) == [Finish(0)]
    assert rig.core.state == "stopped"
    with pytest.raises(RequestRefused, match="already started or stopped"):
        rig.tell(StartRequested())


def test_a_second_start_is_refused() -> None:
    rig = Rig().start()
    with pytest.raises(RequestRefused):
        rig.tell(StartRequested())
    assert rig.core.state == "running"


def test_names_have_to_be_unique() -> None:
    with pytest.raises(ValueError, match="two children"):
        Core((FEED_A, FEED_A), SupervisorConfig(), lambda: 0.0)


@pytest.mark.parametrize("plan", [ENGINE, SIMULATOR])
def test_the_start_fails_when_what_the_others_stand_on_cannot_start(plan: ChildPlan) -> None:
    rig = Rig(plan, FEED_A)
    rig.tell(StartRequested())
    rig.make(plan.name)
    effects = rig.die(plan.name, ChildExit.CONFIGURATION)
    assert acts(effects) == [Fence(plan.name, 1), Finish(SupervisorExit.START_FAILED)]
    assert rig.state(plan.name) is State.FATAL
    assert rig.core.exit_code is SupervisorExit.START_FAILED


def test_a_failed_start_stops_what_runs_and_a_first_request_then_is_still_patient() -> None:
    rig = Rig(SIMULATOR, ENGINE, FEED_A)
    rig.tell(StartRequested())
    rig.serve("simulator")
    rig.make("engine")
    assert acts(rig.die("engine", ChildExit.CONFIGURATION)) == [Fence("engine", 1), Ask("simulator", 1, 30.0)]
    assert rig.core.state == "stopping"
    assert acts(rig.tell(STOP)) == []
    assert acts(rig.tell(STOP)) == [Signal("simulator", 1, "SIGKILL", whole_session=True)]
    assert acts(rig.die("simulator", signal=9))[-1] == Finish(SupervisorExit.START_FAILED)


def test_an_engine_that_falls_for_good_while_others_have_not_started_fails_the_start() -> None:
    late = ChildPlan(name="late", tier=1)
    rig = Rig(ENGINE, late, FEED_A)
    rig.tell(StartRequested())
    rig.serve("engine")
    rig.make("late")
    rig.die("engine", ChildExit.CONFIGURATION)
    assert rig.core.state == "stopping"


def test_nothing_is_started_in_the_moment_the_start_fails() -> None:
    """Found by seed 13467: the engine's backoff ended in the very call that told that the simulator fell for good."""
    rig = Rig(ENGINE, SIMULATOR, FEED_A)
    rig.tell(StartRequested())
    rig.serve("simulator")
    rig.make("engine")
    rig.die("engine", 1)
    rig.die("engine", 1)
    rig.now += 0.6
    assert acts(rig.die("simulator", ChildExit.CONFIGURATION)) == [
        Fence("simulator", 1),
        Finish(SupervisorExit.START_FAILED),
    ]


def test_a_simulator_that_is_not_essential_may_fail() -> None:
    rig = Rig(ChildPlan(name="simulator", tier=0, kind="simulator", essential=False), ENGINE)
    rig.tell(StartRequested())
    rig.make("simulator")
    assert Spawn("engine", 1) in rig.die("simulator", ChildExit.CONFIGURATION)


def test_an_engine_that_falls_in_operation_leaves_the_connections_running() -> None:
    rig = Rig().start()
    rig.die("engine", ChildExit.CONFIGURATION)
    assert rig.core.state == "degraded"
    assert rig.state("feed.a") is State.RUNNING


def test_only_so_many_processes_boot_at_a_time() -> None:
    names = [f"c{number}.a" for number in range(BOOTING_MAX + 3)]
    rig = Rig(*(ChildPlan(name=name, tier=1) for name in names))
    assert acts(rig.tell(StartRequested())) == [Spawn(name, 1) for name in names[:BOOTING_MAX]]
    for name in names[:BOOTING_MAX]:
        rig.make(name)
    assert acts(rig.tell(HelloReceived(names[5], 1))) == [Spawn(names[BOOTING_MAX], 1)]
    assert acts(rig.tell(ReadyReceived(names[5], 1))) == [], "one that has been heard makes room once"
    assert acts(rig.tell(HelloReceived(names[6], 1))) == [Spawn(names[BOOTING_MAX + 1], 1)]
    rig.serve(*names[:5], *names[7:])
    rig.tell(ReadyReceived(names[6], 1))
    assert rig.core.state == "running"
