from __future__ import annotations

import pytest

from foxtrot_protocol.events import (
    Bar,
    BookSnapshot,
    Quote,
    Ticker,
    Trade,
)
from foxtrot_workers.exchanges.binance import constants
from tests.workers.exchanges.binance.subscribed import Subscribed
from tests.workers.exchanges.samples import (
    MS,
    binance_agg_trade,
    binance_frame,
    binance_kline,
    binance_partial_book,
    binance_quote,
    binance_ticker,
    binance_trade,
)

NS = MS * 1_000_000


def test_a_trade() -> None:
    wire = Subscribed("trade")
    assert wire.parse(binance_frame("bnbbtc@trade", binance_trade())) == [
        Trade("BINANCE", "BNBBTC", NS, 7, "0.0010", "100", "sell", "12345")
    ]
    assert wire.adapter.last_data_ns == {"bnbbtc@trade": 7}


def test_the_side_is_that_of_the_taker() -> None:
    wire = Subscribed("trade")
    sides = [
        event.side
        for maker_bought in (True, False)
        for event in wire.parse(binance_frame("bnbbtc@trade", binance_trade(m=maker_bought)))
        if isinstance(event, Trade)
    ]
    assert sides == ["sell", "buy"]


def test_an_aggregate_trade_has_the_aggregate_id() -> None:
    wire = Subscribed("agg_trade")
    assert wire.parse(binance_frame("bnbbtc@aggTrade", binance_agg_trade())) == [
        Trade("BINANCE", "BNBBTC", NS, 7, "0.0010", "100", "buy", "5933014")
    ]


def test_a_quote_has_no_time() -> None:
    wire = Subscribed("quote")
    assert wire.parse(binance_frame("bnbbtc@bookTicker", binance_quote())) == [
        Quote("BINANCE", "BNBBTC", 0, 7, "25.3519", "31.21", "25.3652", "40.66", "400900217")
    ]


ZEROS = ("0", "0.00000000", "0E-8", "00.0", ".0", "-0", "+0.0", "0.00E5", "0e0", "000", "0.")


@pytest.mark.parametrize("zero", ["", *ZEROS])
def test_an_empty_side_is_none_not_a_price_of_zero(zero: str) -> None:
    wire = Subscribed("quote")
    (bid,) = wire.parse(binance_frame("bnbbtc@bookTicker", binance_quote(b=zero, B=zero)))
    (ask,) = wire.parse(binance_frame("bnbbtc@bookTicker", binance_quote(a=zero, A=zero)))
    assert isinstance(bid, Quote)
    assert isinstance(ask, Quote)
    assert (bid.bid, bid.bid_size, bid.ask) == (None, None, "25.3652")
    assert (ask.bid, ask.ask, ask.ask_size) == ("25.3519", None, None)


@pytest.mark.parametrize("zero", ZEROS)
def test_a_size_of_zero_is_an_empty_side_too(zero: str) -> None:
    wire = Subscribed("quote")
    (quote,) = wire.parse(binance_frame("bnbbtc@bookTicker", binance_quote(B=zero)))
    assert isinstance(quote, Quote)
    assert (quote.bid, quote.bid_size, quote.ask) == (None, None, "25.3652")


@pytest.mark.parametrize("number", ["0.1", "0.05", "0.00000001", "1E-8", "1", "9.9", "100", "0.66", "2e5"])
def test_a_small_number_is_not_an_empty_side(number: str) -> None:
    wire = Subscribed("quote")
    (quote,) = wire.parse(binance_frame("bnbbtc@bookTicker", binance_quote(b=number, B=number)))
    assert isinstance(quote, Quote)
    assert (quote.bid, quote.bid_size) == (number, number)


@pytest.mark.parametrize("interval", constants.INTERVALS)
def test_a_bar_of_each_interval(interval: str) -> None:
    wire = Subscribed(f"bar_{interval}")
    frame = binance_frame(f"bnbbtc@kline_{interval}", binance_kline(interval, x=True))
    start = (MS - 2136) * 1_000_000
    assert wire.parse(frame) == [
        Bar("BINANCE", "BNBBTC", NS, 7, interval, start, "0.0010", "0.0025", "0.0015", "0.0020", "1000", True)
    ]


def test_a_day_ticker() -> None:
    wire = Subscribed("ticker")
    day = ("0.0025", "0.0010", "0.0025", "0.0010", "10000", "18")
    (ticker,) = wire.parse(binance_frame("bnbbtc@ticker", binance_ticker()))
    assert ticker == Ticker("BINANCE", "BNBBTC", NS, 7, *day, "0.0024", "10", "0.0026", "100")
    (empty,) = wire.parse(binance_frame("bnbbtc@ticker", binance_ticker(b="0.00000000", a="0")))
    assert isinstance(empty, Ticker)
    assert (empty.bid, empty.ask) == (None, None)


@pytest.mark.parametrize("depth", ["5", "10", "20"])
def test_each_partial_book_is_a_snapshot(depth: str) -> None:
    wire = Subscribed(f"book{depth}")
    for _ in range(2):
        assert wire.parse(binance_frame(f"bnbbtc@depth{depth}@100ms", binance_partial_book(160))) == [
            BookSnapshot("BINANCE", "BNBBTC", 0, 7, [("0.0024", "10")], [("0.0026", "100")], None, "160", None)
        ]
