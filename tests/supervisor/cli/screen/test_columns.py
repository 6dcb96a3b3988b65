"""What the columns show."""

from __future__ import annotations

import pytest

from foxtrot_supervisor.cli.screen.columns import CLUSTER_COLUMNS, COLUMNS, NAME_WIDTH_MAX, fitting, name_cell
from foxtrot_supervisor.client.history import History
from foxtrot_supervisor.report.process_rows import Row, arrange, rows_of
from tests.support.statuses import STATUS, remote, worker


def cells(row: Row) -> dict[str, str]:
    history = History()
    history.add(1.0, STATUS)
    return {column.title: column.cell(row, history)[0] for column in COLUMNS}


def rows() -> dict[str, Row]:
    return {row.name: row for row in arrange(rows_of(STATUS))}


def test_a_worker() -> None:
    shown = cells(rows()["single.a"])
    assert shown == {
        "state": "RUNNING",
        "pid": "100",
        "inc": "#1",
        "events/s": "10",
        "": "           █",
        "p50": "100us",
        "p99": "200us",
        "data age": "0.5s",
        "lag": "1.0ms",
        "restart": "0",
        "mem": "90M",
        "gaps": "0",
        "filled": "3/4",
        "up": "1m00s",
    }


def test_a_connection_shows_sums_and_the_worst_state() -> None:
    shown = cells(rows()["twin"])
    assert (shown["state"], shown["events/s"], shown["pid"], shown["restart"]) == ("1/2 BACKOFF", "20", "", "4")
    assert cells(rows()["big"])["state"] == "2 RUNNING"
    assert cells(Row("connection", "x", [worker("x.a", "NEW"), worker("x.b")]))["state"] == "0/2 -"


def test_other_processes() -> None:
    assert cells(rows()["engine"])[""].endswith("█")
    nursery = cells(rows()["nursery"])
    assert (nursery["state"], nursery["events/s"], nursery["pid"], nursery[""]) == ("RUNNING", "-", "-", "")


def test_a_change_of_sides_is_shown() -> None:
    assert cells(Row("worker", "x.a", [worker("x.a", rotation="going")]))["state"] == "RUNNING going"
    assert cells(Row("worker", "x.a", [worker("x.a", rotation="wanted")]))["state"] == "RUNNING"


@pytest.mark.parametrize(
    ("key", "value", "column"), [("last_data_age_s", 60.0, "data age"), ("loop_lag_ms", 500.0, "lag")]
)
def test_what_is_too_high_is_emphasized(key: str, value: float, column: str) -> None:
    (cell,) = (each.cell for each in COLUMNS if each.title == column)
    assert cell(Row("worker", "x.a", [worker("x.a", **{key: value})]), History())[1] == "yellow"
    assert cell(Row("worker", "x.a", [worker("x.a")]), History())[1] == ""


def test_names_have_the_lines_of_the_tree() -> None:
    shown = rows()
    assert [name_cell(shown[name]) for name in ("twin", "twin.b", "twin.a", "single.a")] == [
        "▾ twin",
        "├ twin.b",
        "└ twin.a",
        "single.a",
    ]
    closed = arrange(rows_of(STATUS), closed={"twin"})
    assert name_cell(closed[0]) == "▸ twin"


@pytest.mark.parametrize("width", [1, 20, 60, 80, 120, 150, 300])
def test_what_fits_is_shown(width: int) -> None:
    names, columns = fitting(width)
    assert 1 <= names <= NAME_WIDTH_MAX
    assert width < 17 or names + sum(column.width + 1 for column in columns) <= width
    assert width < 200 or len(columns) == len(COLUMNS)
    assert width < 60 or columns[0].title == "state"


def test_a_worker_on_another_node_shows_its_node_and_a_dash_for_what_only_that_knows() -> None:
    status = {"remote_workers": [remote("btc.a0-a"), remote("btc.b0-a", "n2", "away"), remote("eth.a0-a")]}
    history = History()
    history.add(1.0, status)
    shown = {
        row.name: {column.title: column.cell(row, history)[0] for column in CLUSTER_COLUMNS}
        for row in arrange(rows_of(status))
    }
    assert shown["eth.a0-a"] == {
        "state": "serving",
        "node": "n1",
        "pid": "-",
        "inc": "#5000001",
        "events/s": "10",
        "": "           █",
        "p50": "100us",
        "p99": "200us",
        "data age": "0.5s",
        "lag": "-",
        "restart": "-",
        "mem": "-",
        "gaps": "0",
        "filled": "",
        "up": "-",
    }
    assert (shown["btc"]["state"], shown["btc"]["node"], shown["btc"]["events/s"]) == ("1/2 away", "2 nodes", "20")
    assert shown["btc.b0-a"]["node"] == "n2"
    assert all(row["inc"] == "" or len(row["inc"]) <= 11 for row in shown.values())
    local = Row("process", "engine", [STATUS["engine"]])
    assert CLUSTER_COLUMNS[1].cell(local, history)[0] == ""
