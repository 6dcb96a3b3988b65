from __future__ import annotations

from foxtrot_workers.exchanges.coinbase_advanced.instruments import (
    instrument_of,
    is_possible_product,
    parse_instruments,
)


def test_names_of_products() -> None:
    body = (
        b'{"products":[{"product_id":"BTC-USD","base_currency_id":"BTC","quote_currency_id":"USD"},'
        b'{"product_id":"BTC-PERP-INTX","base_currency_id":"","quote_currency_id":"USDC"},'
        b'{"product_id":"BIT-28MAR25-CDE","base_currency_id":"","quote_currency_id":"USD"}]}'
    )
    assert parse_instruments(body) == {
        "BTC-USD": "BTC-USD",
        "BTC-PERP-INTX": "BTC-USDC-PERP",
        "BIT-28MAR25-CDE": "BIT-28MAR25-CDE",
    }
    assert instrument_of("ETH-PERP-INTX") == "ETH-USDC-PERP"


def test_possible_products() -> None:
    assert is_possible_product("00-USD")
    assert not any(is_possible_product(product) for product in ("", "a-b", "A B", "A:B", "A" * 65))
