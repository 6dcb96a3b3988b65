from __future__ import annotations

import json

from foxtrot_workers.simulator.market.instruments import make_instrument
from foxtrot_workers.simulator.market.market import TradeRecord
from foxtrot_workers.simulator.venues.coinbase import messages
from foxtrot_workers.simulator.venues.coinbase.venue import CoinbaseVenue
from tests.support.simulated_market import SimulatedMarket

COIN = make_instrument("BTCUSD", 1)
SELL = TradeRecord(10, 40_023, 523_512, 1_415_398_768_842, True)


def test_the_side_of_a_match_is_the_makers() -> None:
    row = json.loads(messages.match("match", COIN, SELL, 50))
    assert (row["side"], row["price"], row["size"]) == ("buy", "400.23", "5.23512000")
    assert (row["trade_id"], row["sequence"], row["product_id"]) == (10, 50, "BTC-USD")
    assert row["time"] == "2014-11-07T22:19:28.842000Z"


def test_a_book_and_its_updates() -> None:
    assert json.loads(messages.snapshot(COIN, [(100, 100_000)], [(101, 1)])) == {
        "type": "snapshot",
        "product_id": "BTC-USD",
        "asks": [["1.01", "0.00001000"]],
        "bids": [["1.00", "1.00000000"]],
    }
    update = json.loads(messages.l2update(COIN, 0, [(100, 0)], [(101, 7)]))
    assert update["changes"] == [["buy", "1.00", "0.00000000"], ["sell", "1.01", "0.00007000"]]


def test_a_ticker_and_a_heartbeat_name_the_last_trade() -> None:
    one = SimulatedMarket(CoinbaseVenue())
    one.drive(100)
    state = one.state()
    ticker = json.loads(messages.ticker(state, state.trades[-1], one.now_ms))
    beat = json.loads(messages.heartbeat(state, one.now_ms))
    assert ticker["trade_id"] == beat["last_trade_id"] == state.trade_id
    assert ticker["sequence"] == beat["sequence"] == messages.sequence_of(state)
    taker = "sell" if state.trades[-1].buyer_is_maker else "buy"
    assert (ticker["side"], messages.maker_side(state.trades[-1])) == (taker, {"sell": "buy", "buy": "sell"}[taker])
