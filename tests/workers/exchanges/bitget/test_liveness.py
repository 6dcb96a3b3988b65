from __future__ import annotations

import pytest

from foxtrot_workers.adapter import Topic
from foxtrot_workers.exchanges.bitget.adapter import Bitget
from foxtrot_workers.exchanges.bitget.variants import BitgetFutures
from tests.workers.exchanges.bitget.samples import past_trade


@pytest.mark.parametrize(
    ("channel", "path"),
    [
        ("trade", "/api/v2/spot/market/fills?symbol=X&limit=1"),
        ("bar_1m", "/api/v2/spot/market/fills?symbol=X&limit=1"),
        ("quote", "/api/v2/spot/market/orderbook?symbol=X&limit=1"),
        ("ticker", None),
    ],
)
def test_requests(channel: str, path: str | None) -> None:
    request = Bitget().liveness_request(Topic(channel, "X", "x"))
    assert (None if request is None else request.path) == path


def test_futures_name_their_product() -> None:
    request = BitgetFutures().liveness_request(Topic("book", "BTCUSDT", "x"))
    assert request is not None
    assert request.path == "/api/v2/mix/market/merge-depth?symbol=BTCUSDT&productType=USDT-FUTURES&limit=1"


def test_tokens_differ_with_new_data_only() -> None:
    adapter, trade, book = Bitget(), Topic("trade", "X", "x"), Topic("book", "X", "x")
    body = '{{"code":"00000","requestTime":{},"data":[{}]}}'
    tokens = [
        adapter.liveness_token(trade, body.format(n, past_trade(i)).encode()) for n, i in ((1, 5), (2, 5), (3, 6))
    ]
    assert tokens == ["5", "5", "6"]
    levels = b'{"code":"00000","requestTime":%d,"data":{"asks":[["2","%d"]],"bids":[["1","1"]],"ts":"%d"}}'
    first, same, other = (adapter.liveness_token(book, levels % each) for each in ((1, 5, 1), (2, 5, 2), (3, 6, 3)))
    assert first == same != other


@pytest.mark.parametrize("channel", ["trade", "book"])
def test_a_refusal_is_no_token(channel: str) -> None:
    with pytest.raises(ValueError, match="429"):
        Bitget().liveness_token(Topic(channel, "X", "x"), b'{"code":"429","msg":"too many requests"}')
