"""Requests and answers of OKX v5 public channels."""

from __future__ import annotations

import json
from typing import Any

import pytest

from foxtrot_workers.simulator.venues.okx.session import ARGS_BYTES_MAX, OkxSession, okx_topic
from foxtrot_workers.simulator.venues.session import Send

_BOOKS = {"channel": "books", "instId": "BTC-USDT"}
_TRADES = {"instId": "BTC-USDT", "channel": "trades"}


def _ask(session: OkxSession, request: Any) -> list[Any]:
    data = request if isinstance(request, bytes) else json.dumps(request).encode()
    replies = session.on_message(data, 0)
    assert all(isinstance(reply, Send) for reply in replies)
    return [json.loads(reply.text) for reply in replies if isinstance(reply, Send)]


def test_ping() -> None:
    assert OkxSession().on_message(b"ping", 0) == [Send("pong")]


def test_one_acknowledgement_for_each_arg() -> None:
    session = OkxSession()
    answers = _ask(session, {"op": "subscribe", "args": [_BOOKS, _TRADES], "id": "15"})
    assert [(a["event"], a["arg"]) for a in answers] == [("subscribe", _BOOKS), ("subscribe", _TRADES)]
    assert list(session.topics) == [okx_topic(_BOOKS), okx_topic(_TRADES)]
    assert session.subscribed_total == 1
    (gone,) = _ask(session, {"op": "unsubscribe", "args": [_BOOKS]})
    assert (gone["event"], gone["arg"]) == ("unsubscribe", _BOOKS)
    assert list(session.topics) == [okx_topic(_TRADES)]


def test_a_recorded_acknowledgement_is_used() -> None:
    recorded = '{"event":"subscribe","arg":{"channel":"books","instId":"BTC-USDT"}}'
    session = OkxSession({okx_topic(_BOOKS): recorded})
    assert session.on_message(json.dumps({"op": "subscribe", "args": [_BOOKS]}).encode(), 0) == [Send(recorded)]


def test_the_order_of_keys_does_not_change_the_topic() -> None:
    assert okx_topic(_TRADES) == okx_topic({"channel": "trades", "instId": "BTC-USDT"})


def test_data_is_sent_unchanged() -> None:
    assert OkxSession().envelope("any", b"x") == b"x"


@pytest.mark.parametrize(
    "request_",
    [
        b"{",
        b"[]",
        b"[" * 100_000,
        {"op": "dance", "args": []},
        {"op": "subscribe", "args": "books"},
        {"op": "subscribe", "args": ["spot/ticker:BTC-USDT"]},
        {"op": "subscribe", "args": [{"instId": "BTC-USDT"}]},
        {"op": "subscribe", "args": [{"channel": "x" * ARGS_BYTES_MAX}]},
    ],
)
def test_errors(request_: Any) -> None:
    session = OkxSession()
    (answer,) = _ask(session, request_)
    assert (answer["event"], answer["code"]) == ("error", "60012")
    assert list(session.topics) == []


def test_an_invalid_arg_does_not_affect_the_others() -> None:
    session = OkxSession()
    answers = _ask(session, {"op": "subscribe", "args": ["bad", _BOOKS]})
    assert [a["event"] for a in answers] == ["error", "subscribe"]
