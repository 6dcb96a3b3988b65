from __future__ import annotations

from foxtrot_protocol.events import EVENT_BOOK, EVENT_MARKET_TRADE, Trade
from foxtrot_workers.adapter import RestRequest
from tests.workers.exchanges.gemini.samples import SYMBOL, connection, past_trades


def test_a_page_starts_with_the_first_missing_trade() -> None:
    adapter = connection("trade").adapter
    request = adapter.backfill_request(SYMBOL, EVENT_MARKET_TRADE, 5, 90)
    assert request == RestRequest("trades btcusd", "/v1/trades/btcusd?since_tid=4&limit_trades=500")
    assert adapter.backfill_request(SYMBOL, EVENT_BOOK, 5, 90) is None
    assert connection("book").adapter.backfill_request(SYMBOL, EVENT_MARKET_TRADE, 5, 90) is None
    assert adapter.on_backfill(request.path, past_trades(7), 8) == [
        Trade("GEMINI", SYMBOL, 1_547_146_811_357_000_000, 8, "3632.54", "0.1362819142", "buy", "7")
    ]
    assert adapter.on_backfill(request.path, past_trades(7, side="auction"), 8) == []
