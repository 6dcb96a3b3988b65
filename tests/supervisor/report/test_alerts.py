"""Edges: what broke is told once, what is whole again as well. Calls: bounded, and nothing is forgotten."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foxtrot_supervisor.report.alerts import ALERTS_PER_CALL, EVENTS, GATHER_S, HOLD_S, Alert, Edges, Pacer, conditions
from foxtrot_supervisor.report.incidents import KINDS
from tests.support.sample_status import sample_status


def whole() -> dict[str, Any]:
    """A run in which nothing is wrong."""
    status = sample_status()
    for child in (
        status["engine"],
        status["nursery"],
        status["engine_nursery"],
        *status["simulators"],
        *status["services"],
        *status["workers"],
    ):
        child["growth"] = {}
        child["last_data_age_s"] = 0.1
        if "topics" in child:
            child["topics"] = [{"topic": "t", "state": "flowing", "age_s": 0.1, "since_s": 1.0, "limit_s": None}]
    status["engine"]["handlers"] = []
    for service in status["services"]:
        service["problem"] = "no call is made about this" if service["name"] == "alerts" else ""
    return status


def broken(part: str) -> dict[str, Any]:
    status = whole()
    first = status["workers"][0]
    match part:
        case "process":
            first.update(state="BACKOFF", cause="killed")
            status["workers"][1].update(connection=first["connection"])
        case "connection":
            first["topics"][0]["state"] = "asked"
        case "topics":
            first["topics"].append({"topic": "u", "state": "stale", "age_s": 99.0, "since_s": 9.0, "limit_s": 30.0})
        case "service":
            status["services"][0].update(name="recorder", problem="the disk is full")
        case "growth":
            status["engine"]["growth"] = {"threads": {"verdict": "growing"}}
        case "handler":
            status["engine"]["handlers"] = [{"handler": "m.f", "suspended": True}]
    return status


def incident(kind: str, worker: str = "c0.a", seq: int = 1) -> dict[str, Any]:
    return {"kind": kind, "worker": worker, "cause": f"{kind}!", "at_ns": 5_000_000_000, "seq": seq}


def look(edges: Edges, status: dict[str, Any] | None, now: float, *incidents: dict[str, Any]) -> list[Alert]:
    return edges.look(status, incidents, now, 1_700_000_000.0 + now)


def told(alerts: list[Alert]) -> list[tuple[str, str, str]]:
    return [(alert.edge, alert.kind, alert.subject) for alert in alerts]


def test_a_run_that_is_whole_has_no_alerts() -> None:
    edges = Edges()
    assert [look(edges, whole(), now) for now in (0.0, 100.0)] == [[], []]
    assert edges.broken() == []


@pytest.mark.parametrize(
    ("part", "subject"),
    [
        ("process", "c0.a"),
        ("service", "recorder"),
        ("connection", "c0"),
        ("topics", "c0.a"),
        ("growth", "engine"),
        ("handler", "m.f"),
    ],
)
def test_each_condition_is_reported_when_it_begins_and_ends_only(part: str, subject: str) -> None:
    edges = Edges()
    first = look(edges, broken(part), 10.0)
    held = look(edges, broken(part), 10.0 + HOLD_S)
    again = look(edges, broken(part), 900.0)
    assert told(first + held) == [("broke", part, subject)]
    assert again == []
    assert edges.broken()[0].startswith(f"{part} {subject}: ")
    (mended,) = look(edges, whole(), 1000.0)
    assert told([mended]) == [("whole", part, subject)]
    assert (mended.broken_s, mended.text) == (990.0, "whole again after 990 s")
    assert look(edges, whole(), 1001.0) == []


@pytest.mark.parametrize("part", ["process", "connection", "topics"])
def test_what_passes_soon_is_not_told(part: str) -> None:
    edges = Edges()
    assert look(edges, broken(part), 10.0) == []
    assert look(edges, whole(), 10.0 + HOLD_S) == []


def test_a_death_is_reported_though_it_is_over_at_the_next_check() -> None:
    edges = Edges()
    alerts = look(edges, whole(), 10.0, incident("death"), incident("recovered"), incident("death"))
    assert told(alerts) == [("broke", "process", "c0.a"), ("whole", "process", "c0.a")]
    assert alerts[0].text == "death!"


def test_a_process_that_stays_down_is_reported_once_however_often_it_dies() -> None:
    edges = Edges()
    alerts = [
        alert
        for number in range(30)
        for alert in look(edges, broken("process"), 10.0 + number, incident("death", seq=number))
    ]
    assert told(alerts) == [("broke", "process", "c0.a")]
    assert alerts[0].text == "death!"  # and not the state in which it is found later


@pytest.mark.parametrize("kind", sorted(EVENTS))
def test_an_incident_that_ends_at_once_is_reported_as_it_is(kind: str) -> None:
    (alert,) = look(Edges(), whole(), 1.0, incident(kind, ""))
    assert (alert.edge, alert.kind, alert.subject, alert.text, alert.at) == (
        "event",
        kind,
        "supervisor",
        f"{kind}!",
        5.0,
    )
    assert kind in KINDS


def test_other_incidents_are_no_alerts() -> None:
    assert look(Edges(), whole(), 1.0, incident("rotation"), incident("reload"), incident("gap")) == []


def test_a_supervisor_that_does_not_answer_hides_nothing() -> None:
    edges = Edges()
    look(edges, broken("growth"), 1.0)
    assert told(look(edges, None, 10.0) + look(edges, None, 10.0 + HOLD_S)) == [("broke", "supervisor", "supervisor")]
    # what was broken before is not whole because nobody answers
    assert told(look(edges, broken("growth"), 30.0)) == [("whole", "supervisor", "supervisor")]


def test_what_is_measured_and_well_is_not_broken() -> None:
    status = whole()
    status["engine"]["growth"] = {"threads": {"verdict": "steady"}, "tasks": {"verdict": "learning"}}
    status["engine"]["handlers"] = [{"handler": "m.f", "suspended": False}]
    assert conditions(status) == {}
    status["engine"] = None
    assert conditions(status) == {}, "an engine of an application is not ours"


def test_a_process_that_is_to_be_stopped_is_not_broken() -> None:
    status = broken("process")
    status["workers"][0]["desired"] = "STOPPED"
    edges = Edges()
    look(edges, status, 1.0)
    assert look(edges, status, 99.0) == []


def alerts(count: int, kind: str = "process") -> list[Alert]:
    return [Alert(edge="broke", kind=kind, subject=f"w{number}", text="x", at=0.0) for number in range(count)]


def test_what_happens_together_is_one_call() -> None:
    pacer = Pacer(6)
    pacer.add(alerts(1), 10.0)
    assert pacer.take(10.0 + GATHER_S / 2) is None
    pacer.add(alerts(2), 10.5)
    taken = pacer.take(10.0 + GATHER_S)
    assert taken is not None
    assert (len(taken[0]), taken[1]) == (3, {})
    assert pacer.take(99.0) is None


def test_a_hundred_incidents_in_a_second_are_few_calls_and_all_are_counted() -> None:
    pacer = Pacer(6)
    calls = []
    for number in range(100):
        pacer.add(alerts(1, "death"), 10.0 + number / 100)
        if (taken := pacer.take(10.0 + number / 100)) is not None:
            calls.append(taken)
    while (taken := pacer.take(20.0 + 10.0 * len(calls))) is not None:
        calls.append(taken)
    assert len(calls) <= 2
    assert sum(len(told) + sum(omitted.values()) for told, omitted in calls) == 100
    assert calls[0][1] == {"death broke": 100 - ALERTS_PER_CALL} or len(calls) == 2


@given(st.lists(st.tuples(st.floats(0, 20), st.integers(0, 60)), max_size=60), st.integers(1, 10))
def test_no_minute_has_more_calls_than_allowed_and_no_alert_is_forgotten(
    steps: list[tuple[float, int]], allowed: int
) -> None:
    pacer, now, given_total, called_total = Pacer(allowed), 0.0, 0, 0
    calls: list[float] = []

    def take() -> None:
        nonlocal called_total
        if (taken := pacer.take(now)) is not None:
            calls.append(now)
            assert len(taken[0]) <= ALERTS_PER_CALL
            called_total += len(taken[0]) + sum(taken[1].values())

    for passed, count in steps:
        now += passed
        pacer.add(alerts(count), now)
        given_total += count
        take()
    now += 61.0
    take()
    assert called_total == given_total
    for start in calls:
        assert sum(start <= call < start + 60.0 for call in calls) <= allowed


def test_a_connection_of_a_cluster_is_broken_while_no_node_that_can_be_heard_serves_it() -> None:
    status = whole()
    (row,) = status["remote_workers"]
    row["state"] = "away"
    assert conditions(status) == {("connection", "r0"): "no worker of it serves on a node that can be heard"}
    status["remote_workers"].append({**row, "worker": "r0.b0-a", "state": "serving"})
    assert conditions(status) == {}
