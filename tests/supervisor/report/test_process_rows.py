"""Which rows are shown, in which order."""

from __future__ import annotations

import pytest

from foxtrot_supervisor.report.process_rows import ORDERS, Row, arrange, rows_of, serves, severity
from tests.support.statuses import STATUS, remote, worker

BY_NAME = {order[0]: order for order in ORDERS}


def names(rows: list[Row]) -> list[str]:
    return [row.name for row in rows]


def test_sides_and_shards_stand_below_their_connection() -> None:
    rows = rows_of(STATUS)
    assert names(rows) == ["twin", "big", "single.a", "engine", "nursery", "simulator"]
    assert names(rows[0].children) == ["twin.a", "twin.b"]
    assert names(rows[1].children) == ["big-1.a", "big-2.a"]
    assert [row.kind for row in rows] == ["connection", "connection", "worker", "process", "process", "process"]
    assert rows[1].backfill == {"filled_total": 3, "holes_total": 3}
    assert rows[2].backfill == {"filled_total": 3, "holes_total": 4}
    assert rows[0].backfill is None


def test_figures_of_a_connection() -> None:
    row = rows_of(STATUS)[1]
    assert row.total("events_per_s") == 40.0
    assert row.largest("latency_p99_us") == 200.0
    assert row.smallest("uptime_s") == 60.0
    assert (row.total("none"), row.largest("none"), row.smallest("none")) == (None, None, None)


def test_what_is_wrong_comes_first_and_the_rest_as_in_the_file() -> None:
    assert names(arrange(rows_of(STATUS))) == [
        "twin",
        "twin.b",
        "twin.a",
        "big",
        "big-1.a",
        "big-2.a",
        "single.a",
        "engine",
        "nursery",
        "simulator",
    ]


@pytest.mark.parametrize(
    ("order", "reverse", "first"),
    [
        ("file", False, "twin"),
        ("rate", False, "engine"),
        ("memory", False, "single.a"),
        ("gaps", False, "big"),
        ("restarts", False, "twin"),
        ("p99", True, "engine"),
    ],
)
def test_orders(order: str, reverse: bool, first: str) -> None:
    assert arrange(rows_of(STATUS), order=BY_NAME[order], reverse=reverse)[0].name == first


def test_a_filter_keeps_the_connections_of_its_workers() -> None:
    assert names(arrange(rows_of(STATUS), words="BACKOFF")) == ["twin", "twin.b"]
    assert names(arrange(rows_of(STATUS), words="okx")) == ["single.a"]
    assert names(arrange(rows_of(STATUS), words="twin refused")) == ["twin", "twin.b"]
    assert arrange(rows_of(STATUS), words="nothing") == []


def test_a_closed_connection_hides_its_workers() -> None:
    rows = arrange(rows_of(STATUS), order=BY_NAME["file"], closed={"twin", "single.a"})
    assert names(rows)[:3] == ["twin", "big", "big-1.a"]
    assert [row.is_open for row in rows[:2]] == [False, True]
    assert [row.is_last for row in rows[1:4]] == [False, False, True]


@pytest.mark.parametrize(
    ("process", "level"),
    [
        (worker("a.a"), 0),
        (worker("a.a", "FATAL"), 3),
        (worker("a.a", "BACKOFF"), 2),
        (worker("a.a", "STARTING"), 0),
        (worker("a.a", "STARTING", incarnation=2), 1),
        (worker("a.a", topics=[{"topic": "t", "state": "gap"}]), 1),
        (worker("a.a", topics=[{"topic": "t", "state": "stale"}]), 2),
        ({}, 0),
    ],
)
def test_severity(process: dict[str, object], level: int) -> None:
    assert severity(process) == level


def test_an_empty_status_has_no_rows() -> None:
    assert rows_of({}) == []


CLUSTER = {
    **STATUS,
    "workers": [],
    "remote_workers": [remote("btc.a0-a"), remote("btc.b0-a", "n2", "away", gaps_total=3), remote("eth.a0-a", "n2")],
}


def test_workers_on_other_nodes_stand_below_their_connection_and_one_that_is_away_comes_first() -> None:
    rows = arrange(rows_of(CLUSTER))
    assert names(rows) == ["btc", "btc.b0-a", "btc.a0-a", "eth.a0-a", "engine", "nursery", "simulator"]
    assert [row.is_remote for row in rows] == [True] * 4 + [False] * 3
    assert rows[0].total("gaps_total") == 3
    assert rows[0].largest("last_data_age_s") == 0.5
    assert rows[0].total("rss_bytes") is None
    assert names(arrange(rows_of(CLUSTER), words="host-n2 eth")) == ["eth.a0-a"]
    assert [serves(each) for each in rows[0].members] == [True, False]


@pytest.mark.parametrize(
    ("state", "level"), [("serving", 0), ("starting", 0), ("ended", 0), ("leaving", 1), ("unknown", 1), ("away", 2)]
)
def test_severity_of_workers_on_other_nodes(state: str, level: int) -> None:
    assert severity(remote("btc.a0-a", state=state)) == level
