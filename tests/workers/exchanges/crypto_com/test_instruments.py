from __future__ import annotations

import msgspec
import pytest

from foxtrot_workers.exchanges.crypto_com.instruments import (
    instrument_of,
    is_possible_instrument,
    parse_instruments,
)


@pytest.mark.parametrize(
    ("symbol", "instrument"),
    [
        ("BTC_USD", "BTC-USD"),
        ("BTCUSD-PERP", "BTC-USD-PERP"),
        ("1INCHUSDT-PERP", "1INCH-USDT-PERP"),
        ("BTCUSD-260327", "BTC-USD-26H27"),
        ("BTCUSD-261327", "BTCUSD-261327"),
        ("BTCUSD-INDEX", "BTCUSD-INDEX"),
        ("A_B_C", "A_B_C"),
    ],
)
def test_names_say_base_quote_and_kind(symbol: str, instrument: str) -> None:
    assert instrument_of(symbol) == instrument


def test_the_list_of_today_and_of_api_v2() -> None:
    today = [
        {"symbol": "BTCUSD-PERP", "inst_type": "PERPETUAL_SWAP", "base_ccy": "BTC", "quote_ccy": "USD"},
        {"symbol": "CRO_USD", "inst_type": "CCY_PAIR", "base_ccy": "CRO", "quote_ccy": "USD"},
        {"symbol": "BTCUSD-260327", "base_ccy": "BTC", "quote_ccy": "USD"},
        {"symbol": "X_Y"},
        {"inst_type": "CCY_PAIR", "base_ccy": "A", "quote_ccy": "B"},
    ]
    old = [{"instrument_name": "ETH_CRO", "quote_currency": "CRO", "base_currency": "ETH"}]
    assert parse_instruments(msgspec.json.encode({"code": 0, "result": {"data": today}})) == {
        "BTCUSD-PERP": "BTC-USD-PERP",
        "CRO_USD": "CRO-USD",
        "BTCUSD-260327": "BTC-USD-26H27",
        "X_Y": "X-Y",
    }
    assert parse_instruments(msgspec.json.encode({"result": {"instruments": old}})) == {"ETH_CRO": "ETH-CRO"}


def test_possible_symbols() -> None:
    assert is_possible_instrument("BTCUSD-PERP")
    assert not any(is_possible_instrument(symbol) for symbol in ("", "a", "A.B", "A B", "A" * 65, "-A"))
