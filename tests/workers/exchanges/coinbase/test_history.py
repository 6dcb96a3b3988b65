from __future__ import annotations

import msgspec
import pytest

from foxtrot_protocol.events import EVENT_BOOK, EVENT_MARKET_TRADE, Trade
from foxtrot_workers.adapter import RestRequest
from tests.workers.exchanges.coinbase.samples import PRODUCT, TIME_NS, connection, past_trades


def test_a_page_ends_with_the_last_missing_trade() -> None:
    adapter = connection("trade").adapter
    request = adapter.backfill_request(PRODUCT, EVENT_MARKET_TRADE, 5, 90)
    assert request == RestRequest("trades BTC-USD", "/products/BTC-USD/trades?after=91&limit=1000")
    assert adapter.backfill_request(PRODUCT, EVENT_BOOK, 5, 90) is None
    assert connection("book").adapter.backfill_request(PRODUCT, EVENT_MARKET_TRADE, 5, 90) is None
    trades = adapter.on_backfill(request.path, past_trades(7, 6), 8)
    assert trades[0] == Trade("COINBASE", PRODUCT, TIME_NS, 8, "10.00000000", "0.01000000", "sell", "7")


def test_an_error_of_the_exchange_is_refused() -> None:
    with pytest.raises(msgspec.DecodeError):
        connection("trade").adapter.on_backfill("/products/A/trades", b'{"message":"NotFound"}', 8)
