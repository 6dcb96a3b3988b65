from __future__ import annotations

import pytest

from foxtrot_workers.exchanges.kraken.instruments import instrument_of, is_possible_symbol, parse_instruments


@pytest.mark.parametrize(
    ("symbol", "instrument"),
    [("BTC/USD", "BTC-USD"), ("XBT/EUR", "BTC-EUR"), ("ETH/XBT", "ETH-BTC"), ("XDG/USD", "DOGE-USD"), ("?", "?")],
)
def test_old_names_of_currencies_are_translated(symbol: str, instrument: str) -> None:
    assert instrument_of(symbol) == instrument


def test_the_list_has_each_pair_under_both_names() -> None:
    body = b'{"error":[],"result":{"XXBTZUSD":{"wsname":"XBT/USD"},"AAVEUSD":{"wsname":"AAVE/USD"},"DARK":{}}}'
    assert parse_instruments(body) == {"XBT/USD": "BTC-USD", "BTC/USD": "BTC-USD", "AAVE/USD": "AAVE-USD"}


def test_symbols_that_would_break_a_path_are_impossible() -> None:
    assert is_possible_symbol("BTC/USD")
    assert not any(is_possible_symbol(f"BTC{letter}USD") for letter in ' :,"&?#\n')
