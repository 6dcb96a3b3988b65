from __future__ import annotations

import msgspec
import pytest

from foxtrot_protocol.events import Bar, Quote, Ticker, Trade
from foxtrot_workers.exchanges.upbit.adapter import Upbit
from tests.workers.exchanges.driven import RECEIVE_NS, Driven
from tests.workers.exchanges.upbit.samples import (
    BAR,
    ORDERBOOK,
    SHORT_BAR,
    SHORT_TICKER,
    SHORT_TRADE,
    TICKER,
    TRADE,
)


def test_an_ask_means_that_the_taker_sold() -> None:
    trade = Trade(
        "UPBIT", "KRW-DOGE", 1614729599000_000_000, RECEIVE_NS, "58.4", "836.12040133", "sell", "1614729599000000"
    )
    assert Driven(Upbit, ["trade"], ["KRW-DOGE"]).parse(TRADE) == [trade]
    short = Trade(
        "UPBIT", "KRW-LAMB", 1618678262000_000_000, RECEIVE_NS, "127.0", "46.48838371", "buy", "1618678262000003"
    )
    assert Driven(Upbit, ["trade"], ["KRW-LAMB"]).parse(SHORT_TRADE) == [short]


def test_a_book_of_one_unit_is_a_quote() -> None:
    wire = Driven(Upbit, ["quote"], ["KRW-DOT"])
    quote = Quote("UPBIT", "KRW-DOT", 1614729599677_000_000, RECEIVE_NS, "40990.0", "2.5", "41000.0", "1.5", "")
    assert wire.parse(ORDERBOOK) == [quote]
    empty = ORDERBOOK.replace(b'"bid_price":40990.0', b'"bid_price":0.0')
    assert wire.parse(empty) == [msgspec.structs.replace(quote, bid=None, bid_size=None)]
    none = ORDERBOOK[: ORDERBOOK.index(b"[")] + b"[]}"
    assert wire.parse(none) == [msgspec.structs.replace(quote, bid=None, bid_size=None, ask=None, ask_size=None)]


@pytest.mark.parametrize("frame", [TICKER, SHORT_TICKER])
def test_a_ticker_has_figures_of_the_day(frame: bytes) -> None:
    figures = ("32287000", "31883000", "32310000", "31855000", "4307.83", "78039261076.51")
    ticker = Ticker("UPBIT", "KRW-BTC", 1676965220712_000_000, RECEIVE_NS, *figures)
    assert Driven(Upbit, ["ticker"], ["KRW-BTC"]).parse(frame) == [ticker]


@pytest.mark.parametrize("frame", [BAR, SHORT_BAR])
def test_a_bar_begins_in_utc(frame: bytes) -> None:
    bar = Bar(
        "UPBIT",
        "KRW-BTC",
        1735792085824_000_000,
        RECEIVE_NS,
        "1s",
        1735792085_000_000_000,
        "142009000.0",
        "142009001.5",
        "142009000.0",
        "142009000.0",
        "0.00606119",
        False,
    )
    assert Driven(Upbit, ["bar_1s"], ["KRW-BTC"]).parse(frame) == [bar]


@pytest.mark.parametrize("price", [b"null", b"[]", b"true", b'""'])
def test_a_price_that_is_no_number_is_refused(price: bytes) -> None:
    wire = Driven(Upbit, ["trade", "book"], ["KRW-DOGE", "KRW-DOT"])
    for frame in (TRADE.replace(b"58.4", price), ORDERBOOK.replace(b"40990.0", price)):
        with pytest.raises(msgspec.ValidationError):
            wire.parse(frame)
