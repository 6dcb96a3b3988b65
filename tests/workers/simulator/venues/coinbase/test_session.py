"""Requests and answers of the Coinbase Exchange feed, in the documented shapes."""

from __future__ import annotations

from typing import Any

import pytest

from foxtrot_workers.simulator.venues.coinbase.session import CoinbaseSession
from foxtrot_workers.simulator.venues.session import Close
from tests.support.simulated_market import ask


def session(idle_s: float | None = None) -> CoinbaseSession:
    return CoinbaseSession(lambda name: name in ("BTC-USD", "ETH-USD"), idle_s=idle_s)


def subscribe(channels: list[Any], products: list[str] | None = None, kind: str = "subscribe") -> dict[str, Any]:
    return {"type": kind, "channels": channels, **({} if products is None else {"product_ids": products})}


def test_the_answer_lists_everything_that_is_subscribed() -> None:
    one = session()
    ask(one, subscribe(["level2_batch", "heartbeat"], ["ETH-USD"]))
    (answer,) = ask(one, subscribe([{"name": "matches", "product_ids": ["BTC-USD"]}], ["ETH-USD"]))
    assert answer == {
        "type": "subscriptions",
        "channels": [
            {"name": "level2_batch", "product_ids": ["ETH-USD"]},
            {"name": "heartbeat", "product_ids": ["ETH-USD"]},
            {"name": "matches", "product_ids": ["BTC-USD"]},
        ],
    }
    (answer,) = ask(one, subscribe(["heartbeat", "matches"], ["ETH-USD"], "unsubscribe"))
    assert [row["name"] for row in answer["channels"]] == ["level2_batch", "matches"]
    assert list(one.topics) == ["level2_batch:ETH-USD", "matches:BTC-USD"]
    (answer,) = ask(one, subscribe(["status"]))
    assert answer["channels"][-1] == {"name": "status", "product_ids": []}


@pytest.mark.parametrize(
    ("channels", "products", "reason"),
    [
        (["level2"], ["BTC-USD"], "level2, level3, and full channels now require authentication"),
        (["full"], ["BTC-USD"], "level2, level3, and full channels now require authentication"),
        (["dance"], ["BTC-USD"], "dance is not a valid channel"),
        (["matches"], ["NO-USD"], "NO-USD is not a valid product"),
        (["matches"], None, "product_ids is required"),
        ([], ["BTC-USD"], "channels is required"),
    ],
)
def test_one_wrong_word_fails_the_request(channels: list[str], products: list[str] | None, reason: str) -> None:
    one = session()
    (answer,) = ask(one, subscribe([*channels, "heartbeat"] if channels else [], products))
    assert answer == {"type": "error", "message": "Failed to subscribe", "reason": reason}
    assert not one.topics


@pytest.mark.parametrize("request_", [b"nonsense", [], {"type": "dance"}])
def test_what_is_no_request_is_refused(request_: object) -> None:
    (answer,) = ask(session(), request_)
    assert answer["type"] == "error"


def test_a_fault_refuses_a_topic() -> None:
    one = session()
    one.refuse = lambda topic: (1, "not now") if topic == "matches:ETH-USD" else None
    (answer,) = ask(one, subscribe(["matches"], ["BTC-USD", "ETH-USD"]))
    assert answer["reason"] == "not now"


def test_a_connection_that_subscribes_nothing_is_closed() -> None:
    one = session(idle_s=5.0)
    assert one.idle(4.9, 0.0, 0.0, 0) == []
    (close,) = one.idle(5.1, 0.0, 0.0, 0)
    assert isinstance(close, Close)
    ask(one, subscribe(["matches"], ["BTC-USD"]))
    assert one.idle(5.1, 0.0, 0.0, 0) == []
    assert session().idle(1e9, 0.0, 0.0, 0) == []
    assert one.shutdown_notice(0) is None


def test_too_many_messages_are_an_error() -> None:
    (reply,) = session().too_fast()
    assert not isinstance(reply, Close)
    assert "rate limit" in reply.text
