"""One recorded incarnation: reads, batches, times, answers, rejected and fatal frames."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from foxtrot_protocol.codec import batch_decoder
from foxtrot_protocol.events import BookDelta, BookSnapshot, MarketEvent, Trade
from foxtrot_protocol.recorded_steps import LaneBatch, LaneClosed, LaneOpened, RecordedStep, RecordingCounts
from foxtrot_workers.adapter import catalog
from foxtrot_workers.exchanges.binance.adapter import Binance
from foxtrot_workers.replay.recording import RecordingError
from foxtrot_workers.rerun.lane import Lane, ParserCrashed, lane_steps
from tests.support.recorded import SECOND, START, recorded_trades, write_recording
from tests.workers.exchanges.samples import binance_delta, binance_frame, binance_partial_book

_decode = batch_decoder("text").decode


def steps_of(path: Path, adapter: Any = None, **options: Any) -> tuple[list[RecordedStep], RecordingCounts]:
    counts = RecordingCounts()
    lane = Lane("spot", "a", 1, adapter or catalog.adapter_class("binance"), path)
    return list(lane_steps(lane, counts, **options)), counts


def events_of(steps: list[RecordedStep]) -> list[MarketEvent[str]]:
    return [event for step in steps if isinstance(step, LaneBatch) for event in _decode(step.data).events]


def test_frames_received_together_are_one_batch(tmp_path: Path) -> None:
    path = recorded_trades(tmp_path / "a.jsonl", [START, START, START + SECOND])
    steps, counts = steps_of(path)
    opened, *batches, closed = steps
    assert isinstance(opened, LaneOpened)
    assert (opened.worker, opened.exchange, opened.at_ns) == ("spot.a", "BINANCE", START)
    assert [step.at_ns for step in batches] == [START, START + SECOND]
    assert isinstance(closed, LaneClosed)
    assert closed.at_ns == START + SECOND
    trades = events_of(steps)
    assert [(each.trade_id, each.receive_ns) for each in trades if isinstance(each, Trade)] == [
        ("1", START),
        ("2", START),
        ("3", START + SECOND),
    ]
    assert [_decode(step.data).sequence for step in batches if isinstance(step, LaneBatch)] == [1, 2]
    assert (counts.frames_total, counts.begin_ns, counts.end_ns) == (3, START, START + SECOND)


def test_time_never_goes_back_and_unknown_times_are_carried(tmp_path: Path) -> None:
    steps, _ = steps_of(recorded_trades(tmp_path / "a.jsonl", [START, START - SECOND, None, START + SECOND]))
    assert [step.at_ns for step in steps] == [START, START, START, START, START + SECOND, START + SECOND]
    assert [event.receive_ns for event in events_of(steps)] == [START, START - SECOND, 0, START + SECOND]


def test_answers_reach_the_books(tmp_path: Path) -> None:
    delta = binance_frame("bnbbtc@depth@100ms", binance_delta(9, 12, [("1.0", "2")])).decode()
    answer = json.dumps(msgspec.to_builtins(binance_partial_book(10)))
    path = tmp_path / "a.jsonl"
    write_recording(path, [(START, "in", delta)])
    url = "https://www.binance.com/api/v1/depth?symbol=BNBBTC&limit=5000"
    with path.open("a") as lines:
        lines.write(json.dumps({"t": START + 5, "dir": "http", "url": url, "raw": answer}) + "\n")
    steps, counts = steps_of(path)
    assert [type(event) for event in events_of(steps)] == [BookSnapshot, BookDelta]
    assert counts.answers_total == 1


def test_rejected_frames_are_counted_and_the_first_are_named(tmp_path: Path) -> None:
    path = recorded_trades(tmp_path / "a.jsonl", [START])
    with path.open("a") as lines:
        for number in range(20):
            lines.write(json.dumps({"t": START, "dir": "in", "url": "", "raw": f"garbage {number}"}) + "\n")
    steps, counts = steps_of(path)
    assert len(events_of(steps)) == 1
    assert counts.rejected_total == 20
    assert [(each.path, each.frame) for each in counts.rejected] == [(str(path), line) for line in range(1, 11)]


class Crashing(Binance):
    """An adapter with a defect: one symbol divides by zero."""

    def parse(self, frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        if b"EVIL" in frame:
            raise ZeroDivisionError("planted")
        super().parse(frame, receive_ns, out)


def test_a_crash_of_the_parser_names_the_frames_that_were_received_together(tmp_path: Path) -> None:
    path = recorded_trades(tmp_path / "a.jsonl", [START, START])
    recorded_trades(tmp_path / "b.jsonl", [START], symbol="EVIL", first_id=9)
    with path.open("a") as lines:
        lines.write((tmp_path / "b.jsonl").read_text())
    with pytest.raises(ParserCrashed, match="lines 0 to 2: the parser raised ZeroDivisionError: planted") as crash:
        steps_of(path, Crashing)
    assert isinstance(crash.value.__cause__, ZeroDivisionError)
    with pytest.raises(ParserCrashed, match="line 2: the parser raised"):
        steps_of(path, Crashing, read_frames_max=1)


def test_an_unreadable_line_ends_the_lane(tmp_path: Path) -> None:
    path = recorded_trades(tmp_path / "a.jsonl", [START])
    with path.open("a") as lines:
        lines.write("{")
    with pytest.raises(RecordingError, match="line 1"):
        steps_of(path)
