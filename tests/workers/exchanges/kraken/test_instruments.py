from __future__ import annotations

import msgspec
import pytest

from foxtrot_protocol.instruments import Instrument
from foxtrot_workers.exchanges.kraken.adapter import Kraken
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


def test_the_list_says_status_and_sizes_of_each_pair_once() -> None:
    pairs = {
        "XXBTZUSD": {"wsname": "XBT/USD", "pair_decimals": 1, "lot_decimals": 8},
        "ETHUSD": {"wsname": "ETH/USD", "tick_size": "0.05", "pair_decimals": 2, "status": "cancel_only"},
        "JPYKRW": {"wsname": "JPY/KRW", "pair_decimals": 0, "lot_decimals": 99, "status": "post_only"},
        "DARK": {"altname": "DARK"},
    }
    assert Kraken().listed(msgspec.json.encode({"error": [], "result": pairs})) == [
        Instrument(symbol="BTC/USD", instrument="BTC-USD", kind="spot", tick_size="0.1", lot_size="0.00000001"),
        Instrument(symbol="ETH/USD", instrument="ETH-USD", kind="spot", status="halted", tick_size="0.05"),
        Instrument(symbol="JPY/KRW", instrument="JPY-KRW", kind="spot", tick_size="1"),
    ]
