from __future__ import annotations

import pytest

from foxtrot_workers.adapter import Acknowledged, Refused
from foxtrot_workers.exchanges.kraken_futures.requests import retry_of
from tests.workers.exchanges.kraken_futures.samples import PRODUCT, connection

BOTH = (PRODUCT, "PF_ETHUSD")


def subscribed(feed: str, *products: str, event: str = "subscribed") -> dict[str, object]:
    return {"event": event, "feed": feed, "product_ids": products}


def test_each_feed_has_a_request_of_its_own() -> None:
    wire = connection("trade", "liquidation", "book", products=BOTH)
    assert wire.requests == [
        {"event": "subscribe", "feed": "trade", "product_ids": list(BOTH)},
        {"event": "subscribe", "feed": "book", "product_ids": list(BOTH)},
    ]


def test_an_acknowledgement_is_of_all_channels_that_the_feed_carries() -> None:
    wire = connection("trade", "liquidation", products=BOTH)
    wire.parse(subscribed("trade", "pi_xbtusd"))
    wire.parse(subscribed("trade", "PI_OTHER"))
    assert wire.take_notices() == [Acknowledged(("trade:PI_XBTUSD", "trade:PI_XBTUSD#liquidation"))]


def test_an_error_refuses_what_the_oldest_request_still_waits_for() -> None:
    wire = connection("trade", "book", products=BOTH)
    wire.parse(subscribed("trade", *BOTH))
    wire.parse(subscribed("book", PRODUCT))
    wire.take_notices()
    wire.parse({"event": "error", "message": "Invalid product id"})
    wire.parse({"event": "error", "message": "Json Error"})
    assert wire.take_notices() == [
        Refused(("book:PF_ETHUSD",), "Invalid product id", "never"),
        Refused((), "Json Error", "never", exact=False),
    ]


def test_an_unsubscription_that_was_taken_back_does_not_end_the_topic() -> None:
    wire = connection("trade")
    wire.adapter.unsubscribe(wire.topics)
    wire.adapter.subscribe(wire.topics)
    wire.parse(subscribed("trade", PRODUCT, event="unsubscribed"))
    assert wire.take_notices() == []


@pytest.mark.parametrize(("reason", "retry"), [("Invalid feed", "never"), ("Rate limit exceeded", "later")])
def test_what_passes_is_tried_later(reason: str, retry: str) -> None:
    assert retry_of(reason) == retry
