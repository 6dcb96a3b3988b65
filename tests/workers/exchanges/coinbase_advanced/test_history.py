from __future__ import annotations

import msgspec
import pytest

from foxtrot_protocol.events import EVENT_BOOK, EVENT_MARKET_TRADE, Trade
from foxtrot_workers.adapter import RestRequest
from foxtrot_workers.exchanges.coinbase_advanced.history import History
from tests.workers.exchanges.coinbase_advanced.samples import NS, PRODUCT, connection, past_trades

START_NS, END_NS = 1_700_000_010_500_000_000, 1_700_000_020_500_000_000


def _path(start_s: int, end_s: int) -> str:
    return f"/api/v3/brokerage/market/products/BTC-USD/ticker?limit=1000&start={start_s}&end={end_s}"


def test_the_first_page_ends_after_the_gap() -> None:
    adapter = connection("trade").adapter
    request = adapter.backfill_page(PRODUCT, EVENT_MARKET_TRADE, 5, 9, START_NS, END_NS)
    assert request == RestRequest("trades BTC-USD", _path(1_700_000_005, 1_700_000_021))
    assert adapter.backfill_page(PRODUCT, EVENT_BOOK, 5, 9, START_NS, END_NS) is None
    assert connection("book").adapter.backfill_page(PRODUCT, EVENT_MARKET_TRADE, 5, 9, 1, 2) is None


def test_the_next_page_ends_with_the_first_trade_of_the_page_before() -> None:
    history = History("COINBASE_ADVANCED")
    trades = history.parse(_path(0, 1), past_trades(12, 11, 10), 7)
    assert trades[0] == Trade("COINBASE_ADVANCED", PRODUCT, NS, 7, "68900.50", "0.00150000", "buy", "12")
    assert history.request(PRODUCT, 9, START_NS, END_NS).path == _path(1_700_000_005, 1_775_572_201)
    assert history.request(PRODUCT, 8, START_NS, END_NS).path == _path(1_700_000_005, 1_700_000_021), "another gap"


def test_an_error_of_the_exchange_is_refused() -> None:
    with pytest.raises(msgspec.DecodeError):
        History("X").parse(_path(0, 1), b'{"error":"NOT_FOUND"}', 7)


def test_an_empty_page_leaves_where_the_page_before_began() -> None:
    history = History("COINBASE_ADVANCED")
    history.parse(_path(0, 1), past_trades(12, 11, 10), 7)
    assert history.parse(_path(0, 1), past_trades(), 8) == []
    assert history.request(PRODUCT, 9, START_NS, END_NS).path == _path(1_700_000_005, 1_775_572_201)
