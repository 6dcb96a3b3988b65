from __future__ import annotations

import pytest

from foxtrot_workers.exchanges.gemini.instruments import instrument_of, is_possible_symbol, parse_instruments


@pytest.mark.parametrize(
    ("symbol", "instrument"),
    [
        ("btcusd", "BTC-USD"),
        ("BTCGUSD", "BTC-GUSD"),
        ("btcgusdperp", "BTC-GUSD-PERP"),
        ("ethbtc", "ETH-BTC"),
        ("zecltc", "ZEC-LTC"),
        ("usd", "usd"),
        ("xyz", "xyz"),
    ],
)
def test_a_symbol_ends_with_its_quote_currency(symbol: str, instrument: str) -> None:
    assert instrument_of(symbol) == instrument


def test_a_list_and_details() -> None:
    assert parse_instruments(b'["btcusd","ethbtc"]') == {"btcusd": "BTC-USD", "ethbtc": "ETH-BTC"}
    details = b'{"symbol":"%b","base_currency":"BTC","quote_currency":"GUSD","tick_size":1E-8}'
    assert parse_instruments(details % b"BTCGUSD") == {"BTCGUSD": "BTC-GUSD"}
    assert parse_instruments(details % b"BTCGUSDPERP") == {"BTCGUSDPERP": "BTC-GUSD-PERP"}


def test_possible_symbols() -> None:
    assert is_possible_symbol("1inchusd")
    assert not any(is_possible_symbol(symbol) for symbol in ("", "a@b", "a b", "a" * 65))
