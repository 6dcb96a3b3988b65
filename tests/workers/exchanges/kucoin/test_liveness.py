from __future__ import annotations

import pytest

from foxtrot_workers.adapter import RestRequest, Topic
from foxtrot_workers.exchanges.kucoin.adapter import Kucoin
from foxtrot_workers.exchanges.kucoin.variants import KucoinFutures

TRADES = b'{"code":"200000","data":[{"sequence":"%d","price":"1"},{"sequence":"4","price":"1"}]}'
BEST = b'{"code":"200000","data":{"time":1550653727731,"sequence":"%d","bestAsk":"0.1"}}'


@pytest.mark.parametrize(
    ("channel", "path", "weight"),
    [
        ("trade", "/api/v1/market/histories?symbol=BTC-USDT", 3),
        ("bar_1m", "/api/v1/market/histories?symbol=BTC-USDT", 3),
        ("quote", "/api/v1/market/orderbook/level1?symbol=BTC-USDT", 2),
        ("book500", "/api/v1/market/orderbook/level1?symbol=BTC-USDT", 2),
    ],
)
def test_requests(channel: str, path: str, weight: int) -> None:
    assert Kucoin().liveness_request(Topic(channel, "BTC-USDT", "x")) == RestRequest("liveness", path, weight)


def test_futures_have_paths_of_their_own() -> None:
    request = KucoinFutures().liveness_request(Topic("quote", "XBTUSDTM", "x"))
    assert request is not None
    assert request.path == "/api/v1/ticker?symbol=XBTUSDTM"
    assert KucoinFutures().liveness_request(Topic("funding", "XBTUSDTM", "x")) is None


@pytest.mark.parametrize(("channel", "body"), [("trade", TRADES), ("book", BEST)])
def test_tokens_differ_with_new_data(channel: str, body: bytes) -> None:
    adapter, topic = Kucoin(), Topic(channel, "BTC-USDT", "x")
    assert adapter.liveness_token(topic, body % 7) == adapter.liveness_token(topic, body % 7)
    assert adapter.liveness_token(topic, body % 7) != adapter.liveness_token(topic, body % 8)


@pytest.mark.parametrize("channel", ["trade", "book"])
def test_a_refusal_is_no_token(channel: str) -> None:
    with pytest.raises(ValueError, match="429000"):
        Kucoin().liveness_token(Topic(channel, "X", "x"), b'{"code":"429000","msg":"too many requests"}')
