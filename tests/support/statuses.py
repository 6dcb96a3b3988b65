"""A status for views: a connection with sides, one with shards, single ones, in various states."""

from __future__ import annotations

from typing import Any

__all__ = ["STATUS", "remote", "worker"]


def worker(name: str, state: str = "RUNNING", **more: Any) -> dict[str, Any]:
    """A worker's element of the status."""
    return {
        "name": name,
        "connection": name.split(".")[0],
        "side": name.split(".")[1],
        "exchange": "sim",
        "state": state,
        "desired": "RUNNING",
        "pid": 100,
        "incarnation": 1,
        "events_per_s": 10.0,
        "latency_p50_us": 100.0,
        "latency_p99_us": 200.0,
        "last_data_age_s": 0.5,
        "loop_lag_ms": 1.0,
        "restarts_total": 0,
        "rss_bytes": 20 << 20,
        "gaps_total": 0,
        "lost_total": 0,
        "uptime_s": 60.0,
        "topics": [],
        **more,
    }


def remote(name: str, node: str = "n1", state: str = "serving", **more: Any) -> dict[str, Any]:
    """A worker on another node: an element of ``remote_workers``."""
    connection, _, side = name.partition(".")
    return {
        "worker": name,
        "connection": connection,
        "incarnation": 5_000_001,
        "shard": f"{connection}.{side[:1]}",
        "node": node,
        "host": f"host-{node}",
        "state": state,
        "events_total": 100,
        "events_per_s": 10.0,
        "quiet_s": 0.5,
        "heartbeat_age_s": 0.2,
        "latency_p50_us": 100.0,
        "latency_p99_us": 200.0,
        "gaps_total": 0,
        "lost_total": 0,
        **more,
    }


STATUS: dict[str, Any] = {
    "supervisor": {"state": "running", "uptime_s": 61.0, "version": "1", "run_id": "r"},
    "engine": {
        "name": "engine",
        "state": "RUNNING",
        "incarnation": 1,
        "events_per_s": 50.0,
        "queue_depth": 3,
        "dispatch_p50_us": 12.0,
        "dispatch_p99_us": 34.0,
        "handlers": [
            {"handler": "pack.cheap.Cheap.on_trade", "type": "eBbo.", "calls": 10, "p50_us": 1.0},
            {
                "handler": "pack.dear.Dear.on_trade",
                "type": "",
                "calls": 10,
                "p50_us": 9.0,
                "errors": 3,
                "suspended": True,
            },
        ],
    },
    "nursery": {"name": "nursery", "state": "RUNNING"},
    "simulators": [{"name": "simulator", "state": "RUNNING"}],
    "workers": [
        worker("twin.a"),
        worker("twin.b", "BACKOFF", cause="connection refused", restarts_total=4, pid=None),
        worker("big-1.a", shard_of="big", events_per_s=30.0),
        worker("big-2.a", shard_of="big", gaps_total=2),
        worker("single.a", exchange="okx", rss_bytes=90 << 20),
    ],
    "backfills": [
        {"connection": "single", "filled_total": 3, "holes_total": 4, "last_problem": ""},
        {"connection": "big-1", "filled_total": 1, "holes_total": 1, "last_problem": ""},
        {"connection": "big-2", "filled_total": 2, "holes_total": 2, "last_problem": ""},
    ],
}
