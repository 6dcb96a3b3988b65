"""New configurations, scene by scene."""

from __future__ import annotations

import pytest

from foxtrot_protocol.exit_codes import ChildExit, SupervisorExit
from foxtrot_supervisor.config.schema import SupervisorConfig
from foxtrot_supervisor.core.effects import Ask, DumpStacks, Fence, Finish, Publish, Signal, Spawn
from foxtrot_supervisor.core.inputs import (
    HeartbeatReceived,
    HelloReceived,
    ReadyReceived,
    RequestRefused,
    RestartRequested,
    StartRequested,
)
from foxtrot_supervisor.core.lifecycle import Desired, State
from foxtrot_supervisor.core.reconfigure import CHANGED, REMOVED
from foxtrot_supervisor.core.records import ChildPlan
from tests.support.core_rig import ENGINE, FEED_A, FEED_B, SIMULATOR, STOP, Rig, acts, changed, other, timed


def test_the_same_configuration_changes_nothing() -> None:
    rig = Rig().start()
    assert rig.tell(changed(ENGINE, FEED_A, FEED_B)) == []
    assert rig.core.state == "running"


def test_what_is_added_is_started_and_what_is_gone_is_stopped_and_forgotten() -> None:
    rig = Rig().start()
    added = ChildPlan(name="feed.c", tier=2)
    assert acts(rig.tell(changed(ENGINE, FEED_A, added))) == [Ask("feed.b", 1, 30.0), Spawn("feed.c", 1)]
    assert rig.core.records["feed.b"].desired is Desired.STOPPED
    assert rig.core.records["feed.b"].cause == REMOVED
    assert rig.core.state == "starting"
    assert rig.state("feed.a") is State.RUNNING
    rig.serve("feed.c")
    assert rig.core.state == "running"
    effects = rig.die("feed.b", 0)
    assert [type(effect) for effect in effects] == [Fence, Publish]
    assert set(rig.core.records) == {"engine", "feed.a", "feed.c"}
    with pytest.raises(RequestRefused, match="no child called"):
        rig.tell(RestartRequested("feed.b"))


def test_who_has_gone_goes_down_the_whole_ladder() -> None:
    rig = Rig().start()
    rig.silent.add("feed.b")
    since = rig.now
    rig.tell(changed(ENGINE, FEED_A))
    rig.wait(60.0)
    assert timed(rig.seen, since)[-4:] == [
        (0.0, Ask("feed.b", 1, 30.0)),
        (30.0, Signal("feed.b", 1, "SIGTERM")),
        (39.0, DumpStacks("feed.b", 1)),
        (40.0, Signal("feed.b", 1, "SIGKILL", whole_session=True)),
    ]
    assert rig.state("feed.b") is State.LOST  # still shown: its process may be there
    with pytest.raises(RequestRefused, match="no longer configured"):
        rig.tell(RestartRequested("feed.b"))
    rig.die("feed.b", signal=9)
    assert "feed.b" not in rig.core.records


def test_what_is_gone_is_killed_at_the_time_that_the_change_names_at_the_latest() -> None:
    rig = Rig().start()
    rig.silent |= {"feed.a", "feed.b"}
    rig.tell(changed(ENGINE, FEED_A))  # feed.b begins its whole ladder
    since = rig.now
    rig.tell(changed(ENGINE, kill_at=since + 0.75))
    rig.wait(2.0)
    for feed in ("feed.a", "feed.b"):
        kills = [
            at for at, effect in timed(rig.seen, since) if effect == Signal(feed, 1, "SIGKILL", whole_session=True)
        ]
        assert kills == [pytest.approx(0.75)], feed
        assert Signal(feed, 1, "SIGTERM") in [effect for _, effect in rig.seen], "not without the rungs before"


def test_a_time_that_is_over_means_sigkill_at_once() -> None:
    rig = Rig().start()
    effects = acts(rig.tell(changed(ENGINE, kill_at=rig.now - 1.0)))
    assert effects == [Signal(feed, 1, "SIGKILL", whole_session=True) for feed in ("feed.a", "feed.b")]


@pytest.mark.parametrize("code", [ChildExit.CRASH, ChildExit.CONFIGURATION])
def test_who_has_no_process_is_forgotten_at_once(code: ChildExit) -> None:
    rig = Rig(ENGINE, FEED_A, config=SupervisorConfig(backoff_first_s=5.0)).start()
    rig.die("feed.a", code)
    rig.tell(changed(ENGINE))
    assert set(rig.core.records) == {"engine"}
    assert rig.wait(60.0)[-1:] == [] or not acts([effect for _, effect in rig.wait(0.0)])
    assert rig.core.state == "running"


def test_a_changed_child_is_replaced_and_the_others_keep_their_process() -> None:
    rig = Rig().start()
    assert acts(rig.tell(changed(ENGINE, other(FEED_A, fingerprint="new"), FEED_B))) == [Ask("feed.a", 1, 30.0)]
    assert rig.core.records["feed.a"].cause == CHANGED
    rig.tell(changed(ENGINE, other(FEED_A, fingerprint="new"), FEED_B))  # the same again: nothing more
    rig.die("feed.a", 0)
    rig.serve("feed.a")
    assert (rig.inc("feed.a"), rig.core.records["feed.a"].restarts_total) == (2, 1)
    assert rig.core.state == "running"


def test_how_a_child_is_judged_changes_without_a_new_process() -> None:
    rig = Rig().start()
    soft = other(FEED_A, essential=False, restart="temporary", stale_after_s=1.0)
    assert acts(rig.tell(changed(ENGINE, soft, FEED_B))) == []
    rig.tell(HeartbeatReceived("feed.a", 1, data_age_s=2.0))
    assert rig.state("feed.a") is State.STOPPING
    rig.die("feed.a", 12)
    assert rig.state("feed.a") is State.EXITED
    assert rig.core.state == "running"


def test_new_deadlines_hold_for_those_that_run() -> None:
    rig = Rig(ENGINE, FEED_A).start()
    rig.tell(changed(ENGINE, FEED_A, config=SupervisorConfig(hung_s=3.0, late_s=2.0, restart_intensity=0)))
    rig.silent.add("feed.a")
    rig.wait(3.5)
    assert rig.state("feed.a") is State.STOPPING
    rig.die("feed.a", signal=9)
    assert rig.state("feed.a") is State.FATAL  # not one crash is allowed any more


@pytest.mark.parametrize("code", [ChildExit.CONFIGURATION, ChildExit.CRASH])
def test_a_change_revives_who_has_failed(code: ChildExit) -> None:
    rig = Rig(ENGINE, FEED_A, config=SupervisorConfig(backoff_first_s=50.0)).start()
    rig.die("feed.a", code)
    assert rig.state("feed.a") in (State.FATAL, State.BACKOFF)
    assert acts(rig.tell(changed(ENGINE, other(FEED_A, fingerprint="new")))) == [Spawn("feed.a", 2)]


def test_twins_are_replaced_one_after_the_other() -> None:
    twins = [other(FEED_A, twin="feed.b"), other(FEED_B, twin="feed.a")]
    rig = Rig(ENGINE, *twins).start()
    assert acts(rig.tell(changed(ENGINE, *(other(twin, fingerprint="new") for twin in twins)))) == [
        Ask("feed.a", 1, 30.0)
    ]
    rig.die("feed.a", 0)
    rig.make("feed.a")
    rig.tell(HelloReceived("feed.a", 2))
    assert rig.state("feed.b") is State.RUNNING
    assert acts(rig.tell(ReadyReceived("feed.a", 2))) == [], "its topics may not yet be answered"
    assert acts(rig.tell(HeartbeatReceived("feed.a", 2, None, 1, 0))) == []
    assert acts(rig.tell(HeartbeatReceived("feed.a", 2, None, 0, 1))) == [Ask("feed.b", 1, 30.0)]


def test_a_twin_that_dies_while_it_waits_needs_no_second_replacement() -> None:
    twins = [other(FEED_A, twin="feed.b"), other(FEED_B, twin="feed.a")]
    rig = Rig(ENGINE, *twins).start()
    rig.tell(changed(ENGINE, *(other(twin, fingerprint="new") for twin in twins)))
    rig.die("feed.b", 1)  # whatever is started now is what is configured now
    rig.serve("feed.b")
    rig.die("feed.a", 0)
    rig.serve("feed.a")
    assert (rig.inc("feed.a"), rig.inc("feed.b")) == (2, 2)
    assert rig.core.state == "running"


def test_a_twin_that_serves_stays_while_the_new_configuration_does_not_work() -> None:
    twins = [other(FEED_A, twin="feed.b"), other(FEED_B, twin="feed.a")]
    rig = Rig(ENGINE, *twins).start()
    rig.tell(changed(ENGINE, *(other(twin, fingerprint="new") for twin in twins)))
    rig.die("feed.a", 0)
    for _ in range(4):
        rig.make("feed.a")
        rig.die("feed.a", ChildExit.CONNECTION_LOST)
        rig.wait(20.0)
    assert (rig.state("feed.b"), rig.inc("feed.b")) == (State.RUNNING, 1)
    rig.die("feed.a", ChildExit.CONFIGURATION)
    assert rig.state("feed.a") is State.FATAL
    assert (rig.state("feed.b"), rig.inc("feed.b")) == (State.RUNNING, 1)


def test_who_comes_back_while_it_goes_is_started_again() -> None:
    rig = Rig().start()
    rig.tell(changed(ENGINE, FEED_A))
    assert acts(rig.tell(changed(ENGINE, FEED_A, FEED_B))) == []
    assert rig.core.records["feed.b"].desired is Desired.RUNNING
    assert acts(rig.die("feed.b", 0)) == [Fence("feed.b", 1), Spawn("feed.b", 2)]


def test_a_name_that_comes_back_counts_on() -> None:
    """A late message of its former life must not be taken for one of the new."""
    rig = Rig().start()
    rig.tell(changed(ENGINE, FEED_A))
    rig.die("feed.b", 0)
    assert acts(rig.tell(changed(ENGINE, FEED_A, FEED_B))) == [Spawn("feed.b", 2)]
    assert rig.core.records["feed.b"].restarts_total == 0


def test_more_names_than_are_remembered_count_on_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("foxtrot_supervisor.core.children.RETIRED_MAX", 1)
    rig = Rig().start()
    rig.tell(changed(ENGINE))
    rig.die("feed.b", 0)
    rig.die("feed.a", 0)
    assert acts(rig.tell(changed(ENGINE, FEED_B, ChildPlan(name="feed.c", tier=2)))) == [
        Spawn("feed.b", 2),
        Spawn("feed.c", 2),
    ]


def test_what_is_added_waits_for_those_it_stands_on() -> None:
    rig = Rig(ENGINE, FEED_A).start()
    assert acts(rig.tell(changed(SIMULATOR, ENGINE, FEED_A, FEED_B))) == [Spawn("simulator", 1)]
    rig.make("simulator")
    assert acts(rig.tell(ReadyReceived("simulator", 1))) == [Spawn("feed.b", 1)]


def test_what_is_added_and_cannot_start_does_not_end_the_whole() -> None:
    rig = Rig(ENGINE, FEED_A).start()
    rig.tell(changed(SIMULATOR, ENGINE, FEED_A))
    rig.make("simulator")
    rig.die("simulator", ChildExit.CONFIGURATION)
    assert rig.state("feed.a") is State.RUNNING
    assert rig.core.state == "degraded"


def test_a_change_while_the_start_is_going_on() -> None:
    rig = Rig()
    rig.tell(StartRequested())
    added = ChildPlan(name="feed.c", tier=2)
    assert acts(rig.tell(changed(ENGINE, FEED_A, added))) == []
    assert set(rig.core.records) == {"engine", "feed.a", "feed.c"}
    rig.make("engine")
    assert acts(rig.tell(ReadyReceived("engine", 1))) == [Spawn("feed.a", 1), Spawn("feed.c", 1)]


def test_a_stop_takes_those_along_that_were_on_their_way_out() -> None:
    rig = Rig().start()
    rig.tell(changed(ENGINE, FEED_A))
    rig.tell(STOP)
    rig.die("feed.a", 0)
    assert rig.state("engine") is State.RUNNING  # feed.b has not ended yet
    rig.die("feed.b", 0)
    assert acts(rig.die("engine", 0))[-1] == Finish(SupervisorExit.CLEAN)


def test_changes_that_cannot_be_are_refused_and_nothing_changes() -> None:
    rig = Rig()
    with pytest.raises(RequestRefused, match="nothing has been started"):
        rig.tell(changed(ENGINE))
    rig.start()
    with pytest.raises(ValueError, match="two children"):
        rig.tell(changed(ENGINE, ENGINE))
    assert set(rig.core.records) == {"engine", "feed.a", "feed.b"}
    rig.tell(STOP)
    with pytest.raises(RequestRefused, match="being stopped"):
        rig.tell(changed(ENGINE))


@pytest.mark.parametrize("removed", [False, True])
def test_a_lost_child_is_left_alone_by_a_change_until_it_dies(removed: bool) -> None:
    rig = Rig(ENGINE, FEED_A).start()
    rig.silent.add("feed.a")
    rig.tell(RestartRequested("feed.a"))
    rig.wait(60.0)
    assert rig.state("feed.a") is State.LOST
    after = [ENGINE] if removed else [ENGINE, other(FEED_A, fingerprint="new")]
    assert acts(rig.tell(changed(*after))) == []
    assert rig.state("feed.a") is State.LOST
    rig.die("feed.a", signal=9)
    if removed:
        assert "feed.a" not in rig.core.records
    else:
        assert (rig.state("feed.a"), rig.inc("feed.a")) == (State.STARTING, 2)
