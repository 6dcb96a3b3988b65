from __future__ import annotations

import pytest

from foxtrot_workers.exchanges.upbit.instruments import instrument_of, is_possible_symbol, parse_instruments


@pytest.mark.parametrize(
    ("symbol", "instrument"), [("KRW-BTC", "BTC-KRW"), ("USDT-ADA", "ADA-USDT"), ("BTC", "BTC"), ("-", "-"), ("", "")]
)
def test_a_code_names_the_quote_currency_first(symbol: str, instrument: str) -> None:
    assert instrument_of(symbol) == instrument


def test_a_list_names_markets() -> None:
    body = '[{"market":"KRW-BTC","korean_name":"비트코인","english_name":"Bitcoin"}]'.encode()
    assert parse_instruments(body) == {"KRW-BTC": "BTC-KRW"}


@pytest.mark.parametrize("symbol", ["", "BTC", "krw-btc", "KRW-BTC.5", "KRW-BTC-X", "K" * 65 + "-BTC", "KRW:BTC"])
def test_an_impossible_code_is_known_as_such(symbol: str) -> None:
    assert not is_possible_symbol(symbol)
