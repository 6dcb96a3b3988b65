from __future__ import annotations

import msgspec
import pytest

from foxtrot_protocol.events import (
    Bar,
    Funding,
    Liquidation,
    MarketEvent,
    MarkPrice,
    OpenInterest,
    Quote,
    Ticker,
    Trade,
)
from foxtrot_workers.exchanges.deribit.adapter import Deribit
from tests.workers.exchanges.deribit.samples import CHART, INSTRUMENT, QUOTE, SNAPSHOT, TICKER, TRADE, frame
from tests.workers.exchanges.driven import RECEIVE_NS, Driven

TRADES, TICKERS = "trades.BTC-PERPETUAL.100ms", "ticker.BTC-PERPETUAL.100ms"
TRADE_NS, QUOTE_NS = 1765531356452_000_000, 1765541767174_000_000


def test_a_trade_has_the_takers_side() -> None:
    trade = Trade("DERIBIT", INSTRUMENT, TRADE_NS, RECEIVE_NS, "92294.5", "10.0", "sell", "403691824")
    assert Driven(Deribit, ["trade"], [INSTRUMENT]).parse(frame(TRADES, [TRADE])) == [trade]


@pytest.mark.parametrize(("mark", "sides"), [("T", ["sell"]), ("M", ["buy"]), ("MT", ["sell", "buy"]), ("none", [])])
def test_a_marked_trade_is_a_liquidation_of_the_marked_sides(mark: str, sides: list[str]) -> None:
    wire = Driven(Deribit, ["liquidation"], [INSTRUMENT])
    assert wire.parse(frame(TRADES, [TRADE])) == []
    events = wire.parse(frame(TRADES, [TRADE, {**TRADE, "liquidation": mark}]))
    assert [event.side for event in events if isinstance(event, Liquidation)] == sides
    assert len(events) == len(sides)
    assert wire.adapter.last_data_ns == {f"{TRADES}#liquidation": RECEIVE_NS}


def test_a_quote_may_have_an_empty_side() -> None:
    wire = Driven(Deribit, ["quote"], [INSTRUMENT])
    quote = Quote("DERIBIT", INSTRUMENT, QUOTE_NS, RECEIVE_NS, "92288.0", "133440.0", "92288.5", "99470.0", "")
    assert wire.parse(frame("quote.BTC-PERPETUAL", QUOTE)) == [quote]
    for empty in ({"best_bid_price": None, "best_bid_amount": 0.0}, {"best_bid_price": 0.0, "best_bid_amount": 0.0}):
        expected = msgspec.structs.replace(quote, bid=None, bid_size=None)
        assert wire.parse(frame("quote.BTC-PERPETUAL", {**QUOTE, **empty})) == [expected]


def test_a_ticker_carries_what_was_subscribed() -> None:
    head = ("DERIBIT", INSTRUMENT, QUOTE_NS, RECEIVE_NS)
    sides = ("92288.0", "133440.0", "92288.5", "99470.0")
    events: dict[str, MarketEvent[str]] = {
        "ticker": Ticker(*head, "92283.5", None, "93612.0", None, "11897.27640428", "1092371540.0", *sides),
        "mark_price": MarkPrice(*head, "92281.78"),
        "open_interest": OpenInterest(*head, "1132329370.0"),
        "funding": Funding(*head, "0.0", 0),
    }
    for channel, event in events.items():
        wire = Driven(Deribit, [channel], [INSTRUMENT])
        assert wire.parse(frame(TICKERS, TICKER)) == [event]
        assert list(wire.adapter.last_data_ns) == [topic.wire for topic in wire.topics]
    assert Driven(Deribit, list(events), [INSTRUMENT]).parse(frame(TICKERS, TICKER)) == list(events.values())
    assert Driven(Deribit, adopt=True).parse(frame(TICKERS, TICKER)) == list(events.values())


def test_a_ticker_of_an_option_has_no_funding_and_perhaps_no_prices() -> None:
    option = {"timestamp": 5, "best_bid_price": 0.0, "best_bid_amount": 0.0, "last_price": None, "mark_price": 0.001972}
    wire = Driven(Deribit, ["ticker", "funding", "mark_price"], [INSTRUMENT])
    ticker, mark_price = wire.parse(frame(TICKERS, option))
    assert isinstance(ticker, Ticker)
    assert (ticker.last, ticker.bid, ticker.bid_size, ticker.ask, ticker.ask_size) == (None, None, "0.0", None, None)
    assert isinstance(mark_price, MarkPrice)


def test_a_subscription_of_another_channel_of_a_topic_begins_at_once() -> None:
    wire = Driven(Deribit, ["ticker"], [INSTRUMENT])
    wire.adapter.subscribe(wire.adapter.topics(["funding"], [INSTRUMENT]))
    assert [type(event) for event in wire.parse(frame(TICKERS, TICKER))] == [Ticker, Funding]
    wire.adapter.unsubscribe(wire.topics)
    assert [type(event) for event in wire.parse(frame(TICKERS, TICKER))] == [Funding]


def test_a_bar_begins_at_its_tick() -> None:
    start_ns = 1767200040000_000_000
    bar = Bar(
        "DERIBIT",
        INSTRUMENT,
        0,
        RECEIVE_NS,
        "1m",
        start_ns,
        "87490.0",
        "87500.0",
        "87465.0",
        "87474.0",
        "0.95978896",
        False,
    )
    assert Driven(Deribit, ["bar_1m"], [INSTRUMENT]).parse(frame("chart.trades.BTC-PERPETUAL.1", CHART)) == [bar]


def test_a_book_frame_of_unknown_type_is_refused() -> None:
    with pytest.raises(msgspec.ValidationError, match="type"):
        Driven(Deribit, ["book"], [INSTRUMENT]).parse(frame("book.BTC-PERPETUAL.100ms", {**SNAPSHOT, "type": "change"}))
