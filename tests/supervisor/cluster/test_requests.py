"""Requests of engines cross as msgpack."""

from __future__ import annotations

import pytest

from foxtrot_protocol.commands import BooksWanted, HoleFound
from foxtrot_protocol.errors import MalformedMessage
from foxtrot_supervisor.cluster.requests import decode_request, encode_request


def test_both_requests_come_back() -> None:
    books = BooksWanted("engine", 1, "btc", ["BTCUSDT"], 2)
    hole = HoleFound("engine", 1, "btc", "BTCUSDT", "eMarketTrade.", "5", "9", 1, 2)
    assert decode_request(encode_request(books)) == books
    assert decode_request(encode_request(hole)) == hole


@pytest.mark.parametrize("data", [b"", b"\x90", b"\x91\xa4stop", b"\xff" * 40])
def test_anything_else_is_refused(data: bytes) -> None:
    with pytest.raises(MalformedMessage):
        decode_request(data)
