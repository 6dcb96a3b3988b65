"""Orders of the page: what they become, and what is none."""

from __future__ import annotations

import json
from typing import Any

import pytest

from foxtrot_protocol.control import (
    ReloadRequest,
    Request,
    RestartRequest,
    StatusRequest,
    StopRequest,
    StopWorkersRequest,
    SubscribeRequest,
    UnsubscribeRequest,
)
from foxtrot_supervisor.web.orders import NAME_CHARS_MAX, SYMBOLS_MAX, OrderRefused, describe, read_order


@pytest.mark.parametrize(
    ("order", "request_", "text"),
    [
        ({"action": "restart", "worker": "a.a", "confirm": "a.a"}, RestartRequest("a.a"), "restart a.a"),
        ({"action": "stop", "confirm": "stop"}, StopRequest(), "stop"),
        ({"action": "stop_worker", "worker": "a.a", "confirm": "a.a"}, StopWorkersRequest(["a.a"]), "stop a.a"),
        ({"action": "reload"}, ReloadRequest(), "reload"),
        (
            {"action": "subscribe", "worker": "a.a", "symbols": ["X", "Y"]},
            SubscribeRequest("a.a", ["X", "Y"]),
            "subscribe a.a X Y",
        ),
        (
            {"action": "unsubscribe", "worker": "a.a", "symbols": ["X"], "confirm": "a.a"},
            UnsubscribeRequest("a.a", ["X"]),
            "unsubscribe a.a X",
        ),
    ],
)
def test_an_order_becomes_a_request(order: dict[str, Any], request_: Request, text: str) -> None:
    assert read_order(json.dumps(order).encode()) == request_
    assert describe(request_) == text
    assert describe(StatusRequest()) == "StatusRequest"


@pytest.mark.parametrize(
    "order",
    [
        {"action": "restart", "worker": "a.a"},
        {"action": "restart", "worker": "a.a", "confirm": "a.b"},
        {"action": "stop"},
        {"action": "stop_worker", "worker": "a.a"},
        {"action": "stop_worker", "worker": "a.a", "confirm": "stop"},
        {"action": "stop", "confirm": "Stop"},
        {"action": "unsubscribe", "worker": "a.a", "symbols": ["X"]},
    ],
)
def test_what_destroys_needs_its_question_answered(order: dict[str, Any]) -> None:
    with pytest.raises(OrderRefused, match="question"):
        read_order(json.dumps(order).encode())


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b"\xff",
        b'{"action":"status"}',
        b'{"action":"stop","confirm":"stop","more":1}',
        b'{"action":"restart","worker":1,"confirm":"1"}',
        b'{"action":"subscribe","worker":"a","symbols":"X"}',
        b'{"action":"subscribe","worker":"a","symbols":[]}',
        b'{"action":"subscribe","worker":"","symbols":["X"]}',
        b'{"action":"subscribe","worker":"a\\n","symbols":["X"]}',
        b"[" * 100_000,
        json.dumps({"action": "subscribe", "worker": "a", "symbols": ["X"] * (SYMBOLS_MAX + 1)}).encode(),
        json.dumps({"action": "subscribe", "worker": "a", "symbols": ["X" * (NAME_CHARS_MAX + 1)]}).encode(),
    ],
)
def test_anything_else_is_refused(body: bytes) -> None:
    with pytest.raises(OrderRefused):
        read_order(body)
