from __future__ import annotations

import pytest

from foxtrot_workers.adapter import Acknowledged, Refused
from foxtrot_workers.exchanges.coinbase.requests import retry_of
from tests.workers.exchanges.coinbase.samples import PRODUCT, connection, subscriptions

BOTH = (PRODUCT, "ETH-USD")


def test_each_channel_is_requested_with_the_heartbeats_of_its_products() -> None:
    wire = connection("trade", "book", products=BOTH)
    assert wire.requests == [
        {"type": "subscribe", "product_ids": list(BOTH), "channels": ["matches", "heartbeat"]},
        {"type": "subscribe", "product_ids": list(BOTH), "channels": ["level2_batch", "heartbeat"]},
    ]


def test_heartbeats_stay_as_long_as_a_product_has_a_topic() -> None:
    wire = connection("trade", "book")
    trades, book = wire.topics
    assert wire.adapter.unsubscribe([trades]) == [
        '{"type":"unsubscribe","product_ids":["BTC-USD"],"channels":["matches"]}'
    ]
    assert wire.adapter.unsubscribe([book]) == [
        '{"type":"unsubscribe","product_ids":["BTC-USD"],'
        '"channels":["level2_batch",{"name":"heartbeat","product_ids":["BTC-USD"]}]}'
    ]


def test_an_answer_lists_everything_and_acknowledges_what_is_new() -> None:
    wire = connection("trade", "book", products=BOTH)
    wire.parse(subscriptions(matches=BOTH, heartbeat=BOTH))
    wire.parse(subscriptions(matches=BOTH, heartbeat=BOTH, level2=["ETH-USD", "XRP-USD"]))
    assert wire.take_notices() == [
        Acknowledged(("matches:BTC-USD", "matches:ETH-USD")),
        Acknowledged(("level2_batch:ETH-USD",)),
    ]


def test_a_topic_that_is_subscribed_again_is_acknowledged_again() -> None:
    wire = connection("book")
    wire.parse(subscriptions(level2_batch=[PRODUCT]))
    wire.adapter.unsubscribe(wire.topics)
    wire.adapter.subscribe(wire.topics)
    wire.parse(subscriptions())
    wire.parse(subscriptions(level2_batch=[PRODUCT]))
    assert wire.take_notices() == [Acknowledged(("level2_batch:BTC-USD",))] * 2


def test_an_unknown_product_refuses_itself_and_for_now_the_others_of_its_request() -> None:
    wire = connection("trade", "book", products=(*BOTH, "USD-BTC"))
    wire.parse({"type": "error", "message": "Failed to subscribe", "reason": "USD-BTC is not a valid product"})
    assert wire.take_notices() == [
        Refused(("matches:USD-BTC",), "Failed to subscribe: USD-BTC is not a valid product", "never"),
        Refused(("matches:BTC-USD", "matches:ETH-USD"), "refused together with matches:USD-BTC", "now"),
    ]


def test_a_refusal_without_a_product_is_of_the_oldest_request_that_is_not_answered() -> None:
    wire = connection("trade", "book")
    wire.parse(subscriptions(matches=[PRODUCT]))
    wire.take_notices()
    reason = "level2, level3, and full channels now require authentication"
    wire.parse({"type": "error", "message": "Failed to subscribe", "reason": reason})
    wire.parse({"type": "error", "message": "slow down"})
    assert wire.take_notices() == [
        Refused(("level2_batch:BTC-USD",), f"Failed to subscribe: {reason}", "never", exact=False),
        Refused((), "slow down", "later", exact=False),
    ]


@pytest.mark.parametrize(
    ("reason", "retry"),
    [("ETH-FOO is not a valid product", "never"), ("Rate limit exceeded", "later"), ("", "later")],
)
def test_what_passes_is_tried_later(reason: str, retry: str) -> None:
    assert retry_of(reason) == retry
