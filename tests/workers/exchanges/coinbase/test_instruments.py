from __future__ import annotations

import msgspec

from foxtrot_protocol.instruments import Instrument
from foxtrot_workers.exchanges.coinbase.adapter import Coinbase
from foxtrot_workers.exchanges.coinbase.instruments import is_possible_product, parse_instruments


def test_names_are_made_of_the_currencies() -> None:
    body = b'[{"id":"SKL-EUR","base_currency":"SKL","quote_currency":"EUR","status":"online"}]'
    assert parse_instruments(body) == {"SKL-EUR": "SKL-EUR"}


def test_possible_products() -> None:
    assert is_possible_product("00-USD")
    assert not is_possible_product("btc-usd")
    assert not is_possible_product("BTC-")


def test_the_list_says_status_and_sizes() -> None:
    row = {
        "id": "BTC-GBP",
        "base_currency": "BTC",
        "quote_currency": "GBP",
        "quote_increment": "0.01",
        "base_increment": "0.00000001",
        "trading_disabled": False,
        "status": "online",
    }
    (found,) = Coinbase().listed(msgspec.json.encode([row]))
    assert found == Instrument(
        symbol="BTC-GBP", instrument="BTC-GBP", kind="spot", tick_size="0.01", lot_size="0.00000001"
    )
    states = [{"status": "delisted"}, {"status": "offline"}, {"trading_disabled": True}]
    listed = Coinbase().listed(msgspec.json.encode([{**row, **state} for state in states]))
    assert [each.status for each in listed] == ["ended", "halted", "halted"]
