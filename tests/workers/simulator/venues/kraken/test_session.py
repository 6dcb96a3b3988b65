"""Requests and answers of Kraken v2, in the documented shapes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from foxtrot_workers.simulator.venues.kraken.session import KrakenSession
from foxtrot_workers.simulator.venues.session import Send
from tests.support.simulated_market import ask


def session() -> KrakenSession:
    return KrakenSession(lambda name: name in ("BTC/USD", "ETH/USD"))


def request(channel: str, *symbols: str, method: str = "subscribe", **params: Any) -> dict[str, Any]:
    return {"method": method, "params": {"channel": channel, "symbol": list(symbols), **params}, "req_id": 1}


def test_each_symbol_is_answered() -> None:
    one = session()
    answers = ask(one, request("book", "BTC/USD", "BTC/XYZ", "ETH/USD", depth=25))
    assert [answer["success"] for answer in answers] == [True, False, True]
    assert answers[0]["result"] == {"channel": "book", "depth": 25, "snapshot": True, "symbol": "BTC/USD"}
    assert answers[1]["error"] == "Currency pair not supported BTC/XYZ"
    assert answers[1]["symbol"] == "BTC/XYZ"
    assert {answer["req_id"] for answer in answers} == {1}
    assert all("time_in" in answer for answer in answers)
    assert list(one.topics) == ["book/25/BTC/USD", "book/25/ETH/USD"]


def test_subscriptions_are_distinguished_by_their_parameters() -> None:
    one = session()
    for each in (
        request("trade", "BTC/USD"),
        request("ticker", "BTC/USD"),
        request("ticker", "BTC/USD", event_trigger="bbo"),
        request("ohlc", "BTC/USD", interval=5),
        request("book", "BTC/USD"),
    ):
        assert ask(one, each)[0]["success"]
    assert list(one.topics) == [
        "trade/BTC/USD",
        "ticker/trades/BTC/USD",
        "ticker/bbo/BTC/USD",
        "ohlc/5/BTC/USD",
        "book/10/BTC/USD",
    ]
    assert ask(one, request("trade", "BTC/USD"))[0]["error"] == "Already subscribed"
    (answer,) = ask(one, request("book", "BTC/USD", method="unsubscribe"))
    assert answer["result"] == {"channel": "book", "depth": 10, "symbol": "BTC/USD"}
    (answer,) = ask(one, request("book", "BTC/USD", method="unsubscribe", depth=25))
    assert answer["error"] == "Subscription Not Found"


def test_a_subscription_may_do_without_the_snapshot() -> None:
    one = session()
    ask(one, request("trade", "BTC/USD", snapshot=False))
    assert not one.wants_first("trade/BTC/USD")
    ask(one, request("trade", "BTC/USD", method="unsubscribe"))
    ask(one, request("trade", "BTC/USD"))
    assert one.wants_first("trade/BTC/USD")


@pytest.mark.parametrize(
    "wrong",
    [
        b"nonsense",
        [],
        {"method": "dance"},
        {"method": "subscribe"},
        {"method": "subscribe", "params": {"channel": "book"}},
        request("dance", "BTC/USD"),
        request("book", "BTC/USD", depth=11),
        request("ticker", "BTC/USD", event_trigger="x"),
        request("ohlc", "BTC/USD", interval=2),
    ],
)
def test_a_wrong_request_is_answered_with_an_error(wrong: object) -> None:
    one = session()
    (answer,) = ask(one, wrong)
    assert (answer["success"], bool(answer["error"])) == (False, True)
    assert not one.topics


def test_greeting_ping_heartbeat_and_the_rate() -> None:
    one = session()
    (greeting,) = [json.loads(reply.text) for reply in one.greeting(0) if isinstance(reply, Send)]
    assert (greeting["channel"], greeting["data"][0]["system"]) == ("status", "online")
    (pong,) = ask(one, {"method": "ping", "req_id": 42})
    assert (pong["method"], pong["req_id"]) == ("pong", 42)
    assert one.idle(9.0, 9.0, 9.0, 0) == [], "nothing is subscribed"
    ask(one, request("trade", "BTC/USD"))
    assert one.idle(9.0, 9.0, 0.9, 0) == []
    assert one.idle(9.0, 9.0, 1.1, 0) == [Send('{"channel":"heartbeat"}')]
    assert one.too_fast() == [Send('{"Error":"Exceeded msg rate"}')]
    assert json.loads(one.shutdown_notice(0))["data"][0]["system"] == "maintenance"


def test_a_fault_refuses_a_topic() -> None:
    one = session()
    one.refuse = lambda topic: (1, "not now")
    assert ask(one, request("trade", "BTC/USD"))[0]["error"] == "not now"
