"""Frames of Crypto.com, written after its documentation of API v1, and of v2 for recordings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from foxtrot_workers.exchanges.crypto_com import constants
from foxtrot_workers.exchanges.crypto_com.adapter import CryptoCom
from foxtrot_workers.testing.conformance import AdapterSample
from tests.workers.exchanges.connection import Connection

PERPETUAL = "BTCUSD-PERP"
SPOT = "BTC_USDT"
MS = 1_653_992_578_435
NS = MS * 1_000_000


def frame(topic: str, *rows: Any, **changes: Any) -> dict[str, Any]:
    """A data frame of API v1."""
    channel, *_, symbol = [part for part in topic.split(".") if not part.isdigit()]
    result = {"channel": channel, "subscription": topic, "instrument_name": symbol, **changes, "data": rows}
    return {"id": -1, "code": 0, "method": "subscribe", "result": result}


def old_frame(topic: str, *rows: str, channel: str = "") -> bytes:
    """A data frame of API v2; its rows are JSON text, with bare numbers."""
    name, *_, symbol = [part for part in topic.split(".") if not part.isdigit()]
    head = f'"instrument_name":"{symbol}","subscription":"{topic}","channel":"{channel or name}"'
    return f'{{"code":0,"method":"subscribe","result":{{{head},"data":[{",".join(rows)}]}}}}'.encode()


def trade(**changes: Any) -> dict[str, Any]:
    row = {"d": "4611686018439397540", "t": MS, "p": "31603.5", "q": "0.1000", "s": "BUY", "i": PERPETUAL}
    return {**row, **changes}


def ticker(**changes: Any) -> dict[str, Any]:
    row = {"h": "32222.5", "l": "30240.0", "a": "31611.0", "c": "0.0320", "b": "31613.0", "bs": "0.1000"}
    row |= {"k": "31613.5", "ks": "0.2000", "i": PERPETUAL, "v": "13206.4884", "vv": "433945264.39", "oi": "318.5162"}
    return {**row, "t": MS, **changes}


def whole(last: int = 10, **changes: Any) -> dict[str, Any]:
    row = {"asks": [["43755.46", "0.10000", "1"]], "bids": [["43737.46", "0.14096", "1"]]}
    return {**row, "t": MS + 5, "tt": MS, "u": last, "cs": 380529173, **changes}


def update(previous: int, last: int, bids: Any = (("43737.46", "0", "0"),), asks: Any = ()) -> dict[str, Any]:
    changes = {"asks": asks, "bids": bids}
    return {"update": changes, "t": MS + 5, "tt": MS, "u": last, "pu": previous, "cs": -781431132}


def candle(start: int = MS, **changes: Any) -> dict[str, Any]:
    row = {"o": "65502.68", "h": "66336.25", "l": "55313.95", "c": "57582.1", "v": "366802.492134", "t": start}
    return {**row, **changes}


FIGURE = {"v": "31606.3", "t": MS}


def _sample(channel: str, symbol: str, message: dict[str, Any]) -> AdapterSample:
    return AdapterSample(channel, symbol, msgspec.json.encode(message))


SAMPLES = [
    _sample("trade", PERPETUAL, frame(f"trade.{PERPETUAL}", trade(), trade(s="SELL", d="4611686018439397539"))),
    AdapterSample("trade", SPOT, old_frame(f"trade.{SPOT}", '{"d":1210447366,"s":"BUY","p":1.50,"q":2,"t":5}')),
    _sample("ticker", PERPETUAL, frame(f"ticker.{PERPETUAL}", ticker())),
    _sample("open_interest", PERPETUAL, frame(f"ticker.{PERPETUAL}", ticker())),
    _sample("book", SPOT, frame(f"book.{SPOT}.50", whole(), depth=50)),
    _sample("book10", SPOT, frame(f"book.{SPOT}.10", whole(), depth=10)),
    _sample("mark_price", PERPETUAL, frame(f"mark.{PERPETUAL}", FIGURE)),
    _sample("funding", PERPETUAL, frame(f"funding.{PERPETUAL}", FIGURE)),
    _sample("index", "BTCUSD-INDEX", frame("index.BTCUSD-INDEX", FIGURE)),
    *(
        _sample(f"bar_{interval}", SPOT, frame(f"candlestick.{interval}.{SPOT}", candle(), interval=interval))
        for interval in constants.INTERVALS
    ),
]


def connection(*channels: str, symbols: Sequence[str] = (PERPETUAL,)) -> Connection:
    """A connection with these channels."""
    return Connection(CryptoCom, channels, symbols)
