from __future__ import annotations

import json

from foxtrot_workers.simulator.market.bars import Bar
from foxtrot_workers.simulator.market.instruments import make_instrument
from foxtrot_workers.simulator.market.market import TradeRecord
from foxtrot_workers.simulator.venues.bybit import messages
from foxtrot_workers.simulator.venues.bybit.venue import BybitVenue
from tests.support.simulated_market import SimulatedMarket

COIN = make_instrument("BTCUSDT", 1)
TRADE = TradeRecord(17, 1_657_850, 100, 5, False)


def test_a_book() -> None:
    payload = messages.book(COIN, "orderbook.50.BTCUSDT", "delta", 5, [(3_024_000, 0)], [(3_024_930, 89_200)], 7, 9)
    assert json.loads(payload) == {
        "topic": "orderbook.50.BTCUSDT",
        "type": "delta",
        "ts": 5,
        "data": {"s": "BTCUSDT", "b": [["30240.00", "0"]], "a": [["30249.30", "0.89200"]], "u": 7, "seq": 9},
        "cts": 5,
    }


def test_trades_of_spot_and_linear() -> None:
    spot = json.loads(messages.trades(COIN, "spot", "publicTrade.BTCUSDT", 5, [TRADE, TRADE], 9))
    assert len(spot["data"]) == 2
    assert spot["data"][0] == {
        "T": 5,
        "s": "BTCUSDT",
        "S": "Buy",
        "v": "0.00100",
        "p": "16578.50",
        "i": "2290000000000000017",
        "BT": False,
        "RPI": False,
        "seq": 9,
    }
    (linear,) = json.loads(messages.trades(COIN, "linear", "publicTrade.BTCUSDT", 5, [TRADE], 9))["data"]
    assert (linear["L"], linear["i"].count("-")) == ("PlusTick", 4)


def test_a_kline_says_whether_it_is_closed() -> None:
    bar = Bar(60_000, 119_999, 100)
    bar.trade(1, 120, 1_000, buyer_is_maker=True)
    (row,) = json.loads(messages.kline(COIN, "kline.1.BTCUSDT", "1", 5, bar, closed=True))["data"]
    assert (row["start"], row["interval"], row["open"], row["turnover"]) == (60_000, "1", "1.20", "0.0120000")
    assert row["confirm"] is True


def test_futures_have_more_fields_in_a_ticker() -> None:
    state = SimulatedMarket(BybitVenue()).state()
    spot, linear = (messages.ticker_fields(state, category, 5) for category in ("spot", "linear"))
    assert spot.keys() - linear.keys() == {"usdIndexPrice"}
    assert {"markPrice", "fundingRate", "bid1Price"} <= linear.keys() - spot.keys()
    frame = json.loads(messages.ticker("tickers.BTCUSDT", "delta", 5, {"symbol": "BTCUSDT"}, 3))
    assert frame == {"topic": "tickers.BTCUSDT", "type": "delta", "data": {"symbol": "BTCUSDT"}, "cs": 3, "ts": 5}
