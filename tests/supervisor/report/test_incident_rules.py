"""Which changes of state, heartbeats and log lines are incidents."""

from __future__ import annotations

import itertools

import pytest

from foxtrot_protocol.commands import Heartbeat, SourceCounters, TopicStatus
from foxtrot_protocol.events import WorkerStatus
from foxtrot_supervisor.core.child import STOPPED_BY_OPERATOR
from foxtrot_supervisor.core.effects import Publish
from foxtrot_supervisor.core.records import Purpose
from foxtrot_supervisor.report.incident_rules import (
    LOGGED,
    TOPICS_NAMED_MAX,
    Lives,
    engine_heartbeat,
    logged,
    worker_heartbeat,
)


def change(
    state: str,
    *,
    code: int | None = None,
    signal: int | None = None,
    rung: str | None = None,
    purpose: Purpose | None = None,
    rotation: str = "",
    cause: str = "why",
) -> Publish:
    status = WorkerStatus("one.a", 2, state, cause, code, signal, rung, 1)
    return Publish(status, purpose, rotation)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("publish", "kind"),
    [
        (change("BACKOFF", signal=9), "death"),
        (change("BACKOFF", code=0), "death"),
        (change("EXITED", code=1), "death"),
        (change("FATAL", code=1), "fatal"),
        (change("LOST", rung="lost", purpose=Purpose.STOP), "lost_process"),
        (change("STOPPED", code=1), "death"),
        (change("STOPPED", signal=11), "death"),
        (change("STOPPING", purpose=Purpose.UNWELL), "hung"),
        (change("STOPPING", rung="ask", purpose=Purpose.UNWELL), "hung"),
        (change("STOPPING", rung="ask", purpose=Purpose.STALE), "stale_data"),
        (change("STOPPING", rung="ask", purpose=Purpose.RESTART), "restart"),
        (change("STOPPING", rung="ask", purpose=Purpose.RESTART, rotation="going"), "rotation"),
        (change("STOPPING", rung="ask", purpose=Purpose.STOP, rotation="going"), "rotation"),
        (change("STOPPING", rung="ask", purpose=Purpose.STOP, rotation="coming"), "rotation_failed"),
        (change("STOPPING", rung="kill", purpose=Purpose.STOP), "killed"),
        (change("BACKOFF", signal=9, rung="kill", purpose=Purpose.UNWELL), "death"),
        # planned, or nothing yet
        (change("BACKOFF", code=0, rung="ask", purpose=Purpose.RESTART), None),
        (change("STOPPED", code=0, rung="ask", purpose=Purpose.STOP), None),
        (change("STOPPED"), None),
        (change("STOPPING", rung="ask", purpose=Purpose.STOP), None),
        (change("STOPPING", rung="term", purpose=Purpose.UNWELL), None),
        (change("STARTING"), None),
        (change("CONNECTING"), None),
        (change("RUNNING"), None),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_states(publish: Publish, kind: str | None) -> None:
    found = Lives().changed(publish, 1.0)
    assert (found.kind if found is not None else None) == kind
    if found is not None:
        assert (found.worker, found.incarnation, found.rung) == ("one.a", 2, publish.status.rung)
        assert "why" in found.cause


def test_a_worker_stopped_alone_is_one_incident() -> None:
    lives = Lives()
    stopping = lives.changed(change("STOPPING", rung="ask", purpose=Purpose.STOP, cause=STOPPED_BY_OPERATOR), 1.0)
    assert stopping is not None
    assert stopping.kind == "stopped"
    ended = f"{STOPPED_BY_OPERATOR} (exit code 0, CLEAN)"
    assert lives.changed(change("STOPPED", code=0, rung="ask", purpose=Purpose.STOP, cause=ended), 2.0) is None
    waiting = Lives().changed(change("STOPPED", cause=STOPPED_BY_OPERATOR), 1.0)
    assert waiting is not None
    assert waiting.kind == "stopped", "out of BACKOFF"


def test_a_death_names_how_it_ended() -> None:
    found = Lives().changed(change("BACKOFF", signal=9), 1.0)
    assert found is not None
    assert found.details == {"state": "BACKOFF", "exit_code": None, "signal": 9}


def test_a_recovery_says_how_long_it_took_from_the_first_sign() -> None:
    lives = Lives()
    lives.changed(change("STOPPING", purpose=Purpose.UNWELL), 10.0)
    lives.changed(change("BACKOFF", signal=9, purpose=Purpose.UNWELL), 12.0)
    lives.changed(change("STARTING"), 12.1)
    found = lives.changed(change("RUNNING"), 13.5)
    assert found is not None
    assert (found.kind, found.details) == ("recovered", {"down_s": 3.5})
    assert lives.changed(change("RUNNING"), 14.0) is None


def test_what_was_stopped_for_good_does_not_recover() -> None:
    lives = Lives()
    lives.changed(change("BACKOFF", signal=9), 10.0)
    lives.changed(change("STOPPED"), 11.0)
    assert lives.changed(change("RUNNING"), 12.0) is None


def beat(topics: list[TopicStatus] | None = None, **figures: object) -> Heartbeat:
    return Heartbeat("one.a", 3, 0.0, 1, 2, 3, 4, topics=topics or [], **figures)  # type: ignore[arg-type]


def topic(name: str, state: str, reason: str = "", final: bool = False) -> TopicStatus:
    return TopicStatus(name, state, 1.0, reason=reason, final=final)


@pytest.mark.parametrize(
    ("state", "reason", "final", "kind"),
    [
        ("stale", "", False, "topic_stale"),
        ("silent", "", False, "topic_silent"),
        ("gap", "", False, "topic_gap"),
        ("delisted", "", False, "topic_delisted"),
        ("invalid", "no such symbol", True, "topic_refused"),
        ("invalid", "crossed for 2.0 s: the best bid is 2, the best ask 1", False, "crossed_book"),
        ("invalid", "updates after 5 are missing", False, "topic_invalid"),
    ],
)
def test_a_topic_that_is_wrong_is_one_incident_until_it_flows(state: str, reason: str, final: bool, kind: str) -> None:
    whole, broken = beat([topic("t", "flowing")]), beat([topic("t", state, reason, final)])
    assert list(worker_heartbeat("one.a", None, whole)) == []
    (found,) = worker_heartbeat("one.a", whole, broken)
    assert (found.kind, found.worker, found.incarnation) == (kind, "one.a", 3)
    assert found.cause == (f"t: {reason}" if reason else "t")
    assert list(worker_heartbeat("one.a", broken, broken)) == []
    (again,) = worker_heartbeat("one.a", broken, whole)
    assert (again.kind, again.details) == ("topic_flowing", {"topic": "t", "count": 1})


def test_a_topic_that_is_wrong_in_another_way_is_another_incident() -> None:
    before, now = beat([topic("t", "stale")]), beat([topic("t", "invalid", "gone", final=True)])
    assert [each.kind for each in worker_heartbeat("w", before, now)] == ["topic_refused"]


def test_topics_that_change_alike_are_one_incident() -> None:
    names = [f"t{number}" for number in range(TOPICS_NAMED_MAX + 10)]
    (found,) = worker_heartbeat("w", None, beat([topic(name, "stale") for name in names]))
    assert found.cause == "t0, t1, t2, t3, t4 and 10 more"
    assert found.details == {"topic": "t0", "count": TOPICS_NAMED_MAX + 10}


def test_a_topic_that_was_unsubscribed_has_not_recovered() -> None:
    assert list(worker_heartbeat("w", beat([topic("t", "stale")]), beat([topic("u", "flowing")]))) == []


def test_counts_of_workers() -> None:
    before = beat(rejected_total=2, dropped_total=1)
    now = beat(rejected_total=5, dropped_total=1, snapshots_rejected_total=1)
    assert [(each.kind, each.details) for each in worker_heartbeat("w", before, now)] == [
        ("frames_rejected", {"count": 3}),
        ("snapshots_rejected", {"count": 1}),
    ]


def test_counts_of_the_engine_and_of_each_source() -> None:
    quiet, gaps = SourceCounters(5, 0, 1, 0, 0.0, 0.0), SourceCounters(9, 0, 3, 4, 0.0, 0.0)
    before = beat(sources={"one.a": quiet, "two.a": quiet}, leaks_total=1, leaks=["old"])
    now = beat(
        sources={"one.a": gaps, "two.a": quiet, "new.a": quiet},
        handler_errors_total=2,
        leaks_total=2,
        leaks=["old", "threads of x"],
    )
    found = [(each.kind, each.worker, each.cause) for each in engine_heartbeat("engine", before, now)]
    assert found == [
        ("handler_failed", "engine", "2 calls of handlers raised"),
        ("leak", "engine", "threads of x"),
        ("gap", "one.a", "2 gaps were announced"),
        ("lost_events", "one.a", "4 events were lost and announced"),
        ("gap", "new.a", "1 gaps were announced"),
    ]
    assert list(engine_heartbeat("engine", before, before)) == []
    (first, *_) = engine_heartbeat("engine", None, beat(leaks_total=1))
    assert (first.kind, first.cause) == ("leak", "")


def test_lines_of_the_log() -> None:
    found = logged("budget_spent", {"worker": "one.a", "kind": "rest", "address": "h", "retry_after_s": 3.0})
    assert found is not None
    assert (found.kind, found.worker, found.cause) == ("rate_limited", "one.a", "h refuses rest requests for 3.0 s")
    reload = logged("reloaded", {"added": ["a", "b"], "removed": [], "restarted": ["c"], "failed": {"c": "FATAL"}})
    assert reload is not None
    assert reload.cause == "added a, b, removed nothing, restarted c, failed c (FATAL)"
    assert logged("worker_state", {"worker": "one.a"}) is None


@pytest.mark.parametrize("event", LOGGED)
def test_a_line_without_its_fields_is_still_an_incident(event: str) -> None:
    found = logged(event, {})
    assert found is not None
    assert found.worker == ""


def test_what_a_service_cannot_do_is_an_incident_until_it_can() -> None:
    whole = Heartbeat("recorder", 2, 0.0, 0, 0, 0, 0)
    broken = Heartbeat("recorder", 2, 0.0, 0, 0, 0, 0, problem="the disk is full")
    worse = Heartbeat("recorder", 2, 0.0, 0, 0, 0, 0, problem="the disk is still full")
    found = [
        *worker_heartbeat("recorder", None, whole),
        *worker_heartbeat("recorder", whole, broken),
        *worker_heartbeat("recorder", broken, worse),
        *worker_heartbeat("recorder", worse, whole),
    ]
    assert [(each.kind, each.worker, each.cause, each.incarnation) for each in found] == [
        ("service_problem", "recorder", "the disk is full", 2),
        ("service_whole", "recorder", "the disk is still full", 2),
    ]


def test_a_crash_bundle_is_an_incident_of_the_worker_that_died() -> None:
    def beat(total: int, *recent: str) -> Heartbeat:
        return Heartbeat("bundles", 1, 0.0, 0, 0, 0, 0, counts={"bundles_total": total}, recent=list(recent))

    beats = [beat(0), beat(1, "spot.a#3: /b/one.zip"), beat(1, "spot.a#3: /b/one.zip")]
    beats.append(beat(3, "spot.a#3: /b/one.zip", "engine#2: /b/two.zip", "spot.a#4: /b/three.zip"))
    found = [
        each
        for before, now in itertools.pairwise([None, *beats])
        if now
        for each in worker_heartbeat("bundles", before, now)
    ]
    assert [(each.kind, each.worker, each.cause, each.incarnation) for each in found] == [
        ("bundle", "spot.a", "/b/one.zip", 3),
        ("bundle", "engine", "/b/two.zip", 2),
        ("bundle", "spot.a", "/b/three.zip", 4),
    ]


def test_what_a_sink_loses_or_its_store_refuses_is_an_incident() -> None:
    before = Heartbeat("sink-tape", 2, 0.0, 0, 0, 0, 0, counts={"lost_total": 5, "delivered_total": 7})
    after = Heartbeat("sink-tape", 2, 0.0, 0, 0, 0, 0, counts={"lost_total": 8, "refused_total": 2})
    found = [*worker_heartbeat("sink-tape", before, before), *worker_heartbeat("sink-tape", before, after)]
    assert [(each.kind, each.worker, each.details["count"]) for each in found] == [
        ("lost_events", "sink-tape", 3),
        ("rows_refused", "sink-tape", 2),
    ]
