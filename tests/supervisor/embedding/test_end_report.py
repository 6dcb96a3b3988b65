"""The report that an application gets of the end."""

from __future__ import annotations

from typing import Any

from foxtrot_supervisor.embedding.end_report import EndReport, report_of
from foxtrot_supervisor.report.unhandled_events import UnhandledRing

OUTCOME: dict[str, Any] = {
    "exit_code": 0,
    "children": [{"name": "sim.a", "rung": "ask"}, {"name": "engine", "rung": None}],
    "audit": {"clean": True},
}


def test_a_clean_end() -> None:
    report = report_of(OUTCOME, exit_code=0, cause="stop requested", left=[], restarts_total=2)
    assert report.clean
    assert report.rungs == {"sim.a": "ask", "engine": None}
    assert report.as_dict()["clean"] is True
    assert report.as_dict()["restarts_total"] == 2


def test_what_is_left_in_the_application_counts() -> None:
    report = report_of(OUTCOME, exit_code=0, cause="", left=["a handler"], restarts_total=0)
    assert (report.exit_code, report.clean) == (6, False)
    assert report_of(OUTCOME, exit_code=5, cause="", left=["a handler"], restarts_total=0).exit_code == 5


def test_events_that_nobody_handled_are_part_of_the_outcome() -> None:
    ring = UnhandledRing(worker="sim.a", incarnation=1, events=421)
    report = report_of(OUTCOME, exit_code=0, cause="", left=[], restarts_total=0, unhandled=[ring])
    assert (report.exit_code, report.clean, report.unhandled) == (4, False, [ring.as_dict()])
    worse = report_of(OUTCOME, exit_code=5, cause="", left=[], restarts_total=0, unhandled=[ring])
    assert (worse.exit_code, worse.unhandled) == (5, [ring.as_dict()])


def test_a_supervisor_without_a_report() -> None:
    report = report_of(None, exit_code=None, cause="killed", left=[], restarts_total=0)
    assert (report.exit_code, report.audit, report.children, report.clean) == (1, {}, [], False)


def test_a_report_that_is_not_finished_is_not_clean() -> None:
    assert not EndReport(exit_code=0, cause="", finished=False).clean
