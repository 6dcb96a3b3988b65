"""The shapes on the wire, field by field."""

from __future__ import annotations

import json

from foxtrot_workers.simulator.market.bars import Bar
from foxtrot_workers.simulator.market.book import Changes, SimBook
from foxtrot_workers.simulator.market.instruments import Instrument
from foxtrot_workers.simulator.venues.binance import messages

_COIN = Instrument(
    symbol="ABCUSDT",
    base="ABC",
    quote="USDT",
    price_decimals=2,
    size_decimals=3,
    start_ticks=10_000,
    lots_typical=100,
    price_scale=10**6,
    size_scale=10**5,
)
_NOW = 1_700_000_000_123


def _book() -> SimBook:
    book = SimBook(40)
    book.changes = (Changes(41),)
    book.set_bid(9_999, 1_500)
    book.set_bid(9_998, 1)
    book.set_ask(10_001, 20)
    return book


def _bar() -> Bar:
    bar = Bar(1_700_000_000_000, 1_700_000_059_999, 10_000)
    bar.trade(7, 10_000, 1_000, buyer_is_maker=True)
    bar.trade(8, 10_100, 2_000, buyer_is_maker=False)
    return bar


def test_trade() -> None:
    assert json.loads(messages.trade(_COIN, _NOW, 7, 10_001, 1_500, buyer_is_maker=True)) == {
        "e": "trade",
        "E": _NOW,
        "s": "ABCUSDT",
        "t": 7,
        "p": "100.01000000",
        "q": "1.50000000",
        "T": _NOW,
        "m": True,
        "M": True,
    }


def test_aggregate_trade() -> None:
    assert json.loads(messages.agg_trade(_COIN, _NOW, 3, 10_001, 20, 7, 9, buyer_is_maker=False)) == {
        "e": "aggTrade",
        "E": _NOW,
        "s": "ABCUSDT",
        "a": 3,
        "p": "100.01000000",
        "q": "0.02000000",
        "f": 7,
        "l": 9,
        "T": _NOW,
        "m": False,
        "M": True,
    }


def test_book_ticker_has_no_time_and_no_event_name() -> None:
    assert json.loads(messages.book_ticker(_COIN, _book())) == {
        "u": 43,
        "s": "ABCUSDT",
        "b": "99.99000000",
        "B": "1.50000000",
        "a": "100.01000000",
        "A": "0.02000000",
    }


def test_depth_update() -> None:
    book = _book()
    book.set_bid(9_998, 0)
    assert json.loads(messages.depth_update(_COIN, _NOW, book.changes[0], book.update_id)) == {
        "e": "depthUpdate",
        "E": _NOW,
        "s": "ABCUSDT",
        "U": 41,
        "u": 44,
        "b": [["99.99000000", "1.50000000"], ["99.98000000", "0.00000000"]],
        "a": [["100.01000000", "0.02000000"]],
    }


def test_partial_depth() -> None:
    assert json.loads(messages.partial_depth(_COIN, _book(), 1)) == {
        "lastUpdateId": 43,
        "bids": [["99.99000000", "1.50000000"]],
        "asks": [["100.01000000", "0.02000000"]],
    }


def test_kline() -> None:
    assert json.loads(messages.kline(_COIN, _NOW, "1m", _bar(), closed=True)) == {
        "e": "kline",
        "E": _NOW,
        "s": "ABCUSDT",
        "k": {
            "t": 1_700_000_000_000,
            "T": 1_700_000_059_999,
            "s": "ABCUSDT",
            "i": "1m",
            "f": 7,
            "L": 8,
            "o": "100.00000000",
            "c": "101.00000000",
            "h": "101.00000000",
            "l": "100.00000000",
            "v": "3.00000000",
            "n": 2,
            "x": True,
            "q": "302.00000000",
            "V": "2.00000000",
            "Q": "202.00000000",
            "B": "0",
        },
    }


def test_tickers() -> None:
    book, bar = _book(), _bar()
    ticker = json.loads(messages.day_ticker(_COIN, _NOW, bar, book, 2_000))
    assert ticker == {
        "e": "24hrTicker",
        "E": _NOW,
        "s": "ABCUSDT",
        "p": "1.00000000",
        "P": "1.000",
        "w": "100.66000000",
        "x": "100.00000000",
        "c": "101.00000000",
        "Q": "2.00000000",
        "b": "99.99000000",
        "B": "1.50000000",
        "a": "100.01000000",
        "A": "0.02000000",
        "o": "100.00000000",
        "h": "101.00000000",
        "l": "100.00000000",
        "v": "3.00000000",
        "q": "302.00000000",
        "O": 1_700_000_000_000,
        "C": _NOW,
        "F": 7,
        "L": 8,
        "n": 2,
    }
    mini = json.loads(messages.mini_ticker(_COIN, _NOW, bar))
    assert mini == {"e": "24hrMiniTicker", "E": _NOW, "s": "ABCUSDT"} | {key: ticker[key] for key in "cohlvq"}


def test_a_falling_day_and_an_empty_day() -> None:
    bar = Bar(0, 1, 10_000)
    assert json.loads(messages.day_ticker(_COIN, _NOW, bar, _book(), 0))["w"] == "100.00000000"
    bar.trade(1, 10_000, 1, buyer_is_maker=True)
    bar.trade(2, 9_950, 1, buyer_is_maker=True)
    falling = json.loads(messages.day_ticker(_COIN, _NOW, bar, _book(), 0))
    assert (falling["p"], falling["P"]) == ("-0.50000000", "-0.500")


def test_shutdown() -> None:
    assert json.loads(messages.server_shutdown(_NOW)) == {"e": "serverShutdown", "E": _NOW}
