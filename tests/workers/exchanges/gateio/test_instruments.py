from __future__ import annotations

import msgspec
import pytest

from foxtrot_workers.exchanges.gateio.instruments import (
    contract_of,
    is_possible_symbol,
    pair_of,
    parse_contracts,
    parse_pairs,
)


def test_lists_name_pairs_and_contracts() -> None:
    assert parse_pairs(b'[{"id":"IHT_ETH","base":"IHT","quote":"ETH","fee":"0.2"}]') == {"IHT_ETH": "IHT-ETH"}
    assert parse_contracts(b'[{"name":"KNC_USDT"},{"name":"BTC_USDT_20240927"}]') == {
        "KNC_USDT": "KNC-USDT-PERP",
        "BTC_USDT_20240927": "BTC-USDT-24U27",
    }
    with pytest.raises(msgspec.DecodeError):
        parse_pairs(b'{"label":"INVALID"}')


@pytest.mark.parametrize(
    ("symbol", "pair", "contract"),
    [
        ("BTC_USDT", "BTC-USDT", "BTC-USDT-PERP"),
        ("BTC", "BTC", "BTC"),
        ("_", "_", "_"),
        ("BTC_USDT_20241399", "BTC_USDT-20241399", "BTC_USDT_20241399"),
    ],
)
def test_symbols_say_their_currencies(symbol: str, pair: str, contract: str) -> None:
    assert pair_of(symbol) == pair
    assert contract_of(symbol) == contract


@pytest.mark.parametrize("symbol", ["", "A,B", "A:B", "A.B", "a b", "x" * 65, "A@5", "!all"])
def test_what_would_break_a_wire_name_is_no_symbol(symbol: str) -> None:
    assert not is_possible_symbol(symbol)
