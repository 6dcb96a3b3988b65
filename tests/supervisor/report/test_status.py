"""The status object, field by field."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import pytest
from msgspec import structs

from foxtrot_protocol.commands import HandlerFigures, Heartbeat, RemoteWorker, SourceCounters, StageCounts, TopicStatus
from foxtrot_supervisor.config.schema import ConnectionConfig
from foxtrot_supervisor.core.coordination.backfills import BackfillFigures
from foxtrot_supervisor.core.health import Health
from foxtrot_supervisor.core.lifecycle import Desired, State
from foxtrot_supervisor.core.records import ChildPlan, ChildRecord, Death
from foxtrot_supervisor.core.services import LANDING
from foxtrot_supervisor.core.targets import ENGINE, NURSERY, SIMULATOR, WorkerPlace
from foxtrot_supervisor.report.ring_accounts import RingAccount
from foxtrot_supervisor.report.status import STACKS_CHARS_SHOWN, Moment, SupervisorFacts, status_head, worker_statuses
from foxtrot_supervisor.telemetry.growth import Growth
from foxtrot_supervisor.telemetry.loop_lag import LoopLagFigures
from foxtrot_supervisor.telemetry.vitals import Vitals

FACTS = SupervisorFacts(
    pid=1,
    version="v",
    form="compiled",
    run_dir="/r",
    run_id="id",
    state="running",
    started_at=90.0,
    strays_killed_total=2,
    rss_bytes=30_000_000,
    open_fds=20,
    loop_lag=LoopLagFigures(1.0, 300.0, 1),
    tasks=3,
    threads=1,
    rejected_messages_total=3,
)
NOW = Moment(monotonic=100.0, wall=1_700_000_000.0)

WORKER_FIELDS = [
    "name",
    "connection",
    "side",
    "exchange",
    "pid",
    "incarnation",
    "state",
    "desired",
    "uptime_s",
    "restarts_total",
    "last_exit",
    "frames_total",
    "events_total",
    "rejected_total",
    "committed_total",
    "applied_total",
    "deduplicated_total",
    "superseded_total",
    "demoted_total",
    "gaps_total",
    "lost_total",
    "latency_p50_us",
    "latency_p99_us",
    "loop_lag_ms",
    "last_data_age_s",
    "rss_bytes",
    "open_fds",
    "topics",
]
ENGINE_FIELDS = [
    "name",
    "pid",
    "incarnation",
    "state",
    "desired",
    "uptime_s",
    "restarts_total",
    "last_exit",
    "rss_bytes",
    "open_fds",
    "events_total",
    "events_per_s",
    "queue_depth",
    "dispatch_p50_us",
    "dispatch_p99_us",
    "slow_handlers",
    "redelivered_total",
]


def assemble_status(
    facts: SupervisorFacts,
    records: Mapping[str, ChildRecord],
    vitals: Mapping[str, Vitals],
    places: Mapping[str, WorkerPlace],
    moment: Moment,
    accounts: Mapping[str, RingAccount] | None = None,
    backfills: Mapping[str, BackfillFigures] | None = None,
) -> dict[str, Any]:
    """The whole status in one part."""
    sources = vitals[ENGINE].sources() if ENGINE in vitals else {}
    workers = worker_statuses(list(places), records, vitals, places, sources, moment, accounts or {})
    return {**status_head(facts, records, vitals, places, moment, backfills), "workers": workers}


def records() -> dict[str, ChildRecord]:
    made = {
        SIMULATOR: ChildRecord(plan=ChildPlan(name=SIMULATOR, tier=0, kind="simulator")),
        ENGINE: ChildRecord(plan=ChildPlan(name=ENGINE, tier=1, kind="engine")),
        "one.a": ChildRecord(plan=ChildPlan(name="one.a", tier=2)),
    }
    worker = made["one.a"]
    worker.state, worker.desired, worker.incarnation, worker.pid = State.RUNNING, Desired.RUNNING, 2, 77
    worker.started_at, worker.ready_at, worker.restarts_total = 95.0, 96.5, 1
    worker.stacks = "s" * (STACKS_CHARS_SHOWN + 1)
    worker.deaths.append(Death(1, None, 9, "kill", "hung", 94.0))
    return made


PLACES = {"one.a": WorkerPlace(ConnectionConfig(name="one", exchange="okx", channels=["trade"], symbols=["X"]), "a")}


def test_status_before_the_first_heartbeat() -> None:
    status = assemble_status(FACTS, records(), {}, PLACES, NOW)
    msgspec.json.encode(status)
    assert status["supervisor"] == {
        "pid": 1,
        "version": "v",
        "form": "compiled",
        "uptime_s": 10.0,
        "state": "running",
        "run_dir": "/r",
        "run_id": "id",
        "strays_killed_total": 2,
        "rejected_messages_total": 3,
        "rss_bytes": 30_000_000,
        "open_fds": 20,
        "tasks": 3,
        "log_dropped_total": 0,
        "threads": 1,
        "loop_lag_ms": 1.0,
        "loop_lag_max_ms": 300.0,
        "loop_late_total": 1,
        "growth": {},
    }
    assert set(ENGINE_FIELDS) <= set(status["engine"])
    assert status["engine"]["uptime_s"] is None
    assert [simulator["name"] for simulator in status["simulators"]] == [SIMULATOR]
    (worker,) = status["workers"]
    assert set(WORKER_FIELDS) <= set(worker)
    assert (worker["frames_total"], worker["rss_bytes"], worker["last_data_age_s"], worker["topics"]) == (
        0,
        None,
        None,
        [],
    )


def test_status_shows_the_latest_heartbeat() -> None:
    vitals = {ENGINE: Vitals(), "one.a": Vitals()}
    vitals["one.a"].heartbeat(
        Heartbeat(
            "one.a",
            2,
            1.5,
            1000,
            10,
            3,
            1,
            frames_total=5,
            events_total=4,
            rejected_total=1,
            committed_total=4,
            last_data_age_s=0.25,
            topics=[TopicStatus("trade:X", "flowing", 0.2, 1.5, 30.0)],
        ),
        99.0,
    )
    vitals[ENGINE].heartbeat(
        Heartbeat(
            ENGINE,
            1,
            0.0,
            1,
            1,
            1,
            2,
            events_total=4,
            queue_depth=7,
            recent=["line"],
            sources={"one.a": SourceCounters(4, 1, 0, 0, 100.0, 200.0)},
        ),
        99.0,
    )
    status = assemble_status(FACTS, records(), vitals, PLACES, NOW)
    (worker,) = status["workers"]
    assert (worker["connection"], worker["side"], worker["exchange"], worker["pid"]) == ("one", "a", "okx", 77)
    assert (worker["state"], worker["desired"], worker["uptime_s"], worker["ready_s"]) == (
        "RUNNING",
        "RUNNING",
        5.0,
        3.5,
    )
    assert worker["last_exit"] == {
        "incarnation": 1,
        "code": None,
        "signal": 9,
        "rung": "kill",
        "cause": "hung",
        "at": "2023-11-14T22:13:14.000+00:00",
    }
    assert (worker["frames_total"], worker["events_total"], worker["applied_total"]) == (5, 4, 4)
    assert (worker["deduplicated_total"], worker["latency_p50_us"], worker["latency_p99_us"]) == (1, 100.0, 200.0)
    assert worker["last_data_age_s"] == 1.25  # as old as told, and a second more
    (topic,) = worker["topics"]
    assert (topic["topic"], topic["state"], topic["reason"], topic["final"]) == ("trade:X", "flowing", "", False)
    assert topic["age_s"] == pytest.approx(0.2 + worker["heartbeat_age_s"], abs=0.01), "older by what the beat is old"
    assert topic["since_s"] == pytest.approx(1.5 + worker["heartbeat_age_s"], abs=0.01)
    assert topic["limit_s"] == 30.0
    assert len(worker["stacks"]) == STACKS_CHARS_SHOWN
    assert (status["engine"]["queue_depth"], status["engine"]["recent"]) == (7, ["line"])


def test_counts_of_rings_take_precedence_over_heartbeats() -> None:
    vitals = {ENGINE: Vitals(), "one.a": Vitals()}
    ring = RingAccount(committed=50, applied=40, lost=2, redelivered=3, used_bytes=800, rings=1)
    (worker,) = assemble_status(FACTS, records(), vitals, PLACES, NOW, {"one.a": ring})["workers"]
    assert [worker[key] for key in ("committed_total", "applied_total", "lost_total")] == [50, 40, 2]
    assert [worker[key] for key in ("redelivered_total", "ring_used_bytes", "rings")] == [3, 800, 1]


def test_growth_and_leaks_are_shown() -> None:
    facts = msgspec.structs.replace(FACTS, growth={"rss_bytes": Growth("growing", 5.0, 1234.5678, 299.96)})
    handler = HandlerFigures("eTick.", "s.on_tick", ["s"], 9, 1.0, 2.0, 3.0, 1, 2, True)
    vitals = Vitals()
    vitals.heartbeat(
        Heartbeat("engine", 1, 0.0, 1, 1, 1, 1, leaks_total=1, leaks=["held"], owners=["s"], handlers=[handler]), 99.0
    )
    vitals.look(99.0)
    status = assemble_status(facts, records(), {ENGINE: vitals}, PLACES, NOW)
    assert status["supervisor"]["growth"] == {
        "rss_bytes": {"verdict": "growing", "per_hour": 1234.568, "span_s": 300.0}
    }
    engine = status["engine"]
    assert engine["growth"]["threads"] == {"verdict": "early", "per_hour": 0.0, "span_s": 0.0}
    assert (engine["leaks_total"], engine["leaks"], engine["owners"]) == (1, ["held"], ["s"])
    assert engine["handlers"][0]["handler"] == "s.on_tick"


def test_without_an_engine_and_in_backoff() -> None:
    made = records()
    del made[ENGINE]
    made["one.a"].state, made["one.a"].retry_at, made["one.a"].pid = State.BACKOFF, 101.5, None
    status = assemble_status(FACTS, made, {}, PLACES, NOW)
    assert status["engine"] == {}
    assert (status["workers"][0]["retry_in_s"], status["workers"][0]["ready_s"]) == (1.5, None)


def test_backfills_of_each_connection_are_shown() -> None:
    figures = BackfillFigures(holes_total=5, filled_total=2, given_up_total=1, events_total=9, waiting=1, in_hand=1)
    status = assemble_status(FACTS, {}, {}, {}, NOW, backfills={"c": figures})
    assert status["backfills"] == [
        {
            "connection": "c",
            "holes_total": 5,
            "filled_total": 2,
            "given_up_total": 1,
            "events_total": 9,
            "attempts_total": 0,
            "waiting": 1,
            "in_hand": 1,
            "last_problem": "",
        }
    ]
    assert assemble_status(FACTS, {}, {}, {}, NOW)["backfills"] == []


def test_a_template_process_is_shown_like_any_child() -> None:
    made = records()
    made[NURSERY] = ChildRecord(plan=ChildPlan(name=NURSERY, tier=0, kind="nursery"), pid=55)
    status = assemble_status(FACTS, made, {}, PLACES, NOW)
    assert (status["nursery"]["name"], status["nursery"]["pid"]) == (NURSERY, 55)
    assert status["engine_nursery"] == {}


def test_services_are_listed_with_their_addresses() -> None:
    made = records()
    made["metrics"] = ChildRecord(plan=ChildPlan(name="metrics", tier=2, kind="service"), pid=5)
    vitals = Vitals()
    vitals.info = {"url": "http://127.0.0.1:1"}
    (service,) = assemble_status(FACTS, made, {"metrics": vitals}, PLACES, NOW)["services"]
    assert (service["name"], service["kind"], service["addresses"]) == ("metrics", "service", dict(vitals.info))
    vitals.ended()
    assert assemble_status(FACTS, made, {"metrics": vitals}, PLACES, NOW)["services"][0]["addresses"] == {}


def test_workers_of_a_cluster_are_shown_as_the_landing_reported_them_while_it_lives() -> None:
    made = records()
    made[LANDING] = ChildRecord(plan=ChildPlan(name=LANDING, tier=2, kind="service"), state=State.RUNNING)
    row = RemoteWorker(
        worker="btc.a0-a", incarnation=5_000_001, shard="btc.a", node="n1", host="h1", state="serving",
        events_total=7, events_per_s=2.0, quiet_s=0.5,
    )  # fmt: skip
    vitals = Vitals()
    ended = structs.replace(row, incarnation=4_000_001, state="ended", quiet_s=None)
    vitals.heartbeat(Heartbeat(LANDING, 1, 0.0, 1, 2, 3, 4, remote_workers=[row, ended]), NOW.monotonic - 2.0)
    shown, before = assemble_status(FACTS, made, {LANDING: vitals}, PLACES, NOW)["remote_workers"]
    expected = {**structs.asdict(row), "connection": "btc", "heartbeat_age_s": 2.0, "quiet_s": 2.5}
    assert {key: shown[key] for key in expected} == expected
    assert (shown["gaps_total"], shown["latency_p99_us"], shown["stages"]) == (None, None, {})
    assert (before["state"], before["quiet_s"]) == ("ended", None)
    source = SourceCounters(5, 0, 3, 4, 50.0, 99.0, stages=[StageCounts(2, [1, 4], 0.5)])
    engine = Vitals()
    engine.heartbeat(Heartbeat("engine", 1, 0.0, 1, 2, 3, 4, sources={row.worker: source}), 99.0)
    both = {LANDING: vitals, ENGINE: engine}
    shown, before = assemble_status(FACTS, made, both, PLACES, NOW)["remote_workers"]
    assert [shown[key] for key in ("applied_total", "gaps_total", "lost_total", "latency_p99_us")] == [5, 3, 4, 99.0]
    assert list(shown["stages"]) == ["exchange_received"]
    assert before["gaps_total"] is None, "counts are of all incarnations together"
    for state, health in ((State.BACKOFF, None), (State.RUNNING, Health.HUNG), (State.RUNNING, Health.LATE)):
        made[LANDING].state, made[LANDING].health = state, health
        rows = assemble_status(FACTS, made, {LANDING: vitals}, PLACES, NOW)["remote_workers"]
        assert {(each["state"], each["events_per_s"]) for each in rows} == {("unknown", None)}
    assert assemble_status(FACTS, records(), {}, PLACES, NOW)["remote_workers"] == []


def test_latencies_by_stage() -> None:
    beat = Heartbeat("engine", 1, 0.0, 1, 2, 3, 4)
    stages = [StageCounts(2, [1, 4], 0.5), StageCounts(0, [5], 0.1), StageCounts(0, [], 0.0)]
    source = SourceCounters(5, 0, 0, 0, 0.0, 0.0, stages=stages)
    vitals = Vitals()
    vitals.heartbeat(msgspec.structs.replace(beat, sources={"one.a": source}), 99.0)
    status = assemble_status(FACTS, records(), {ENGINE: vitals}, PLACES, NOW)
    assert status["workers"][0]["stages"] == {
        "exchange_received": {"first": 2, "counts": [1, 4], "sum_s": 0.5},
        "received_published": {"first": 0, "counts": [5], "sum_s": 0.1},
        "published_handled": {"first": 0, "counts": [], "sum_s": 0.0},
    }
    assert len(status["stage_bounds_s"]) == 23
