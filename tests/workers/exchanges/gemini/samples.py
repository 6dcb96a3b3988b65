"""Frames of Gemini, written after its documentation, and of the archived feeds for recordings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from foxtrot_workers.exchanges.gemini.adapter import Gemini
from foxtrot_workers.testing.conformance import AdapterSample, BackfillSample
from tests.workers.exchanges.connection import Connection

SYMBOL = "btcusd"
NS = 1_751_508_438_600_117_161


def trade(**changes: Any) -> dict[str, Any]:
    return {"E": NS, "s": SYMBOL, "t": 123456789, "p": "45000.50", "q": "0.10000000", "m": False, **changes}


def quote(**changes: Any) -> dict[str, Any]:
    message = {"u": 1751505576085, "E": NS, "s": SYMBOL, "b": "45000.50", "B": "1.25000000"}
    return {**message, "a": "45001.00", "A": "0.75000000", **changes}


def depth(first: int, last: int, bids: Any = (("45000.50", "1.25000000"),), asks: Any = ()) -> dict[str, Any]:
    return {"e": "depthUpdate", "E": NS, "s": SYMBOL, "U": first, "u": last, "b": bids, "a": asks}


def _sample(channel: str, message: dict[str, Any]) -> AdapterSample:
    return AdapterSample(channel, SYMBOL, msgspec.json.encode(message))


SAMPLES = [_sample("trade", trade()), _sample("quote", quote()), _sample("book", depth(1, 10))]


def past_trades(*numbers: int, side: str = "buy") -> bytes:
    """An answer of ``trades``, newest first."""
    row = {"timestamp": 1547146811, "timestampms": 1547146811357, "price": "3632.54", "amount": "0.1362819142"}
    return msgspec.json.encode([{**row, "tid": number, "exchange": "gemini", "type": side} for number in numbers])


BACKFILLS = [BackfillSample("trade", SYMBOL, 5, 9, past_trades(12, 9, 7, 5))]


def connection(*channels: str, symbols: Sequence[str] = (SYMBOL,)) -> Connection:
    """A connection with these channels."""
    return Connection(Gemini, channels, symbols)
