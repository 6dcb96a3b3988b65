"""A number with its reason."""

from __future__ import annotations

from foxtrot_supervisor.engine.bus.stop_report import StopReport


def test_nothing_left_is_zero_and_clean() -> None:
    report = StopReport()
    assert report == 0
    assert report.clean
    assert str(report) == "0 events left"


def test_events_left_are_counted_by_class() -> None:
    report = StopReport({"eTick.": 2, "eOrder.": 1})
    assert report == 3
    assert not report.clean
    assert str(report) == "3 events left (1 of eOrder., 2 of eTick.)"


def test_a_stuck_handler_is_named_even_if_nothing_was_left() -> None:
    report = StopReport({}, "mine.on_tick", "File ...")
    assert report == 0
    assert not report.clean
    assert (report.stuck_handler, report.stack) == ("mine.on_tick", "File ...")
    assert str(report) == "0 events left; mine.on_tick did not return"
