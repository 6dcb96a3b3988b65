from __future__ import annotations

from typing import Any

import msgspec
import pytest

from foxtrot_workers.adapter import (
    Acknowledged,
    Refused,
)
from foxtrot_workers.exchanges.okx import requests
from foxtrot_workers.exchanges.okx.adapter import Okx
from tests.workers.exchanges.okx.subscribed import INSTRUMENT, Subscribed
from tests.workers.exchanges.samples import (
    okx_frame,
    okx_trade,
)


def test_requests_are_split_at_the_limits_of_count_and_size(monkeypatch: pytest.MonkeyPatch) -> None:
    adapter = Okx()
    topics = adapter.topics(["trade"], [f"A{number}-USDT" for number in range(201)])
    sent = [msgspec.json.decode(text) for text in adapter.subscribe(topics) + adapter.unsubscribe(topics)]
    assert [len(request["args"]) for request in sent] == [100, 100, 1] * 2
    assert [request["op"] for request in sent] == ["subscribe"] * 3 + ["unsubscribe"] * 3
    assert [request["id"] for request in sent] == ["1", "2", "3", "4", "5", "6"]
    assert sent[0]["args"][0] == {"channel": "trades", "instId": "A0-USDT"}
    monkeypatch.setattr(requests, "REQUEST_BYTES_MAX", 1_000)
    texts = adapter.subscribe(topics)
    assert sum(len(msgspec.json.decode(text)["args"]) for text in texts) == 201
    assert max(len(text) for text in texts) < 1_100


def test_each_topic_is_acknowledged_separately() -> None:
    wire = Subscribed("trade", "book")
    for channel in ("books", "trades"):
        wire.parse({"event": "subscribe", "arg": {"channel": channel, "instId": INSTRUMENT}, "connId": "a4d3ae55"})
    assert wire.take_notices() == [Acknowledged(("books:BTC-USDT",)), Acknowledged(("trades:BTC-USDT",))]


REQUEST_ERROR = {"event": "error", "code": "60012", "msg": 'Illegal request: {"op":"x"}', "connId": "a4d3ae55"}

TOPIC_ERROR = {"event": "error", "code": "60018", "msg": "channel:trades,instId:BTC-USDT doesn't exist", "connId": "a"}


@pytest.mark.parametrize(
    ("answer", "wires"),
    [
        (REQUEST_ERROR, ()),
        ({**REQUEST_ERROR, "id": "1"}, ("trades:BTC-USDT", "books:BTC-USDT")),
        ({**REQUEST_ERROR, "id": "77"}, ()),
        (TOPIC_ERROR, ("trades:BTC-USDT",)),
        ({**TOPIC_ERROR, "id": "1"}, ("trades:BTC-USDT",)),
        (
            {**TOPIC_ERROR, "msg": "channel:ticker,instId:BTC-USDT doesn't exist", "id": "1"},
            ("trades:BTC-USDT", "books:BTC-USDT"),
        ),
        (
            {**TOPIC_ERROR, "msg": "Wrong URL or channel:books,instId:BTC-USDT doesn't exist. Please"},
            ("books:BTC-USDT",),
        ),
        ({**TOPIC_ERROR, "arg": {"channel": "books", "instId": INSTRUMENT}}, ("books:BTC-USDT",)),
        ({"event": "channel-conn-count-error", "channel": "orders", "connCount": "30"}, ()),
    ],
)
def test_a_refusal_names_its_topic_or_else_those_of_its_request(answer: dict[str, Any], wires: tuple[str, ...]) -> None:
    wire = Subscribed("trade", "book")
    wire.parse(answer)
    (refused,) = wire.take_notices()
    assert isinstance(refused, Refused)
    assert refused.wires == wires
    assert str(answer.get("code", "")) in refused.reason


@pytest.mark.parametrize(
    ("code", "retry"),
    [
        *((code, "never") for code in ("60011", "60012", "60013", "60018", "60029", "64003")),
        *((code, "later") for code in ("50001", "50011", "50013", "50026", "60014", "63999", "12345")),
        ("50004", "now"),
    ],
)
def test_the_error_code_decides_whether_a_refusal_is_retried(code: str, retry: str) -> None:
    wire = Subscribed("trade")
    wire.parse({"event": "error", "code": code, "msg": "no", "arg": {"channel": "trades", "instId": "BTC-USDT"}})
    (refused,) = wire.take_notices()
    assert isinstance(refused, Refused)
    assert (refused.wires, refused.retry, refused.exact) == (("trades:BTC-USDT",), retry, True)


def test_unanswered_requests_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requests, "REQUESTS_MAX", 2)
    wire = Subscribed("trade")
    wire.adapter.subscribe(wire.topics)
    wire.adapter.subscribe(wire.topics)
    for request_id in ("1", "2"):
        wire.parse({**REQUEST_ERROR, "id": request_id})
    assert [notice.wires for notice in wire.take_notices() if isinstance(notice, Refused)] == [(), ("trades:BTC-USDT",)]


def test_a_topic_subscribed_again_meanwhile_stays() -> None:
    wire = Subscribed("trade")
    wire.adapter.unsubscribe(wire.topics)
    wire.adapter.subscribe(wire.topics)
    for event in ("unsubscribe", "subscribe"):
        wire.parse({"event": event, "arg": {"channel": "trades", "instId": INSTRUMENT}})
    assert wire.take_notices() == [Acknowledged(("trades:BTC-USDT",))]
    assert len(wire.parse(okx_frame("trades", INSTRUMENT, [okx_trade()]))) == 1
