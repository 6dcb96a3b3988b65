from __future__ import annotations

import pytest

from foxtrot_workers.exchanges.bitstamp.instruments import instrument_of, is_possible_symbol, parse_instruments


@pytest.mark.parametrize(
    ("symbol", "instrument"),
    [
        ("btcusd", "BTC-USD"),
        ("xrpeur", "XRP-EUR"),
        ("usdtusd", "USDT-USD"),
        ("btcusdt", "BTC-USDT"),
        ("btcusd-perp", "BTC-USD-PERP"),
        ("usd", "USD"),
        ("", ""),
    ],
)
def test_a_symbol_is_split_at_its_quote_currency(symbol: str, instrument: str) -> None:
    assert instrument_of(symbol) == instrument


def test_lists_of_today_and_of_before_name_markets() -> None:
    today = b'[{"name":"BTC/USD-PERP","market_symbol":"btcusd-perp","trading":"Enabled"}]'
    before = b'[{"trading": "Enabled", "base_decimals": 8, "url_symbol": "btcusd", "name": "BTC/USD"}]'
    assert parse_instruments(today) == {"btcusd-perp": "BTC-USD-PERP"}
    assert parse_instruments(before) == {"btcusd": "BTC-USD"}


@pytest.mark.parametrize("symbol", ["", "BTCUSD", "btc/usd", "btc_usd", "-perp", "b" * 65, "btc\x00"])
def test_an_impossible_symbol_is_known_as_such(symbol: str) -> None:
    assert not is_possible_symbol(symbol)
