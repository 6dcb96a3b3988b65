from __future__ import annotations

import pytest

from foxtrot_workers.adapter import UnrecognizedFrame
from foxtrot_workers.exchanges.kraken.adapter import Kraken
from foxtrot_workers.exchanges.kraken.routes import Routes
from tests.workers.exchanges.kraken.samples import frame, trade_row


def test_the_beginning_of_a_frame_names_its_channel() -> None:
    routes = Routes(Kraken())
    for name in ("trade", "book", "ticker", "ohlc"):
        beginning = frame(name, "update").split(b",")[0]
        assert routes.by_beginning[beginning] == routes.by_channel[name]


def test_topics_come_and_go() -> None:
    routes = Routes(Kraken())
    routes.add("trade:BTC/USD")
    routes.add("trade:BTC/USD")
    assert "trade:BTC/USD" in routes
    routes.remove("trade:BTC/USD")
    routes.remove("trade:BTC/USD")
    assert "trade:BTC/USD" not in routes
    with pytest.raises(UnrecognizedFrame):
        routes.by_channel["trade"](frame("trade", "update", trade_row()), 7, [])


def test_bars_are_removed_by_interval() -> None:
    routes = Routes(Kraken())
    routes.add("ohlc-1:BTC/USD")
    routes.add("ohlc-5:BTC/USD")
    routes.remove("ohlc-1:BTC/USD")
    assert "ohlc-5:BTC/USD" in routes
    assert "ohlc-1:BTC/USD" not in routes


@pytest.mark.parametrize("symbol", ["", "A:B", "A" * 65])
def test_impossible_symbols_are_not_adopted(symbol: str) -> None:
    routes = Routes(Kraken(adopt=True))
    with pytest.raises(UnrecognizedFrame):
        routes.by_channel["trade"](frame("trade", "update", trade_row(pair=symbol)), 7, [])
