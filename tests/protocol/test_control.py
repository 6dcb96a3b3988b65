"""Operators' requests and replies, one JSON object a line."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foxtrot_protocol.control import (
    CONTROL_VERSION,
    ReloadRequest,
    Reply,
    Request,
    RestartRequest,
    StatusRequest,
    StopRequest,
    SubscribeRequest,
    UnsubscribeRequest,
    decode_reply,
    decode_request,
    encode_line,
)
from foxtrot_protocol.errors import MalformedMessage


@pytest.mark.parametrize(
    "request_",
    [
        StatusRequest(),
        StopRequest(),
        RestartRequest("a"),
        ReloadRequest(),
        SubscribeRequest("a", ["B"]),
        UnsubscribeRequest("a", []),
    ],
)
def test_requests_survive_as_one_line(request_: Request) -> None:
    line = encode_line(request_)
    assert line.count(b"\n") == 1
    assert decode_request(line) == request_
    assert json.loads(line)["version"] == CONTROL_VERSION


def test_replies_survive() -> None:
    for reply in (Reply(), Reply(error="no"), Reply(data={"workers": [1, None, {"x": "y"}]}, final=False)):
        assert decode_reply(encode_line(reply)) == reply


def test_another_version_gets_a_clear_answer() -> None:
    with pytest.raises(MalformedMessage, match="version 99"):
        decode_request(b'{"type": "status", "version": 99}')


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_rubbish_is_malformed(line: bytes) -> None:
    for decode in (decode_request, decode_reply):
        try:
            decode(line)
        except MalformedMessage:
            continue


@pytest.mark.parametrize("line", [b"", b"{}", b'{"type": "dance"}', b"[" * 100_000, b'{"type": "restart"}'])
def test_unknown_or_incomplete_requests_are_malformed(line: bytes) -> None:
    with pytest.raises(MalformedMessage):
        decode_request(line)


def test_a_reply_that_is_none_is_malformed() -> None:
    with pytest.raises(MalformedMessage):
        decode_reply(b"[]")
