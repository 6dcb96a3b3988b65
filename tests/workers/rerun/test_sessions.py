"""Several recordings in one order of receipt."""

from __future__ import annotations

from pathlib import Path

import pytest

from foxtrot_protocol.recorded_steps import LaneBatch, LaneOpened
from foxtrot_workers.adapter.catalog import UnknownExchange
from foxtrot_workers.replay.recording import RecordingError
from foxtrot_workers.rerun.sessions import open_sessions
from tests.support.recorded import SECOND, START, recorded_trades


def test_recordings_are_merged_by_time_of_receipt(tmp_path: Path) -> None:
    one = recorded_trades(tmp_path / "one.jsonl", [START, START + 2 * SECOND, START + 3 * SECOND])
    two = recorded_trades(tmp_path / "two.jsonl", [START + SECOND, START + 3 * SECOND])
    sessions = open_sessions([one, two])
    batches = [(step.at_ns - START, step.worker) for step in sessions if isinstance(step, LaneBatch)]
    assert batches == [
        (0, "one.a"),
        (SECOND, "two.a"),
        (2 * SECOND, "one.a"),
        (3 * SECOND, "one.a"),  # at equal times in the order of the arguments
        (3 * SECOND, "two.a"),
    ]
    assert sessions.counts.exchanges == {str(one): "binance", str(two): "binance"}
    assert sessions.counts.bytes_total == one.stat().st_size + two.stat().st_size


def test_files_of_one_name_are_different_connections(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    paths = [recorded_trades(folder / "a day.jsonl", [START]) for folder in (tmp_path, tmp_path / "x")]
    opened = [step for step in open_sessions(paths) if isinstance(step, LaneOpened)]
    assert [step.worker for step in opened] == ["a-day.a", "a-day-2.a"]


def test_errors_come_before_anything_is_replayed(tmp_path: Path) -> None:
    path = recorded_trades(tmp_path / "one.jsonl", [START])
    with pytest.raises(UnknownExchange, match="mars"):
        open_sessions([path], "mars")
    with pytest.raises(RecordingError, match=r"absent\.jsonl"):
        open_sessions([path, tmp_path / "absent.jsonl"])
