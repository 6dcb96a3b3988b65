"""Frames of Coinbase Exchange, written after its documentation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from foxtrot_workers.exchanges.coinbase.adapter import Coinbase
from foxtrot_workers.testing.conformance import AdapterSample, BackfillSample
from tests.workers.exchanges.connection import Connection

PRODUCT = "BTC-USD"
TIME = "2014-11-07T08:19:27.028459Z"
TIME_NS = 1_415_348_367_028_459_000


def trade(trade_id: int = 10, kind: str = "match", **changes: Any) -> dict[str, Any]:
    message = {"type": kind, "trade_id": trade_id, "sequence": 50, "maker_order_id": "ac92", "taker_order_id": "132f"}
    return {
        **message,
        "time": TIME,
        "product_id": PRODUCT,
        "size": "5.23512",
        "price": "400.23",
        "side": "sell",
        **changes,
    }


def start(**changes: Any) -> dict[str, Any]:
    levels = {"bids": [["10101.10", "0.45054140"]], "asks": [["10102.55", "0.57753524"]]}
    return {"type": "snapshot", "product_id": PRODUCT, **levels, **changes}


def change(*changes: Sequence[str], **more: Any) -> dict[str, Any]:
    made = changes or (["buy", "10101.80000000", "0.162567"],)
    return {"type": "l2update", "product_id": PRODUCT, "time": TIME, "changes": made, **more}


def ticker(**changes: Any) -> dict[str, Any]:
    message = {
        "type": "ticker",
        "sequence": 37475248783,
        "product_id": PRODUCT,
        "price": "1285.22",
        "open_24h": "1310.79",
    }
    message |= {"volume_24h": "245532.79269678", "low_24h": "1280.52", "high_24h": "1313.8", "volume_30d": "9788783.6"}
    message |= {"best_bid": "1285.04", "best_bid_size": "0.46688654", "best_ask": "1285.27", "best_ask_size": "1.5663"}
    return {**message, "side": "buy", "time": TIME, "trade_id": 370843401, "last_size": "11.4396987", **changes}


def _sample(channel: str, message: dict[str, Any]) -> AdapterSample:
    return AdapterSample(channel, PRODUCT, msgspec.json.encode(message))


SAMPLES = [
    _sample("trade", trade()),
    _sample("trade", trade(kind="last_match")),
    _sample("ticker", ticker()),
    _sample("book", start()),
]


def past_trades(*numbers: int) -> bytes:
    """An answer of ``trades``, newest first."""
    row = {"time": TIME, "price": "10.00000000", "size": "0.01000000", "side": "buy"}
    return msgspec.json.encode([{**row, "trade_id": number} for number in numbers])


BACKFILLS = [BackfillSample("trade", PRODUCT, 5, 9, past_trades(*range(9, 2, -1)))]


def connection(*channels: str, products: Sequence[str] = (PRODUCT,)) -> Connection:
    """A connection with these channels."""
    return Connection(Coinbase, channels, products)


def subscriptions(**channels: Sequence[str]) -> dict[str, Any]:
    """The answer to any request: all channels with their products."""
    return {
        "type": "subscriptions",
        "channels": [
            {"name": name, "product_ids": products, "account_ids": None} for name, products in channels.items()
        ],
    }
