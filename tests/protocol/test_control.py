"""Operators' lines come back the same; what is none is refused with a reason."""

from __future__ import annotations

import json
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foxtrot_protocol.control import (
    CONTROL_VERSION,
    AssignRequest,
    IncidentsRequest,
    LogsRequest,
    ReloadRequest,
    Reply,
    Request,
    RestartAllRequest,
    RestartRequest,
    SplitRequest,
    StatusRequest,
    StopRequest,
    StopWorkersRequest,
    SubscribeRequest,
    UnsubscribeRequest,
    decode_reply,
    decode_request,
    encode_line,
)
from foxtrot_protocol.errors import MalformedMessage

REQUESTS: list[Request] = [
    StatusRequest(),
    IncidentsRequest(5),
    StopRequest(),
    StopWorkersRequest(["w", "x"]),
    SplitRequest("all-1"),
    AssignRequest(5.0, 1.0, [{"name": "w"}]),
    RestartRequest("w"),
    RestartAllRequest(),
    ReloadRequest(),
    LogsRequest(after=7, worker="sim.a", level="warning", since_ns=1),
    SubscribeRequest("w", ["A"]),
    UnsubscribeRequest("w", ["A"]),
]


@pytest.mark.parametrize("request_", REQUESTS, ids=lambda request: type(request).__name__)
def test_a_request_is_one_line_with_its_version(request_: Request) -> None:
    line = encode_line(request_)
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert json.loads(line)["version"] == CONTROL_VERSION
    assert decode_request(line) == request_


def test_every_request_is_tried() -> None:
    assert {type(request) for request in REQUESTS} == set(get_args(Request))


@pytest.mark.parametrize("reply", [Reply(), Reply(error="no"), Reply(data={"a": [1]}), Reply(final=False)])
def test_a_reply_comes_back_the_same(reply: Reply) -> None:
    assert decode_reply(encode_line(reply)) == reply


def test_a_reply_says_only_what_there_is_to_say() -> None:
    assert encode_line(Reply()) == b"{}\n"


def test_another_version_is_named() -> None:
    with pytest.raises(MalformedMessage, match="request of version 2, this supervisor speaks 1"):
        decode_request(b'{"type":"status","version":2}')


@pytest.mark.parametrize(
    "line", [b"", b"{}", b"[]", b'{"type":"nonsense"}', b'{"type":"restart"}', b"[" * 100_000, b'{"\xff":1}']
)
def test_what_is_no_request(line: bytes) -> None:
    with pytest.raises(MalformedMessage, match=r"^request: "):
        decode_request(line)


@pytest.mark.parametrize("line", [b"", b"[]", b'{"error":1}', b'{"data":[]}', b'{"error":"\xff"}'])
def test_what_is_no_reply(line: bytes) -> None:
    with pytest.raises(MalformedMessage, match=r"^reply: "):
        decode_reply(line)


@given(st.binary(max_size=40))
def test_no_bytes_whatever_raise_anything_else(line: bytes) -> None:
    for decode in (decode_request, decode_reply):
        try:
            decode(line)
        except MalformedMessage:
            continue
