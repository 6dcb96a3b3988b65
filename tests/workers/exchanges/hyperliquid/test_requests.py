from __future__ import annotations

import json

import pytest

from foxtrot_workers.adapter import Acknowledged, Notice, Refused
from foxtrot_workers.exchanges.hyperliquid.adapter import Hyperliquid
from foxtrot_workers.exchanges.hyperliquid.requests import retry_of, subscription_of, wire_of
from tests.workers.exchanges.driven import Driven


def error(text: str, *channels: str) -> list[Notice]:
    wire = Driven(Hyperliquid, channels or ["trade"], ["BTC"])
    wire.parse({"channel": "error", "data": text})
    return wire.take_notices()


@pytest.mark.parametrize("topic", ["trades:BTC", "candle.1m:xyz:TSLA", "l2Book+fast:@107", "bbo:%2312"])
def test_a_topic_and_its_subscription_name_each_other(topic: str) -> None:
    assert wire_of(subscription_of(topic)) == topic


def test_an_answer_repeats_the_subscription_with_options_of_its_own() -> None:
    wire = Driven(Hyperliquid, ["book"], ["BTC"])
    subscription = {"type": "l2Book", "coin": "BTC", "nSigFigs": None, "mantissa": None}
    data = {"method": "subscribe", "subscription": subscription}
    wire.parse({"channel": "subscriptionResponse", "data": data})
    assert wire.take_notices() == [Acknowledged(("l2Book:BTC",))]


def test_a_topic_that_was_subscribed_again_does_not_end() -> None:
    wire = Driven(Hyperliquid, ["trade"], ["BTC"])
    (text,) = wire.adapter.unsubscribe(wire.topics)
    wire.adapter.subscribe(wire.topics)
    wire.parse({"channel": "subscriptionResponse", "data": json.loads(text)})
    assert wire.take_notices() == []


def test_a_topic_that_is_subscribed_already_is_acknowledged() -> None:
    text = 'Already subscribed: {"type":"trades","coin":"BTC"}'
    assert error(text) == [Acknowledged(("trades:BTC",))]
    text = 'Already subscribed: {"type":"activeAssetCtx","coin":"BTC"}'
    wires = ("activeAssetCtx:BTC#funding", "activeAssetCtx:BTC#mark_price")
    assert error(text, "funding", "mark_price") == [Acknowledged(wires)]


def test_a_refusal_names_what_it_refuses() -> None:
    text = 'Invalid subscription {"type":"trades","coin":"NOPE"}'
    assert error(text) == [Refused(("trades:NOPE",), text, "never")]
    text = (
        'Error parsing JSON into valid websocket request: { "method": "subscribe", '
        '"subscription": { "type": "trades", "coin": "X" } }'
    )
    assert error(text) == [Refused(("trades:X",), text, "never")]


def test_a_refusal_without_a_topic_is_of_no_known_one() -> None:
    text = 'Error parsing JSON into valid websocket request: { "type": "allMids" }'
    assert error(text) == [Refused(("allMids:",), text, "never")]
    assert error("Cannot track more than 1000 subscriptions") == [
        Refused((), "Cannot track more than 1000 subscriptions", "later", exact=False)
    ]


def test_a_refusal_to_unsubscribe_is_no_refusal() -> None:
    wire = Driven(Hyperliquid, ["trade"], ["BTC"])
    wire.adapter.unsubscribe(wire.topics)
    wire.parse({"channel": "error", "data": 'Already unsubscribed: {"type":"trades","coin":"BTC"}'})
    assert wire.take_notices() == []


@pytest.mark.parametrize(
    ("text", "retry"),
    [("Invalid subscription {}", "never"), ("Error parsing JSON …", "never"), ("Too many", "later"), ("", "later")],
)
def test_the_text_of_a_refusal_says_whether_to_try_again(text: str, retry: str) -> None:
    assert retry_of(text) == retry
