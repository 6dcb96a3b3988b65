from __future__ import annotations

import pytest

from foxtrot_workers.exchanges.bitfinex.instruments import (
    instrument_of,
    instruments_path,
    is_derivative,
    is_possible_symbol,
    parse_instruments,
)


@pytest.mark.parametrize(
    ("symbol", "instrument"),
    [
        ("tBTCUSD", "BTC-USD"),
        ("tBTCUST", "BTC-USDT"),
        ("tAVAX:USD", "AVAX-USD"),
        ("tBTCF0:USTF0", "BTC-USDT-PERP"),
        ("tTESTBTC:TESTUSD", "TESTBTC-TESTUSD"),
        ("fUSD", "fUSD"),
        ("", ""),
    ],
)
def test_a_symbol_says_what_it_is(symbol: str, instrument: str) -> None:
    assert instrument_of(symbol) == instrument


def test_each_kind_has_its_list() -> None:
    assert instruments_path(["tBTCUSD"]) == instruments_path([]) == "/v2/conf/pub:list:pair:exchange"
    assert instruments_path(["tBTCF0:USTF0"]) == "/v2/conf/pub:list:pair:futures"
    assert instruments_path(["tBTCUSD", "tBTCF0:USTF0"]) is None
    assert is_derivative("tBTCF0:USTF0")


def test_a_list_names_pairs_without_their_first_letter() -> None:
    assert parse_instruments(b'[["ADABTC","AVAX:USD"]]') == {"tADABTC": "ADA-BTC", "tAVAX:USD": "AVAX-USD"}


@pytest.mark.parametrize("symbol", ["", "BTCUSD", "tbtcusd", "fUSD", "tBTC", "tA:B:C", "t" + "B" * 64, "tBTC USD"])
def test_an_impossible_symbol_is_known_as_such(symbol: str) -> None:
    assert not is_possible_symbol(symbol)
