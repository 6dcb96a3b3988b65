from __future__ import annotations

from typing import Any

import pytest

from foxtrot_workers.adapter import Acknowledged, Refused
from tests.workers.exchanges.gemini.samples import SYMBOL, connection, trade

WIRES = ("btcusd@trade", "ethusd@trade")


def test_requests_count_from_one() -> None:
    wire = connection("trade", symbols=[SYMBOL, "ethusd"])
    assert wire.requests == [{"id": "1", "method": "subscribe", "params": list(WIRES)}]
    (text,) = wire.adapter.unsubscribe(wire.topics[:1])
    assert text == '{"id":"2","method":"unsubscribe","params":["btcusd@trade"]}'


@pytest.mark.parametrize(
    ("answer", "notice"),
    [
        ({"id": "1", "status": 200, "result": None}, Acknowledged(WIRES)),
        ({"id": 1, "status": 200}, Acknowledged(WIRES)),
        (
            {"id": "1", "status": 400, "error": {"code": -1013, "msg": "Invalid parameters"}},
            Refused(WIRES, "-1013: Invalid parameters", "never", exact=False),
        ),
        (
            {"id": "1", "status": 429, "error": {"code": -1003, "msg": "Too many requests"}},
            Refused(WIRES, "-1003: Too many requests", "later", exact=False),
        ),
        ({"id": "9", "status": 500}, Refused((), "status 500", "never", exact=False)),
    ],
)
def test_an_answer_names_its_request(answer: dict[str, Any], notice: Any) -> None:
    wire = connection("trade", symbols=[SYMBOL, "ethusd"])
    wire.parse(answer)
    assert wire.take_notices() == [notice]


def test_answers_about_nothing_known_are_ignored() -> None:
    wire = connection("trade")
    wire.parse({"id": "9", "status": 200, "result": None})
    assert wire.take_notices() == []


def test_an_unsubscription_that_was_taken_back_does_not_end_the_topic() -> None:
    wire = connection("trade")
    wire.adapter.unsubscribe(wire.topics)
    wire.adapter.subscribe(wire.topics)
    wire.parse({"id": "2", "status": 200, "result": None})
    assert wire.take_notices() == []
    assert len(wire.parse(trade())) == 1
