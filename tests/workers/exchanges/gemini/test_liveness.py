from __future__ import annotations

import pytest

from foxtrot_workers.adapter import RestRequest
from foxtrot_workers.exchanges.gemini.adapter import Gemini
from tests.workers.exchanges.gemini.samples import SYMBOL, past_trades


def test_an_answer_differs_with_the_data_and_not_with_its_time() -> None:
    adapter = Gemini()
    trades, book, quote = adapter.topics(["trade", "book", "quote"], [SYMBOL])
    assert adapter.liveness_request(trades) == RestRequest("liveness", "/v1/trades/btcusd?limit_trades=1")
    assert adapter.liveness_request(quote) == RestRequest("liveness", "/v1/book/btcusd?limit_bids=5&limit_asks=5")
    assert adapter.liveness_token(trades, past_trades(5)) != adapter.liveness_token(trades, past_trades(6))
    with pytest.raises(ValueError, match="no trades"):
        adapter.liveness_token(trades, b"[]")
    body = b'{"bids":[{"price":"1","amount":"%d","timestamp":"%d"}],"asks":[]}'
    assert adapter.liveness_token(book, body % (1, 1)) == adapter.liveness_token(book, body % (1, 2))
    assert adapter.liveness_token(book, body % (1, 1)) != adapter.liveness_token(book, body % (2, 1))
