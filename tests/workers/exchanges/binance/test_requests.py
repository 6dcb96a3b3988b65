from __future__ import annotations

from typing import Any

import msgspec
import pytest

from foxtrot_workers.adapter import (
    Acknowledged,
    Refused,
    SubscriptionsListed,
)
from foxtrot_workers.exchanges.binance import requests
from foxtrot_workers.exchanges.binance.adapter import Binance
from tests.workers.exchanges.binance.subscribed import Subscribed
from tests.workers.exchanges.samples import (
    binance_frame,
    binance_trade,
)


def test_requests_are_split_at_the_limit_and_numbered() -> None:
    adapter = Binance()
    topics = adapter.topics(["trade"], [f"A{number}" for number in range(401)])
    requests = [msgspec.json.decode(text) for text in adapter.subscribe(topics) + adapter.unsubscribe(topics)]
    assert [request["method"] for request in requests] == ["SUBSCRIBE"] * 3 + ["UNSUBSCRIBE"] * 3
    assert [len(request["params"]) for request in requests] == [200, 200, 1] * 2
    assert [request["id"] for request in requests] == [1, 2, 3, 4, 5, 6]


def test_an_answer_acknowledges_the_streams_of_its_request_once() -> None:
    wire = Subscribed("trade", "quote")
    assert wire.requests == [{"method": "SUBSCRIBE", "params": ["bnbbtc@trade", "bnbbtc@bookTicker"], "id": 1}]
    wire.parse({"result": None, "id": 1})
    wire.parse({"result": None, "id": 1})
    assert wire.take_notices() == [Acknowledged(("bnbbtc@trade", "bnbbtc@bookTicker"))]


@pytest.mark.parametrize(
    "answer",
    [
        {"error": {"code": 2, "msg": "Invalid request"}, "id": 1},
        {"code": 2, "msg": "Invalid request", "id": 1},
        {"id": 1, "code": 2, "msg": "Invalid request", "error": None},
    ],
)
def test_a_refusal_names_the_topics_of_its_request(answer: dict[str, Any]) -> None:
    wire = Subscribed("trade")
    wire.parse(answer)
    assert wire.take_notices() == [Refused(("bnbbtc@trade",), "2: Invalid request", "never", exact=False)]


@pytest.mark.parametrize("answer", [{"code": 3, "msg": "Invalid JSON"}, {"error": {"code": 3, "msg": "Invalid JSON"}}])
def test_a_refusal_without_id_belongs_to_the_oldest_unanswered_request(answer: dict[str, Any]) -> None:
    wire = Subscribed("trade")
    wire.adapter.subscribe(wire.adapter.topics(["quote"], ["bnbbtc"]))
    wire.parse(answer)
    assert wire.take_notices() == [Refused(("bnbbtc@trade",), "3: Invalid JSON", "never", exact=False)]
    wire.parse({"result": None, "id": 2})
    assert wire.take_notices() == [Acknowledged(("bnbbtc@bookTicker",))]
    wire.parse(answer)
    assert wire.take_notices() == [Refused((), "3: Invalid JSON", "never", exact=False)]


@pytest.mark.parametrize(
    ("code", "retry"),
    [
        *((code, "never") for code in (0, 1, 2, 3, -1100, -1121, -1130)),
        *((code, "later") for code in (-1000, -1001, -1003, -1007, -1008, -1016, -9999, 503, "busy", None)),
    ],
)
def test_the_error_code_decides_whether_a_refusal_is_retried(code: int | str | None, retry: str) -> None:
    wire = Subscribed("trade")
    wire.parse({"error": {"code": code, "msg": "no"}, "id": 1})
    (refused,) = wire.take_notices()
    assert isinstance(refused, Refused)
    assert (refused.retry, refused.exact) == (retry, retry != "never")


def test_a_refused_unsubscription_does_not_refuse_the_topic() -> None:
    wire = Subscribed("trade")
    wire.parse({"result": None, "id": 1})
    wire.take_notices()
    wire.adapter.unsubscribe(wire.topics)
    wire.parse({"error": {"code": -1001, "msg": "no"}, "id": 2})
    assert wire.take_notices() == []


@pytest.mark.parametrize("request_id", [99, None, "abc", 2**63, -1])
def test_answers_to_unknown_requests_are_ignored(request_id: object) -> None:
    wire = Subscribed("trade")
    wire.parse({"result": ["bnbbtc@trade"], "id": request_id})
    assert wire.take_notices() == []


def test_unanswered_requests_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requests, "REQUESTS_MAX", 2)
    wire = Subscribed("trade")
    for _ in range(3):
        wire.adapter.subscribe(wire.topics)
    for request_id in (1, 2, 3, 4):
        wire.parse({"result": None, "id": request_id})
    assert wire.take_notices() == [Acknowledged(("bnbbtc@trade",))] * 2


def test_a_topic_subscribed_again_meanwhile_stays() -> None:
    wire = Subscribed("trade")
    wire.adapter.unsubscribe(wire.topics)
    wire.adapter.subscribe(wire.topics)
    wire.parse({"result": None, "id": 2})
    wire.parse({"result": None, "id": 3})
    assert wire.take_notices() == [Acknowledged(("bnbbtc@trade",))]
    assert len(wire.parse(binance_frame("bnbbtc@trade", binance_trade()))) == 1


def test_the_exchange_says_which_streams_it_holds() -> None:
    wire = Subscribed("trade")
    (text,) = wire.adapter.list_subscriptions()
    assert msgspec.json.decode(text) == {"id": 2, "method": "LIST_SUBSCRIPTIONS"}
    wire.parse({"result": ["bnbbtc@trade"], "id": 2})
    assert wire.take_notices() == [SubscriptionsListed(frozenset({"bnbbtc@trade"}))]
    wire.parse({"result": ["bnbbtc@trade"], "id": 2})
    assert wire.take_notices() == [], "each question has one answer"


def test_a_refused_question_refuses_no_topic() -> None:
    wire = Subscribed("trade")
    wire.adapter.list_subscriptions()
    wire.parse({"error": {"code": 2, "msg": "Invalid request: unknown variant"}, "id": 2})
    assert wire.take_notices() == []
    wire.parse({"result": None, "id": 1})
    assert wire.take_notices() == [Acknowledged(("bnbbtc@trade",))]
