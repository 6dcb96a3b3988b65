"""The judgement of nodes that were cut off."""

from __future__ import annotations

from typing import Any

from foxtrot_supervisor.chaos.rules.cuts import CUT_PLANS, Cut, CutPlan, cut_figures, held_twice, judge_cuts
from foxtrot_supervisor.chaos.rules.takeovers import Takeover


def cut(stopped_s: float | None, plan: CutPlan = CUT_PLANS[0], **more: Any) -> Cut:
    values: dict[str, Any] = {"lease_s": 4.0, "takeovers": [Takeover("btc.a", 2.4, 2.8)], "returned_s": 5.0, **more}
    return Cut(node="n1", plan=plan, stopped_s=stopped_s, **values)


def test_the_last_worker_has_ended_when_the_lease_is_over() -> None:
    assert judge_cuts([cut(4.0), cut(3.2)]) == []
    assert judge_cuts([cut(4.01)]) == [
        "n1, stalled until stopped: its last worker ended after 4.01 s, promised within 4.00 s"
    ]
    assert judge_cuts([cut(4.01)], patience=2.0) == []
    assert "did not end" in judge_cuts([cut(None)])[0]


def test_a_node_that_returns_in_time_stops_what_others_have_taken() -> None:
    early = CUT_PLANS[2]
    assert judge_cuts([cut(7.0, early, returned_s=2.5)]) == []
    assert len(judge_cuts([cut(7.6, early, returned_s=2.5)])) == 1


def test_without_contact_nothing_is_started() -> None:
    assert judge_cuts([cut(3.0, started_while_cut=["btc_a0_5.a"])]) == [
        "n1, stalled until stopped: has started btc_a0_5.a without contact"
    ]


def test_a_shard_has_one_node() -> None:
    assert held_twice({"n1": ["btc_a0_5.a", "btc_a0_5.b"], "n2": ["btc_b0_6.a"], "n3": []}) == []
    assert held_twice({"n1": ["btc_a0_5.a"], "n2": ["btc_a1_6.a"]}) == ["btc.a on n1 and n2"]


def test_figures_are_from_the_cut_and_from_the_return() -> None:
    found = cut_figures([cut(3.5), cut(3.0, CUT_PLANS[2], returned_s=2.5), cut(None)])
    assert found["stopped_ms"] is not None
    assert found["stopped_ms"].max == 3500.0
    assert found["stopped_after_return_ms"] is not None
    assert found["stopped_after_return_ms"].max == 500.0
    assert found["served_elsewhere_ms"] is not None
    assert found["served_elsewhere_ms"].median == 2800.0
