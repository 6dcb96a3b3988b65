from __future__ import annotations

from typing import Any

import msgspec
import pytest

from foxtrot_workers.adapter import Acknowledged, Notice, Refused
from foxtrot_workers.exchanges.bybit.adapter import Bybit
from foxtrot_workers.exchanges.bybit.requests import retry_of
from tests.workers.exchanges.driven import Driven

WIRES = ("publicTrade.AUSDT", "orderbook.1.AUSDT", "publicTrade.BUSDT", "orderbook.1.BUSDT")


def answered(**answer: Any) -> list[Notice]:
    wire = Driven(Bybit, ["trade", "quote"], ["AUSDT", "BUSDT"])
    wire.parse(answer)
    return wire.take_notices()


def test_requests_have_ten_topics_at_most() -> None:
    wire = Driven(Bybit, ["trade"], [f"A{number}" for number in range(23)])
    requests = [msgspec.json.decode(text) for text in wire.requests]
    assert [len(request["args"]) for request in requests] == [10, 10, 3]
    assert requests[2] == {
        "req_id": "3",
        "op": "subscribe",
        "args": ["publicTrade.A20", "publicTrade.A21", "publicTrade.A22"],
    }


@pytest.mark.parametrize("request_id", ["1", ""])
@pytest.mark.parametrize("text", ["", "subscribe"])
def test_an_answer_acknowledges_all_topics_of_its_request(request_id: str, text: str) -> None:
    assert answered(success=True, ret_msg=text, conn_id="2324d924", req_id=request_id, op="subscribe") == [
        Acknowledged(WIRES)
    ]


def test_an_answer_to_no_request_says_nothing() -> None:
    assert answered(success=True, ret_msg="", conn_id="c", req_id="10001", op="subscribe") == []


def test_an_answer_may_list_topics() -> None:
    data = {"failTopics": ["orderbook.1.AUSDT"], "successTopics": ["publicTrade.AUSDT", "publicTrade.BUSDT"]}
    assert answered(success=True, conn_id="aa01", data=data, type="COMMAND_RESP") == [
        Acknowledged(("publicTrade.AUSDT", "publicTrade.BUSDT")),
        Refused(("orderbook.1.AUSDT",), "refused", "never"),
    ]


def test_an_answer_that_lists_topics_ends_those_that_were_unsubscribed() -> None:
    wire = Driven(Bybit, ["trade"], ["AUSDT"])
    wire.adapter.unsubscribe(wire.topics)
    data = {"failTopics": [], "successTopics": ["publicTrade.AUSDT"]}
    wire.parse({"success": True, "conn_id": "aa01", "data": data, "type": "COMMAND_RESP"})
    assert wire.take_notices() == [Acknowledged(("publicTrade.AUSDT",), subscribed=False)]


def test_a_refusal_that_names_a_topic_refuses_it_and_asks_for_the_others_at_once() -> None:
    text = "Invalid topic: orderbook.1.AUSDT"
    assert answered(success=False, ret_msg=text, conn_id="c", op="subscribe") == [
        Refused(("orderbook.1.AUSDT",), text, "never"),
        Refused((WIRES[0], *WIRES[2:]), text, "now"),
    ]


def test_a_refusal_without_a_topic_is_of_the_whole_request() -> None:
    assert answered(success=False, ret_msg="error:invalid op", conn_id="c", req_id="1", op="subscribe") == [
        Refused(WIRES, "error:invalid op", "never", exact=False)
    ]
    assert answered(success=False, ret_msg="error:invalid op", conn_id="c", request={"op": "", "args": None}) == [
        Refused(WIRES, "error:invalid op", "never", exact=False)
    ]
    assert answered(success=False, ret_msg="server busy", conn_id="c", req_id="1", op="subscribe") == [
        Refused(WIRES, "server busy", "later")
    ]


def test_a_topic_that_is_subscribed_already_is_acknowledged() -> None:
    text = "error:already subscribed,topic:publicTrade.AUSDT"
    assert answered(success=False, ret_msg=text, conn_id="c", req_id="1", op="subscribe") == [
        Acknowledged(("publicTrade.AUSDT",)),
        Refused(WIRES[1:], text, "now"),
    ]


def test_a_topic_that_was_subscribed_again_does_not_end() -> None:
    wire = Driven(Bybit, ["trade"], ["AUSDT"])
    wire.adapter.unsubscribe(wire.topics)
    wire.adapter.subscribe(wire.topics)
    wire.parse({"success": True, "ret_msg": "", "conn_id": "c", "req_id": "2", "op": "unsubscribe"})
    assert wire.take_notices() == []
    wire.parse(
        {"success": False, "ret_msg": "error:not subscribed", "conn_id": "c", "req_id": "9", "op": "unsubscribe"}
    )
    assert wire.take_notices() == []


@pytest.mark.parametrize(
    ("text", "retry"),
    [
        ("error:handler not found,topic:publicTrade.X", "never"),
        ("Params Error", "never"),
        ("error:too many requests", "later"),
        ("", "later"),
    ],
)
def test_the_text_of_a_refusal_says_whether_to_try_again(text: str, retry: str) -> None:
    assert retry_of(text) == retry
