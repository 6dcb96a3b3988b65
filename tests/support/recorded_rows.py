"""Rows of a recording: one event of each class, with numbers of every kind."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

from foxtrot_protocol.events import (
    Bar,
    BookDelta,
    BookSnapshot,
    FeedStatus,
    Funding,
    Gap,
    Liquidation,
    MarkPrice,
    OpenInterest,
    Quote,
    Ticker,
    Trade,
)

__all__ = ["EVENTS", "T", "record", "row"]

T = 1_796_000_000_123_456_789

EVENTS: list[Any] = [
    Trade("SIM", "BTCUSDT", T - 1, T, "64000.10", "1e-5", "buy", "7", T + 1, True, False, 3),
    Quote("SIM", "BTCUSDT", 0, T, "1.0", "2", None, None, "u1", T),
    BookSnapshot("SIM", "BTCUSDT", T, T, [("2", "1.50"), ("1", "1E+1")], [], "1", "2", -5, T),
    BookDelta("SIM", "BTCUSDT", T, T, [], [("3.0", "0")], None, None, None, T, False, True),
    Ticker("SIM", "X", T, T, "1", None, "2.5", None, "NaN", "12345678901234567890123.5"),
    Bar("SIM", "X", T, T, "1m", T - 5, "1", "2", "0.5", "1.5", "100", True),
    Funding("SIM", "X", T, T, "-0.0001", 0),
    MarkPrice("SIM", "X", T, T, "5."),
    OpenInterest("SIM", "X", T, T, "0"),
    Liquidation("SIM", "X", T, T, "sell", "1", "2"),
    FeedStatus("SIM", "X", 0, T, "x@trade", "flowing", 0.5),
    Gap("", "", 0, T, "", None, "9", 0, T, "lost"),
]


def row(number: int, event: Any) -> Any:
    return SimpleNamespace(number=number, key=f"k{number}", connection="sim", event=event)


def record(directory: Path, events: list[Any]) -> None:
    """Publish `events` as a recording."""
    from foxtrot_supervisor.tables.writer import RecordingWriter

    writer = RecordingWriter(str(directory), "0123abcd")
    writer.open()
    writer.add(row(number, event) for number, event in enumerate(events, 1))
    writer.publish()
    writer.close()
