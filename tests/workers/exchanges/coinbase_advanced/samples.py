"""Frames of Coinbase Advanced Trade, written after its documentation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from foxtrot_workers.exchanges.coinbase_advanced.adapter import CoinbaseAdvanced
from foxtrot_workers.testing.conformance import AdapterSample, BackfillSample
from tests.workers.exchanges.connection import Connection

PRODUCT = "BTC-USD"
TIME = "2026-04-07T14:30:00.123456Z"
NS = 1_775_572_200_123_456_000


def frame(channel: str, sequence: int, *events: dict[str, Any]) -> dict[str, Any]:
    """A message, as the exchange sends it today: without ``client_id``."""
    return {"channel": channel, "timestamp": TIME, "sequence_num": sequence, "events": list(events)}


def trade(trade_id: int = 995098700, **changes: Any) -> dict[str, Any]:
    row = {"trade_id": str(trade_id), "product_id": PRODUCT, "price": "68900.50", "size": "0.00150000", "side": "BUY"}
    return {**row, "time": TIME, **changes}


def trades(sequence: int, *rows: dict[str, Any]) -> dict[str, Any]:
    return frame("market_trades", sequence, {"type": "update", "trades": list(rows or (trade(),))})


def book(sequence: int, *levels: Sequence[str], kind: str = "update", product: str = PRODUCT) -> dict[str, Any]:
    updates = [
        {"side": side, "event_time": TIME, "price_level": price, "new_quantity": size} for side, price, size in levels
    ]
    return frame("l2_data", sequence, {"type": kind, "product_id": product, "updates": updates})


def snapshot(sequence: int = 0, product: str = PRODUCT) -> dict[str, Any]:
    levels = ["bid", "68900.00", "1.50000000"], ["offer", "68901.00", "0.50000000"]
    return book(sequence, *levels, kind="snapshot", product=product)


def ticker(sequence: int = 0, **changes: Any) -> dict[str, Any]:
    row = {"type": "ticker", "product_id": PRODUCT, "price": "68900.50", "volume_24_h": "15328.12345678"}
    row |= {"low_24_h": "67500.00", "high_24_h": "69200.00", "best_bid": "68900.00", "best_bid_quantity": "1.5"}
    row |= {"best_ask": "68901.00", "best_ask_quantity": "0.5", **changes}
    return frame("ticker", sequence, {"type": "snapshot", "tickers": [row]})


def candles(sequence: int = 0, *starts: int) -> dict[str, Any]:
    row = {"high": "68950.00", "low": "68850.00", "open": "68900.00", "close": "68920.50", "volume": "42.15000000"}
    rows = [{**row, "start": str(start), "product_id": PRODUCT} for start in starts or (1775521800,)]
    return frame("candles", sequence, {"type": "update", "candles": rows})


def _sample(channel: str, message: dict[str, Any]) -> AdapterSample:
    return AdapterSample(channel, PRODUCT, msgspec.json.encode(message))


SAMPLES = [
    _sample("trade", trades(5, trade(2), trade(1, side="SELL"))),
    _sample("ticker", ticker()),
    _sample("book", snapshot()),
    _sample("bar_5m", candles()),
]


def past_trades(*numbers: int) -> bytes:
    """An answer of ``ticker``, newest first."""
    rows = [{**trade(number), "bid": "", "ask": "", "exchange": "coinbase"} for number in numbers]
    return msgspec.json.encode({"trades": rows, "best_bid": "1", "best_ask": "2"})


BACKFILLS = [BackfillSample("trade", PRODUCT, 5, 9, past_trades(*range(12, 2, -1)))]


def connection(*channels: str, products: Sequence[str] = (PRODUCT,)) -> Connection:
    """A connection with these channels."""
    return Connection(CoinbaseAdvanced, channels, products)


def subscriptions(sequence: int, **channels: Sequence[str] | None) -> dict[str, Any]:
    """The answer to any request: all channels with their products."""
    return frame("subscriptions", sequence, {"subscriptions": channels})
