"""The command `query`."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

pytest.importorskip("pyarrow", reason="needs pyarrow")
pytest.importorskip("duckdb", reason="needs duckdb")

from foxtrot_protocol.events import Trade
from foxtrot_supervisor.cli import query as command
from foxtrot_supervisor.tables.columns import TABLES
from tests.support.called_commands import Run
from tests.support.recorded_rows import EVENTS, T, record

COUNT = "select symbol, count(*) as n from trades group by symbol"


@pytest.fixture
def recording(tmp_path: Path) -> str:
    record(tmp_path / "rec", EVENTS)
    return str(tmp_path / "rec")


def test_the_three_formats(run: Run, recording: str) -> None:
    assert run("query", COUNT, "--recording", recording) == 0
    assert run.out.splitlines() == ["symbol   n", "BTCUSDT  1"]
    assert run("query", COUNT, "--recording", recording, "--format", "json") == 0
    assert json.loads(run.out) == {"symbol": "BTCUSDT", "n": 1}
    assert run("query", "select bids, 'a,\"b' from books", "--recording", recording, "--format", "csv") == 0
    header, *lines = list(csv.reader(io.StringIO(run.out)))
    assert len(header) == 2
    assert {line[1] for line in lines} == {'a,"b'}
    assert json.loads(lines[0][0]) == [{"price": 2.0, "size": 1.5}, {"price": 1.0, "size": 10.0}]


def test_many_rows_are_all_written_but_not_into_a_table(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "TABLE_ROWS", 10)
    monkeypatch.setattr(command, "CHUNK_LINES", 7)
    record(tmp_path, [Trade("SIM", "X", T, T + number, "1", "1", "buy", str(number)) for number in range(25)])
    statement = "select trade_id from trades order by row"
    assert run("query", statement, "--recording", str(tmp_path), "--format", "csv") == 0
    assert run.out.splitlines() == ["trade_id", *map(str, range(25))]
    assert run("query", statement, "--recording", str(tmp_path)) == 0
    assert run.out.splitlines() == ["trade_id", *map(str, range(10))]
    assert run.err == "15 more rows: --format csv or json shows all\n"


def test_the_recording_is_that_of_the_configuration(
    run: Run, recording: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "foxtrot.toml"
    config.write_text('[[sinks]]\nname = "rec"\nkind = "parquet"\ndirectory = "rec"\n')
    assert run("query", COUNT, "-c", str(config)) == 0
    monkeypatch.chdir(tmp_path)
    assert run("query", COUNT) == 0
    config.write_text("")
    assert run("query", COUNT) == 2
    assert "has no sink of kind parquet; name the recording with --recording DIR" in run.err
    config.write_text(
        2 * '[[sinks]]\nkind = "parquet"\ndirectory = "rec"\n[[sinks]]\nkind = "parquet"\ndirectory = "b"\n'
    )
    assert run("query", COUNT) == 2
    assert "has 2 sinks of kind parquet" in run.err


def test_the_schema_names_every_view(run: Run) -> None:
    assert run("query", "--schema", "--format", "json") == 0
    found = [json.loads(line) for line in run.out.splitlines()]
    assert {column["view"] for column in found} == {table.view for table in TABLES.values()}
    assert run("query", "--schema", "--exact") == 0
    assert "DECIMAL(38,18)" in run.out


def test_sql_from_stdin(run: Run, recording: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(COUNT))
    assert run("query", "-", "--recording", recording, "--exact") == 0
    assert "BTCUSDT" in run.out


def test_mistakes_are_named(run: Run, recording: str, tmp_path: Path) -> None:
    assert run("query", "--recording", recording) == 2
    assert "Missing argument 'SQL'" in run.err
    assert run("query", "drop view trades", "--recording", recording) == 2
    assert run.err.startswith("DROP: only queries are run")
    assert run("query", COUNT, "--recording", str(tmp_path / "absent")) == 3
    assert "No such file or directory" in run.err
