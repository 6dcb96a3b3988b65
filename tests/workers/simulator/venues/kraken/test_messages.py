from __future__ import annotations

import json
from decimal import Decimal
from zlib import crc32

from msgspec import structs

from foxtrot_workers.simulator.market.bars import Bar
from foxtrot_workers.simulator.market.instruments import make_instrument
from foxtrot_workers.simulator.market.market import TradeRecord
from foxtrot_workers.simulator.venues.kraken import messages
from foxtrot_workers.simulator.venues.kraken.venue import KrakenVenue
from tests.support.simulated_market import SimulatedMarket

COIN = make_instrument("BTCUSD", 1)


def test_the_checksum_of_the_documents_example() -> None:
    """Guide "Book checksum": ten levels of each side, every quantity 0.00000500."""
    five = structs.replace(COIN, price_decimals=5, size_decimals=8, size_scale=1)
    asks = [(price, 500) for price in range(5_005, 5_055, 5)]
    bids = [(price, 500) for price in (5_000, 4_995, 4_990, 4_980, 4_975, 4_970, 4_965, 4_960, 4_955, 4_950)]
    assert messages.checksum(five, bids, asks) == 974947235
    assert messages.checksum(five, [*bids, (1, 1)], asks) == 974947235, "ten levels count"
    assert messages.checksum(five, bids[:1], []) == crc32(b"5000500")


def test_numbers_are_bare_with_all_their_digits() -> None:
    payload = messages.book(COIN, "update", 0, [(10_594_420, 13_600)], [(10_594_430, 0)], 7)
    assert b'"price":105944.20,"qty":0.13600000' in payload
    assert b'"qty":0.00000000' in payload
    row = json.loads(payload)["data"][0]
    assert (row["checksum"], row["timestamp"]) == (7, "1970-01-01T00:00:00.000000Z")


def test_fills_of_one_order_come_together() -> None:
    fills = [TradeRecord(number, 100, 1, 5, True) for number in (7, 8)]
    frame = json.loads(messages.trades(COIN, "update", fills))
    assert [(row["trade_id"], row["side"]) for row in frame["data"]] == [(7, "sell"), (8, "sell")]


def test_a_ticker_and_a_candle() -> None:
    one = SimulatedMarket(KrakenVenue())
    one.drive(100)
    row = json.loads(messages.ticker(one.state(), "snapshot", one.now_ms), parse_float=Decimal)["data"][0]
    assert row["bid"] < row["ask"]
    assert row["low"] <= row["vwap"] <= row["high"]
    bar = Bar(60_000, 119_999, 100)
    bar.trade(1, 120, 1_000, buyer_is_maker=True)
    candle = json.loads(messages.ohlc(COIN, "update", 1, bar))["data"][0]
    assert candle["interval_begin"] == "1970-01-01T00:01:00.000000000Z"
    assert (candle["trades"], candle["interval"]) == (1, 1)
