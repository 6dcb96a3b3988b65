"""Series of rates and latencies."""

from __future__ import annotations

import math
from typing import Any

import pytest

from foxtrot_supervisor.client import history
from foxtrot_supervisor.client.history import POINTS_MAX, WORKER_POINTS_MAX, History, listed


def worker(name: str, rate: float, p99: float | None = 5.0, **more: Any) -> dict[str, Any]:
    connection = name.split(".")[0]
    return {"name": name, "connection": connection, "events_per_s": rate, "latency_p99_us": p99, **more}


def test_sides_and_shards_of_a_connection_are_one_series() -> None:
    kept = History()
    kept.add(
        1.0,
        {
            "engine": {"events_per_s": 40.0, "queue_depth": 7, "dispatch_p50_us": 2.0, "dispatch_p99_us": 0.0},
            "workers": [
                worker("one.a", 10.0, 5.0),
                worker("one.b", 20.0, None),
                worker("two-1.a", 4.0, 9.0, shard_of="two"),
                worker("two-2.a", 5.0, 8.0, shard_of="two"),
            ],
        },
    )
    assert listed(kept.connections["one"].events_per_s) == [30.0]
    assert listed(kept.connections["one"].latency_p99_us) == [5.0]
    assert listed(kept.connections["one"].latency_p50_us) == [None]
    assert listed(kept.connections["two"].events_per_s) == [9.0]
    assert listed(kept.connections["two"].latency_p99_us) == [9.0]
    assert {name: listed(points) for name, points in kept.workers.items()} == {
        "one.a": [10.0],
        "one.b": [20.0],
        "two-1.a": [4.0],
        "two-2.a": [5.0],
    }
    assert listed(kept.engine.events_per_s) == [40.0]
    assert listed(kept.engine.latency_p99_us) == [None], "0: none measured yet"
    assert listed(kept.queue_depth) == [7.0]
    assert list(kept.times) == [1.0]


def test_what_has_gone_is_dropped_and_what_comes_later_is_shorter() -> None:
    kept = History()
    kept.add(1.0, {"workers": [worker("one.a", 1.0), worker("two.a", 2.0)]})
    kept.add(2.0, {"workers": [worker("two.a", 3.0), worker("three.a", 4.0)]})
    assert listed(kept.connections["two"].events_per_s) == [2.0, 3.0]
    assert listed(kept.connections["three"].events_per_s) == [4.0]
    assert "one" not in kept.connections
    assert "one.a" not in kept.workers
    assert math.isnan(kept.engine.events_per_s[0]), "there was no engine"


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "CONNECTIONS_MAX", 2)
    kept = History()
    workers = [worker("one.a", 1.0), worker("two.a", 1.0), worker("three.a", 1.0)]
    for number in range(POINTS_MAX + 5):
        kept.add(float(number), {"workers": workers})
    assert len(kept.times) == len(kept.connections["one"].events_per_s) == POINTS_MAX
    assert kept.times[0] == 5.0
    assert len(kept.workers["one.a"]) == WORKER_POINTS_MAX
    assert list(kept.connections) == ["one", "two"]
    assert list(kept.workers) == ["one.a", "two.a"]


def test_workers_on_other_nodes_have_series_and_their_incarnations_are_one() -> None:
    kept = History()
    row = {"worker": "btc.a0-a", "connection": "btc", "events_per_s": 10.0, "latency_p99_us": None}
    kept.add(1.0, {"remote_workers": [row, row | {"events_per_s": 0.0}]})
    assert listed(kept.workers["btc.a0-a"]) == [10.0]
    assert listed(kept.connections["btc"].events_per_s) == [10.0]
