"""The command `replay`: lines printed, rejected frames, errors."""

from __future__ import annotations

import csv
import gzip
import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.support.called_commands import Run


def recording(folder: Path, *frames: dict[str, Any]) -> Path:
    path = folder / "few.jsonl.gz"
    with gzip.open(path, "wt") as lines:
        for frame in frames:
            lines.write(
                json.dumps({"t": 1, "dir": "in", "url": "wss://stream.binance.com:9443/stream", **frame}) + "\n"
            )
    return path


def trade(number: int) -> dict[str, Any]:
    data = {
        "e": "trade", "E": 1, "s": "BTCUSDT", "t": number, "p": "1.50", "q": "2", "T": 1, "m": False, "M": True
    }  # fmt: skip
    return {"raw": json.dumps({"stream": "btcusdt@trade", "data": data})}


def test_replay_prints_events_and_reports_rejected_frames(run: Run, tmp_path: Path) -> None:
    path = recording(tmp_path, trade(1), {"raw": "garbage"}, trade(2))
    assert run("replay", str(path), "--json") == 0
    assert [(line["frame"], line["id"], line["price"]) for line in run.lines()] == [(0, "1", "1.5"), (2, "2", "1.5")]
    assert run.err.startswith("1 of 3 frames were rejected, the first of them:\n")


def test_replay_as_csv(run: Run, tmp_path: Path) -> None:
    assert run("replay", str(recording(tmp_path, trade(1), trade(2))), "--format", "csv") == 0
    rows = list(csv.DictReader(io.StringIO(run.out)))
    assert [(row["frame"], row["id"], row["price"], row["bids"]) for row in rows] == [
        ("0", "1", "1.5", ""),
        ("1", "2", "1.5", ""),
    ]


def test_wrong_combinations_of_output(run: Run, tmp_path: Path) -> None:
    path = str(recording(tmp_path, trade(1)))
    for options, reason in (
        (["--output", "x"], "--output is for --format parquet"),
        (["--format", "parquet"], "--format parquet needs --output DIR"),
        (["--format", "parquet", "--output", "x", "--depth", "5"], "--depth is for printed events"),
        (["--format", "csv", "--depth", "500"], "100 levels at most"),
        (["--format", "csv", "--handlers", "a:b"], "--format is for printed events, not for --handlers"),
    ):
        assert run("replay", path, *options) == 2
        assert reason in run.err


def test_replay_of_an_unknown_exchange_is_2(run: Run, tmp_path: Path) -> None:
    assert run("replay", str(recording(tmp_path, trade(1))), "--exchange", "mars") == 2
    assert "unknown exchange 'mars'" in run.err


def test_replay_of_a_file_that_is_no_recording_is_1(run: Run, tmp_path: Path) -> None:
    assert run("replay", str(tmp_path / "absent.jsonl"), "--exchange", "binance") == 1
    assert "absent.jsonl" in run.err
    (tmp_path / "bad.jsonl").write_text("nonsense\n")
    assert run("replay", str(tmp_path / "bad.jsonl"), "--exchange", "binance") == 1
    assert "line 0" in run.err


def test_replay_ends_without_a_message_when_its_reader_closes_the_pipe(tmp_path: Path) -> None:
    path = recording(tmp_path, *(trade(number) for number in range(20_000)))
    program = subprocess.Popen(
        [sys.executable, "-c", "from foxtrot_supervisor.cli.main import main; main()", "replay", str(path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert program.stdout is not None
    assert program.stderr is not None
    with program.stdout, program.stderr:
        assert program.stdout.readline().startswith(b'{"frame":0,')
        program.stdout.close()
        assert program.stderr.read() == b""
    assert program.wait(20) == 0
