from __future__ import annotations

import pytest

from foxtrot_workers.exchanges.kraken_futures.instruments import (
    instrument_of,
    is_possible_product,
    parse_instruments,
)


@pytest.mark.parametrize(
    ("symbol", "instrument"),
    [
        ("PI_XBTUSD", "BTC-USD-PERP"),
        ("pf_ethusd", "ETH-USD-PERP"),
        ("PF_XDGUSD", "DOGE-USD-PERP"),
        ("PF_EURUSD", "EUR-USD-PERP"),
        ("FI_XBTUSD_210924", "BTC-USD-21U24"),
        ("FF_ETHUSD_261330", "FF_ETHUSD_261330"),
        ("FI_XBTUSD", "FI_XBTUSD"),
        ("in_xbtusd", "in_xbtusd"),
        ("", ""),
    ],
)
def test_names_say_base_quote_and_date(symbol: str, instrument: str) -> None:
    assert instrument_of(symbol) == instrument


def test_indexes_are_no_products() -> None:
    body = b'{"instruments":[{"symbol":"pi_xbtusd","tradeable":true},{"symbol":"rr_xbtusd","tradeable":false}]}'
    assert parse_instruments(body) == {"pi_xbtusd": "BTC-USD-PERP"}


def test_possible_products() -> None:
    assert is_possible_product("PF_XBTUSD")
    assert not any(is_possible_product(symbol) for symbol in ("", "pf_x", "A B", 'A"', "A" * 65))
