"""Queries over a recording, by DuckDB: exact, read only, with clear errors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

pytest.importorskip("pyarrow", reason="needs pyarrow")
pytest.importorskip("duckdb", reason="needs duckdb")

from foxtrot_protocol.events import Trade
from foxtrot_supervisor.tables import query as module
from foxtrot_supervisor.tables.columns import TABLE_OF_EVENT, TABLES
from foxtrot_supervisor.tables.query import QueryRefused, QueryUnavailable, opened
from foxtrot_supervisor.tables.views import view_columns
from tests.support.recorded_rows import EVENTS, T, record


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("rec") / "it's [1]"
    record(directory, EVENTS)
    return directory


def rows(directory: Path, statement: str, *, exact: bool = False) -> list[tuple[str | None, ...]]:
    with opened(str(directory), exact=exact) as query:
        return list(query.texts(statement).rows)


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_every_field_is_read_as_it_was_recorded(recording: Path, event: Any) -> None:
    table = TABLE_OF_EVENT[type(event)]
    extra = " where type = 'snapshot'" if type(event).__name__ == "BookSnapshot" else ""
    extra = " where type = 'delta'" if type(event).__name__ == "BookDelta" else extra
    with opened(str(recording)) as query:
        (line,) = query.json_lines(f"from {table.view}{extra}")
    found = json.loads(line)
    for column in table.columns:
        if not column.field:
            continue
        wanted = getattr(event, column.field)
        if column.type == "number":
            assert found[f"{column.name}_text"] == wanted
            assert found[column.name] == (None if wanted in (None, "NaN") else pytest.approx(float(wanted)))
        elif column.type == "levels":
            assert [(level["price"], level["size"]) for level in found[column.name]] == [
                (float(price), float(size)) for price, size in wanted
            ]
        elif column.type == "time":
            assert (found[column.name] is None) == (wanted == 0)
        else:
            assert found[column.name] == wanted
    assert found["exchange"] == (event.exchange or None)


def test_times_have_nanoseconds(recording: Path) -> None:
    assert rows(recording, "select receive_time, epoch_ns(receive_time) from trades") == [
        ("2026-11-30 00:53:20.123456789", str(T))
    ]
    assert rows(recording, "select epoch_ns(receive_time) - epoch_ns(exchange_time) from trades") == [("1",)]


def test_exact_views_have_decimals(recording: Path) -> None:
    assert rows(recording, "select price, price_decimals, price_text, size, size_text from trades", exact=True) == [
        ("64000.100000000000000000", "2", None, "0.000010000000000000", "1e-5")
    ]


def test_the_view_of_all_events_has_each_once(recording: Path) -> None:
    assert rows(recording, "select count(*), count(distinct row) from events") == [(str(len(EVENTS)), str(len(EVENTS)))]


@pytest.mark.parametrize("exact", [False, True])
def test_views_have_the_same_columns_with_and_without_files(tmp_path: Path, recording: Path, exact: bool) -> None:
    (tmp_path / ".foxtrot").mkdir()
    for table in TABLES.values():
        described = [(column.name, column.type) for column in view_columns(table, exact=exact)]
        for directory in (recording, tmp_path):
            found = rows(directory, f"describe {table.view}", exact=exact)
            assert [(name, str(type_).replace('"', "")) for name, type_, *_ in found] == described
    assert rows(tmp_path, "select count(*) from events", exact=exact) == [("0",)]


def test_prices_can_be_multiplied(recording: Path) -> None:
    assert rows(recording, "select sum(price * size) / sum(size) from trades") == [("64000.1",)]


def test_values_that_json_lacks_are_null(recording: Path) -> None:
    with opened(str(recording)) as query:
        (line,) = query.json_lines("select 'nan'::double a, 'inf'::float b, 1.5 c, [1] d, {'x': 'y'} e, 1 a")
    assert msgspec.json.decode(line) == {"a": None, "b": None, "c": 1.5, "d": [1], "e": {"x": "y"}, "a_1": 1}


def test_nested_values_are_json(recording: Path) -> None:
    (row,) = rows(recording, "select bids, {'a': 1} from books where type = 'snapshot'")
    assert json.loads(row[0] or "") == [{"price": 2.0, "size": 1.5}, {"price": 1.0, "size": 10.0}]
    assert row[1] == '{"a":1}'


@pytest.mark.parametrize(
    "statement",
    [
        "select 1 as a, 2 as a",
        "select 1; ",
        "select 1 -- a comment",
        "describe trades",
        "summarize trades",
        "pivot trades on side using count(*)",
        "with x as (from trades) select * from x",
        "values (1), (2)",
        "select '\x1b', '\"', ';'",
        'select 1 as "a b""c"',
    ],
)
def test_queries_of_every_shape_run(recording: Path, statement: str) -> None:
    with opened(str(recording)) as query:
        result = query.texts(statement)
        found = list(result.rows)
        assert found
        assert {len(row) for row in found} == {len(result.columns)}
        assert len(list(query.json_lines(statement))) == len(found)


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("copy trades to 'x.csv'", "COPY: only queries"),
        ("create table x as select 1", "CREATE: only queries"),
        ("drop view trades", "DROP: only queries"),
        ("set threads = 1", "SET: only queries"),
        ("attach 'x.db'", "ATTACH: only queries"),
        ("explain analyze copy trades to 'x.csv'", "EXPLAIN: only queries"),
        ("select 1; select 2", "2 statements: exactly one"),
        ("", "0 statements: exactly one"),
        ("selec 1", "Parser Error"),
        ("select 1) as a; copy trades to 'x.csv'; select (1", "Parser Error"),
        ("select nothing from trades", "Referenced column"),
        ("from nothing", "does not exist"),
        ("select receive_time - true from trades", "Binder Error"),
        ("from read_text('/etc/hostname')", "disabled by configuration"),
        ("from '/etc/hostname'", "does not exist"),
        ("from glob('/etc/*')", "disabled by configuration"),
        ("select error('late') from trades", "late"),
    ],
)
def test_other_statements_are_refused_and_change_nothing(recording: Path, statement: str, reason: str) -> None:
    before = sorted(recording.rglob("*"))
    with opened(str(recording)) as query:
        with pytest.raises(QueryRefused, match=reason) as refusal:
            list(query.texts(statement).rows)
        assert str(refusal.value).count("\n") < module.REASON_LINES
        with pytest.raises(QueryRefused, match=reason):
            list(query.json_lines(statement))
    assert sorted(recording.rglob("*")) == before


def test_what_is_no_recording_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(QueryUnavailable, match="absent: No such file"), opened(str(tmp_path / "absent")):
        pass
    with pytest.raises(QueryUnavailable, match="is no recording"), opened(str(tmp_path)):
        pass
    record(tmp_path, [Trade("SIM", "X", T, T, "1", "1", "buy", "1")])
    (path,) = tmp_path.rglob("*.parquet")
    path.write_bytes(b"no parquet")
    with pytest.raises(QueryUnavailable, match="cannot be read"), opened(str(tmp_path)):
        pass

    def missing(name: str) -> Any:
        raise ImportError(f"No module named {name!r}")

    monkeypatch.setattr(module, "importlib", type("Stand", (), {"import_module": staticmethod(missing)}))
    with pytest.raises(QueryUnavailable, match=r"needs duckdb .*pip install 'foxtrot-supervisor\[query\]'"), opened(""):
        pass
