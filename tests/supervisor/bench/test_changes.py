"""The comparison of two reports: medians by their names, ratios new to old."""

from __future__ import annotations

from foxtrot_supervisor.bench.changes import Change, changes
from foxtrot_supervisor.bench.statistics import Spread


def test_medians_that_both_reports_have_are_compared() -> None:
    before = {"latency": {"1000": {"foxtrot": {"p50_us": {"median": 200.0}, "samples": 5}}}, "gone": {"median": 1}}
    now = {"latency": {"1000": {"foxtrot": {"p50_us": Spread(90.0, 100.0, 110.0, 3)}}}, "new": Spread(1, 2, 3, 3)}
    assert changes(before, now) == [Change("latency / 1000 / foxtrot / p50_us", 200.0, 100.0, 0.5)]


def test_nothing_is_divided_by_zero() -> None:
    assert changes({"a": {"median": 0.0}}, {"a": {"median": 2.0}}) == [Change("a", 0.0, 2.0, None)]
