from __future__ import annotations

from typing import Any

import pytest

from foxtrot_protocol.events import (
    Bar,
    Funding,
    Liquidation,
    MarkPrice,
    OpenInterest,
    Quote,
    Ticker,
    Trade,
)
from foxtrot_workers.exchanges.bybit.adapter import Bybit
from foxtrot_workers.exchanges.bybit.variants import BybitLinear
from tests.workers.exchanges.bybit.samples import (
    BOOK,
    KLINE,
    LIQUIDATION,
    OLD_LIQUIDATION,
    OPTION_TICKER,
    QUOTE,
    TICKER,
    TICKER_DELTA,
    TRADE,
)
from tests.workers.exchanges.driven import RECEIVE_NS, Driven

NAME = "BYBIT_LINEAR"
TICKER_NS = 1673272861686_000_000
EVERYTHING = ["ticker", "funding", "mark_price", "open_interest"]


def subscribed(*channels: str) -> Driven[BybitLinear]:
    return Driven(BybitLinear, channels, ["BTCUSDT"])


def test_a_trade() -> None:
    trade = Trade(
        NAME,
        "BTCUSDT",
        1672304486865_000_000,
        RECEIVE_NS,
        "16578.50",
        "0.001",
        "buy",
        "20f43950-d8dd-5b31-9112-a178eb6023af",
    )
    assert subscribed("trade").parse(TRADE) == [trade]


def test_trades_of_options_name_their_instrument() -> None:
    frame = TRADE.replace("publicTrade.BTCUSDT", "publicTrade.BTC").replace('"BTCUSDT"', '"BTC-6JAN23-17500-C"')
    (trade,) = Driven(Bybit, adopt=True).parse(frame)
    assert trade.symbol == "BTC-6JAN23-17500-C"


def test_an_older_name_of_trades() -> None:
    assert len(Driven(Bybit, adopt=True).parse(TRADE.replace("publicTrade.", "trade.linear."))) == 1


def quote(bid: str | None, bid_size: str | None, ask: str | None, ask_size: str | None, update_id: str) -> Quote[str]:
    return Quote(NAME, "BTCUSDT", 1672304484976_000_000, RECEIVE_NS, bid, bid_size, ask, ask_size, update_id)


def test_a_quote_is_published_each_time_it_is_sent() -> None:
    wire = subscribed("quote")
    expected = quote("16493.50", "0.006", "16611.00", "0.029", "18521288")
    assert wire.parse(QUOTE) == wire.parse(QUOTE) == [expected]


@pytest.mark.parametrize("side", ["[]", '[["0","0"]]', '[["16493.50","0.000"]]'])
def test_an_empty_side_of_a_quote(side: str) -> None:
    frame = QUOTE.replace('[["16493.50","0.006"]]', side)
    assert subscribed("quote").parse(frame) == [quote(None, None, "16611.00", "0.029", "18521288")]


def change(update_id: int, bids: str = "[]", asks: str = "[]") -> str:
    frame = QUOTE.replace("snapshot", "delta").replace("18521288", str(update_id))
    return frame.replace('[["16493.50","0.006"]]', bids).replace('[["16611.00","0.029"]]', asks)


def test_changes_of_a_quote_are_applied_while_none_is_missing() -> None:
    wire = subscribed("quote")
    assert wire.parse(change(18521289, '[["16493.50","1"]]')) == []
    wire.parse(QUOTE)
    assert wire.parse(change(18521289, '[["16493.50","0"],["16490.00","2"]]')) == [
        quote("16490.00", "2", "16611.00", "0.029", "18521289")
    ]
    assert wire.parse(change(18521290, '[["16490.00","0"]]', '[["16500.00","3"]]')) == [
        quote(None, None, "16500.00", "3", "18521290")
    ]
    assert wire.parse(change(18521292, '[["16490.00","5"]]')) == []
    assert wire.parse(change(18521293, '[["16490.00","5"]]')) == []
    assert len(wire.parse(QUOTE)) == 1


def test_a_bar() -> None:
    bar = Bar(
        NAME,
        "BTCUSDT",
        1672324988882_000_000,
        RECEIVE_NS,
        "5m",
        1672324800000_000_000,
        "16649.5",
        "16677",
        "16608",
        "16677",
        "2.081",
        closed=False,
    )
    assert subscribed("bar_5m").parse(KLINE) == [bar]


def test_a_liquidated_long_sells_and_a_liquidated_short_buys() -> None:
    def event(time: int, side: Any, price: str, size: str, symbol: str = "BTCUSDT") -> Liquidation[str]:
        return Liquidation(NAME, symbol, time * 1_000_000, RECEIVE_NS, side, price, size)

    assert subscribed("liquidation").parse(LIQUIDATION) == [
        event(1739502302929, "buy", "0.04499", "20000"),
        event(1739502302930, "sell", "0.0445", "1"),
    ]
    assert Driven(BybitLinear, adopt=True).parse(OLD_LIQUIDATION) == [
        event(1673251091822, "sell", "0.03803", "1637", "GALAUSDT")
    ]


def ticker(bid: str | None, bid_size: str | None) -> Ticker[str]:
    return Ticker(
        NAME,
        "BTCUSDT",
        TICKER_NS,
        RECEIVE_NS,
        "17216.00",
        "16926.50",
        "17281.50",
        "16915.00",
        "91705.276",
        "1570383121.943499",
        bid,
        bid_size,
        "17216.00",
        "83.020",
    )


def test_one_frame_has_ticker_funding_mark_price_and_open_interest() -> None:
    assert subscribed(*EVERYTHING).parse(TICKER) == [
        ticker("17215.00", "4.489"),
        Funding(NAME, "BTCUSDT", TICKER_NS, RECEIVE_NS, "-0.000212", 1673280000000_000_000),
        MarkPrice(NAME, "BTCUSDT", TICKER_NS, RECEIVE_NS, "17217.33"),
        OpenInterest(NAME, "BTCUSDT", TICKER_NS, RECEIVE_NS, "68744.761"),
    ]


def test_what_a_change_of_a_ticker_leaves_out_is_as_before() -> None:
    wire = subscribed(*EVERYTHING)
    wire.parse(TICKER)
    assert wire.parse(TICKER_DELTA) == [ticker("17215.50", "84.489")]
    rate = TICKER_DELTA.replace('"bid1Price":"17215.50","bid1Size":"84.489"', '"fundingRate":"0.0001"')
    assert wire.parse(rate) == [
        ticker("17215.50", "84.489"),
        Funding(NAME, "BTCUSDT", TICKER_NS, RECEIVE_NS, "0.0001", 1673280000000_000_000),
    ]
    whole = TICKER.replace('"bid1Price":"17215.00","bid1Size":"4.489",', "")
    assert wire.parse(whole)[0] == ticker(None, None)


def test_a_future_has_no_funding() -> None:
    frame = TICKER.replace('"-0.000212"', '""').replace('"1673280000000"', '"0"')
    assert [type(event) for event in subscribed(*EVERYTHING).parse(frame)] == [Ticker, MarkPrice, OpenInterest]


def test_the_ticker_of_an_option_names_its_best_levels_otherwise() -> None:
    event = Driven(BybitLinear, adopt=True).parse(OPTION_TICKER)[0]
    assert isinstance(event, Ticker)
    assert (event.bid, event.bid_size, event.ask, event.ask_size) == (None, "0", "10", "5.1")


def test_every_channel_of_a_ticker_is_alive_as_long_as_frames_come() -> None:
    wire = subscribed("ticker", "funding")
    wire.parse(TICKER)
    wire.parse(TICKER_DELTA, RECEIVE_NS + 1)
    assert wire.adapter.last_data_ns == dict.fromkeys(("tickers.BTCUSDT", "tickers.BTCUSDT#funding"), RECEIVE_NS + 1)


def test_all_depths_are_books_in_replay() -> None:
    for depth in (25, 50, 100, 200, 500, 1000):
        assert len(Driven(Bybit, adopt=True).parse(BOOK.replace("orderbook.50.", f"orderbook.{depth}."))) == 1
