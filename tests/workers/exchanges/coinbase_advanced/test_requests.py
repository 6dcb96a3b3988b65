from __future__ import annotations

import pytest

from foxtrot_workers.adapter import Acknowledged, Refused
from foxtrot_workers.exchanges.coinbase_advanced.requests import retry_of
from tests.workers.exchanges.coinbase_advanced.samples import PRODUCT, connection, subscriptions

BOTH = (PRODUCT, "ETH-USD")


def test_a_request_has_one_channel() -> None:
    wire = connection("trade", "bar_5m", products=BOTH)
    assert wire.requests == [
        {"type": "subscribe", "product_ids": list(BOTH), "channel": "market_trades"},
        {"type": "subscribe", "product_ids": list(BOTH), "channel": "candles"},
    ]
    assert wire.adapter.unsubscribe(wire.topics[:1]) == [
        '{"type":"unsubscribe","product_ids":["BTC-USD"],"channel":"market_trades"}'
    ]


def test_an_answer_lists_everything_and_acknowledges_what_is_new() -> None:
    wire = connection("trade", "book", products=BOTH)
    wire.parse(subscriptions(0, market_trades=BOTH, heartbeats=["heartbeats"]))
    wire.parse(subscriptions(1, market_trades=BOTH, level2=[PRODUCT]))
    assert wire.take_notices() == [
        Acknowledged(("market_trades:BTC-USD", "market_trades:ETH-USD")),
        Acknowledged(("level2:BTC-USD",)),
    ]


def test_an_error_is_of_the_oldest_request_that_is_not_answered() -> None:
    wire = connection("trade", "book")
    wire.parse({"type": "error", "message": "authentication failure"})
    assert wire.take_notices() == [Refused(("market_trades:BTC-USD",), "authentication failure", "never", exact=False)]


@pytest.mark.parametrize(("reason", "retry"), [("Invalid product", "never"), ("rate limit exceeded", "later")])
def test_what_passes_is_tried_later(reason: str, retry: str) -> None:
    assert retry_of(reason) == retry
