"""``replay --format parquet``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("pyarrow", reason="needs pyarrow")
pytest.importorskip("duckdb", reason="needs duckdb")

from foxtrot_supervisor.cli import replay_parquet as module
from foxtrot_supervisor.tables.query import opened
from tests.supervisor.cli.test_replay import recording, trade
from tests.support.called_commands import Run


def test_a_recording_of_frames_becomes_one_of_parquet_files(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PUBLISH_BYTES", 0)
    monkeypatch.setattr(module, "CHUNK_ROWS", 2)
    path = recording(tmp_path, *(trade(number) for number in range(5)), {"raw": "garbage"})
    target = tmp_path / "rec"
    assert run("replay", str(path), "--format", "parquet", "--output", str(target)) == 0
    assert run.out == ""
    assert f"5 events in {target}\n1 of 6 frames were rejected" in run.err
    assert len(list(target.rglob("*.parquet"))) == 3
    with opened(str(target)) as query:
        (line,) = query.json_lines(
            "select list(trade_id order by row) ids, max(price_text) price, any_value(connection) c from trades"
        )
    assert json.loads(line) == {"ids": ["0", "1", "2", "3", "4"], "price": "1.50", "c": "few.jsonl.gz"}
    assert run("replay", str(path), "--format", "parquet", "--output", str(target)) == 2
    assert "the directory is not empty" in run.err


def test_mistakes_are_named(run: Run, tmp_path: Path) -> None:
    path = recording(tmp_path, trade(1))
    options = ("--format", "parquet", "--output")
    assert run("replay", str(path), *options, str(path)) == 3
    assert f"{path}: " in run.err
    assert run("replay", str(tmp_path / "absent"), *options, str(tmp_path / "rec")) == 1
    assert run("replay", str(path), *options, str(tmp_path / "rec"), "--exchange", "mars") == 2
    assert "mars" in run.err
