"""The answer to `status`: one JSON object, made of records and vital signs in parts. Pure.

Shape: docs/operating.md. Times are in seconds; ``at`` is UTC in ISO 8601, derived from the monotonic clock.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from typing import Any, Final

from msgspec import Struct, structs

from foxtrot_protocol.commands import SourceCounters, TopicStatus
from foxtrot_supervisor.config.shards import Shard
from foxtrot_supervisor.core.coordination.backfills import BackfillFigures
from foxtrot_supervisor.core.health import Health
from foxtrot_supervisor.core.lifecycle import State
from foxtrot_supervisor.core.records import ChildRecord, Death
from foxtrot_supervisor.core.services import LANDING
from foxtrot_supervisor.core.targets import ENGINE, ENGINE_NURSERY, NURSERY, SIMULATOR, WorkerPlace
from foxtrot_supervisor.report.clocks import clock_of
from foxtrot_supervisor.report.ring_accounts import RingAccount
from foxtrot_supervisor.telemetry.growth import Growth
from foxtrot_supervisor.telemetry.loop_lag import LoopLagFigures
from foxtrot_supervisor.telemetry.stages import BOUNDS_S, STAGES
from foxtrot_supervisor.telemetry.vitals import Vitals

__all__ = ["STACKS_CHARS_SHOWN", "Moment", "SupervisorFacts", "status_head", "worker_statuses"]

STACKS_CHARS_SHOWN = 16 * 1024
"""Characters shown of the latest stacks of each child; the log has all of them."""

_NO_SOURCE = SourceCounters(0, 0, 0, 0, 0.0, 0.0)
_NO_VITALS = Vitals()


class Moment(Struct, frozen=True):
    """The same instant on both clocks, in seconds."""

    monotonic: float
    wall: float


class SupervisorFacts(Struct, frozen=True, kw_only=True):
    """Figures of the supervisor process itself."""

    pid: int
    version: str
    form: str
    """Form of the hot paths (`foxtrot_protocol.compiled.describe`)."""
    run_dir: str
    run_id: str
    state: str
    started_at: float
    strays_killed_total: int
    rejected_messages_total: int
    rss_bytes: int
    open_fds: int
    tasks: int
    threads: int
    log_dropped_total: int = 0
    """Lines of its own log that could not be written."""
    growth: Mapping[str, Growth] = {}
    loop_lag: LoopLagFigures = LoopLagFigures()


def status_head(
    facts: SupervisorFacts,
    records: Mapping[str, ChildRecord],
    vitals: Mapping[str, Vitals],
    places: Mapping[str, WorkerPlace],
    moment: Moment,
    backfills: Mapping[str, BackfillFigures] | None = None,
) -> dict[str, Any]:
    """Return the status without its workers.

    `records`, `vitals` and `places` are by child name, `backfills` by connection name.
    """
    engine_vitals, landing = vitals.get(ENGINE, _NO_VITALS), vitals.get(LANDING, _NO_VITALS)
    return {
        "supervisor": {
            "pid": facts.pid,
            "version": facts.version,
            "form": facts.form,
            "uptime_s": round(moment.monotonic - facts.started_at, 3),
            "state": facts.state,
            "run_dir": facts.run_dir,
            "run_id": facts.run_id,
            "strays_killed_total": facts.strays_killed_total,
            "rejected_messages_total": facts.rejected_messages_total,
            "rss_bytes": facts.rss_bytes,
            "open_fds": facts.open_fds,
            "tasks": facts.tasks,
            "threads": facts.threads,
            "log_dropped_total": facts.log_dropped_total,
            "loop_lag_ms": facts.loop_lag.recent_ms,
            "loop_lag_max_ms": facts.loop_lag.max_ms,
            "loop_late_total": facts.loop_lag.late_total,
            "growth": _growth(facts.growth),
        },
        "stage_bounds_s": list(BOUNDS_S),
        "engine": _engine(records[ENGINE], engine_vitals, moment) if ENGINE in records else {},
        "simulators": [
            _child(record, vitals.get(name, _NO_VITALS), moment)
            for name, record in records.items()
            if name == SIMULATOR and name not in places
        ],
        "nursery": _nursery(NURSERY, records, vitals, places, moment),
        "engine_nursery": _nursery(ENGINE_NURSERY, records, vitals, places, moment),
        "services": [
            _service(record, vitals.get(name, _NO_VITALS), moment)
            for name, record in records.items()
            if record.plan.kind == "service"
        ],
        "remote_workers": _remote_workers(records.get(LANDING), landing, engine_vitals.sources(), moment),
        "backfills": [{"connection": name, **structs.asdict(figures)} for name, figures in (backfills or {}).items()],
    }


def _remote_workers(
    record: ChildRecord | None, vitals: Vitals, sources: Mapping[str, SourceCounters], moment: Moment
) -> list[dict[str, Any]]:
    """Return the workers of a cluster as the landing last reported them; while it is down their state is unknown.

    The engine's counts are of all incarnations of a worker; they stand at the latest one.
    """
    if record is None or vitals.latest is None:
        return []
    rows = vitals.latest.remote_workers
    known = record.state is State.RUNNING and record.health not in (Health.LATE, Health.HUNG)
    latest = {row.worker: row.incarnation for row in sorted(rows, key=lambda row: row.incarnation)}
    age_s = _since(vitals.heard_at, moment)
    return [
        {
            **structs.asdict(row),
            "connection": row.worker.rpartition(".")[0] or row.worker,
            "state": row.state if known else "unknown",
            "events_per_s": row.events_per_s if known else None,
            "quiet_s": None if row.quiet_s is None else round(row.quiet_s + (age_s or 0.0), 3),
            "heartbeat_age_s": age_s,
            **_remote_counts(sources.get(row.worker) if latest[row.worker] == row.incarnation else None),
        }
        for row in rows
    ]


_REMOTE_COUNTS: Final = (
    "applied_total",
    "deduplicated_total",
    "superseded_total",
    "demoted_total",
    "wins_total",
    "gaps_total",
    "lost_total",
    "lost_batches_total",
    "late_total",
    "latency_p50_us",
    "latency_p99_us",
)
"""What the engine counts of a worker, wherever that runs."""


def _remote_counts(source: SourceCounters | None) -> dict[str, Any]:
    counts = {name: None if source is None else getattr(source, name) for name in _REMOTE_COUNTS}
    stages = () if source is None else zip(STAGES, source.stages, strict=False)
    return {**counts, "stages": {name: structs.asdict(each) for name, each in stages}}


def worker_statuses(
    names: Sequence[str],
    records: Mapping[str, ChildRecord],
    vitals: Mapping[str, Vitals],
    places: Mapping[str, WorkerPlace],
    sources: Mapping[str, SourceCounters],
    moment: Moment,
    accounts: Mapping[str, RingAccount],
) -> list[dict[str, Any]]:
    """Return the status of each worker of `names` that still exists.

    `sources` are the engine's counts, `accounts` those of rings, both by worker.
    """
    return [
        _worker(
            records[name],
            vitals.get(name, _NO_VITALS),
            places[name],
            sources.get(name, _NO_SOURCE),
            accounts.get(name),
            moment,
        )
        for name in names
        if name in places and name in records
    ]


def _engine(record: ChildRecord, vitals: Vitals, moment: Moment) -> dict[str, Any]:
    beat, totals = vitals.latest, vitals.totals()
    return {
        **_child(record, vitals, moment),
        "events_total": totals["events_total"],
        "events_per_s": round(vitals.events_per_s, 1),
        "queue_depth": beat.queue_depth if beat else 0,
        "dispatch_p50_us": beat.dispatch_p50_us if beat else 0.0,
        "dispatch_p99_us": beat.dispatch_p99_us if beat else 0.0,
        "slow_handlers": totals["slow_handlers"],
        "handler_errors_total": totals["handler_errors_total"],
        "redelivered_total": totals["redelivered_total"],
        "account_violations_total": totals["account_violations_total"],
        "rejected_total": totals["rejected_total"],
        "dropped_total": totals["dropped_total"],
        "early_bells_total": totals["early_bells_total"],
        "early_bells_vain_total": totals["early_bells_vain_total"],
        "recent": list(beat.recent) if beat else [],
        "ticks_total": totals["ticks_total"],
        "bars_total": totals["bars_total"],
        "late_trades_total": totals["late_trades_total"],
        "leaks_total": totals["leaks_total"],
        "leaks": list(beat.leaks) if beat else [],
        "owners": list(beat.owners) if beat else [],
        "handlers": [structs.asdict(each) for each in beat.handlers] if beat else [],
    }


def _worker(
    record: ChildRecord,
    vitals: Vitals,
    place: WorkerPlace,
    source: SourceCounters,
    ring: RingAccount | None,
    moment: Moment,
) -> dict[str, Any]:
    beat, totals = vitals.latest, vitals.totals()
    age_s = vitals.data_age_s(moment.monotonic)
    return {
        **_child(record, vitals, moment),
        "connection": place.connection.name,
        "shard_of": place.connection.shard_of if isinstance(place.connection, Shard) else None,
        "side": place.side,
        "stopped_by_operator": record.stopped_by_operator,
        "exchange": place.connection.exchange,
        "frames_total": totals["frames_total"],
        "events_total": totals["events_total"],
        "events_per_s": round(vitals.events_per_s, 1),
        "rejected_total": totals["rejected_total"],
        # a ring is exact; without one the latest heartbeats are all that is known
        "committed_total": ring.committed if ring else totals["committed_total"],
        "dropped_total": totals["dropped_total"],
        "applied_total": ring.applied if ring else source.applied_total,
        "deduplicated_total": ring.deduplicated if ring else source.deduplicated_total,
        "superseded_total": ring.superseded if ring else source.superseded_total,
        "demoted_total": source.demoted_total,
        "wins_total": source.wins_total,
        "gaps_total": source.gaps_total,
        "lost_total": ring.lost if ring else source.lost_total,
        "lost_batches_total": source.lost_batches_total,
        "redelivered_total": ring.redelivered if ring else 0,
        "late_total": source.late_total,
        "ring_used_bytes": ring.used_bytes if ring else 0,
        "rings": ring.rings if ring else 0,
        "latency_p50_us": source.latency_p50_us,
        "latency_p99_us": source.latency_p99_us,
        "stages": {name: structs.asdict(counts) for name, counts in zip(STAGES, source.stages, strict=False)},
        "last_data_age_s": None if age_s is None else round(age_s, 3),
        "budget_waits_total": totals["budget_waits_total"],
        "budget_refused_total": totals["budget_refused_total"],
        "budget_unanswered_total": totals["budget_unanswered_total"],
        "snapshots_rejected_total": totals["snapshots_rejected_total"],
        "templated_total": totals["templated_total"],
        "templates_off_total": totals["templates_off_total"],
        "clock": clock_of(beat, source),
        "topics": [_topic(topic, _since(vitals.heard_at, moment) or 0.0) for topic in (beat.topics if beat else ())],
    }


def _topic(topic: TopicStatus, elapsed_s: float) -> dict[str, Any]:
    """Return a topic as last reported, `elapsed_s` seconds ago, with its times moved on to now."""
    return {
        "topic": topic.topic,
        "state": topic.state,
        "age_s": None if topic.age_s is None else round(topic.age_s + elapsed_s, 3),
        "since_s": round(topic.since_s + elapsed_s, 3),
        "limit_s": topic.limit_s,
        "reason": topic.reason,
        "final": topic.final,
    }


def _nursery(
    name: str,
    records: Mapping[str, ChildRecord],
    vitals: Mapping[str, Vitals],
    places: Mapping[str, WorkerPlace],
    moment: Moment,
) -> dict[str, Any]:
    """Return the status of a template process, {} where there is none."""
    if name not in records or name in places:
        return {}
    return _child(records[name], vitals.get(name, _NO_VITALS), moment)


def _service(record: ChildRecord, vitals: Vitals, moment: Moment) -> dict[str, Any]:
    beat = vitals.latest
    return {
        **_child(record, vitals, moment),
        "addresses": dict(vitals.info),
        "counts": dict(beat.counts) if beat else {},
        "problem": beat.problem if beat else "",
        "recent": list(beat.recent) if beat else [],
    }


def _child(record: ChildRecord, vitals: Vitals, moment: Moment) -> dict[str, Any]:
    """Return the fields that every child has."""
    beat = vitals.latest
    death = record.last_exit
    return {
        "name": record.name,
        "kind": record.plan.kind,
        "pid": record.pid,
        "incarnation": record.incarnation,
        "state": record.state.value,
        "desired": record.desired.value,
        "health": record.health.value if record.health is not None else None,
        "cause": record.cause,
        "essential": record.plan.essential,
        "uptime_s": _since(record.started_at, moment),
        "ready_s": _since(record.ready_at, moment) if record.pid is not None else None,
        "retry_in_s": None if record.retry_at is None else round(max(0.0, record.retry_at - moment.monotonic), 3),
        "restarts_total": record.restarts_total,
        "rotations_total": record.rotations_total,
        "rotation": record.rotation,
        "rotation_reason": record.rotation_reason,
        "kills_total": record.kills_total,
        "rung": record.rung,
        "last_exit": _exit(death, moment) if death is not None else None,
        "exits": [_exit(each, moment) for each in record.deaths],
        "stacks": record.stacks[:STACKS_CHARS_SHOWN],
        "loop_lag_ms": beat.loop_lag_ms if beat else None,
        "heartbeat_age_s": _since(vitals.heard_at, moment),
        "rss_bytes": beat.rss_bytes if beat else None,
        "open_fds": beat.open_fds if beat else None,
        "tasks": beat.tasks if beat else None,
        "threads": beat.threads if beat else None,
        "growth": _growth(vitals.growth.growths),
    }


def _growth(growths: Mapping[str, Growth]) -> dict[str, Any]:
    return {
        name: {"verdict": each.verdict, "per_hour": round(each.per_hour, 3), "span_s": round(each.span_s, 1)}
        for name, each in growths.items()
    }


def _exit(death: Death, moment: Moment) -> dict[str, Any]:
    at = moment.wall - (moment.monotonic - death.at)
    return {
        "incarnation": death.incarnation,
        "code": death.code,
        "signal": death.signal,
        "rung": death.rung,
        "cause": death.cause,
        "at": datetime.datetime.fromtimestamp(at, datetime.UTC).isoformat(timespec="milliseconds"),
    }


def _since(then: float | None, moment: Moment) -> float | None:
    return None if then is None else round(max(0.0, moment.monotonic - then), 3)
