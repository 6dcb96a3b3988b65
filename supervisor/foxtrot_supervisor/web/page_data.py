"""What the page shows of a status: few fields, short, in the order of importance. Pure.

The status of a thousand workers is megabytes of JSON, most of which no page shows. `view` picks what changes with each
status, `topic_matrix` what rarely does.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from typing import Any, Final

from foxtrot_supervisor.client.history import History, listed
from foxtrot_supervisor.client.market_view import MarketView
from foxtrot_supervisor.report.diagnosis import Finding
from foxtrot_supervisor.report.process_rows import all_workers
from foxtrot_supervisor.web.topic_names import split_topic

__all__ = [
    "FINDINGS_MAX",
    "SERIES_MAX",
    "SPARKS_MAX",
    "TEXT_CHARS_MAX",
    "WORKER_FIELDS",
    "history_of",
    "market_of",
    "topic_matrix",
    "view",
]

FINDINGS_MAX: Final = 100
"""Findings sent to the page."""

SERIES_MAX: Final = 40
"""Connections whose series are sent to a page when it opens; those of others begin then."""

SPARKS_MAX: Final = 1000
"""Workers whose rates are sent to a page when it opens."""

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
    "node",
    "host",
)
"""Fields of each worker, `node` and `host` of those on other nodes; ``cause``, ``exit`` and ``topics`` follow."""

_PAST: Final = "was "
"""How findings begin that are of the past (`report.diagnosis`)."""

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
    # what is wrong now before what happened once
    found = sorted(findings, key=lambda each: (each.severity, each.what.startswith(_PAST)))
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
        "workers": [_worker(each) for each in _latest(all_workers(status))],
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


def history_of(history: History) -> dict[str, Any]:
    """Return the series of a history: of all connections together, of the busiest ones, and of each worker."""
    length = len(history.times)
    series = history.connections
    busiest = sorted(series, key=lambda name: -max(series[name].events_per_s, default=0.0))[:SERIES_MAX]
    return {
        "times": [int(at) for at in history.times],
        "all": {
            "rates": _combined([each.events_per_s for each in series.values()], length, sum),
            "p50": _combined([each.latency_p50_us for each in series.values()], length, max),
            "p99": _combined([each.latency_p99_us for each in series.values()], length, max),
        },
        "connections": {
            name: {
                "rates": _rounded(listed(series[name].events_per_s)),
                "p50": _rounded(listed(series[name].latency_p50_us)),
                "p99": _rounded(listed(series[name].latency_p99_us)),
            }
            for name in sorted(busiest)
        },
        "workers": {name: _rounded(listed(points)) for name, points in islice(history.workers.items(), SPARKS_MAX)},
    }


def market_of(symbol: str, market: MarketView) -> dict[str, Any]:
    """Return what the page shows of a market; `symbol` as the page named it."""
    last, top = market.last, market.top
    return {
        "symbol": symbol,
        "trade": None
        if last is None
        else {
            "price": last.price,
            "size": last.size,
            "side": last.side,
            "at_ms": (last.exchange_ns or last.receive_ns) // 1_000_000,
        },
        "top": None if top is None else [top.bid, top.bid_size, top.ask, top.ask_size],
        "bids": market.bids,
        "asks": market.asks,
        "partial": market.is_partial,
    }


def _combined(
    series: Sequence[array[float]], length: int, combine: Callable[[Iterable[float]], float]
) -> list[float | None]:
    """Return one series of many, which all end at the same time; None where none has a value."""
    found: list[float | None] = []
    for back in range(length, 0, -1):
        values = [each[-back] for each in series if len(each) >= back and not math.isnan(each[-back])]
        found.append(round(combine(values), 1) if values else None)
    return found


def _rounded(points: Iterable[float | None]) -> list[float | None]:
    return [None if point is None else round(point, 1) for point in points]


def _latest(workers: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return the latest incarnation of each worker: of one on another node a rest of the one before may be left."""
    found: dict[str, Mapping[str, Any]] = {}
    for worker in workers:
        before = found.get(worker["name"])
        if before is None or worker["incarnation"] > before["incarnation"]:
            found[worker["name"]] = worker
    return list(found.values())


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
