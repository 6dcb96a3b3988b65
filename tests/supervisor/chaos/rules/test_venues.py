from __future__ import annotations

import pytest

from foxtrot_supervisor.chaos.rules.venues import VENUES


@pytest.mark.parametrize(
    ("exchange", "symbol", "stream"),
    [
        ("binance", "LOAD0USDT", "load0usdt@trade"),
        ("okx", "LOAD0-USDT", "channel=trades/instId=LOAD0-USDT"),
        ("bybit", "LOAD0USDT", "spot/publicTrade.LOAD0USDT"),
        ("coinbase", "LOAD0-USDT", "matches:LOAD0-USDT"),
        ("kraken", "LOAD0/USDT", "trade/LOAD0/USDT"),
    ],
)
def test_names_of_each_exchange(exchange: str, symbol: str, stream: str) -> None:
    venue = VENUES[exchange]
    assert venue.spelled("LOAD0USDT") == symbol
    assert venue.traded_symbol(stream) == symbol
    assert venue.trade_topic in stream
    assert len(symbol) <= 16, "a row of the record has no more room"


@pytest.mark.parametrize(
    ("exchange", "stream"),
    [
        ("binance", "load0usdt@aggTrade"),
        ("binance", "load0usdt@bookTicker"),
        ("okx", "channel=trades-all/instId=LOAD0-USDT"),
        ("bybit", "linear/publicTrade.LOAD0USDT"),
        ("coinbase", "matches:LOAD0-USDT snapshot"),
        ("kraken", "ticker/trades/LOAD0/USDT"),
        ("kraken", ""),
    ],
)
def test_other_streams_are_no_trades(exchange: str, stream: str) -> None:
    assert VENUES[exchange].traded_symbol(stream) is None
