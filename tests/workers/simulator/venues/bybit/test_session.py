"""Requests and answers of Bybit, in the documented shapes."""

from __future__ import annotations

import pytest

from foxtrot_workers.simulator.venues.bybit.session import ARGS_CHARS_MAX, BybitSession
from foxtrot_workers.simulator.venues.session import Close
from tests.support.simulated_market import ask


def knows(topic: str) -> bool:
    return topic.startswith("publicTrade.")


def test_a_request_is_answered_as_a_whole_with_its_id() -> None:
    session = BybitSession("spot", knows)
    args = ["publicTrade.BTCUSDT", "publicTrade.ETHUSDT"]
    (answer,) = ask(session, {"req_id": "7", "op": "subscribe", "args": args})
    assert (answer["success"], answer["ret_msg"], answer["req_id"], answer["op"]) == (True, "", "7", "subscribe")
    assert list(session.topics) == [f"spot/{arg}" for arg in args]
    (answer,) = ask(session, {"req_id": "8", "op": "unsubscribe", "args": args[:1]})
    assert (answer["success"], answer["req_id"], answer["op"]) == (True, "8", "unsubscribe")
    assert list(session.topics) == ["spot/publicTrade.ETHUSDT"]
    (linear,) = ask(BybitSession("linear", knows), {"op": "subscribe", "args": args})
    assert (linear["ret_msg"], linear["req_id"]) == ("subscribe", "")


@pytest.mark.parametrize(
    ("args", "text"),
    [
        (["publicTrade.A", "nothing.A"], "Invalid topic: nothing.A"),
        (["publicTrade.A", "publicTrade.KNOWN"], "error:already subscribed,topic:publicTrade.KNOWN"),
        ([f"publicTrade.{number}" for number in range(11)], "args size >10"),
    ],
)
def test_one_bad_topic_fails_the_request(args: list[str], text: str) -> None:
    session = BybitSession("spot", knows)
    ask(session, {"op": "subscribe", "args": ["publicTrade.KNOWN"]})
    (answer,) = ask(session, {"op": "subscribe", "args": args})
    assert (answer["success"], answer["ret_msg"]) == (False, text)
    assert list(session.topics) == ["spot/publicTrade.KNOWN"]


def test_a_connection_holds_so_many_characters() -> None:
    session = BybitSession("linear", knows)
    args = [f"publicTrade.{number:080d}" for number in range(ARGS_CHARS_MAX // 80)]
    (answer,) = ask(session, {"op": "subscribe", "args": args})
    assert not answer["success"]
    assert not session.topics


def test_a_fault_refuses_a_topic() -> None:
    session = BybitSession("spot", knows)
    session.refuse = lambda topic: (10006, "Too many visits!") if "ETH" in topic else None
    (answer,) = ask(session, {"op": "subscribe", "args": ["publicTrade.ETHUSDT"]})
    assert (answer["success"], answer["ret_msg"]) == (False, "Too many visits!")


def test_ping_is_answered_with_a_pong() -> None:
    (answer,) = ask(BybitSession("spot", knows), {"req_id": "100001", "op": "ping"})
    assert (answer["success"], answer["ret_msg"], answer["op"]) == (True, "pong", "ping")


@pytest.mark.parametrize(
    "request_", [b"nonsense", [], {"op": "dance"}, {"op": "subscribe"}, {"op": "subscribe", "args": [1]}]
)
def test_what_is_no_request_is_refused(request_: object) -> None:
    (answer,) = ask(BybitSession("spot", knows), request_)
    assert (answer["success"], answer["ret_msg"][:6]) == (False, "error:")


def test_a_connection_out_of_use_is_closed() -> None:
    session = BybitSession("spot", knows, idle_s=600.0)
    assert session.idle(1_000.0, 601.0, 5.0, 0) == []
    assert session.idle(1_000.0, 601.0, 601.0, 0) == [Close(1000, "idle")]
    assert BybitSession("spot", knows).idle(1e9, 1e9, 1e9, 0) == []
    assert session.shutdown_notice(0) is None
