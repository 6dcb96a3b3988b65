"""What a reload changes, when it has ended, and its outcome."""

from __future__ import annotations

import pytest

from foxtrot_supervisor.config.schema import SupervisorConfig
from foxtrot_supervisor.core.lifecycle import State
from foxtrot_supervisor.core.records import ChildPlan, ChildRecord
from foxtrot_supervisor.core.reload import Changes, Reload, changes_between, describe, describe_preview, fixed_problems


def plan(name: str, fingerprint: str = "") -> ChildPlan:
    return ChildPlan(name=name, tier=1, fingerprint=fingerprint)


def record(name: str, state: State, incarnation: int = 1, cause: str = "because") -> ChildRecord:
    return ChildRecord(plan=plan(name), state=state, incarnation=incarnation, cause=cause)


def test_changes() -> None:
    before = [plan("engine"), plan("a", "1"), plan("b", "1"), plan("c")]
    after = [plan("engine"), plan("a", "1"), plan("b", "2"), plan("d")]
    assert changes_between(before, after) == Changes(added=["d"], removed=["c"], restarted=["b"], kept=["engine", "a"])


def test_what_only_the_start_can_set() -> None:
    before = SupervisorConfig()
    assert fixed_problems(before, SupervisorConfig(hung_s=3.0)) == []
    found = fixed_problems(before, SupervisorConfig(run_dir="/run/other", start_method="spawn"))
    assert [problem.key for problem in found] == ["supervisor.run_dir", "supervisor.start_method"]


def reload_of(
    *,
    added: str = "",
    restarted: str = "",
    removed: str = "",
    twins: dict[str, str] | None = None,
    spares: dict[str, str] | None = None,
) -> Reload:
    """Of names that all had incarnation 1."""
    changes = Changes(added.split(), removed.split(), restarted.split(), ["engine"])
    names = dict.fromkeys((*changes.removed, *changes.restarted), 1)
    return Reload(changes, twins or {}, names, 100.0, 60.0, spares)


def test_done_when_everybody_serves_and_everybody_else_is_gone() -> None:
    reload = reload_of(added="new", restarted="old", removed="gone")
    records = {
        "new": record("new", State.CONNECTING),
        "old": record("old", State.STOPPING),
        "gone": record("gone", State.STOPPING),
    }
    assert not reload.look(records, 101.0, stopping=False)
    records["new"].state = State.RUNNING
    assert not reload.look(records, 101.0, stopping=False)
    records["old"].state = State.BACKOFF  # of its old incarnation: on its way
    assert not reload.look(records, 101.0, stopping=False)
    records["old"] = record("old", State.RUNNING, 2)
    assert not reload.look(records, 101.0, stopping=False)
    del records["gone"]
    assert reload.look(records, 101.0, stopping=False)
    assert reload.outcome == {
        "added": ["new"],
        "removed": ["gone"],
        "restarted": ["old"],
        "kept": ["engine"],
        "failed": {},
    }
    assert not reload.look(records, 101.0, stopping=False)  # once


def test_a_child_that_was_to_be_handed_over_and_died_is_judged_by_its_next_process() -> None:
    """It does not wait for the hand-over: its next process has the new configuration too."""
    reload = reload_of(restarted="one.a", spares={"one.a": "one.b"})
    records = {"one.a": record("one.a", State.RUNNING), "one.b": record("one.b", State.STARTING)}
    assert not reload.look(records, 101.0, stopping=False)
    records["one.a"] = record("one.a", State.CONNECTING, 2)
    assert not reload.look(records, 102.0, stopping=False)
    records["one.a"].state = State.RUNNING
    assert reload.look(records, 103.0, stopping=False)
    assert reload.outcome is not None
    assert reload.outcome["failed"] == {}


def test_nothing_to_do_is_done_at_once() -> None:
    reload = reload_of()
    assert reload.look({}, 100.0, stopping=False)


@pytest.mark.parametrize("state", [State.BACKOFF, State.FATAL, State.EXITED, State.LOST])
def test_failures_that_waiting_does_not_mend(state: State) -> None:
    reload = reload_of(added="new")
    assert reload.look({"new": record("new", state)}, 101.0, stopping=False)
    assert reload.outcome is not None
    assert reload.outcome["failed"] == {"new": f"{state.value}: because"}


def test_a_worker_that_an_operator_stops_meanwhile_is_not_waited_for() -> None:
    reload = reload_of(restarted="old")
    stopped = record("old", State.STOPPED, 2, "stopped by an operator")
    stopped.stopped_by_operator = True
    assert reload.look({"old": stopped}, 101.0, stopping=False)
    assert reload.outcome is not None
    assert reload.outcome["failed"] == {"old": "stopped by an operator"}


def test_one_that_cannot_be_killed() -> None:
    reload = reload_of(removed="gone", restarted="old")
    assert reload.look({"gone": record("gone", State.LOST), "old": record("old", State.LOST)}, 101.0, stopping=False)
    assert reload.outcome is not None
    assert reload.outcome["failed"] == {"old": "LOST: because", "gone": "LOST: because"}


def test_a_twin_that_waits_for_the_other() -> None:
    reload = reload_of(restarted="x.a x.b", twins={"x.a": "x.b", "x.b": "x.a"})
    records = {"x.a": record("x.a", State.STARTING, 2), "x.b": record("x.b", State.RUNNING)}
    assert not reload.look(records, 101.0, stopping=False)
    records["x.a"].state = State.BACKOFF
    assert reload.look(records, 101.0, stopping=False)
    assert reload.outcome is not None
    assert reload.outcome["failed"]["x.b"].startswith("as it was, until x.a serves")


def handover() -> tuple[Reload, dict[str, ChildRecord]]:
    reload = Reload(Changes([], [], ["x.a"], []), {}, {"x.a": 1}, 100.0, 60.0, {"x.a": "x.b"})
    return reload, {"x.a": record("x.a", State.RUNNING), "x.b": record("x.b", State.STARTING)}


def test_a_handover_is_complete_when_the_other_side_serves_and_the_old_one_is_gone() -> None:
    reload, records = handover()
    assert not reload.look(records, 101.0, stopping=False)
    records["x.b"].state = State.RUNNING
    assert not reload.look(records, 102.0, stopping=False)
    del records["x.a"]
    assert reload.look(records, 103.0, stopping=False)
    assert reload.outcome is not None
    assert reload.outcome["failed"] == {}


def test_a_handover_fails_when_the_other_side_does() -> None:
    reload, records = handover()
    assert not reload.look(records, 101.0, stopping=False)
    del records["x.b"]
    records["x.a"].rotation = "wanted"
    assert reload.look(records, 102.0, stopping=False)
    assert reload.outcome is not None
    assert reload.outcome["failed"] == {"x.a": "as it was, it will be tried again: x.b is STARTING: because"}


def test_a_handover_whose_old_side_died_depends_on_the_new_one() -> None:
    reload, records = handover()
    del records["x.a"]
    assert not reload.look(records, 101.0, stopping=False)
    records["x.b"].state = State.BACKOFF
    assert reload.look(records, 102.0, stopping=False)
    assert reload.outcome is not None
    assert reload.outcome["failed"] == {"x.a": "BACKOFF: because"}


def test_time_and_a_stop_end_it() -> None:
    records = {"old": record("old", State.STOPPING), "new": record("new", State.RUNNING)}
    late = reload_of(restarted="old", added="new")
    assert not late.look(records, 159.9, stopping=False)
    assert late.look(records, 160.0, stopping=False)
    assert late.outcome is not None
    assert late.outcome["failed"] == {"old": "not done within 60 s"}
    stopped = reload_of(restarted="old", added="other")
    assert stopped.look(records, 101.0, stopping=True)
    assert stopped.outcome is not None
    assert stopped.outcome["failed"] == {"old": "everything is being stopped", "other": "it is gone"}


def test_a_preview_for_people() -> None:
    nothing = {"settings": [], "added": [], "removed": [], "changed": {}, "handed_over": [], "in_turn": [], "live": {}}
    none = {"added": [], "removed": [], "restarted": [], "kept": ["engine"]}
    assert describe_preview({**nothing, "processes": none}) == [
        "nothing has changed in the file",
        "a reload would start and stop nothing",
        "1 processes run on",
    ]
    changed = {"one": [{"key": "symbols", "before": ["A"], "after": [str(number) for number in range(12)]}]}
    preview = {
        "settings": [{"key": "engine.numbers", "before": "float", "after": "decimal"}],
        "added": ["new"],
        "removed": ["old"],
        "changed": {**changed, "two": [{"key": "proxy", "before": None, "after": "http://x"}]},
        "processes": {**none, "added": ["new.a"], "removed": ["old.a"], "restarted": ["engine", "one.a", "t.a", "t.b"]},
        "handed_over": ["one.a"],
        "in_turn": ["t.a", "t.b"],
        "live": {"all-1.a": {"added": ["X"], "removed": ["Y"]}, "all-2.a": {"added": [], "removed": ["Z"]}},
    }
    assert describe_preview(preview) == [
        "in the file:",
        "  engine.numbers: float → decimal",
        "  connection new: new",
        "  connection old: removed",
        "  connection one: changed",
        "    symbols: - A; + 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, … (12)",
        "  connection two: changed",
        "    proxy: unset → http://x",
        "a reload would do:",
        "  new.a: started",
        "  old.a: stopped",
        "  one.a: replaced, the new process serves before the old one stops",
        "  t.a, t.b: replaced one after the other, while the other side serves",
        "  engine: stopped and started again",
        "  all-1.a: subscribe X on its connection",
        "  all-1.a: unsubscribe Y on its connection",
        "  all-2.a: unsubscribe Z on its connection",
        "1 processes run on",
    ]


def test_a_line_for_people() -> None:
    outcome = {"added": ["c.a"], "removed": [], "restarted": ["a.a", "a.b"], "kept": ["engine"], "failed": {}}
    assert describe(outcome) == "reloaded: added c.a; restarted a.a, a.b; 1 kept as they run"
    assert describe({}) == "reloaded: nothing to start or to stop; 0 kept as they run"
