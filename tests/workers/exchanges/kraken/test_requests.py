from __future__ import annotations

from typing import Any

import pytest

from foxtrot_workers.adapter import Acknowledged, Refused
from foxtrot_workers.exchanges.kraken import requests
from foxtrot_workers.exchanges.kraken.adapter import Kraken
from foxtrot_workers.exchanges.kraken.requests import retry_of
from tests.workers.exchanges.connection import Connection
from tests.workers.exchanges.kraken.samples import PAIR, answer, connection


def test_each_channel_and_parameter_has_a_request_of_its_own() -> None:
    wire = Connection(Kraken, ["trade", "book10", "bar_5m", "quote"], [PAIR, "ETH/USD"])
    pairs = [PAIR, "ETH/USD"]
    assert [request["params"] for request in wire.requests] == [
        {"channel": "trade", "symbol": pairs, "snapshot": False},
        {"channel": "book", "symbol": pairs, "depth": 10, "snapshot": True},
        {"channel": "ohlc", "symbol": pairs, "interval": 5, "snapshot": False},
        {"channel": "ticker", "symbol": pairs, "event_trigger": "bbo", "snapshot": True},
    ]
    assert [request["req_id"] for request in wire.requests] == [1, 2, 3, 4]


def test_an_unsubscription_names_the_same_parameter() -> None:
    wire = connection("book25")
    (text,) = wire.adapter.unsubscribe(wire.topics)
    assert text == '{"method":"unsubscribe","params":{"channel":"book","symbol":["BTC/USD"],"depth":25},"req_id":2}'


def test_an_acknowledgement_is_of_one_symbol() -> None:
    wire = Connection(Kraken, ["book10"], [PAIR, "ETH/USD"])
    wire.parse(answer(result={"channel": "book", "depth": 10, "snapshot": True, "symbol": "ETH/USD"}))
    wire.parse(answer(result={"channel": "book", "symbol": "XRP/USD"}))
    wire.parse(answer(req_id=99))
    assert wire.take_notices() == [Acknowledged(("book-10:ETH/USD",))]


@pytest.mark.parametrize(
    ("changes", "notice"),
    [
        ({"symbol": PAIR}, Refused(("trade:BTC/USD",), "Currency pair not supported", "never")),
        ({}, Refused(("trade:BTC/USD", "trade:ETH/USD"), "Currency pair not supported", "never", exact=False)),
        ({"req_id": 9}, Refused((), "Currency pair not supported", "never", exact=False)),
        (
            {"error": "Exceeded msg rate"},
            Refused(("trade:BTC/USD", "trade:ETH/USD"), "Exceeded msg rate", "later", exact=False),
        ),
        ({"error": "Already subscribed", "symbol": PAIR}, Acknowledged(("trade:BTC/USD",))),
        (
            {"error": None, "symbol": PAIR},
            Refused(("trade:BTC/USD",), "refused without a reason", "later"),
        ),
    ],
)
def test_refusals(changes: dict[str, Any], notice: Any) -> None:
    wire = Connection(Kraken, ["trade"], [PAIR, "ETH/USD"])
    wire.parse(answer(result=None, success=False, **{"error": "Currency pair not supported", **changes}))
    assert wire.take_notices() == [notice]


def test_an_unsubscription_of_what_was_not_subscribed_is_as_requested() -> None:
    wire = connection("trade")
    wire.adapter.unsubscribe(wire.topics)
    wire.parse(answer("unsubscribe", result=None, success=False, error="Subscription Not Found", symbol=PAIR, req_id=2))
    assert wire.take_notices() == [Acknowledged(("trade:BTC/USD",), subscribed=False)]


@pytest.mark.parametrize("reason", ["EAPI:Rate limit exceeded", "EService:Unavailable", "Exceeded msg rate"])
def test_what_passes_is_tried_later(reason: str) -> None:
    assert retry_of(reason) == "later"
    assert retry_of("Subscription depth not supported") == "never"


def test_a_topic_that_is_subscribed_again_before_it_has_left_stays() -> None:
    wire = connection("trade")
    wire.adapter.unsubscribe(wire.topics)
    wire.adapter.subscribe(wire.topics)
    wire.parse(answer("unsubscribe", result={"channel": "trade", "symbol": PAIR}, req_id=2))
    assert wire.take_notices() == []
    wire.parse(answer(result={"channel": "trade", "symbol": PAIR}, req_id=3))
    assert wire.take_notices() == [Acknowledged(("trade:BTC/USD",))]
    wire.adapter.unsubscribe(wire.topics)
    wire.parse(answer("unsubscribe", result={"channel": "trade", "symbol": PAIR}, req_id=4))
    assert wire.take_notices() == [Acknowledged(("trade:BTC/USD",), subscribed=False)]


def test_remembered_requests_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requests, "REQUESTS_MAX", 2)
    wire = Connection(Kraken, ["trade", "book10", "bar_1m"], [PAIR])
    wire.parse(answer(result={"channel": "trade", "symbol": PAIR}, req_id=1))
    wire.parse(answer(result={"channel": "ohlc", "symbol": PAIR}, req_id=3))
    assert wire.take_notices() == [Acknowledged(("ohlc-1:BTC/USD",))]
