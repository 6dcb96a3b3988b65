from __future__ import annotations

import msgspec
import pytest

from foxtrot_workers.adapter import RestRequest, Topic
from foxtrot_workers.exchanges.bybit.liveness import liveness_request, liveness_token


@pytest.mark.parametrize(
    ("channel", "path"),
    [
        ("trade", "/v5/market/recent-trade?limit=1&category=linear&symbol=BTCUSDT"),
        ("bar_1h", "/v5/market/recent-trade?limit=1&category=linear&symbol=BTCUSDT"),
        ("quote", "/v5/market/orderbook?limit=1&category=linear&symbol=BTCUSDT"),
        ("book", "/v5/market/orderbook?limit=5&category=linear&symbol=BTCUSDT"),
        ("funding", "/v5/market/tickers?category=linear&symbol=BTCUSDT"),
    ],
)
def test_each_channel_has_a_cheap_request(channel: str, path: str) -> None:
    assert liveness_request("linear", Topic(channel, "BTCUSDT", "w")) == RestRequest("liveness", path)


def test_liquidations_may_rest() -> None:
    assert liveness_request("linear", Topic("liquidation", "BTCUSDT", "w")) is None


def test_new_data_change_the_token_the_time_of_the_answer_does_not() -> None:
    def book(size: str, time: int) -> str:
        result = {"s": "BTCUSDT", "b": [["1", size]], "a": [["2", "1"]], "ts": time, "u": time}
        return liveness_token(msgspec.json.encode({"retCode": 0, "result": result, "time": time}))

    def trade(number: str) -> str:
        result = {"category": "linear", "list": [{"execId": number, "price": "1"}]}
        return liveness_token(msgspec.json.encode({"retCode": 0, "result": result}))

    assert book("1", 1) == book("1", 2) != book("2", 1)
    assert trade("a") == trade("a") != trade("b")


@pytest.mark.parametrize("body", [b"{}", b'{"retCode":10001,"retMsg":"params error"}', b'{"retCode":0}', b"["])
def test_a_refusal_is_no_token(body: bytes) -> None:
    with pytest.raises(ValueError):
        liveness_token(body)
