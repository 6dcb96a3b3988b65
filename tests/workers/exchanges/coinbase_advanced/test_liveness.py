from __future__ import annotations

import pytest

from foxtrot_workers.adapter import RestRequest
from foxtrot_workers.exchanges.coinbase_advanced.adapter import CoinbaseAdvanced
from tests.workers.exchanges.coinbase_advanced.samples import PRODUCT, past_trades


def test_an_answer_differs_with_the_data_and_not_with_its_time() -> None:
    adapter = CoinbaseAdvanced()
    trades, book = adapter.topics(["trade", "book"], [PRODUCT])
    base = "/api/v3/brokerage/market"
    assert adapter.liveness_request(trades) == RestRequest("liveness", f"{base}/products/BTC-USD/ticker?limit=1")
    assert adapter.liveness_request(book) == RestRequest("liveness", f"{base}/product_book?product_id=BTC-USD&limit=5")
    assert adapter.liveness_token(trades, past_trades(5)) != adapter.liveness_token(trades, past_trades(6))
    with pytest.raises(ValueError, match="no trades"):
        adapter.liveness_token(trades, past_trades())
    body = b'{"pricebook":{"bids":[{"price":"1","size":"%d"}],"asks":[],"time":"%d"}}'
    assert adapter.liveness_token(book, body % (1, 1)) == adapter.liveness_token(book, body % (1, 2))
    assert adapter.liveness_token(book, body % (1, 1)) != adapter.liveness_token(book, body % (2, 1))
