"""The text of a close report."""

from __future__ import annotations

from foxtrot_supervisor.gateways.close_report import CloseReport, describe_close


def test_a_clean_close_has_no_lines() -> None:
    report = CloseReport(closed=["adapter X"], took_s=0.1)
    assert report.clean
    assert describe_close(report) == []


def test_each_problem_is_a_line() -> None:
    report = CloseReport(stuck={"adapter X": "30 s"}, failed={"engine Y": "ValueError()"}, event_engine="1 events left")
    assert not report.clean
    assert describe_close(report) == [
        "adapter X did not close: 30 s",
        "engine Y failed to close: ValueError()",
        "event engine: 1 events left",
    ]
