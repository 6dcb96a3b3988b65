from __future__ import annotations

from foxtrot_workers.exchanges.coinbase.instruments import is_possible_product, parse_instruments


def test_names_are_made_of_the_currencies() -> None:
    body = b'[{"id":"SKL-EUR","base_currency":"SKL","quote_currency":"EUR","status":"online"}]'
    assert parse_instruments(body) == {"SKL-EUR": "SKL-EUR"}


def test_possible_products() -> None:
    assert is_possible_product("00-USD")
    assert not is_possible_product("btc-usd")
    assert not is_possible_product("BTC-")
