from __future__ import annotations

import msgspec
import pytest

from foxtrot_protocol.events import EVENT_BBO, EVENT_MARKET_TRADE
from foxtrot_workers.exchanges.bitstamp.adapter import Bitstamp
from foxtrot_workers.exchanges.bitstamp.history import history_request, parse_history
from tests.workers.exchanges.bitstamp.samples import PAST_TRADES
from tests.workers.exchanges.driven import Driven


def test_past_trades_are_those_of_the_last_hour() -> None:
    path = history_request("ethusd").path
    assert path == "/api/v2/transactions/ethusd/?time=hour"
    trades = parse_history("BITSTAMP", path, PAST_TRADES.encode(), 7)
    assert [(t.symbol, t.trade_id, t.side, t.price, t.size, t.exchange_ns) for t in trades] == [
        ("ethusd", "216000484", "sell", "3802.93", "0.93100000", 1641343709_000_000_000),
        ("ethusd", "216000477", "buy", "3805.44", "0.07920000", 1641343699_000_000_000),
    ]


@pytest.mark.parametrize("body", [b'{"error":"no"}', b"[" * 100_000, b'[{"tid":5}]'])
def test_another_answer_is_a_decode_error(body: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        parse_history("BITSTAMP", "/api/v2/transactions/ethusd/", body, 7)


def test_only_trades_that_are_subscribed_have_a_past() -> None:
    adapter = Driven(Bitstamp, ["trade"], ["ethusd"]).adapter
    assert adapter.backfill_request("ethusd", EVENT_MARKET_TRADE, 1, 2) == history_request("ethusd")
    assert adapter.backfill_request("ethusd", EVENT_BBO, 1, 2) is None
    assert adapter.backfill_request("btcusd", EVENT_MARKET_TRADE, 1, 2) is None
