"""Symbols compared as venues do, and the nearest ones to a wrong one."""

from __future__ import annotations

import pytest

from foxtrot_protocol.symbols import canonical_symbol, describe_unknown, nearest_symbols

KNOWN = ["BTC-USDT", "BTC-USDC", "ETH-USDT", "BTC-USDT-SWAP", "DOGE-USDT"]


@pytest.mark.parametrize(
    ("case", "expected"), [("upper", "BTC-USDT"), ("lower", "btc-usdt"), ("exact", "Btc-uSdt"), ("?", "Btc-uSdt")]
)
def test_a_symbol_is_written_as_the_venue_writes_it(case: str, expected: str) -> None:
    assert canonical_symbol("Btc-uSdt", case) == expected


@pytest.mark.parametrize(
    ("symbol", "first"),
    [("BTCUSDT", "BTC-USDT"), ("btc_usdt", "BTC-USDT"), ("BTC/USDT-SWAP", "BTC-USDT-SWAP"), ("DOGE-USTD", "DOGE-USDT")],
)
def test_another_punctuation_or_a_slip_finds_the_right_one_first(symbol: str, first: str) -> None:
    assert nearest_symbols(symbol, KNOWN)[0] == first
    assert len(nearest_symbols(symbol, KNOWN)) <= 3


def test_what_resembles_nothing_has_no_nearest() -> None:
    assert nearest_symbols("XYZXYZ", KNOWN) == []
    assert describe_unknown("okx", "XYZXYZ", KNOWN) == "okx has no symbol XYZXYZ"
    assert describe_unknown("okx", "BTCUSDC", KNOWN).startswith("okx has no symbol BTCUSDC (nearest: BTC-USDC")
