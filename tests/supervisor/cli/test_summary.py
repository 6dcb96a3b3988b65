"""The logged summary: its interval, its first appearance, the events in it."""

from __future__ import annotations

from typing import Any

from foxtrot_supervisor.cli.summary import EVENTS_SHOWN, SUMMARY_S, Summary
from tests.support.statuses import remote


def status(uptime_s: float, *recent: str) -> dict[str, Any]:
    return {
        "supervisor": {"uptime_s": uptime_s},
        "engine": {"recent": list(recent), "events_total": 7, "events_per_s": 3.14159},
        "workers": [
            {"name": "sim.a", "state": "RUNNING", "restarts_total": 2, "gaps_total": 1, "lost_total": 0},
            {"name": "sim.b", "state": "BACKOFF", "restarts_total": None},
        ],
    }


def test_the_first_events_are_shown_at_once() -> None:
    summary = Summary()
    assert summary.records(status(0.2)) == []
    assert summary.records(status(1.1, "too early")) == []
    records = summary.records(status(1.3, "a", "b"))
    assert records == [
        (
            "summary",
            {
                "events_total": 7,
                "events_per_s": 3.1,
                "workers_running": 1,
                "workers": 2,
                "restarts_total": 2,
                "gaps_total": 1,
                "lost_total": 0,
            },
        ),
        ("market_event", {"line": "a"}),
        ("market_event", {"line": "b"}),
    ]


def test_later_summaries_come_at_a_steady_interval_with_new_events_only() -> None:
    summary = Summary()
    assert len(summary.records(status(1.0, "a", "b", "c"))) == 4
    assert summary.records(status(1.0 + SUMMARY_S - 0.1, "d")) == []
    assert [event for event, _ in summary.records(status(1.0 + SUMMARY_S, "c", "d"))] == ["summary", "market_event"]
    assert [event for event, _ in summary.records(status(1.0 + 2 * SUMMARY_S, "d"))] == ["summary"]


def test_the_first_summaries_come_faster() -> None:
    summary = Summary()
    told = [len(summary.records(status(float(second), f"event {second}"))) for second in range(6)]
    assert told == [2, 2, 2, 0, 0, 0]


def test_a_summary_is_made_without_events_too() -> None:
    summary = Summary()
    told = [summary.records(status(float(second))) for second in range(int(SUMMARY_S) + 1)]
    assert [bool(records) for records in told] == [False] * int(SUMMARY_S) + [True]


def test_a_summary_shows_a_few_events_at_most() -> None:
    records = Summary().records(status(1.0, *map(str, range(20))))
    assert [fields["line"] for event, fields in records if event == "market_event"] == ["17", "18", "19"]
    assert EVENTS_SHOWN == 3


def test_a_status_that_lacks_everything() -> None:
    assert Summary().records({}) == []
    assert Summary().records({"supervisor": {"uptime_s": 60}})[0][0] == "summary"


def test_no_status_is_needed_before_the_next_summary_is_due() -> None:
    summary = Summary()
    summary.records(status(1.0, "a", "b", "c"))
    assert summary.due_in_s() == SUMMARY_S
    summary.records(status(2.0))
    assert summary.due_in_s() == SUMMARY_S - 1.0


def test_workers_on_other_nodes_count() -> None:
    rows = [remote("btc.a0-a", lost_total=3), remote("btc.b0-a", state="away", lost_total=None)]
    ((_, fields),) = Summary().records({"supervisor": {"uptime_s": 60}, "remote_workers": rows})
    assert (fields["workers_running"], fields["workers"], fields["lost_total"]) == (1, 2, 3)
