"""Twins and rotation, scene by scene."""

from __future__ import annotations

import pytest

from foxtrot_protocol.exit_codes import ChildExit, SupervisorExit
from foxtrot_supervisor.config.schema import SupervisorConfig
from foxtrot_supervisor.core import reconfigure
from foxtrot_supervisor.core.effects import Ask, Effect, Fence, Spawn
from foxtrot_supervisor.core.inputs import (
    FailureReported,
    HeartbeatReceived,
    HelloReceived,
    ReadyReceived,
    RequestRefused,
    RestartRequested,
    RotationWanted,
    SpawnFailed,
    StartRequested,
    WorkersStopRequested,
)
from foxtrot_supervisor.core.lifecycle import State
from foxtrot_supervisor.core.reconfigure import CHANGED
from foxtrot_supervisor.core.records import ChildPlan
from foxtrot_supervisor.core.rotation import ROTATED
from foxtrot_supervisor.core.sides import CARRY_S_MAX, TWIN_APART_S, other_side
from tests.support.core_rig import ENGINE, STOP, Rig, acts, changed, other

SINGLE = ChildPlan(name="one.a", tier=2, spare=ChildPlan(name="one.b", tier=2))
TWINS = (ChildPlan(name="two.a", tier=2, twin="two.b"), ChildPlan(name="two.b", tier=2, twin="two.a"))


def wants(rig: Rig, name: str) -> list[Effect]:
    return acts(rig.tell(RotationWanted(name, rig.inc(name), "planned age")))


def flows(rig: Rig, name: str, flowing: int = 2, asked: int = 0) -> list[Effect]:
    rig.topics[name] = (asked, flowing)
    return acts(rig.tell(HeartbeatReceived(name, rig.inc(name), None, asked, flowing)))


def twins() -> Rig:
    rig = Rig(ENGINE, *TWINS)
    rig.tell(StartRequested())
    rig.serve("engine", "two.a", "two.b")
    flows(rig, "two.a")
    flows(rig, "two.b")
    return rig


def single() -> Rig:
    rig = Rig(ENGINE, SINGLE).start()
    rig.wait(60.0)
    flows(rig, "one.a")
    return rig


def rotating() -> Rig:
    """One side serves, the other is asked to take its place."""
    rig = single()
    assert wants(rig, "one.a") == [Spawn("one.b", 1)]
    return rig


def test_the_second_twin_starts_when_the_first_is_ready() -> None:
    rig = Rig(ENGINE, *TWINS)
    rig.tell(StartRequested())
    rig.serve("engine")
    assert (rig.state("two.a"), rig.state("two.b")) == (State.STARTING, State.STOPPED)
    rig.make("two.a")
    rig.tell(HelloReceived("two.a", 1))
    assert acts(rig.tell(ReadyReceived("two.a", 1))) == [Spawn("two.b", 1)]


def test_the_second_twin_does_not_wait_for_long() -> None:
    rig = Rig(ENGINE, *TWINS)
    rig.tell(StartRequested())
    rig.serve("engine")
    rig.make("two.a")
    rig.tell(HelloReceived("two.a", 1))
    assert Spawn("two.b", 1) not in [effect for _, effect in rig.wait(TWIN_APART_S - 1.1)]
    assert Spawn("two.b", 1) in [effect for _, effect in rig.wait(1.2)]


def test_the_second_twin_does_not_wait_for_one_that_cannot_connect() -> None:
    rig = Rig(ENGINE, *TWINS, config=SupervisorConfig(backoff_first_s=5.0))
    rig.tell(StartRequested())
    rig.serve("engine")
    rig.make("two.a")
    assert Spawn("two.b", 1) in rig.die("two.a", ChildExit.CONNECTION_LOST)


def test_a_crash_of_twins_delays_no_restart() -> None:
    rig = twins()
    rig.die("two.a", None, 9)
    rig.die("two.b", None, 9)
    assert (rig.inc("two.a"), rig.inc("two.b")) == (2, 2)


def test_a_twin_is_rotated_while_the_other_stands_in() -> None:
    rig = twins()
    assert wants(rig, "two.a") == [Ask("two.a", 1, 30.0)]
    assert rig.core.records["two.a"].cause == f"{ROTATED}: planned age"
    assert wants(rig, "two.b") == [], "not both"
    rig.die("two.a", 0)
    assert rig.state("two.a") is State.STARTING
    rig.serve("two.a")
    assert flows(rig, "two.b") == [], "the first has told of no data yet"
    assert flows(rig, "two.a", flowing=1) == [], "not of all"
    assert flows(rig, "two.a", asked=1) == [], "not every subscription is answered"
    assert flows(rig, "two.a") == [Ask("two.b", 1, 30.0)]
    record = rig.core.records["two.a"]
    assert (record.rotations_total, record.restarts_total, record.rotation) == (1, 0, "")


def test_a_twin_waits_with_its_rotation_for_the_other() -> None:
    rig = twins()
    rig.die("two.b", ChildExit.CONNECTION_LOST)
    assert wants(rig, "two.a") == []
    assert rig.core.records["two.a"].rotation == "wanted"
    rig.serve("two.b")
    assert flows(rig, "two.b") == [Ask("two.a", 1, 30.0)]


def test_an_operator_cannot_take_both_twins_away() -> None:
    rig = twins()
    rig.tell(RestartRequested("two.a"))
    with pytest.raises(RequestRefused, match=r"two.a is STOPPING: two.b is not taken away"):
        rig.tell(RestartRequested("two.b"))
    rig.die("two.a", 0)
    rig.serve("two.a")
    with pytest.raises(RequestRefused, match=r"two.a does not yet have all its data"):
        rig.tell(RestartRequested("two.b"))
    flows(rig, "two.a")
    assert acts(rig.tell(RestartRequested("two.b"))) == [Ask("two.b", 1, 30.0)]


def test_a_twin_that_an_operator_has_stopped_keeps_the_other_waiting_for_nothing() -> None:
    rig = twins()
    rig.tell(WorkersStopRequested(["two.b"]))
    rig.die("two.b", 0)
    assert acts(rig.tell(RestartRequested("two.a"))) == [Ask("two.a", 1, 30.0)]


def test_an_operator_may_restart_a_twin_that_does_not_serve() -> None:
    rig = twins()
    rig.die("two.a", ChildExit.CONFIGURATION)
    rig.die("two.b", ChildExit.CONFIGURATION)
    assert rig.state("two.a") is rig.state("two.b") is State.FATAL
    assert acts(rig.tell(RestartRequested("two.a"))) == [Spawn("two.a", 2)]


def test_a_single_connection_is_made_before_it_is_broken() -> None:
    rig = rotating()
    assert rig.core.state == "running"
    assert [record.rotation for record in rig.core.records.values()] == ["", "going", "coming"]
    rig.serve("one.b")
    assert rig.state("one.a") is State.RUNNING
    assert flows(rig, "one.b", asked=1) == []
    assert flows(rig, "one.b") == [Ask("one.a", 1, 30.0)]
    assert rig.core.records["one.a"].cause == f"{ROTATED}: one.b has taken over"
    rig.die("one.a", 0)
    assert set(rig.core.records) == {"engine", "one.b"}
    record = rig.core.records["one.b"]
    assert (record.rotation, record.rotations_total, record.restarts_total) == ("", 1, 0)
    assert rig.core.last_incarnation("one.a") == 1
    assert rig.core.last_incarnation("nobody") == 0
    assert rig.core.state == "running"


def test_it_goes_back_to_the_first_side_and_counts_on() -> None:
    rig = rotating()
    rig.serve("one.b")
    flows(rig, "one.b")
    rig.die("one.a", 0)
    rig.wait(60.0)
    assert wants(rig, "one.b") == [Spawn("one.a", 2)]
    rig.serve("one.a")
    assert flows(rig, "one.a") == [Ask("one.b", 1, 30.0)]
    assert rig.core.records["one.a"].rotations_total == 2


def test_the_next_rotation_waits_until_the_old_side_is_gone() -> None:
    rig = rotating()
    rig.serve("one.b")
    flows(rig, "one.b")
    rig.wait(15.0)
    assert wants(rig, "one.b") == [], "one.a still lives"
    assert Spawn("one.a", 2) in rig.die("one.a", 0)


def test_a_rotation_that_is_asked_for_again_and_again_is_one() -> None:
    rig = rotating()
    assert wants(rig, "one.a") == []
    rig.serve("one.b")
    assert wants(rig, "one.b") == [], "who is to take over cannot want to go"
    assert set(rig.core.records) == {"engine", "one.a", "one.b"}


@pytest.mark.parametrize("how", ["dies", "cannot be started", "never ready", "no data"])
def test_a_spare_that_does_not_come_up_is_let_go_and_tried_again_later(how: str) -> None:
    rig = rotating()
    if how == "cannot be started":
        rig.tell(SpawnFailed("one.b", 1, "no memory"))
    elif how == "dies":
        rig.make("one.b")
        rig.die("one.b", ChildExit.CONFIGURATION)
    elif how == "never ready":
        rig.make("one.b")
        rig.tell(HelloReceived("one.b", 1))
        rig.wait(31.0)
        rig.die("one.b", 0)
    else:
        rig.serve("one.b")
        seen = rig.wait(CARRY_S_MAX - 1.1)
        assert Ask("one.b", 1, 30.0) not in [effect for _, effect in seen]
        assert Ask("one.b", 1, 30.0) in [effect for _, effect in rig.wait(2.2)]
        rig.die("one.b", 0)
    assert rig.state("one.a") is State.RUNNING
    assert set(rig.core.records) == {"engine", "one.a"}
    assert rig.core.records["one.a"].rotation == "wanted"
    assert rig.core.state == "running"
    assert Spawn("one.b", 2) in [effect for _, effect in rig.wait(1.1)]


def test_a_spare_that_its_exchange_refused_is_not_tried_before_it_may() -> None:
    rig = rotating()
    rig.make("one.b")
    rig.tell(FailureReported("one.b", 1, "HTTP 429", 20.0))
    rig.die("one.b", ChildExit.REFUSED)
    assert acts([effect for _, effect in rig.wait(19.0)]) == []
    assert Spawn("one.b", 2) in [effect for _, effect in rig.wait(2.0)]


def test_if_the_old_side_dies_meanwhile_the_new_one_is_the_connections_worker() -> None:
    rig = rotating()
    rig.make("one.b")
    rig.tell(HelloReceived("one.b", 1))
    assert acts(rig.die("one.a", ChildExit.ROTATE)) == [Fence("one.a", 1)]
    assert set(rig.core.records) == {"engine", "one.b"}
    assert rig.core.state == "degraded"
    rig.tell(ReadyReceived("one.b", 1))
    assert rig.core.state == "running"
    rig.die("one.b", None, 9)
    assert rig.inc("one.b") == 2, "it is restarted as any other"


def test_an_old_side_that_dies_while_its_spare_is_on_its_way_down_is_restarted() -> None:
    rig = rotating()
    rig.make("one.b")
    rig.tell(HelloReceived("one.b", 1))
    rig.wait(31.0)
    assert rig.state("one.b") is State.STOPPING
    rig.die("one.a", None, 9)
    assert (rig.state("one.a"), rig.inc("one.a")) == (State.STARTING, 2)
    assert rig.core.records["one.a"].restarts_total == 1
    rig.die("one.b", 0)
    assert set(rig.core.records) == {"engine", "one.a"}
    assert rig.core.records["one.a"].rotation == "", "its fresh process wants nothing"


def test_a_spare_that_cannot_be_killed_inherits_nothing() -> None:
    rig = rotating()
    rig.make("one.b")
    rig.tell(HelloReceived("one.b", 1))
    rig.wait(31.0 + 46.0)
    assert rig.state("one.b") is State.LOST
    rig.die("one.a", None, 9)
    assert (rig.state("one.a"), rig.inc("one.a")) == (State.STARTING, 2)


def test_a_stop_during_a_rotation_starts_nothing() -> None:
    rig = rotating()
    rig.serve("one.b")
    assert acts(rig.tell(STOP)) == [Ask("one.a", 1, 30.0), Ask("one.b", 1, 30.0)]
    assert flows(rig, "one.b") == []
    rig.die("one.a", 0)
    rig.die("one.b", 0)
    rig.die("engine", 0)
    assert rig.core.exit_code is SupervisorExit.CLEAN


def test_nothing_is_restarted_by_request_during_a_rotation() -> None:
    rig = rotating()
    for name in ("one.a", "one.b"):
        with pytest.raises(RequestRefused, match="being rotated"):
            rig.tell(RestartRequested(name))


def test_a_child_without_another_side_is_not_rotated() -> None:
    rig = Rig().start()
    assert wants(rig, "feed.a") == []
    assert wants(rig, "engine") == []
    assert rig.core.records["feed.a"].rotation == ""


def test_a_reload_finds_a_connection_on_the_side_where_it_is() -> None:
    rig = rotating()
    rig.serve("one.b")
    flows(rig, "one.b")
    rig.die("one.a", 0)
    assert rig.core.sided([ENGINE, SINGLE]) == [ENGINE, other_side(SINGLE)]
    assert acts(rig.tell(changed(ENGINE, SINGLE))) == []
    assert set(rig.core.records) == {"engine", "one.b"}


def test_a_rotation_goes_on_through_a_reload_that_does_not_concern_it() -> None:
    rig = rotating()
    calm = other(SINGLE, essential=False, spare=other(other_side(SINGLE), essential=False, spare=None))
    assert acts(rig.tell(changed(ENGINE, calm))) == []
    assert not rig.core.records["one.b"].plan.essential
    rig.serve("one.b")
    assert flows(rig, "one.b") == [Ask("one.a", 1, 30.0)]


def test_a_reload_that_changes_a_connection_ends_its_rotation() -> None:
    rig = rotating()
    rig.serve("one.b")
    new = other(SINGLE, fingerprint="new", spare=other(other_side(SINGLE), fingerprint="new", spare=None))
    assert acts(rig.tell(changed(ENGINE, new))) == [Ask("one.b", 1, 30.0), Ask("one.a", 1, 30.0)]
    assert rig.core.records["one.b"].cause == CHANGED
    rig.die("one.b", 0)
    rig.die("one.a", 0)
    assert set(rig.core.records) == {"engine", "one.a"}
    assert rig.inc("one.a") == 2


SOURCED = other(SINGLE, source="sim ws://x", spare=other(other_side(SINGLE), source="sim ws://x", spare=None))


def renewed(plan: ChildPlan, fingerprint: str = "new", **more: str) -> ChildPlan:
    """The same connection with something else in its configuration."""
    assert plan.spare is not None
    return other(plan, fingerprint=fingerprint, spare=other(plan.spare, fingerprint=fingerprint, **more), **more)


def sourced() -> Rig:
    rig = Rig(ENGINE, SOURCED).start()
    rig.wait(60.0)
    flows(rig, "one.a")
    return rig


def test_a_changed_connection_is_made_before_it_is_broken() -> None:
    rig = sourced()
    assert acts(rig.tell(changed(ENGINE, renewed(SOURCED)))) == [Spawn("one.b", 1)]
    assert rig.core.records["one.b"].plan.fingerprint == "new"
    assert rig.state("one.a") is State.RUNNING
    rig.serve("one.b")
    assert flows(rig, "one.b") == [Ask("one.a", 1, 30.0)]
    rig.die("one.a", 0)
    assert set(rig.core.records) == {"engine", "one.b"}


def test_a_changed_connection_whose_new_side_fails_stays_as_it_was_and_is_tried_again() -> None:
    rig = sourced()
    rig.tell(changed(ENGINE, renewed(SOURCED)))
    rig.die("one.b", ChildExit.CONFIGURATION)
    assert rig.state("one.a") is State.RUNNING
    assert rig.core.records["one.a"].rotation == "wanted"
    rig.wait(10.0)
    assert rig.inc("one.b") == 2


def test_another_source_is_never_beside_the_old_one() -> None:
    rig = sourced()
    elsewhere = renewed(SOURCED, source="sim ws://y")
    assert acts(rig.tell(changed(ENGINE, elsewhere))) == [Ask("one.a", 1, 30.0)]


def test_another_source_while_the_sides_change_stops_both() -> None:
    rig = sourced()
    rig.tell(changed(ENGINE, renewed(SOURCED)))
    elsewhere = renewed(SOURCED, "newer", source="sim ws://y")
    assert set(map(type, acts(rig.tell(changed(ENGINE, elsewhere))))) == {Ask}
    assert {rig.state("one.a"), rig.state("one.b")} == {State.STOPPING}


def test_one_that_does_not_serve_is_replaced_at_once() -> None:
    rig = sourced()
    rig.die("one.a", 1)
    assert acts(rig.tell(changed(ENGINE, renewed(SOURCED)))) == [Ask("one.a", 2, 30.0)]
    assert "one.b" not in rig.core.records


def test_few_change_sides_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconfigure, "HANDOVERS_MAX", 1)
    two = ChildPlan(name="two.a", tier=2, source="sim", spare=ChildPlan(name="two.b", tier=2, source="sim"))
    rig = Rig(ENGINE, SOURCED, two).start()
    rig.wait(60.0)
    for name in ("one.a", "two.a"):
        flows(rig, name)
    assert acts(rig.tell(changed(ENGINE, renewed(SOURCED), renewed(two)))) == [Spawn("one.b", 1)]
    rig.serve("one.b")
    assert flows(rig, "one.b") == [Ask("one.a", 1, 30.0)]
    rig.die("one.a", 0)
    assert rig.state("two.b") is State.STARTING
    assert rig.state("two.a") is State.RUNNING


def test_a_reload_without_the_connection_ends_both_sides() -> None:
    rig = rotating()
    rig.serve("one.b")
    assert acts(rig.tell(changed(ENGINE))) == [Ask("one.a", 1, 30.0), Ask("one.b", 1, 30.0)]
    rig.die("one.a", 0)
    rig.die("one.b", 0)
    assert set(rig.core.records) == {"engine"}


def test_a_connection_that_gets_twins_during_its_rotation_keeps_both_sides() -> None:
    rig = rotating()
    rig.serve("one.b")
    sides = [other(SINGLE, spare=None, twin="one.b"), ChildPlan(name="one.b", tier=2, twin="one.a")]
    assert acts(rig.tell(changed(ENGINE, *sides))) == []
    assert rig.core.records["one.a"].rotation == "wanted"
    assert flows(rig, "one.b") == [Ask("one.a", 1, 30.0)], "now as one of twins"
    rig.die("one.a", 0)
    assert (rig.state("one.a"), rig.inc("one.a")) == (State.STARTING, 2)


def test_an_old_side_that_cannot_be_killed_is_no_hindrance_to_the_new_one() -> None:
    rig = rotating()
    rig.serve("one.b")
    flows(rig, "one.b")
    rig.wait(46.0)
    assert rig.state("one.a") is State.LOST
    assert rig.core.state == "running"
    wants(rig, "one.b")
    assert set(rig.core.records) == {"engine", "one.a", "one.b"}, "its name is not free"
    assert Spawn("one.a", 2) in rig.die("one.a", None, 9)
