from __future__ import annotations

import pytest

from foxtrot_workers.adapter import RestRequest
from foxtrot_workers.exchanges.coinbase.adapter import Coinbase
from tests.workers.exchanges.coinbase.samples import PRODUCT, past_trades


@pytest.mark.parametrize(
    ("channel", "path"),
    [
        ("trade", "/products/BTC-USD/trades?limit=1"),
        ("ticker", "/products/BTC-USD/trades?limit=1"),
        ("book", "/products/BTC-USD/book?level=1"),
    ],
)
def test_a_cheap_request_for_the_same_data(channel: str, path: str) -> None:
    adapter = Coinbase()
    (topic,) = adapter.topics([channel], [PRODUCT])
    assert adapter.liveness_request(topic) == RestRequest("liveness", path)


def test_an_answer_differs_with_the_data_and_not_with_its_time() -> None:
    adapter = Coinbase()
    trades, book = adapter.topics(["trade", "book"], [PRODUCT])
    assert adapter.liveness_token(trades, past_trades(5)) != adapter.liveness_token(trades, past_trades(6))
    with pytest.raises(ValueError, match="no trades"):
        adapter.liveness_token(trades, b"[]")
    body = b'{"bids":[["1","2",%d]],"asks":[],"sequence":5,"time":"%d"}'
    assert adapter.liveness_token(book, body % (1, 1)) == adapter.liveness_token(book, body % (1, 2))
    assert adapter.liveness_token(book, body % (1, 1)) != adapter.liveness_token(book, body % (2, 1))
