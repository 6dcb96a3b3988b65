"""A status as the supervisor assembles it: every section has something in it."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from foxtrot_protocol.commands import (
    BudgetAsk,
    HandlerFigures,
    Heartbeat,
    RemoteWorker,
    SourceCounters,
    StageCounts,
    TopicStatus,
)
from foxtrot_supervisor.config.schema import ConnectionConfig
from foxtrot_supervisor.core.coordination.backfills import BackfillFigures
from foxtrot_supervisor.core.coordination.rate_limits import RateLimits
from foxtrot_supervisor.core.health import Health
from foxtrot_supervisor.core.lifecycle import Desired, State
from foxtrot_supervisor.core.records import ChildPlan, ChildRecord, Death
from foxtrot_supervisor.core.services import LANDING
from foxtrot_supervisor.core.targets import ENGINE, ENGINE_NURSERY, NURSERY, SIMULATOR, WorkerPlace
from foxtrot_supervisor.report.incidents import Incidents, Occurrence
from foxtrot_supervisor.report.status import Moment, SupervisorFacts, status_head, worker_statuses
from foxtrot_supervisor.telemetry.growth import Growth
from foxtrot_supervisor.telemetry.vitals import Vitals

NOW = Moment(monotonic=100.0, wall=1_700_000_000.0)

_COUNTED = {
    field.name: place
    for place, field in enumerate(msgspec.structs.fields(Heartbeat), start=3)
    if field.type is int and field.name not in ("incarnation", "rss_bytes")
}


REMOTE = RemoteWorker(
    worker="r0.a0-a", incarnation=5_000_001, shard="r0.a", node="n1", host="h1", state="serving",
    events_total=12, events_per_s=3.0, quiet_s=0.25,
)  # fmt: skip
"""A worker on another node."""


def sample_status(workers: int = 2, connections: int = 2) -> dict[str, Any]:
    """Return a status with so many workers on so many connections; every number is different from 0."""
    places = {}
    for number in range(workers):
        config = ConnectionConfig(
            name=f"c{number % connections}", exchange=f"x{number % 3}", channels=["trade"], symbols=["X"]
        )
        places[f"{config.name}.{'ab'[number // connections % 2]}{number // connections // 2 or ''}"] = WorkerPlace(
            config, "a"
        )
    records = {
        name: _record(name, kind)
        for name, kind in {
            SIMULATOR: "simulator",
            ENGINE: "engine",
            NURSERY: "nursery",
            ENGINE_NURSERY: "nursery",
            "metrics": "service",
            LANDING: "service",
            **dict.fromkeys(places, "connection"),
        }.items()
    }
    vitals = {name: _vitals(name) for name in records}
    engine = vitals[ENGINE].latest
    assert engine is not None
    vitals[ENGINE].latest = msgspec.structs.replace(
        engine,
        sources=dict.fromkeys([*places, REMOTE.worker], _source()),
        handlers=[HandlerFigures("eTick.", "m.on_tick", ["o"], 9, 1.0, 2.0, 3.0, 4, 5, True)] * 2,
        leaks=["threads"],
        recent=["eBbo."],
    )
    limits = RateLimits()
    limits.acquire(BudgetAsk("c0.a", 1, 1, "rest", "api.x:443", 5, 100, 60.0), 90.0)
    incidents = Incidents()
    for kind in ("death", "gap"):
        incidents.note(Occurrence(kind, "c0.a", "why"), at_ns=1, now=1.0)  # type: ignore[arg-type]
    backfills = {"c0": BackfillFigures(1, 2, 3, 4, 5, 6, 7, "timeout")}
    status = {
        **status_head(_facts(), records, vitals, places, NOW, backfills),
        "markets": {
            "c0": {
                "symbols": 5,
                "shards": 2,
                "refreshed_at": "2026-01-01T00:00:00+00:00",
                "listed_total": 3,
                "delisted_total": 1,
                "listed": ["A"],
                "delisted": ["B"],
                "error": "",
            }
        },
        "budgets": limits.as_list(95.0),
        "incidents": msgspec.structs.asdict(incidents.figures()),
        "workers": worker_statuses(list(places), records, vitals, places, vitals[ENGINE].sources(), NOW, {}),
    }
    copied: dict[str, Any] = json.loads(msgspec.json.encode(status))
    return copied


def _facts() -> SupervisorFacts:
    return SupervisorFacts(
        pid=1,
        version="0.1.0",
        form="compiled",
        run_dir="/r",
        run_id="id",
        state="running",
        started_at=90.0,
        strays_killed_total=2,
        rss_bytes=30_000_000,
        open_fds=20,
        tasks=3,
        threads=1,
        rejected_messages_total=3,
        log_dropped_total=4,
        growth={"rss_bytes": Growth("growing", 3.0, 9.0, 60.0)},
    )


def _record(name: str, kind: str) -> ChildRecord:
    record = ChildRecord(
        plan=ChildPlan(name=name, tier=2, kind=kind),  # type: ignore[arg-type]
        state=State.RUNNING,
        desired=Desired.RUNNING,
        health=Health.HEALTHY,
        incarnation=2,
        pid=77,
        started_at=95.0,
        ready_at=96.0,
        retry_at=101.0,
        restarts_total=1,
        rotations_total=3,
        kills_total=1,
    )
    record.deaths.append(Death(1, None, 9, "kill", "hung", 94.0))
    return record


def _vitals(name: str) -> Vitals:
    vitals = Vitals()
    topics = [TopicStatus("t1", "flowing", 1.0), TopicStatus("t2", "stale", 90.0), TopicStatus("t3", "asked", None)]
    beat = Heartbeat(name, 2, 1.5, 40_000_000, 9, 8, 7, last_data_age_s=0.5, topics=topics)
    beat = msgspec.structs.replace(beat, **_COUNTED, dispatch_p50_us=11.0, dispatch_p99_us=22.0)
    if name == "metrics":
        beat = msgspec.structs.replace(beat, counts={"calls_total": 3, "pending_rows": 5}, problem="the command fails")
    if name == LANDING:
        beat = msgspec.structs.replace(beat, remote_workers=[REMOTE])
    vitals.heartbeat(beat, 99.0)
    vitals.growth.growths["rss_bytes"] = Growth("steady", 1.0, 2.0, 3.0)
    return vitals


def _source() -> SourceCounters:
    stages = [StageCounts(2, [1, 4], 0.5), StageCounts(0, [5], 0.1), StageCounts(20, [1, 1, 1, 2], 99.0)]
    return SourceCounters(1, 2, 3, 4, 5.0, 6.0, 7, 8, 9, 10, 11, stages=stages)
