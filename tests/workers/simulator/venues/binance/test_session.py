"""Requests and answers of Binance spot streams, in the documented shapes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from foxtrot_workers.simulator.venues.binance.session import BinanceSession
from foxtrot_workers.simulator.venues.session import BadAddress, Send


def _ask(session: BinanceSession, request: Any) -> Any:
    data = request if isinstance(request, bytes) else json.dumps(request).encode()
    (reply,) = session.on_message(data, 0)
    assert isinstance(reply, Send)
    return json.loads(reply.text)


@pytest.mark.parametrize(
    ("path", "query", "topics", "combined"),
    [
        ("/ws", "", [], False),
        ("/ws/", "", [], False),
        ("/ws/btcusdt@trade", "", ["btcusdt@trade"], False),
        ("/ws/a@trade/b@depth@100ms", "", ["a@trade", "b@depth@100ms"], False),
        ("/stream", "", [], True),
        ("/stream", "streams=a@trade/b@kline_1m", ["a@trade", "b@kline_1m"], True),
        ("/stream/", "timeUnit=x&streams=a%40trade", ["a@trade"], True),
    ],
)
def test_addresses(path: str, query: str, topics: list[str], combined: bool) -> None:
    session = BinanceSession(path, query)
    assert list(session.topics) == topics
    assert session.combined is combined
    assert session.subscribed_total == (1 if topics else 0)


def test_bad_addresses() -> None:
    with pytest.raises(BadAddress) as wrong:
        BinanceSession("/nowhere")
    assert wrong.value.status == 404
    with pytest.raises(BadAddress) as many:
        BinanceSession("/ws/a/b/c", streams_max=2)
    assert many.value.status == 400


@pytest.mark.parametrize("request_id", [1, -5, 2**63 - 1, "abc123", "x" * 36, None])
def test_subscribe_is_acknowledged_with_the_same_id(request_id: int | str | None) -> None:
    session = BinanceSession("/ws")
    answer = _ask(session, {"method": "SUBSCRIBE", "params": ["btcusdt@trade"], "id": request_id})
    assert answer == {"result": None, "id": request_id}
    assert type(answer["id"]) is type(request_id)


def test_streams_are_subscribed_listed_and_unsubscribed() -> None:
    session = BinanceSession("/stream")
    _ask(session, {"method": "SUBSCRIBE", "params": ["a@trade", "b@trade", "a@trade"], "id": 1})
    _ask(session, {"method": "SUBSCRIBE", "params": ["b@trade", "nosuchsymbol@trade"], "id": 2})
    listed = _ask(session, {"method": "LIST_SUBSCRIPTIONS", "id": 3})
    assert listed == {"result": ["a@trade", "b@trade", "nosuchsymbol@trade"], "id": 3}
    assert session.subscribed_total == 2
    gone = _ask(session, {"method": "UNSUBSCRIBE", "params": ["a@trade", "never@trade"], "id": 4})
    assert gone == {"result": None, "id": 4}
    assert list(session.topics) == ["b@trade", "nosuchsymbol@trade"]


def test_combined_can_be_switched() -> None:
    session = BinanceSession("/ws")
    assert _ask(session, {"method": "GET_PROPERTY", "params": ["combined"], "id": 1}) == {"result": False, "id": 1}
    assert session.envelope("a", b"{}") == b"{}"
    assert _ask(session, {"method": "SET_PROPERTY", "params": ["combined", True], "id": 2})["result"] is None
    assert session.envelope("a", b"{}") == b'{"stream":"a","data":{}}'


@pytest.mark.parametrize(
    ("request_", "code", "text"),
    [
        (b"{", 3, "Invalid JSON"),
        (b"\xff\xfe", 3, "Invalid JSON"),
        (b"[" * 100_000, 3, "Invalid JSON"),
        ([], 3, "Invalid JSON"),
        ({"method": "SHOUT", "id": 1}, 2, "unknown variant `SHOUT`"),
        ({"id": 1}, 2, "unknown variant"),
        ({"method": ["SUBSCRIBE"], "id": 1}, 2, "unknown variant"),
        ({"method": "SUBSCRIBE", "id": 1}, 2, "missing"),
        ({"method": "SUBSCRIBE", "params": [], "id": 1}, 2, "missing"),
        ({"method": "SUBSCRIBE", "params": "a@trade", "id": 1}, 2, "invalid type"),
        ({"method": "SUBSCRIBE", "params": [1], "id": 1}, 2, "invalid type"),
        ({"method": "SUBSCRIBE", "params": ["a"], "id": 1, "extra": 1}, 2, "unknown field `extra`"),
        ({"method": "SUBSCRIBE", "params": ["a"], "id": 1.5}, 2, "request ID"),
        ({"method": "SUBSCRIBE", "params": ["a"], "id": True}, 2, "request ID"),
        ({"method": "SUBSCRIBE", "params": ["a"], "id": 2**63}, 2, "request ID"),
        ({"method": "SUBSCRIBE", "params": ["a"], "id": "x" * 37}, 2, "request ID"),
        ({"method": "SUBSCRIBE", "params": ["a"], "id": {}}, 2, "request ID"),
        ({"method": "SUBSCRIBE", "params": ["a", "b", "c"], "id": 1}, 2, "too many parameters"),
        ({"method": "GET_PROPERTY", "params": ["combined", "x"], "id": 1}, 2, "too many parameters"),
        ({"method": "GET_PROPERTY", "params": [], "id": 1}, 2, "missing"),
        ({"method": "GET_PROPERTY", "params": ["colour"], "id": 1}, 0, "Unknown property"),
        ({"method": "SET_PROPERTY", "params": ["combined", 1], "id": 1}, 1, "expected Boolean"),
    ],
)
def test_errors_change_nothing(request_: Any, code: int, text: str) -> None:
    session = BinanceSession("/ws", streams_max=2)
    answer = _ask(session, request_)
    assert answer["code"] == code
    assert text in answer["msg"]
    assert list(session.topics) == []
    assert session.subscribed_total == 0


def test_nested_errors() -> None:
    session = BinanceSession("/ws", nested_errors=True)
    answer = _ask(session, {"method": "SHOUT", "id": 7})
    assert answer["id"] == 7
    assert answer["error"]["code"] == 2


def test_a_refused_name_subscribes_none_of_the_request() -> None:
    session = BinanceSession("/ws")
    session.refuse = lambda topic: (-1121, "Invalid symbol.") if topic.startswith("eth") else None
    answer = _ask(session, {"method": "SUBSCRIBE", "params": ["btcusdt@trade", "ethusdt@trade"], "id": 1})
    assert (answer["code"], answer["msg"]) == (-1121, "Invalid symbol.")
    assert list(session.topics) == []
    assert _ask(session, {"method": "SUBSCRIBE", "params": ["btcusdt@trade"], "id": 2}) == {"result": None, "id": 2}
