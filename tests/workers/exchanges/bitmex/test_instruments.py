from __future__ import annotations

import pytest

from foxtrot_workers.exchanges.bitmex.instruments import is_possible_symbol, parse_instruments


def test_contracts_are_perpetual_or_have_a_date() -> None:
    body = (
        b'[{"symbol":"XRPU21","underlying":"XRP","quoteCurrency":"XBT","expiry":"2021-09-24T12:00:00.000Z"},'
        b'{"symbol":"XBTUSD","underlying":"XBT","quoteCurrency":"USD","expiry":null},{"symbol":".BXBT"}]'
    )
    assert parse_instruments(body) == {"XRPU21": "XRP-BTC-21U24", "XBTUSD": "BTC-USD-PERP", ".BXBT": ".BXBT"}


@pytest.mark.parametrize("symbol", ["", "A:B", "A,B", "x" * 65])
def test_what_would_break_a_wire_name_is_no_symbol(symbol: str) -> None:
    assert not is_possible_symbol(symbol)
