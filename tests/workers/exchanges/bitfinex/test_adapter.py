from __future__ import annotations

import pytest

from foxtrot_workers.adapter import Acknowledged, CloseAnnounced, Pong, Topic, UnrecognizedFrame
from foxtrot_workers.exchanges.bitfinex import adapter as bitfinex
from foxtrot_workers.exchanges.bitfinex.adapter import Bitfinex
from foxtrot_workers.testing.conformance import check_adapter
from tests.workers.exchanges.bitfinex.samples import (
    BACKFILLS,
    DERIVATIVE,
    SAMPLES,
    SUBSCRIBED_STATUS,
    SUBSCRIBED_TRADES,
    SYMBOL,
    TRADE,
    Connected,
)
from tests.workers.exchanges.driven import Driven


def test_it_conforms() -> None:
    check_adapter(Bitfinex, SAMPLES, backfills=BACKFILLS)


def test_wire_names_of_topics() -> None:
    assert Bitfinex().topics(["trade", "book25", "ticker"], [SYMBOL, SYMBOL]) == [
        Topic("trade", SYMBOL, "trades:tBTCUSD"),
        Topic("book25", SYMBOL, "book:tBTCUSD:P0:F0:25"),
        Topic("ticker", SYMBOL, "ticker:tBTCUSD"),
    ]
    assert Bitfinex().topics(["funding", "liquidation", "bar_1d"], [DERIVATIVE]) == [
        Topic("funding", DERIVATIVE, "status:deriv:tBTCF0:USTF0#funding"),
        Topic("liquidation", DERIVATIVE, "status:liq:global#tBTCF0:USTF0"),
        Topic("bar_1d", DERIVATIVE, "candles:trade:1D:tBTCF0:USTF0"),
    ]


@pytest.mark.parametrize(
    ("channels", "symbols"),
    [(["nope"], [SYMBOL]), (["book", "book25"], [SYMBOL]), (["trade"], ["BTCUSD"]), (["funding"], [SYMBOL])],
)
def test_impossible_topics_are_refused(channels: list[str], symbols: list[str]) -> None:
    with pytest.raises(ValueError, match=r"channel|only one|cannot be a symbol|no derivative"):
        Bitfinex().topics(channels, symbols)


def test_the_greeting_and_the_flags_are_taken() -> None:
    wire = Driven(Bitfinex)
    wire.parse('{"event": "info", "version": 2, "serverId": "e293377e", "platform": {"status": 1}}')
    wire.parse('{"event": "conf", "status": "OK", "flags": 229376}')
    assert wire.take_notices() == []
    wire.parse('{"event":"info","code":20051,"msg":"Stopping. Please try to reconnect"}')
    wire.parse('{"event":"pong","ts":1511545528111,"cid":1}')
    assert wire.take_notices() == [CloseAnnounced("20051: Stopping. Please try to reconnect"), Pong()]


@pytest.mark.parametrize(
    "text",
    [
        '{"event":"auth"}',
        '{"event":"conf","status":"FAILED"}',
        '{"event":"subscribed","channel":"ticker","symbol":"tBTCUSD"}',
        '{"event":"subscribed","channel":"ticker","chanId":5,"symbol":"fUSD"}',
        '{"event":"unsubscribed","chanId":5}',
        "[5,[1,2,3],1]",
    ],
)
def test_an_unknown_message_is_unrecognized_even_in_replay(text: str) -> None:
    with pytest.raises(UnrecognizedFrame):
        Driven(Bitfinex, adopt=True).parse(text)


def test_an_acknowledgement_of_a_topic_that_was_not_subscribed_is_unrecognized() -> None:
    with pytest.raises(UnrecognizedFrame, match="trades"):
        Driven(Bitfinex, ["ticker"], [SYMBOL]).parse(SUBSCRIBED_TRADES)


def test_adoption_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bitfinex, "ADOPTED_MAX", 1)
    wire = Connected([], [], SUBSCRIBED_TRADES, adopt=True)
    assert len(wire.parse(TRADE)) == 1
    with pytest.raises(UnrecognizedFrame):
        wire.parse(SUBSCRIBED_TRADES.replace("tBTCUSD", "tETHUSD"))


def test_an_unsubscribed_topic_is_forgotten() -> None:
    wire = Connected(["trade"], [SYMBOL], SUBSCRIBED_TRADES)
    wire.parse(TRADE)
    wire.adapter.unsubscribe(wire.topics)
    wire.parse('{"event":"unsubscribed","status":"OK","chanId":232959}')
    assert wire.adapter.last_data_ns == {}
    with pytest.raises(UnrecognizedFrame):
        wire.parse(TRADE)


def test_a_channel_that_leaves_a_shared_topic_ends_without_a_request() -> None:
    wire = Connected(["mark_price", "funding"], [DERIVATIVE], SUBSCRIBED_STATUS)
    assert len(wire.requests) == 1
    leaving, staying = wire.topics
    assert wire.adapter.unsubscribe([leaving]) == []
    assert wire.take_notices() == [Acknowledged((leaving.wire,), subscribed=False)]
    last = wire.adapter.unsubscribe([staying])
    assert len(last) == 1, "the topic has no channel left"
