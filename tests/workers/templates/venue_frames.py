"""Frames as venues document them, by the thousand, for the tests of templates."""

from __future__ import annotations

import json
import random
from typing import Any

__all__ = ["DEPTH_PATH", "binance_depth", "binance_quote", "binance_trade", "okx_book", "okx_quote", "okx_trades"]

T0_MS = 1_700_000_000_000
DEPTH_PATH = "/api/v3/depth?symbol=BTCUSDT&limit=1000"


def _text(frame: Any) -> bytes:
    return json.dumps(frame, separators=(",", ":")).encode()


def _number(chance: random.Random, digits: int, least: int = 1, most: int = 90_000) -> str:
    return f"{chance.randrange(least, most)}.{chance.randrange(10**digits):0{digits}}"


def _bids(chance: random.Random, most: int, *more: str) -> list[list[str]]:
    size = [_number(chance, 3), "0.00000000"]
    return [[_number(chance, 2, 1, 40_000), chance.choice(size), *more] for _ in range(chance.randrange(most))]


def _asks(chance: random.Random, most: int, *more: str) -> list[list[str]]:
    size = [_number(chance, 3), "0.00000000"]
    return [[_number(chance, 2, 50_000), chance.choice(size), *more] for _ in range(chance.randrange(1, most))]


def binance_trade(chance: random.Random, number: int, symbol: str = "BTCUSDT") -> bytes:
    """web-socket-streams.md, "Trade Streams"."""
    data = {"e": "trade", "E": T0_MS + number, "s": symbol, "t": 10**9 + number, "p": _number(chance, 8)}
    more = {"q": _number(chance, 8), "T": T0_MS + number - chance.randrange(5), "m": chance.random() < 0.5, "M": True}
    return _text({"stream": f"{symbol.lower()}@trade", "data": {**data, **more}})


def binance_quote(chance: random.Random, number: int, symbol: str = "BTCUSDT") -> bytes:
    """web-socket-streams.md, "Individual Symbol Book Ticker Streams"."""
    data = {"u": 400_900 + number, "s": symbol, "b": _number(chance, 8), "B": _number(chance, 8)}
    more = {"a": _number(chance, 8), "A": _number(chance, 8)}
    return _text({"stream": f"{symbol.lower()}@bookTicker", "data": {**data, **more}})


def binance_depth(chance: random.Random, first: int, last: int, symbol: str = "BTCUSDT") -> bytes:
    """web-socket-streams.md, "Diff. Depth Stream"."""
    data = {"e": "depthUpdate", "E": T0_MS + last, "s": symbol, "U": first, "u": last}
    levels = {"b": _bids(chance, 40), "a": _asks(chance, 4)}
    return _text({"stream": f"{symbol.lower()}@depth@100ms", "data": {**data, **levels}})


def okx_trades(chance: random.Random, number: int, rows: int = 1, symbol: str = "BTC-USDT") -> bytes:
    """``Docs`` "Trades channel"."""
    data = [
        {
            "instId": symbol,
            "tradeId": str(number + row),
            "px": _number(chance, 1),
            "sz": _number(chance, 8),
            "side": chance.choice(["buy", "sell"]),
            "ts": str(T0_MS + number),
            "count": str(chance.randrange(1, 9)),
            "seqId": 10_000 + number,
        }
        for row in range(rows)
    ]
    return _text({"arg": {"channel": "trades", "instId": symbol}, "data": data})


def okx_quote(chance: random.Random, number: int, symbol: str = "BTC-USDT") -> bytes:
    """``Docs`` "Order book channel", ``bbo-tbt``."""
    sides = {
        side: [[_number(chance, 1), _number(chance, 8), "0", str(chance.randrange(9))]] for side in ("asks", "bids")
    }
    row = {**sides, "ts": str(T0_MS + number), "seqId": 500 + number}
    return _text({"arg": {"channel": "bbo-tbt", "instId": symbol}, "data": [row]})


def okx_book(
    chance: random.Random, previous: int, last: int, action: str = "update", symbol: str = "BTC-USDT"
) -> bytes:
    """``Docs`` "Order book channel", ``books``."""
    sides = {"asks": _asks(chance, 20, "0", "1"), "bids": _bids(chance, 20, "0", "4")}
    if action == "snapshot":  # a snapshot that is not crossed
        sides = {"asks": [["90001.1", "1", "0", "1"]], "bids": [["0.1", "1", "0", "1"]]}
    row = {**sides, "ts": str(T0_MS + last), "checksum": 0, "prevSeqId": previous, "seqId": last}
    return _text({"arg": {"channel": "books", "instId": symbol}, "action": action, "data": [row]})


def bybit_trades(chance: random.Random, number: int, rows: int = 1, symbol: str = "BTCUSDT") -> bytes:
    """v5, "Trade"."""
    data = [
        {
            "T": T0_MS + number,
            "s": symbol,
            "S": chance.choice(["Buy", "Sell"]),
            "v": _number(chance, 3),
            "p": _number(chance, 2),
            "L": "PlusTick",
            "i": f"{chance.getrandbits(128):032x}",
            "BT": False,
            "seq": 10_000 + number,
        }
        for _ in range(rows)
    ]
    return _text({"topic": f"publicTrade.{symbol}", "type": "snapshot", "ts": T0_MS + number + 2, "data": data})


def bybit_book(chance: random.Random, number: int, kind: str = "delta", symbol: str = "BTCUSDT") -> bytes:
    """v5, "Orderbook"."""
    sides = {"b": _bids(chance, 20), "a": _asks(chance, 20)}
    if kind == "snapshot":
        sides = {"b": [["0.1", "1"]], "a": [["90001.1", "1"]]}
    data = {"s": symbol, **sides, "u": number, "seq": 7 * number}
    times = {"ts": T0_MS + number + 3, "cts": T0_MS + number}
    return _text(
        {"topic": f"orderbook.50.{symbol}", "type": kind, "ts": times["ts"], "data": data, "cts": times["cts"]}
    )
