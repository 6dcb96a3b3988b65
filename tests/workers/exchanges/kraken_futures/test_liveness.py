from __future__ import annotations

import pytest

from foxtrot_workers.adapter import RestRequest
from foxtrot_workers.exchanges.kraken_futures.adapter import KrakenFutures
from tests.workers.exchanges.kraken_futures.samples import PRODUCT

TICKERS = (
    b'{"tickers":[{"symbol":"pi_xbtusd","last":%d,"lastTime":"2022-06-17T11:00:31.335Z","bid":1.5,"markPrice":2.5}]}'
)


def test_the_book_for_a_book_and_the_tickers_for_all_else() -> None:
    adapter = KrakenFutures()
    book, trade, ticker = adapter.topics(["book", "trade", "ticker"], [PRODUCT])
    assert adapter.liveness_request(book) == RestRequest("liveness", "/derivatives/api/v3/orderbook?symbol=PI_XBTUSD")
    assert adapter.liveness_request(ticker) == RestRequest("liveness", "/derivatives/api/v3/tickers")
    assert adapter.liveness_token(trade, TICKERS % 1) == "2022-06-17T11:00:31.335Z"
    assert adapter.liveness_token(ticker, TICKERS % 1) != adapter.liveness_token(ticker, TICKERS % 2)
    two = TICKERS.replace(b"[{", b'[{"symbol":"pi_ethusd","last":7},{') % 1
    assert adapter.liveness_token(ticker, two) == adapter.liveness_token(ticker, TICKERS % 1), "that of its symbol"
    body = b'{"orderBook":{"bids":[[1,%d]]},"serverTime":"%d"}'
    assert adapter.liveness_token(book, body % (1, 1)) == adapter.liveness_token(book, body % (1, 2))
    with pytest.raises(ValueError, match="no book"):
        adapter.liveness_token(book, b"{}")
    with pytest.raises(ValueError, match="no ticker"):
        adapter.liveness_token(trade, b"{}")
