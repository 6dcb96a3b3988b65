from __future__ import annotations

import msgspec
import pytest

from tests.workers.exchanges.binance.subscribed import Subscribed


def test_the_liveness_token_differs_if_a_topic_has_new_data() -> None:
    wire = Subscribed("trade")
    topics = {topic.channel: topic for topic in wire.adapter.topics(["trade", "quote", "book", "bar_1m"], ["bnbbtc"])}

    def token(channel: str, answer: object) -> str:
        return wire.adapter.liveness_token(topics[channel], msgspec.json.encode(answer))

    for channel in ("trade", "bar_1m"):
        request = wire.adapter.liveness_request(topics[channel])
        assert request is not None
        assert request.path == "/api/v3/aggTrades?symbol=BNBBTC&limit=1"
        row = {"a": 5, "p": "1", "q": "1", "T": 1, "m": True}
        assert token(channel, [row]) == token(channel, [row]) != token(channel, [{**row, "a": 6}])
    first = {"lastUpdateId": 5, "bids": [["1", "1"], ["0.9", "1"]], "asks": [["2", "1"]]}
    deeper = {"lastUpdateId": 6, "bids": [["1", "1"], ["0.9", "7"]], "asks": [["2", "1"]]}
    for channel in ("quote", "book"):
        request = wire.adapter.liveness_request(topics[channel])
        assert request is not None
        assert request.path == "/api/v3/depth?symbol=BNBBTC&limit=5"
    assert token("quote", first) == token("quote", deeper), "the best levels are the same"
    assert token("book", first) != token("book", deeper)
    with pytest.raises(msgspec.DecodeError):
        token("trade", "<html>")
