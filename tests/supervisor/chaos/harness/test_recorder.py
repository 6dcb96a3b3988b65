"""The recording handler: row by row, complete at once, for every number type."""

from __future__ import annotations

import os
import runpy
import time
from pathlib import Path
from typing import Any

import pytest

from foxtrot_protocol.events import EVENT_BOOK, EVENT_GAP, EVENT_MARKET_TRADE, BookDelta, BookSnapshot, Gap, Trade
from foxtrot_supervisor.chaos.harness.recorder import Nap, Recorder, handlers_module
from foxtrot_supervisor.chaos.rules.delivery_judge import (
    BACKFILLED,
    BOOK_STREAM,
    DELTA,
    FILLED,
    GAP,
    OTHER_STREAM,
    REDELIVERED,
    ROW,
    SNAPSHOT,
    TRADE,
    TRADE_STREAM,
)
from foxtrot_supervisor.engine.bus.event_engine import Event, EventEngine


def trade(number: int, **marks: bool) -> Event:
    return Event(EVENT_MARKET_TRADE, Trade("SIM", "BTCUSDT", 1, 2, 1.5, 2.0, "buy", str(number), 77, **marks))


def gap(stream: str, first: str | None, last: str | None, *, filled: bool = False) -> Event:
    return Event(EVENT_GAP, Gap("SIM", "BTCUSDT", 0, 1, stream, first, last, 0, 0, "why", filled=filled))


def rows_of(path: Path) -> list[tuple[Any, ...]]:
    return list(ROW.iter_unpack(path.read_bytes()))


def test_each_event_is_a_row_as_soon_as_it_is_handled(tmp_path: Path) -> None:
    engine, path = EventEngine(), tmp_path / "rows"
    recorder = Recorder(engine, str(path))
    book: Any = [(1.5, 2.0)]
    for event in (
        trade(7),
        trade(8, redelivered=True, backfilled=True),
        Event(EVENT_BOOK, BookSnapshot("SIM", "BTCUSDT", 1, 2, book, book, None, "40", None, 77)),
        Event(EVENT_BOOK, BookDelta("SIM", "BTCUSDT", 1, 2, book, book, "41", "43", None, 77)),
        gap(EVENT_MARKET_TRADE, "3", "5"),
        gap(EVENT_BOOK, None, None, filled=True),
        gap("", None, None),
    ):
        handlers = {EVENT_MARKET_TRADE: recorder.on_trade, EVENT_BOOK: recorder.on_book, EVENT_GAP: recorder.on_gap}
        handlers[event.type](event)
    me, symbol = os.getpid(), b"BTCUSDT".ljust(16, b"\0")
    assert rows_of(path) == [
        (TRADE, 0, TRADE_STREAM, me, symbol, 7, 7, 77),
        (TRADE, REDELIVERED | BACKFILLED, TRADE_STREAM, me, symbol, 8, 8, 77),
        (SNAPSHOT, 0, BOOK_STREAM, me, symbol, -1, 40, 77),
        (DELTA, 0, BOOK_STREAM, me, symbol, 41, 43, 77),
        (GAP, 0, TRADE_STREAM, me, symbol, 3, 5, 0),
        (GAP, FILLED, BOOK_STREAM, me, symbol, -1, -1, 0),
        (GAP, 0, OTHER_STREAM, me, symbol, -1, -1, 0),
    ]
    recorder.close()


def test_the_configured_handler_module_creates_a_recorder(tmp_path: Path) -> None:
    (tmp_path / "handlers.py").write_text(handlers_module(str(tmp_path / "rows"), Nap(3, 0.01, 1)))
    engine = EventEngine()
    recorder = runpy.run_path(str(tmp_path / "handlers.py"))["setup"](engine)
    engine.start()
    engine.put(trade(7))
    assert engine.stop() == 0
    recorder.close()
    assert [row[5] for row in rows_of(tmp_path / "rows")] == [7]


def test_naps_are_taken_as_often_as_configured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    naps: list[tuple[float, int]] = []
    recorder = Recorder(EventEngine(), str(tmp_path / "rows"), Nap(3, 0.5, 2))
    monkeypatch.setattr(time, "sleep", lambda seconds: naps.append((seconds, len(rows_of(tmp_path / "rows")))))
    for number in range(12):
        recorder.on_trade(trade(number))
    recorder.close()
    assert naps == [(0.5, 3), (0.5, 6)]
