from __future__ import annotations

from urllib.parse import unquote

import pytest

from foxtrot_workers.exchanges.binance.adapter import Binance
from foxtrot_workers.exchanges.binance.variants import BinanceUs, Sim


def test_the_instrument_list() -> None:
    body = (
        b'{"timezone":"UTC","symbols":[{"symbol":"BTCUSDT","status":"TRADING","baseAsset":"BTC","quoteAsset":"USDT"}]}'
    )
    assert Binance().instruments(body) == {"BTCUSDT": "BTC-USDT"}


def test_a_few_instruments_are_requested_by_name() -> None:
    adapter = Binance()
    assert (
        unquote(adapter.instruments_path(["BTCUSDT", "ethusdt"]))
        == '/api/v3/exchangeInfo?symbols=["BTCUSDT","ETHUSDT"]'
    )
    assert adapter.instruments_path(["A"] * 101) == "/api/v3/exchangeInfo"
    assert adapter.instruments_path([]) == "/api/v3/exchangeInfo"


@pytest.mark.parametrize(
    ("adapter", "symbol", "instrument"),
    [
        (Binance(), "BTCUSDT", "BTC-USDT"),
        (Binance(), "BTCFDUSD", "BTC-FDUSD"),
        (Binance(), "ADAEUR", "ADA-EUR"),
        (Binance(), "XMRBTC", "XMR-BTC"),
        (Binance(), "USDT", "USDT"),
        (Binance(), "WHATEVER", "WHATEVER"),
        (BinanceUs(), "BATUSD", "BAT-USD"),
        (BinanceUs(), "OMGBUSD", "OMG-BUSD"),
        (Sim(), "BTCUSDT", "BTC-USDT"),
    ],
)
def test_instruments_are_guessed_from_symbols(adapter: Binance, symbol: str, instrument: str) -> None:
    assert adapter.instrument(symbol) == instrument
