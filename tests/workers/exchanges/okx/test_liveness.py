from __future__ import annotations

import msgspec
import pytest

from tests.workers.exchanges.okx.subscribed import Subscribed


def test_the_liveness_token_differs_if_a_topic_has_new_data() -> None:
    wire = Subscribed("trade")
    topics = {t.channel: t for t in wire.adapter.topics(["trade", "quote", "book", "ticker", "funding"], ["BTC-USDT"])}

    def token(channel: str, row: object, code: str = "0") -> str:
        return wire.adapter.liveness_token(topics[channel], msgspec.json.encode({"code": code, "data": [row]}))

    def path(channel: str) -> str:
        request = wire.adapter.liveness_request(topics[channel])
        return "" if request is None else request.path

    assert path("trade") == "/api/v5/market/trades?limit=1&instId=BTC-USDT"
    assert path("quote") == "/api/v5/market/books?sz=1&instId=BTC-USDT"
    assert path("book") == "/api/v5/market/books?sz=5&instId=BTC-USDT"
    assert path("ticker") == "/api/v5/market/ticker?instId=BTC-USDT"
    assert path("funding") == ""
    assert token("trade", {"tradeId": "5", "ts": "1"}) == token("trade", {"tradeId": "5", "ts": "2"})
    assert token("trade", {"tradeId": "5"}) != token("trade", {"tradeId": "6"})
    book = {"asks": [["2", "1", "0", "1"]], "bids": [["1", "1", "0", "1"]], "ts": "1"}
    assert token("quote", book) == token("quote", {**book, "ts": "9"})
    assert token("book", book) != token("book", {**book, "bids": []})
    with pytest.raises(ValueError, match="50011"):
        token("trade", {}, "50011")
