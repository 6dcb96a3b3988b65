"""Frames of Kraken, written after its documentation."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Any

from foxtrot_protocol.order_book import OrderBook
from foxtrot_workers.exchanges.kraken import constants as kraken
from foxtrot_workers.exchanges.kraken.adapter import Kraken
from foxtrot_workers.testing.conformance import AdapterSample, BackfillSample
from tests.workers.exchanges.connection import Connection

PAIR = "BTC/USD"
TIME = "2023-10-06T17:35:55.440295Z"
TIME_NS = 1_696_613_755_440_295_000

Levels = Sequence[tuple[str, str]]


def frame(channel: str, kind: str, *rows: str) -> bytes:
    """A data frame, written as the exchange writes it."""
    return f'{{"channel":"{channel}","type":"{kind}","data":[{",".join(rows)}]}}'.encode()


def trade_row(trade_id: int = 10218208, side: str = "buy", pair: str = PAIR) -> str:
    return (
        f'{{"symbol":"{pair}","side":"{side}","price":105944.20,"qty":0.00027625,"ord_type":"limit",'
        f'"trade_id":{trade_id},"timestamp":"{TIME}"}}'
    )


def ticker_row(**changes: str) -> str:
    fields = {"bid": "105944.20", "bid_qty": "2.50000000", "ask": "105944.3", "ask_qty": "3.2", "last": "105899.40"}
    fields |= {"volume": "163.28908096", "vwap": "105904.4", "low": "104711.0", "high": "106613.1", "change": "250.0"}
    fields |= {"change_pct": "0.24", "timestamp": f'"{TIME}"', **changes}
    return f'{{"symbol":"{PAIR}",' + ",".join(f'"{key}":{value}' for key, value in fields.items() if value) + "}"


def bar_row(minutes: int = 1, begin: str = "2023-10-04T16:25:00.000000000Z", close: str = "106040.1") -> str:
    return (
        f'{{"symbol":"{PAIR}","interval":{minutes},"interval_begin":"{begin}","open":106038.2,"high":106044.30,'
        f'"low":106038.1,"close":{close},"volume":30927.68066226,"vwap":106039.6,"trades":12}}'
    )


def book_row(bids: Levels, asks: Levels, checksum: int, pair: str = PAIR, time: str | None = TIME) -> str:
    sides = [",".join(f'{{"price":{price},"qty":{size}}}' for price, size in side) for side in (bids, asks)]
    stamp = "" if time is None else f',"timestamp":"{time}"'
    return f'{{"symbol":"{pair}","bids":[{sides[0]}],"asks":[{sides[1]}],"checksum":{checksum}{stamp}}}'


class KrakenBook:
    """The exchange's side of a book: cut to `depth`, with the checksum of its best ten levels in plain steps."""

    def __init__(self, depth: int, bids: Levels, asks: Levels) -> None:
        self.book: OrderBook[str] = OrderBook(PAIR, depth)
        self.book.snapshot(bids, asks)

    def snapshot(self) -> bytes:
        bids, asks = self.book.best_bids(1000), self.book.best_asks(1000)
        return frame("book", "snapshot", book_row(bids, asks, self.checksum()))

    def update(self, bids: Levels = (), asks: Levels = ()) -> bytes:
        self.book.apply(bids, asks)
        return frame("book", "update", book_row(bids, asks, self.checksum()))

    def checksum(self) -> int:
        text = ""
        for price, size in [*self.book.best_asks(10), *self.book.best_bids(10)]:
            text += price.replace(".", "").lstrip("0") + size.replace(".", "").lstrip("0")
        return zlib.crc32(text.encode())


BIDS = [(f"{100 - n}.50", f"0.{n + 1:08}") for n in range(10)]
ASKS = [(f"{101 + n}.50", f"1.{n:08}") for n in range(10)]

SAMPLES = [
    AdapterSample("trade", PAIR, frame("trade", "update", trade_row(), trade_row(10218209, "sell")), events=2),
    AdapterSample("quote", PAIR, frame("ticker", "update", ticker_row()), distinct=False),
    AdapterSample("ticker", PAIR, frame("ticker", "snapshot", ticker_row())),
    *(AdapterSample(channel, PAIR, KrakenBook(1000, BIDS, ASKS).snapshot()) for channel in kraken.BOOK_DEPTHS),
    *(
        AdapterSample(f"bar_{interval}", PAIR, frame("ohlc", "update", bar_row(minutes)))
        for interval, minutes in kraken.INTERVALS.items()
    ),
]


def past_trades(first_id: int, last_id: int) -> bytes:
    """An answer of ``Trades``, as written for the pair BTC/USD."""
    rows = ",".join(
        f'["105944.20000","0.34507674",{1688669597 + n}.8277369,"b","m","",{n}]' for n in range(first_id, last_id + 1)
    )
    return f'{{"error":[],"result":{{"XXBTZUSD":[{rows}],"last":"1688671969993150842"}}}}'.encode()


BACKFILLS = [BackfillSample("trade", PAIR, 5, 9, past_trades(3, 12))]


def connection(*channels: str, pairs: Sequence[str] = (PAIR,)) -> Connection:
    """A connection with these channels."""
    return Connection(Kraken, channels, pairs)


def answer(method: str = "subscribe", **changes: Any) -> dict[str, Any]:
    """The answer to a request about one topic."""
    result = {"channel": "book", "depth": 10, "snapshot": True, "symbol": PAIR}
    return {
        "method": method,
        "result": result,
        "success": True,
        "time_in": TIME,
        "time_out": TIME,
        "req_id": 1,
        **changes,
    }
