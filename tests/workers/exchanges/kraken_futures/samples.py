"""Frames of Kraken Futures, written after its documentation."""

from __future__ import annotations

from collections.abc import Sequence

from foxtrot_workers.exchanges.kraken_futures.adapter import KrakenFutures
from foxtrot_workers.testing.conformance import AdapterSample
from tests.workers.exchanges.connection import Connection

PRODUCT = "PI_XBTUSD"
MS = 1_612_266_317_519
NS = MS * 1_000_000


def trade_row(sequence: int = 653355, uid: str = "05af78ac", kind: str = "fill", side: str = "sell") -> str:
    return (
        f'{{"feed":"trade","product_id":"{PRODUCT}","uid":"{uid}","side":"{side}","type":"{kind}","seq":{sequence},'
        f'"time":{MS},"qty":15000,"price":34969.50}}'
    )


def trade(kind: str = "fill", **changes: str) -> bytes:
    return trade_row(kind=kind, **changes).encode()


def trades(*rows: str) -> bytes:
    return f'{{"feed":"trade_snapshot","product_id":"{PRODUCT}","trades":[{",".join(rows)}]}}'.encode()


Levels = Sequence[tuple[str, str]]


def snapshot(
    sequence: int = 10, bids: Levels = (("34892.5", "6385.0"),), asks: Levels = (("34911.5", "20598"),)
) -> bytes:
    sides = [",".join(f'{{"price":{price},"qty":{size}}}' for price, size in side) for side in (bids, asks)]
    return (
        f'{{"feed":"book_snapshot","product_id":"{PRODUCT}","timestamp":{MS},"seq":{sequence},"tickSize":null,'
        f'"bids":[{sides[0]}],"asks":[{sides[1]}]}}'
    ).encode()


def change(sequence: int, side: str = "sell", price: str = "34981.0", size: str = "0.0") -> bytes:
    return (
        f'{{"feed":"book","product_id":"{PRODUCT}","side":"{side}","seq":{sequence},"price":{price},"qty":{size},'
        f'"timestamp":{MS}}}'
    ).encode()


def ticker(**changes: str) -> bytes:
    fields = {"time": str(MS), "feed": '"ticker"', "bid": "21978.5", "ask": "21987.0", "bid_size": "2536.0"}
    fields |= {"product_id": f'"{PRODUCT}"', "ask_size": "13948.0", "volume": "31403908.0", "last": "21983.5"}
    fields |= {"funding_rate": "-6.2604214e-11", "relative_funding_rate": "-1.380384722222e-6"}
    fields |= {"next_funding_rate_time": "1676394000000", "tag": '"perpetual"', "openInterest": "30072580.0"}
    fields |= {"markPrice": "21979.68641534714", "volumeQuote": "31403909.0", "open": "21968.5", "high": "22123.0"}
    fields |= {"low": "21456.0", **changes}
    return ("{" + ",".join(f'"{key}":{value}' for key, value in fields.items() if value) + "}").encode()


def ticker_lite() -> bytes:
    return (
        f'{{"feed":"ticker_lite","product_id":"{PRODUCT}","bid":439.3,"ask":439.60,"change":2.64,"premium":0.3,'
        '"volume":3413476.0,"tag":"month","pair":"BCH:USD","dtm":7,"maturityTime":1627657200000}'
    ).encode()


SAMPLES = [
    AdapterSample("trade", PRODUCT, trade()),
    AdapterSample("trade", PRODUCT, trades(trade_row(2, "b"), trade_row(1, "a")), events=2),
    AdapterSample("liquidation", PRODUCT, trade("liquidation")),
    AdapterSample("book", PRODUCT, snapshot()),
    AdapterSample("ticker", PRODUCT, ticker()),
    AdapterSample("ticker_lite", PRODUCT, ticker_lite()),
    AdapterSample("funding", PRODUCT, ticker()),
    AdapterSample("mark_price", PRODUCT, ticker()),
    AdapterSample("open_interest", PRODUCT, ticker()),
]


def connection(*channels: str, products: Sequence[str] = (PRODUCT,)) -> Connection:
    """A connection with these channels."""
    return Connection(KrakenFutures, channels, products)
