from __future__ import annotations

import msgspec
import pytest

from foxtrot_protocol.events import (
    EVENT_MARKET_TRADE,
    Bar,
    BookSnapshot,
    Funding,
    Liquidation,
    MarkPrice,
    OpenInterest,
    Quote,
    Ticker,
    Trade,
)
from foxtrot_workers.adapter import Acknowledged, Refused, UnrecognizedFrame
from foxtrot_workers.exchanges.okx import constants
from foxtrot_workers.exchanges.okx.adapter import Okx
from tests.workers.exchanges.driven import RECEIVE_NS, Driven
from tests.workers.exchanges.okx.subscribed import BOOK_NS, INSTRUMENT, Subscribed
from tests.workers.exchanges.samples import (
    OKX_CANDLE,
    OKX_FUNDING,
    OKX_INDEX,
    OKX_MARK_PRICE,
    OKX_OPEN_INTEREST,
    okx_book,
    okx_frame,
    okx_liquidation,
    okx_liquidations,
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


def test_each_fill_has_a_channel_of_its_own() -> None:
    (trade,) = Subscribed("trade_all").parse(okx_frame("trades-all", INSTRUMENT, [okx_trade()]))
    assert isinstance(trade, Trade)
    assert trade.trade_id == "130639474"
    rules = Okx().identity_rules(["trade_all"]), Okx().identity_rules(["trade"])
    assert [rule[EVENT_MARKET_TRADE] for rule in rules] == ["sequence", "increasing"]
    assert Okx().topics(["trade_all", "bar_1m"], [INSTRUMENT])
    with pytest.raises(ValueError, match="another address"):
        Okx().topics(["trade_all", "trade"], [INSTRUMENT])


def test_an_index_is_a_ticker_without_volume() -> None:
    assert Subscribed("index").parse(okx_frame("index-tickers", INSTRUMENT, [OKX_INDEX])) == [
        Ticker("OKX", INSTRUMENT, BOOK_NS, 7, "0.1", "0.2", "0.5", "0.05", None, None)
    ]
    with pytest.raises(ValueError, match="eTicker"):
        Okx().topics(["ticker", "index"], [INSTRUMENT])


class TestLiquidations:
    """They are subscribed for a kind of instruments, and published for those that were asked for."""

    def test_one_request_serves_all_instruments_of_a_kind(self) -> None:
        wire = Driven(Okx, ["liquidation"], ["BTC-USDT-SWAP", "ETH-USDT-SWAP", "BTC-USD-260327"])
        assert [topic.wire for topic in wire.topics] == [
            "liquidation-orders:SWAP#BTC-USDT-SWAP",
            "liquidation-orders:SWAP#ETH-USDT-SWAP",
            "liquidation-orders:FUTURES#BTC-USD-260327",
        ]
        (request,) = wire.requests
        assert msgspec.json.decode(request)["args"] == [
            {"channel": "liquidation-orders", "instType": "SWAP"},
            {"channel": "liquidation-orders", "instType": "FUTURES"},
        ]
        arg = {"channel": "liquidation-orders", "instType": "SWAP"}
        wire.parse({"event": "subscribe", "arg": arg, "connId": "a"})
        assert wire.take_notices() == [
            Acknowledged(("liquidation-orders:SWAP#BTC-USDT-SWAP", "liquidation-orders:SWAP#ETH-USDT-SWAP"))
        ]
        wire.parse({"event": "error", "code": "60018", "msg": "no", "arg": arg, "connId": "a"})
        (refused,) = wire.take_notices()
        assert isinstance(refused, Refused)
        assert len(refused.wires) == 2

    def test_those_of_other_instruments_are_left_out(self) -> None:
        wire = Driven(Okx, ["liquidation"], ["BTC-USDT-SWAP"])
        frame = okx_liquidations(
            okx_liquidation("IOST-USDT-SWAP"),
            okx_liquidation("BTC-USDT-SWAP", {}, {"side": "sell", "posSide": "long", "sz": "7"}),
        )
        time_ns = 1692266434010_000_000
        both = [
            Liquidation("OKX", "BTC-USDT-SWAP", time_ns, RECEIVE_NS, "buy", "0.007831", "13"),
            Liquidation("OKX", "BTC-USDT-SWAP", time_ns, RECEIVE_NS, "sell", "0.007831", "7"),
        ]
        assert wire.parse(frame) == both
        assert wire.adapter.last_data_ns == {"liquidation-orders:SWAP#BTC-USDT-SWAP": RECEIVE_NS}
        events = Driven(Okx, adopt=True).parse(frame)
        assert [event.symbol for event in events] == ["IOST-USDT-SWAP", "BTC-USDT-SWAP", "BTC-USDT-SWAP"]

    def test_the_kind_is_left_with_its_last_instrument(self) -> None:
        wire = Driven(Okx, ["liquidation"], ["BTC-USDT-SWAP", "ETH-USDT-SWAP"])
        assert wire.adapter.unsubscribe(wire.topics[:1]) == []
        assert wire.take_notices() == [Acknowledged(("liquidation-orders:SWAP#BTC-USDT-SWAP",), subscribed=False)]
        frame = okx_liquidations(okx_liquidation("BTC-USDT-SWAP"), okx_liquidation("ETH-USDT-SWAP"))
        assert [event.symbol for event in wire.parse(frame)] == ["ETH-USDT-SWAP"]
        assert len(wire.adapter.unsubscribe(wire.topics[1:])) == 1
        arg = {"channel": "liquidation-orders", "instType": "SWAP"}
        wire.parse({"event": "unsubscribe", "arg": arg, "connId": "a"})
        assert wire.take_notices() == [Acknowledged(("liquidation-orders:SWAP#ETH-USDT-SWAP",), subscribed=False)]
        with pytest.raises(UnrecognizedFrame):
            wire.parse(frame)


def test_a_frame_may_name_more_than_its_topic() -> None:
    wire = Subscribed("trade")
    frame = okx_frame("trades", INSTRUMENT, [okx_trade()]).replace(b'"arg":{', b'"arg":{"instType":"SPOT",')
    assert len(wire.parse(frame)) == len(wire.parse(frame)) == 1
