"""The outcome of a run as a value."""

from __future__ import annotations

from foxtrot_supervisor.core.lifecycle import State
from foxtrot_supervisor.core.records import ChildPlan, ChildRecord
from foxtrot_supervisor.report.outcome import outcome_of


def test_each_child_is_listed_with_its_end() -> None:
    record = ChildRecord(plan=ChildPlan(name="feed.a", tier=1), state=State.STOPPED, incarnation=2, cause="test")
    assert outcome_of(0, [record], {"children": []}) == {
        "exit_code": 0,
        "children": [
            {
                "name": "feed.a",
                "incarnation": 2,
                "state": "STOPPED",
                "rung": None,
                "exit_code": None,
                "signal": None,
                "cause": "test",
            }
        ],
        "audit": {"children": []},
    }
