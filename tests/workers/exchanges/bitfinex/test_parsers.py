from __future__ import annotations

from typing import Any

import msgspec
import pytest

from foxtrot_protocol.events import Bar, Funding, Liquidation, MarkPrice, OpenInterest, Ticker, Trade
from foxtrot_workers.exchanges.bitfinex.parsers import symbol_of
from tests.workers.exchanges.bitfinex.samples import (
    BARS,
    DERIVATIVE,
    LIQUIDATION,
    PAST_TRADES,
    STATUS,
    SUBSCRIBED_BARS,
    SUBSCRIBED_LIQUIDATIONS,
    SUBSCRIBED_STATUS,
    SUBSCRIBED_TICKER,
    SUBSCRIBED_TRADES,
    SYMBOL,
    TICKER,
    TRADE,
    TRADE_UPDATE,
    Connected,
)
from tests.workers.exchanges.driven import RECEIVE_NS


def test_a_trade_counts_once() -> None:
    wire = Connected(["trade"], [SYMBOL], SUBSCRIBED_TRADES)
    time_ns = 1618665870436_000_000
    trade = Trade("BITFINEX", SYMBOL, time_ns, RECEIVE_NS, "0.076985", "20.5", "sell", "669899160")
    assert wire.parse(TRADE) == [trade]
    assert wire.parse(TRADE_UPDATE) == []


def test_past_trades_come_oldest_first() -> None:
    trades = Connected(["trade"], [SYMBOL], SUBSCRIBED_TRADES).parse(PAST_TRADES)
    assert [(t.trade_id, t.side) for t in trades if isinstance(t, Trade)] == [
        ("669899158", "sell"),
        ("669899159", "buy"),
    ]


def test_a_ticker_has_the_best_prices() -> None:
    wire = Connected(["ticker"], [SYMBOL], SUBSCRIBED_TICKER)
    figures = ("0.076989", None, "0.0828", "0.068961", "101459.39453471", None)
    sides = ("0.068965", "60157.36709703", "0.0774", "48578.50804052")
    ticker = Ticker("BITFINEX", SYMBOL, 0, RECEIVE_NS, *figures, *sides)
    assert wire.parse(TICKER) == [ticker]
    [empty] = wire.parse(TICKER.replace("0.068965, 60157.36709703", "null, null"))
    assert isinstance(empty, Ticker)
    assert (empty.bid, empty.bid_size) == (None, None)


def test_bars_before_the_newest_are_closed() -> None:
    wire = Connected(["bar_1m"], [SYMBOL], SUBSCRIBED_BARS)
    older, newest = wire.parse(BARS)
    assert newest == Bar(
        "BITFINEX",
        SYMBOL,
        0,
        RECEIVE_NS,
        "1m",
        1574698260000_000_000,
        "7379.785503",
        "7388.3",
        "7379.785503",
        "7383.8",
        "1.68829482",
        False,
    )
    assert isinstance(older, Bar)
    assert (older.start_ns, older.closed) == (1574698200000_000_000, True)
    [late] = wire.data(343351, [1574698200000, 1, 2, 3, 4, 5])
    assert isinstance(late, Bar)
    assert late.closed


def test_the_status_of_a_derivative_carries_three_channels() -> None:
    head = ("BITFINEX", DERIVATIVE, 1596124822000_000_000, RECEIVE_NS)
    events = {
        "funding": Funding(*head, "0", 1596153600000_000_000),
        "mark_price": MarkPrice(*head, "0.765"),
        "open_interest": OpenInterest(*head, "100.2"),
    }
    for channel, event in events.items():
        wire = Connected([channel], [DERIVATIVE], SUBSCRIBED_STATUS)
        assert wire.parse(STATUS) == [event]
        assert wire.adapter.last_data_ns == {wire.topics[0].wire: RECEIVE_NS}
    assert Connected([], [], SUBSCRIBED_STATUS, adopt=True).parse(STATUS) == list(events.values())


def test_a_status_may_leave_out_figures() -> None:
    row: list[Any] = [None] * 20
    row[0] = 5
    assert Connected(["funding", "mark_price"], [DERIVATIVE], SUBSCRIBED_STATUS).data(270, row) == []


def test_the_first_trigger_of_a_liquidation_counts() -> None:
    wire = Connected(["liquidation"], ["tETHF0:USTF0"], SUBSCRIBED_LIQUIDATIONS)
    assert wire.parse(LIQUIDATION) == []
    time_ns = 1609144352338_000_000
    event = Liquidation("BITFINEX", "tETHF0:USTF0", time_ns, RECEIVE_NS, "buy", "730.96", "1.67288094")
    assert wire.parse(LIQUIDATION.replace("null, 1, 1", "null, 0, 1")) == [event]
    assert wire.parse(LIQUIDATION.replace("null, 1, 1", "null, 0, 1").replace("tETH", "tBTC")) == []
    assert wire.adapter.last_data_ns == {"status:liq:global#tETHF0:USTF0": RECEIVE_NS}


@pytest.mark.parametrize(
    ("channel", "symbol", "acknowledgement", "values"),
    [
        ("trade", SYMBOL, SUBSCRIBED_TRADES, (232959, "xx", [1, 2, 3, 4])),
        ("trade", SYMBOL, SUBSCRIBED_TRADES, (232959, "te", [1, 2])),
        ("ticker", SYMBOL, SUBSCRIBED_TICKER, (232949, [1, 2, 3])),
        ("ticker", SYMBOL, SUBSCRIBED_TICKER, (232949, [[]] * 10)),
        ("bar_1m", SYMBOL, SUBSCRIBED_BARS, (343351, [1, 2, 3])),
        ("bar_1m", SYMBOL, SUBSCRIBED_BARS, (343351, "te", [1])),
        ("funding", DERIVATIVE, SUBSCRIBED_STATUS, (270, [1, 2])),
        ("funding", DERIVATIVE, SUBSCRIBED_STATUS, (270, "te", [1, 2])),
        ("liquidation", DERIVATIVE, SUBSCRIBED_LIQUIDATIONS, (91684, [["pos"]])),
        ("liquidation", DERIVATIVE, SUBSCRIBED_LIQUIDATIONS, (91684, "te", [])),
    ],
)
def test_another_message_is_refused(channel: str, symbol: str, acknowledgement: str, values: tuple[Any, ...]) -> None:
    wire = Connected([channel], [symbol], acknowledgement)
    with pytest.raises(msgspec.ValidationError):
        wire.data(*values)


def test_a_liquidation_of_an_impossible_symbol_is_refused() -> None:
    wire = Connected([], [], SUBSCRIBED_LIQUIDATIONS, adopt=True)
    with pytest.raises(msgspec.ValidationError):
        wire.data(91684, [["pos", 1, 2, None, "x", 1, 2, None, 0]])


@pytest.mark.parametrize(
    ("topic", "symbol"),
    [
        ("book:tAVAX:USD:P0:F0:100", "tAVAX:USD"),
        ("book:tBTCUSD:R0:F0:100", ""),
        ("ticker:tBTCF0:USTF0", "tBTCF0:USTF0"),
        ("candles:trade:1m:tBTCUSD", "tBTCUSD"),
        ("candles:trade:7m:tBTCUSD", ""),
        ("candles:trade:1m:fUSD:p30", ""),
        ("status:deriv:tBTCF0:USTF0", "tBTCF0:USTF0"),
        ("ticker:fUSD", ""),
        ("other:tBTCUSD", ""),
        ("", ""),
    ],
)
def test_a_topic_has_a_symbol(topic: str, symbol: str) -> None:
    assert symbol_of(topic) == symbol
