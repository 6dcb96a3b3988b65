"""What the page shows of a status: few fields, short, in the order of importance. Pure.

The status of a thousand workers is megabytes of JSON, most of which no page shows. `view` picks what changes with each
status, `topic_matrix` what rarely does.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from foxtrot_supervisor.report.diagnosis import Finding
from foxtrot_supervisor.web.topic_names import split_topic

__all__ = ["FINDINGS_MAX", "TEXT_CHARS_MAX", "WORKER_FIELDS", "topic_matrix", "view"]

FINDINGS_MAX: Final = 100
"""Findings sent to the page."""

TEXT_CHARS_MAX: Final = 400
"""Characters of a cause or a detail."""

WORKER_FIELDS: Final = (
    "name",
    "connection",
    "shard_of",
    "side",
    "exchange",
    "state",
    "desired",
    "health",
    "pid",
    "incarnation",
    "ready_s",
    "retry_in_s",
    "rotation",
    "restarts_total",
    "rotations_total",
    "kills_total",
    "events_total",
    "events_per_s",
    "latency_p50_us",
    "latency_p99_us",
    "last_data_age_s",
    "loop_lag_ms",
    "rss_bytes",
    "gaps_total",
    "lost_total",
    "dropped_total",
    "rejected_total",
)
"""Fields of each worker; ``cause``, ``exit`` and ``topics`` follow."""

_ENGINE_FIELDS: Final = (
    "state",
    "pid",
    "incarnation",
    "ready_s",
    "restarts_total",
    "loop_lag_ms",
    "rss_bytes",
    "events_total",
    "events_per_s",
    "queue_depth",
    "dispatch_p50_us",
    "dispatch_p99_us",
    "slow_handlers",
    "handler_errors_total",
    "dropped_total",
    "rejected_total",
    "handlers",
)

_RUN_FIELDS: Final = ("pid", "version", "form", "uptime_s", "state", "run_dir", "run_id", "rss_bytes")


def view(status: Mapping[str, Any], findings: Iterable[Finding], at_ns: int) -> dict[str, Any]:
    """Return what the page shows of `status`, taken at `at_ns` (nanoseconds since 1970 UTC)."""
    found = list(findings)
    engine = status.get("engine") or {}
    return {
        "at_ms": at_ns // 1_000_000,
        "run": _picked(status["supervisor"], _RUN_FIELDS),
        "findings": [
            {"severity": each.severity, "where": each.where, "what": _cut(each.what), "detail": _cut(each.detail)}
            for each in found[:FINDINGS_MAX]
        ],
        "findings_total": len(found),
        "bad_total": sum(each.severity == "bad" for each in found),
        "engine": _picked(engine, _ENGINE_FIELDS) if engine else None,
        "fields": [*WORKER_FIELDS, "cause", "exit", "topics_total", "topics_flowing"],
        "workers": [_worker(each) for each in status["workers"]],
    }


def topic_matrix(workers: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the states of topics of each connection: symbols by channels and sides."""
    connections: dict[str, dict[str, Any]] = {}
    for worker in workers:
        found = connections.setdefault(
            worker["connection"],
            {
                "name": worker["connection"],
                "exchange": worker["exchange"],
                "sides": [],
                "channels": [],
                "symbols": {},
            },
        )
        side = len(found["sides"])
        found["sides"].append(worker["side"])
        for topic in worker["topics"]:
            symbol, channel = split_topic(topic["topic"])
            if channel not in found["channels"]:
                found["channels"].append(channel)
            cells = found["symbols"].setdefault(symbol, [])
            cells.append([found["channels"].index(channel), side, topic["state"], _cut(topic["reason"])])
    return list(connections.values())


def _worker(worker: Mapping[str, Any]) -> list[Any]:
    ended = worker.get("last_exit") or {}
    topics = worker.get("topics") or ()
    return [
        *(worker.get(field) for field in WORKER_FIELDS),
        _cut(worker.get("cause") or ""),
        _cut(ended.get("cause") or ""),
        len(topics),
        sum(topic["state"] == "flowing" for topic in topics),
    ]


def _picked(source: Mapping[str, Any], fields: Iterable[str]) -> dict[str, Any]:
    return {field: source.get(field) for field in fields}


def _cut(text: str) -> str:
    return text if len(text) <= TEXT_CHARS_MAX else text[: TEXT_CHARS_MAX - 1] + "…"
