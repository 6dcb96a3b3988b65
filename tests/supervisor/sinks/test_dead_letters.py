"""Rows that a store refuses are kept in a private, bounded file."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest

from foxtrot_protocol.events import BookDelta
from foxtrot_supervisor.sinks import dead_letters
from foxtrot_supervisor.sinks.dead_letters import DeadLetters
from foxtrot_supervisor.sinks.sink import SinkRow

_EVENT = BookDelta("SIM", "BTCUSDT", 1, 2, [("1.10", "2")], [], "5", "6", None)
_ROW = SinkRow(7, "a key", "sim", "SIM", "book", "BTCUSDT", _EVENT)


def test_a_line_has_reason_and_event(tmp_path: Path) -> None:
    DeadLetters(str(tmp_path)).write([(_ROW, "too long"), (_ROW, "still too long")])
    path = tmp_path / "refused.jsonl"
    first, second = [json.loads(line) for line in path.read_text().splitlines()]
    assert (first["reason"], second["reason"]) == ("too long", "still too long")
    assert (first["number"], first["key"], first["kind"], first["connection"]) == (7, "a key", "book", "sim")
    assert first["event"]["type"] == "BookDelta"
    assert first["event"]["bids"] == [["1.10", "2"]]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_files_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dead_letters, "FILE_BYTES_MAX", 2000)
    letters = DeadLetters(str(tmp_path))
    for number in range(50):
        letters.write([(_ROW, f"reason {number}")])
    assert sorted(os.listdir(tmp_path)) == ["refused.1.jsonl", "refused.jsonl"]
    lines = [(tmp_path / name).read_text().splitlines() for name in ("refused.1.jsonl", "refused.jsonl")]
    reasons = [json.loads(line)["reason"] for part in lines for line in part]
    assert reasons == [f"reason {number}" for number in range(50 - len(reasons), 50)]
    assert all((tmp_path / name).stat().st_size <= 2000 for name in os.listdir(tmp_path))


def test_what_cannot_be_written_is_counted(tmp_path: Path) -> None:
    letters = DeadLetters(str(tmp_path / "missing"))
    letters.write([(_ROW, "no"), (_ROW, "no")])
    assert letters.lost_total == 2
