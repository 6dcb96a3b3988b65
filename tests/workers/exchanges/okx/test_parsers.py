from __future__ import annotations

import msgspec
import pytest

from foxtrot_protocol.events import (
    Bar,
    BookSnapshot,
    Funding,
    MarkPrice,
    OpenInterest,
    Quote,
    Ticker,
    Trade,
)
from foxtrot_workers.exchanges.okx import constants
from tests.workers.exchanges.okx.subscribed import BOOK_NS, INSTRUMENT, Subscribed
from tests.workers.exchanges.samples import (
    OKX_CANDLE,
    OKX_FUNDING,
    OKX_MARK_PRICE,
    OKX_OPEN_INTEREST,
    okx_book,
    okx_frame,
    okx_ticker,
    okx_trade,
)


def test_one_frame_may_have_several_trades() -> None:
    wire = Subscribed("trade")
    rows = [okx_trade(), okx_trade(tradeId="130639475", side="sell")]
    when = 1630048897897_000_000
    assert wire.parse(okx_frame("trades", INSTRUMENT, rows)) == [
        Trade("OKX", INSTRUMENT, when, 7, "42219.9", "0.12060306", "buy", "130639474"),
        Trade("OKX", INSTRUMENT, when, 7, "42219.9", "0.12060306", "sell", "130639475"),
    ]
    assert wire.adapter.last_data_ns == {"trades:BTC-USDT": 7}


def test_a_trade_says_how_many_fills_it_stands_for() -> None:
    wire = Subscribed("trade")
    (trade,) = wire.parse(okx_frame("trades", INSTRUMENT, [okx_trade(tradeId="110", count="3")]))
    assert isinstance(trade, Trade)
    assert (trade.trade_id, trade.count) == ("110", 3)
    (trade,) = wire.parse(okx_frame("trades", INSTRUMENT, [okx_trade(tradeId="111")]))
    assert isinstance(trade, Trade)
    assert trade.count == 1


def test_the_best_bid_and_ask() -> None:
    wire = Subscribed("quote")
    assert wire.parse(okx_frame("bbo-tbt", INSTRUMENT, [okx_book()])) == [
        Quote("OKX", INSTRUMENT, BOOK_NS, 7, "8476.97", "256", "8476.98", "415", "123456")
    ]


def test_an_empty_side_of_a_quote_is_none() -> None:
    wire = Subscribed("quote")
    row = okx_book(bids=[], asks=[])
    del row["seqId"]
    assert wire.parse(okx_frame("bbo-tbt", INSTRUMENT, [row])) == [
        Quote("OKX", INSTRUMENT, BOOK_NS, 7, None, None, None, None, "")
    ]


def test_a_ticker_has_the_best_bid_and_ask() -> None:
    wire = Subscribed("ticker")
    day = ("9999.99", "9000", "10000", "8888.88", "2222", "2222.5")
    assert wire.parse(okx_frame("tickers", INSTRUMENT, [okx_ticker()])) == [
        Ticker("OKX", INSTRUMENT, BOOK_NS, 7, *day, "8888.88", "5", "9999.99", "11")
    ]


@pytest.mark.parametrize("zero", ["", "0", "0.0"])
def test_an_empty_side_of_a_ticker_is_none(zero: str) -> None:
    wire = Subscribed("ticker")
    (ticker,) = wire.parse(okx_frame("tickers", INSTRUMENT, [okx_ticker(bidPx=zero, bidSz="0", last="", open24h="")]))
    assert isinstance(ticker, Ticker)
    assert (ticker.bid, ticker.bid_size, ticker.ask, ticker.last, ticker.open) == (None, "0", "9999.99", None, None)
    (ticker,) = wire.parse(okx_frame("tickers", INSTRUMENT, [okx_ticker(askPx=zero, askSz="")]))
    assert isinstance(ticker, Ticker)
    assert (ticker.bid, ticker.ask, ticker.ask_size) == ("8888.88", None, None)


def test_each_message_of_books5_is_a_snapshot() -> None:
    wire = Subscribed("book5")
    for _ in range(2):
        assert wire.parse(okx_frame("books5", INSTRUMENT, [okx_book(seqId=5)])) == [
            BookSnapshot(
                *("OKX", INSTRUMENT, BOOK_NS, 7),
                [("8476.97", "256")],
                [("8476.98", "415"), ("8477", "7")],
                None,
                "5",
                None,
            )
        ]


@pytest.mark.parametrize("interval", constants.INTERVALS)
def test_a_candle_of_each_interval(interval: str) -> None:
    wire = Subscribed(f"bar_{interval}")
    prices = ("8533.02", "8553.74", "8527.17", "8548.26")
    assert wire.parse(okx_frame(f"candle{interval}", INSTRUMENT, [OKX_CANDLE])) == [
        Bar("OKX", INSTRUMENT, 0, 7, interval, BOOK_NS, *prices, "45247", True)
    ]


@pytest.mark.parametrize("row", [[*OKX_CANDLE[:8], "0"], [*OKX_CANDLE[:8], ""], OKX_CANDLE[:7], OKX_CANDLE[:6]])
def test_a_candle_is_open_unless_confirmed(row: list[str]) -> None:
    (bar,) = Subscribed("bar_1m").parse(okx_frame("candle1m", INSTRUMENT, [row]))
    assert isinstance(bar, Bar)
    assert not bar.closed


def test_funding_mark_price_and_open_interest() -> None:
    wire = Subscribed("funding", "mark_price", "open_interest")
    due = 1744590349506_000_000
    assert wire.parse(okx_frame("funding-rate", INSTRUMENT, [OKX_FUNDING])) == [
        Funding("OKX", INSTRUMENT, 1744590349000_000_000, 7, "0.0001", due)
    ]
    untimed = {key: value for key, value in OKX_FUNDING.items() if key != "ts"}
    assert wire.parse(okx_frame("funding-rate", INSTRUMENT, [untimed])) == [
        Funding("OKX", INSTRUMENT, 0, 7, "0.0001", due)
    ]
    assert wire.parse(okx_frame("mark-price", INSTRUMENT, [OKX_MARK_PRICE])) == [
        MarkPrice("OKX", INSTRUMENT, 1630049139746_000_000, 7, "42310.6")
    ]
    assert wire.parse(okx_frame("open-interest", INSTRUMENT, [OKX_OPEN_INTEREST])) == [
        OpenInterest("OKX", INSTRUMENT, 1743041250440_000_000, 7, "2216113.01")
    ]


def test_a_book_frame_without_action_is_refused() -> None:
    with pytest.raises(msgspec.ValidationError, match="action"):
        Subscribed("book").parse(okx_frame("books", INSTRUMENT, [okx_book()]))
    with pytest.raises(msgspec.ValidationError):
        Subscribed("book").book("replace")
