"""The joined core: requests, deadlines, an application that is the engine."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from foxtrot_protocol.exit_codes import ChildExit, SupervisorExit
from foxtrot_supervisor.config.schema import SupervisorConfig
from foxtrot_supervisor.core.core import Core
from foxtrot_supervisor.core.effects import Ask, Fence, Finish, Signal, Spawn
from foxtrot_supervisor.core.health import LOOK_S_MAX
from foxtrot_supervisor.core.inputs import (
    HelloReceived,
    ReadyReceived,
    RequestRefused,
    RestartRequested,
    Spawned,
    StartRequested,
    WorkersStopRequested,
)
from foxtrot_supervisor.core.lifecycle import Desired, State
from foxtrot_supervisor.core.records import ChildPlan
from tests.support.core_rig import ENGINE, FEED_A, FEED_B, STOP, Rig, acts, changed, other


def test_restart_goes_down_the_ladder_and_starts_at_once() -> None:
    rig = Rig().start()
    assert acts(rig.tell(RestartRequested("feed.a"))) == [Ask("feed.a", 1, 30.0)]
    assert rig.state("feed.a") is State.STOPPING
    assert acts(rig.die("feed.a", 0)) == [Fence("feed.a", 1), Spawn("feed.a", 2)]
    assert rig.core.records["feed.a"].last_exit is not None
    assert rig.core.records["feed.a"].last_exit.rung == "ask"


def test_restart_ends_a_backoff() -> None:
    rig = Rig().start()
    rig.die("feed.a", 1)
    rig.die("feed.a", 1)
    assert rig.state("feed.a") is State.BACKOFF
    assert acts(rig.tell(RestartRequested("feed.a"))) == [Spawn("feed.a", 3)]
    assert rig.core.records["feed.a"].retry_at is None


def test_restart_of_a_hung_child_makes_its_death_uncounted() -> None:
    rig = Rig(ENGINE, FEED_A, config=SupervisorConfig(restart_intensity=0)).start()
    rig.silent = {"feed.a"}
    rig.wait(10.5)
    assert acts(rig.tell(RestartRequested("feed.a"))) == []
    assert acts(rig.die("feed.a", signal=9)) == [Fence("feed.a", 1), Spawn("feed.a", 2)]


def test_what_cannot_be_restarted_is_refused_and_nothing_changes() -> None:
    rig = Rig()
    rig.tell(StartRequested())
    with pytest.raises(RequestRefused, match="no child called 'nobody'"):
        rig.tell(RestartRequested("nobody"))
    with pytest.raises(RequestRefused, match="has not been started yet"):
        rig.tell(RestartRequested("feed.a"))
    rig.serve("engine")
    rig.serve("feed.a", "feed.b")
    rig.tell(STOP)
    before = msgspec.to_builtins(list(rig.core.records.values()), enc_hook=str)
    with pytest.raises(RequestRefused, match="being stopped"):
        rig.tell(RestartRequested("feed.a"))
    assert msgspec.to_builtins(list(rig.core.records.values()), enc_hook=str) == before


def test_a_worker_stopped_by_an_operator_stays_stopped_until_its_restart() -> None:
    rig = Rig(ENGINE, FEED_A, FEED_B, config=SupervisorConfig(stop_ask_s=5.0)).start()
    rig.silent.add("feed.a")
    assert acts(rig.tell(WorkersStopRequested(["feed.a"]))) == [Ask("feed.a", 1, 5.0)]
    assert Signal("feed.a", 1, "SIGTERM") in acts([effect for _, effect in rig.wait(5.0)])
    assert acts(rig.die("feed.a", 1)) == [Fence("feed.a", 1)]
    record = rig.core.records["feed.a"]
    assert (record.state, record.desired, record.rung) == (State.STOPPED, Desired.STOPPED, "term")
    assert record.cause.startswith("stopped by an operator")
    assert rig.core.state == "running"
    assert acts([effect for _, effect in rig.wait(1000.0)]) == []
    assert acts(rig.tell(changed(ENGINE, FEED_A, FEED_B))) == []
    assert acts(rig.tell(changed(ENGINE, other(FEED_A, fingerprint="new"), FEED_B))) == []
    assert rig.state("feed.a") is State.STOPPED
    assert acts(rig.tell(RestartRequested("feed.a"))) == [Spawn("feed.a", 2)]
    rig.serve("feed.a")
    assert (record.state, record.desired, record.stopped_by_operator) == (State.RUNNING, Desired.RUNNING, False)
    assert acts(rig.die("feed.a", 1)) == [Fence("feed.a", 2), Spawn("feed.a", 3)], "restarted as ever"


def test_a_worker_in_backoff_is_stopped_at_once() -> None:
    rig = Rig(ENGINE, FEED_A, config=SupervisorConfig(backoff_first_s=5.0)).start()
    rig.die("feed.a", 1)
    assert acts(rig.tell(WorkersStopRequested(["feed.a"]))) == []
    assert (rig.state("feed.a"), rig.core.records["feed.a"].cause) == (State.STOPPED, "stopped by an operator")
    assert acts([effect for _, effect in rig.wait(1000.0)]) == []


def test_a_worker_that_has_failed_for_good_stays_what_it_is_and_is_not_started_by_a_change() -> None:
    rig = Rig(ENGINE, FEED_A).start()
    rig.die("feed.a", ChildExit.CONFIGURATION)
    rig.tell(WorkersStopRequested(["feed.a"]))
    assert (rig.state("feed.a"), rig.core.records["feed.a"].desired) == (State.FATAL, Desired.STOPPED)
    assert acts(rig.tell(changed(ENGINE, other(FEED_A, fingerprint="new")))) == []
    assert acts(rig.tell(RestartRequested("feed.a"))) == [Spawn("feed.a", 2)]


def test_a_worker_on_its_way_down_is_not_started_again_and_a_restart_takes_that_back() -> None:
    rig = Rig(ENGINE, FEED_A).start()
    rig.tell(RestartRequested("feed.a"))
    assert acts(rig.tell(WorkersStopRequested(["feed.a"]))) == []
    assert acts(rig.tell(RestartRequested("feed.a"))) == []
    rig.tell(WorkersStopRequested(["feed.a"]))
    assert acts(rig.die("feed.a", 0)) == [Fence("feed.a", 1)]
    assert rig.state("feed.a") is State.STOPPED
    assert "stopped by an operator" in rig.core.records["feed.a"].cause


def test_a_worker_is_stopped_before_its_turn_has_come_and_waits_for_it_after_a_restart() -> None:
    rig = Rig(ENGINE, FEED_A)
    rig.tell(StartRequested())
    rig.tell(WorkersStopRequested(["feed.a"]))
    rig.tell(RestartRequested("feed.a"))
    assert rig.state("feed.a") is State.STOPPED
    rig.tell(WorkersStopRequested(["feed.a"]))
    rig.serve("engine")
    assert rig.state("feed.a") is State.STOPPED
    assert rig.core.state == "running"
    assert acts(rig.tell(RestartRequested("feed.a"))) == [Spawn("feed.a", 1)]


def test_a_worker_that_survives_sigkill_is_not_started_when_it_dies_at_last() -> None:
    rig = Rig(ENGINE, FEED_A).start()
    rig.silent.add("feed.a")
    rig.tell(RestartRequested("feed.a"))
    rig.wait(60.0)
    assert rig.state("feed.a") is State.LOST
    assert acts(rig.tell(WorkersStopRequested(["feed.a"]))) == []
    assert acts(rig.die("feed.a", signal=9)) == [Fence("feed.a", 1)]
    assert rig.state("feed.a") is State.STOPPED


def test_what_is_stopped_alone_is_a_worker_and_one_refusal_refuses_all() -> None:
    rig = Rig()
    with pytest.raises(RequestRefused, match="nothing has been started"):
        rig.tell(WorkersStopRequested(["feed.a"]))
    rig.start()
    for names, reason in ((["feed.a", "engine"], "engine is no worker"), (["feed.a", "nobody"], "no child called")):
        with pytest.raises(RequestRefused, match=reason):
            rig.tell(WorkersStopRequested(names))
    assert rig.state("feed.a") is State.RUNNING
    rig.tell(STOP)
    with pytest.raises(RequestRefused, match="everything is being stopped"):
        rig.tell(WorkersStopRequested(["feed.a"]))


def test_the_end_of_a_run_with_a_stopped_worker_is_clean() -> None:
    rig = Rig(ENGINE, FEED_A).start()
    rig.tell(WorkersStopRequested(["feed.a"]))
    assert acts(rig.tell(STOP)) == []
    assert acts(rig.die("feed.a", 0)) == [Fence("feed.a", 1), Ask("engine", 1, 30.0)]
    assert acts(rig.die("engine", 0)) == [Fence("engine", 1), Finish(SupervisorExit.CLEAN)]


def test_a_living_child_is_looked_at_at_least_each_second() -> None:
    rig = Rig().start()
    deadline = rig.core.next_deadline()
    assert deadline is not None
    assert deadline <= rig.now + LOOK_S_MAX


def test_without_a_process_only_the_backoff_is_waited_for() -> None:
    rig = Rig(ENGINE, config=SupervisorConfig(backoff_first_s=7.0)).start()
    rig.die("engine", 1)
    assert rig.core.next_deadline() == rig.now + 7.0


APPLICATION = ChildPlan(name="engine", tier=1, kind="engine", ours=False)


def test_an_application_is_neither_judged_nor_replaced_however_long_it_is_silent() -> None:
    rig = Rig(APPLICATION, FEED_A)
    rig.tell(StartRequested())
    rig.make("engine")
    rig.wait(1000.0)
    assert rig.state("engine") is State.STARTING
    rig.tell(HelloReceived("engine", 1))
    rig.tell(ReadyReceived("engine", 1))
    rig.serve("feed.a")
    rig.silent.add("engine")
    seen = rig.wait(1000.0)
    assert acts([effect for _, effect in seen]) == []
    with pytest.raises(RequestRefused, match="the application"):
        rig.tell(RestartRequested("engine"))
    rig.tell(changed(msgspec.structs.replace(APPLICATION, fingerprint="other"), FEED_A))
    assert rig.state("engine") is State.RUNNING


def test_an_application_is_asked_when_all_others_have_ended() -> None:
    rig = Rig(APPLICATION, FEED_A).start()
    assert acts(rig.tell(STOP)) == [Ask("feed.a", 1, 30.0)]
    assert acts(rig.die("feed.a", code=0)) == [Fence("feed.a", 1), Ask("engine", 1, 30.0)]
    assert acts(rig.die("engine", code=0)) == [Fence("engine", 1), Finish(SupervisorExit.CLEAN)]


def test_incarnations_of_an_earlier_supervisor_are_not_used_again() -> None:
    core = Core([APPLICATION, FEED_A], SupervisorConfig(), lambda: 0.0, incarnations_before=1000)
    assert Spawn("engine", 1001) in core.handle(StartRequested(), 0.0)
    core.handle(Spawned("engine", 1001, 7), 0.0)
    assert Spawn("feed.a", 1001) in core.handle(ReadyReceived("engine", 1001), 0.0)
    assert core.records["feed.a"].restarts_total == 0


def test_the_cost_of_a_heartbeat_does_not_grow_with_the_number_of_children() -> None:
    """In CPU time, with a limit twenty times the usual figure: a scan of all children is forty times beyond it."""
    script = Path(__file__).parents[3] / "scripts" / "bench_core.py"
    run = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=100, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "1000 children" in run.stdout
