"""What the page gets of a status."""

from __future__ import annotations

import json
from typing import Any

import pytest

from foxtrot_supervisor.client.history import History
from foxtrot_supervisor.client.market_view import MarketView
from foxtrot_supervisor.report.diagnosis import Finding
from foxtrot_supervisor.web import page_data
from foxtrot_supervisor.web.page_data import FINDINGS_MAX, TEXT_CHARS_MAX, history_of, market_of, topic_matrix, view
from tests.support.statuses import remote


def topic(name: str, state: str = "flowing", reason: str = "") -> dict[str, Any]:
    return {"topic": name, "state": state, "reason": reason}


def worker(name: str, **more: Any) -> dict[str, Any]:
    connection, _, side = name.rpartition(".")
    return {
        "name": name,
        "connection": connection,
        "side": side,
        "exchange": "okx",
        "incarnation": 1,
        "topics": [],
        **more,
    }


STATUS = {
    "supervisor": {"pid": 1, "state": "running", "run_dir": "/run/x", "secret": "canary"},
    "engine": {"state": "RUNNING", "queue_depth": 3, "secret": "canary"},
    "workers": [
        worker("one.a", pid=7, last_exit={"cause": "x" * 1000}, topics=[topic("a:X"), topic("b:X", "stale")]),
        worker("one.b", stacks="canary", cause=None),
    ],
}


def test_a_view_has_the_chosen_fields_only() -> None:
    shown = view(
        STATUS, [Finding("bad", "one.a", "is FATAL", "why"), Finding("watch", "one.b", "restarted")], 5_000_000
    )
    assert "canary" not in json.dumps(shown)
    assert (shown["at_ms"], shown["run"]["run_dir"], shown["engine"]["queue_depth"]) == (5, "/run/x", 3)
    assert shown["findings"][0] == {"severity": "bad", "where": "one.a", "what": "is FATAL", "detail": "why"}
    assert (shown["findings_total"], shown["bad_total"]) == (2, 1)
    first, second = (dict(zip(shown["fields"], each, strict=True)) for each in shown["workers"])
    assert (first["name"], first["pid"], first["side"]) == ("one.a", 7, "a")
    assert (first["topics_total"], first["topics_flowing"]) == (2, 1)
    assert len(first["exit"]) == TEXT_CHARS_MAX
    assert (second["cause"], second["exit"], second["pid"]) == ("", "", None)


def test_workers_on_other_nodes_are_shown_with_their_node_and_once_each() -> None:
    left = remote("btc.a0-a", "", "ended", incarnation=4_000_001)
    shown = view({**STATUS, "remote_workers": [remote("btc.a0-a"), left]}, [], 0)
    rows = [dict(zip(shown["fields"], each, strict=True)) for each in shown["workers"]]
    assert [(row["name"], row["node"]) for row in rows] == [("one.a", None), ("one.b", None), ("btc.a0-a", "n1")]
    (row,) = rows[2:]
    assert (row["state"], row["connection"], row["host"], row["last_data_age_s"]) == ("serving", "btc", "host-n1", 0.5)
    assert (row["pid"], row["rss_bytes"], row["restarts_total"]) == (None, None, None)


def test_the_number_of_findings_is_bounded() -> None:
    found = [Finding("watch", "one.a", str(number)) for number in range(FINDINGS_MAX + 5)]
    shown = view({**STATUS, "engine": {}}, found, 0)
    assert (len(shown["findings"]), shown["findings_total"]) == (FINDINGS_MAX, FINDINGS_MAX + 5)
    assert shown["engine"] is None


def test_the_matrix_has_symbols_by_channels_and_sides() -> None:
    workers = [
        worker(
            "one.a", topics=[topic("trades:X"), topic("books:X", "invalid", "refused"), topic("trades:Y", "silent")]
        ),
        worker("one.b", topics=[topic("trades:X")]),
        worker("two.a"),
    ]
    assert topic_matrix(workers) == [
        {
            "name": "one",
            "exchange": "okx",
            "sides": ["a", "b"],
            "channels": ["trades", "books"],
            "symbols": {
                "X": [[0, 0, "flowing", ""], [1, 0, "invalid", "refused"], [0, 1, "flowing", ""]],
                "Y": [[0, 0, "silent", ""]],
            },
        },
        {"name": "two", "exchange": "okx", "sides": ["a"], "channels": [], "symbols": {}},
    ]


def test_series_of_connections_are_combined_from_the_end() -> None:
    history = History()
    history.add(1.0, {"workers": [{"name": "one.a", "connection": "one", "events_per_s": 5.04}]})
    later = {"connection": "two", "name": "two.a", "events_per_s": 7, "latency_p50_us": 3, "latency_p99_us": 9}
    history.add(2.0, {"workers": [{"name": "one.a", "connection": "one", "events_per_s": 6}, later]})
    found = history_of(history)
    assert found["times"] == [1, 2]
    assert found["all"] == {"rates": [5.0, 13.0], "p50": [None, 3.0], "p99": [None, 9.0]}
    assert found["connections"]["two"] == {"rates": [7.0], "p50": [3.0], "p99": [9.0]}
    assert found["workers"] == {"one.a": [5.0, 6.0], "two.a": [7.0]}


def test_a_page_gets_the_series_of_the_busiest_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page_data, "SERIES_MAX", 2)
    monkeypatch.setattr(page_data, "SPARKS_MAX", 1)
    history = History()
    rates = {"a": 9, "b": 1, "c": 5}
    workers = [{"name": f"{name}.a", "connection": name, "events_per_s": rate} for name, rate in rates.items()]
    history.add(1.0, {"workers": workers})
    assert list(history_of(history)["connections"]) == ["a", "c"]
    assert list(history_of(history)["workers"]) == ["a.a"]
    assert history_of(History())["all"] == {"rates": [], "p50": [], "p99": []}


def test_a_market_without_anything_is_shown_as_such() -> None:
    assert market_of("X.SIM", MarketView("", "SIM", "X")) == {
        "symbol": "X.SIM",
        "trade": None,
        "top": None,
        "bids": [],
        "asks": [],
        "partial": False,
    }
