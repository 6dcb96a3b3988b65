"""What the page gets of a status."""

from __future__ import annotations

import json
from typing import Any

from foxtrot_supervisor.report.diagnosis import Finding
from foxtrot_supervisor.web.page_data import FINDINGS_MAX, TEXT_CHARS_MAX, topic_matrix, view


def topic(name: str, state: str = "flowing", reason: str = "") -> dict[str, Any]:
    return {"topic": name, "state": state, "reason": reason}


def worker(name: str, **more: Any) -> dict[str, Any]:
    connection, _, side = name.rpartition(".")
    return {"name": name, "connection": connection, "side": side, "exchange": "okx", "topics": [], **more}


STATUS = {
    "supervisor": {"pid": 1, "state": "running", "run_dir": "/run/x", "secret": "canary"},
    "engine": {"state": "RUNNING", "queue_depth": 3, "secret": "canary"},
    "workers": [
        worker("one.a", pid=7, last_exit={"cause": "x" * 1000}, topics=[topic("a:X"), topic("b:X", "stale")]),
        worker("one.b", stacks="canary", cause=None),
    ],
}


def test_a_view_has_the_chosen_fields_only() -> None:
    shown = view(STATUS, [Finding("bad", "one.a", "is FATAL", "why"), Finding("watch", "one.b", "restarted")], 5_000_000)
    assert "canary" not in json.dumps(shown)
    assert (shown["at_ms"], shown["run"]["run_dir"], shown["engine"]["queue_depth"]) == (5, "/run/x", 3)
    assert shown["findings"][0] == {"severity": "bad", "where": "one.a", "what": "is FATAL", "detail": "why"}
    assert (shown["findings_total"], shown["bad_total"]) == (2, 1)
    first, second = (dict(zip(shown["fields"], each, strict=True)) for each in shown["workers"])
    assert (first["name"], first["pid"], first["side"]) == ("one.a", 7, "a")
    assert (first["topics_total"], first["topics_flowing"]) == (2, 1)
    assert len(first["exit"]) == TEXT_CHARS_MAX
    assert (second["cause"], second["exit"], second["pid"]) == ("", "", None)


def test_the_number_of_findings_is_bounded() -> None:
    found = [Finding("watch", "one.a", str(number)) for number in range(FINDINGS_MAX + 5)]
    shown = view({**STATUS, "engine": {}}, found, 0)
    assert (len(shown["findings"]), shown["findings_total"]) == (FINDINGS_MAX, FINDINGS_MAX + 5)
    assert shown["engine"] is None


def test_the_matrix_has_symbols_by_channels_and_sides() -> None:
    workers = [
        worker("one.a", topics=[topic("trades:X"), topic("books:X", "invalid", "refused"), topic("trades:Y", "silent")]),
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
