"""Recordings for tests: files of frames, and steps that stand for what a recording yields."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from foxtrot_protocol.codec import BatchEncoder
from foxtrot_protocol.events import BookDelta, BookSnapshot, MarketEvent, Quote, Trade
from foxtrot_protocol.identity import DEFAULT_IDENTITIES
from foxtrot_protocol.recorded_steps import LaneBatch, LaneClosed, LaneHole, LaneOpened, RecordedStep, RecordingCounts

__all__ = [
    "SECOND",
    "START",
    "Calls",
    "Side",
    "Steps",
    "book",
    "ns",
    "quote",
    "recorded_trades",
    "trade",
    "update",
    "write_recording",
]

SECOND = 1_000_000_000
START = 1_700_000_000 * SECOND
URL = "wss://stream.binance.com:9443/stream"


def write_recording(path: Path, frames: Sequence[tuple[int | None, str, str]], url: str = URL) -> Path:
    """Write frames (time in ns, direction, text) as JSON lines."""
    lines = [json.dumps({"t": at, "dir": direction, "url": url, "raw": text}) + "\n" for at, direction, text in frames]
    path.write_text("".join(lines))
    return path


def recorded_trades(path: Path, times: Sequence[int | None], *, first_id: int = 1, symbol: str = "BTCUSDT") -> Path:
    """Write one trade of Binance for each of `times` (ns; None: unknown)."""
    frames: list[tuple[int | None, str, str]] = []
    for number, at in enumerate(times, first_id):
        data = {
            "e": "trade", "E": 1, "s": symbol, "t": number, "p": f"{100 + number}.50", "q": "2",
            "T": (at or 0) // 10**6, "m": False, "M": True,
        }  # fmt: skip
        frames.append((at, "in", json.dumps({"stream": f"{symbol.lower()}@trade", "data": data})))
    return write_recording(path, frames)


class Steps:
    """Yields given steps (`foxtrot_protocol.recorded_steps.RecordedSteps`)."""

    def __init__(self, *steps: RecordedStep | BaseException) -> None:
        self._steps = iter(steps)
        self.counts = RecordingCounts()

    def __iter__(self) -> Iterator[RecordedStep]:
        return self

    def __next__(self) -> RecordedStep:
        step = next(self._steps)
        if isinstance(step, BaseException):
            raise step
        return step


class Side:
    """Makes the steps of one recorded incarnation; times are seconds after `START`."""

    def __init__(self, side: str = "a", incarnation: int = 1, connection: str = "spot", **rules: str) -> None:
        self.worker = f"{connection}.{side}"
        self.incarnation = incarnation
        self._names = (connection, side)
        self._rules: dict[str, str] = {
            **DEFAULT_IDENTITIES,
            "eMarketTrade.": "sequence",
            "eBook.": "update_ids",
            **rules,
        }
        self._encoder = BatchEncoder(self.worker, incarnation, 1 << 20)
        self._sequence = 0

    def opened(self, at_s: float) -> LaneOpened:
        connection, side = self._names
        return LaneOpened(ns(at_s), connection, side, self.incarnation, "X", self._rules)

    def batch(self, at_s: float, *events: MarketEvent[str]) -> LaneBatch:
        self._sequence += 1
        stamped = [msgspec.structs.replace(event, receive_ns=ns(at_s)) for event in events]
        return LaneBatch(
            ns(at_s), self.worker, self.incarnation, self._encoder.encode(self._sequence, ns(at_s), stamped)
        )

    def hole(self, at_s: float, cause: str = "the recorder was too slow") -> LaneHole:
        return LaneHole(ns(at_s), self.worker, self.incarnation, 0, cause)

    def closed(self, at_s: float) -> LaneClosed:
        return LaneClosed(ns(at_s), self.worker, self.incarnation)


def ns(at_s: float) -> int:
    return START + round(at_s * SECOND)


def trade(number: int, symbol: str = "A") -> Trade[str]:
    return Trade("X", symbol, START, 0, f"{number}.5", "1", "buy", str(number))


def quote(number: int) -> Quote[str]:
    return Quote("X", "A", 0, 0, "1", "1", "2", "1", str(number))


def book(last: int, *bids: tuple[str, str]) -> BookSnapshot[str]:
    return BookSnapshot("X", "A", START, 0, list(bids), [("200", "1")], None, str(last), None)


def update(first: int, last: int, *bids: tuple[str, str]) -> BookDelta[str]:
    return BookDelta("X", "A", START, 0, list(bids), [], str(first), str(last), None)


class Calls:
    """A general handler that remembers type and content of each call, without times of dispatch."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, Any]] = []

    def __call__(self, event: Any) -> None:
        self.seen.append((event.type, event.data))

    def of(self, kind: str) -> list[Any]:
        return [data for name, data in self.seen if name == kind]
