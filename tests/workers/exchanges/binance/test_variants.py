from __future__ import annotations

import pytest

from foxtrot_protocol.events import (
    EVENT_MARKET_TRADE,
    MarketEvent,
)
from foxtrot_workers.exchanges.binance.adapter import Binance
from foxtrot_workers.exchanges.binance.variants import BinanceUs, Sim
from tests.workers.exchanges.samples import (
    binance_frame,
    binance_trade,
)


@pytest.mark.parametrize(("adapter_class", "exchange"), [(BinanceUs, "BINANCE_US"), (Sim, "SIM")])
def test_variants_differ_in_name_only(adapter_class: type[Binance], exchange: str) -> None:
    adapter = adapter_class()
    adapter.subscribe(adapter.topics(["trade"], ["BNBBTC"]))
    out: list[MarketEvent[str]] = []
    adapter.parse(binance_frame("bnbbtc@trade", binance_trade()), 7, out)
    assert [event.exchange for event in out] == [exchange]


def test_binance_us_backfills_aggregate_trades_only() -> None:
    for channel, offered in (("trade", False), ("agg_trade", True)):
        adapter = BinanceUs()
        adapter.subscribe(adapter.topics([channel], ["BNBBTC"]))
        assert (adapter.backfill_request("BNBBTC", EVENT_MARKET_TRADE, 1, 2) is not None) is offered
