from __future__ import annotations

import json

from foxtrot_workers.adapter import Acknowledged, Refused, SendText
from foxtrot_workers.exchanges.bitfinex.adapter import Bitfinex
from foxtrot_workers.exchanges.bitfinex.requests import Requests, opening_text, retry_of
from tests.workers.exchanges.bitfinex.samples import DERIVATIVE, SUBSCRIBED_BOOK, SYMBOL, Connected
from tests.workers.exchanges.driven import Driven

BOOK = "book:tBTCUSD:P0:F0:100"


def test_the_flags_are_set_first() -> None:
    assert json.loads(opening_text()) == json.loads('{"event": "conf", "flags": 229376}')
    assert Bitfinex().opening() == [opening_text()]


def test_a_request_names_one_topic() -> None:
    requests = [json.loads(text) for text in Driven(Bitfinex, ["book", "trade", "bar_1d"], [SYMBOL]).requests]
    assert requests == [
        json.loads(
            '{"event": "subscribe", "channel": "book", "symbol": "tBTCUSD", "prec": "P0", "freq": "F0", "len": "100"}'
        ),
        {"event": "subscribe", "channel": "trades", "symbol": "tBTCUSD"},
        {"event": "subscribe", "channel": "candles", "key": "trade:1D:tBTCUSD"},
    ]


def test_channels_of_one_topic_are_requested_once() -> None:
    requests = Driven(Bitfinex, ["funding", "mark_price", "liquidation"], [DERIVATIVE, "tETHF0:USTF0"]).requests
    assert [json.loads(text)["key"] for text in requests] == [
        "deriv:tBTCF0:USTF0",
        "liq:global",
        "deriv:tETHF0:USTF0",
    ]


def test_an_acknowledgement_gives_a_topic_its_number() -> None:
    wire = Driven(Bitfinex, ["book"], [SYMBOL])
    assert wire.adapter.unsubscribe(wire.topics) == []
    wire.adapter.subscribe(wire.topics)
    wire.parse(SUBSCRIBED_BOOK)
    assert wire.take_notices() == [Acknowledged((BOOK,))]
    [text] = wire.adapter.unsubscribe(wire.topics)
    assert json.loads(text) == json.loads('{"event": "unsubscribe", "chanId": 173904}')
    wire.parse('{"event": "unsubscribed", "status": "OK", "chanId": 173904}')
    assert wire.take_notices() == [Acknowledged((BOOK,), subscribed=False)]


def test_a_topic_that_left_before_it_had_a_number_is_unsubscribed_when_it_has_one() -> None:
    wire = Driven(Bitfinex, ["book"], [SYMBOL])
    wire.adapter.unsubscribe(wire.topics)
    wire.parse(SUBSCRIBED_BOOK)
    assert wire.take_notices() == [SendText('{"event":"unsubscribe","chanId":173904}')]


def test_a_topic_that_was_subscribed_again_goes_on_with_its_new_number() -> None:
    wire = Connected(["book"], [SYMBOL], SUBSCRIBED_BOOK)
    wire.adapter.unsubscribe(wire.topics)
    wire.adapter.subscribe(wire.topics)
    wire.parse('{"event": "unsubscribed", "status": "OK", "chanId": 173904}')
    assert wire.take_notices() == []
    wire.parse(SUBSCRIBED_BOOK.replace("173904", "5"))
    assert wire.take_notices() == [Acknowledged((BOOK,))]
    assert len(wire.data(5, [[1, 1, 1]], 1)) == 1


def test_a_refusal_names_its_topic() -> None:
    wire = Driven(Bitfinex, ["ticker", "book"], ["tFOOBAR"])
    wire.parse('{"event": "error", "msg": "symbol: invalid", "code": 10300, "channel": "ticker", "symbol": "tFOOBAR"}')
    assert wire.take_notices() == [Refused(("ticker:tFOOBAR",), "10300: symbol: invalid", "never")]
    wire.parse('{"event":"error","msg":"subscribe: limit","code":10305,"channel":"book","symbol":"tFOOBAR"}')
    assert wire.take_notices() == [Refused(("book:tFOOBAR:P0:F0:100",), "10305: subscribe: limit", "later")]
    wire.parse('{"event":"error","msg":"unknown event","code":10000}')
    assert wire.take_notices() == [Refused((), "10000: unknown event", "never", exact=False)]


def test_a_topic_that_is_subscribed_already_is_acknowledged() -> None:
    wire = Driven(Bitfinex, ["ticker"], [SYMBOL])
    wire.parse('{"event":"error","msg":"subscribe: dup","code":10301,"channel":"ticker","symbol":"tBTCUSD"}')
    assert wire.take_notices() == [Acknowledged(("ticker:tBTCUSD",))]


def test_only_refusals_that_cannot_change_are_final() -> None:
    assert retry_of(10001) == retry_of(10300, "symbol: invalid") == "never"
    assert retry_of(10305) == retry_of(0) == "later"


def test_the_end_of_an_earlier_channel_leaves_the_number_of_the_later_one() -> None:
    requests = Requests()
    requests.subscribe([BOOK])
    requests.subscribed(BOOK, 1)
    requests.subscribed(BOOK, 2)
    assert not requests.unsubscribed(BOOK, 1)
    assert [json.loads(text) for text in requests.unsubscribe([BOOK])] == [{"event": "unsubscribe", "chanId": 2}]
    assert requests.unsubscribed(BOOK, 2)
    assert requests.unsubscribe([BOOK]) == []
