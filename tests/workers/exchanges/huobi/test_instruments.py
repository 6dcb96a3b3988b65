from __future__ import annotations

import pytest

from foxtrot_workers.exchanges.huobi.instruments import (
    contracts_path,
    is_coin_margined,
    is_possible_symbol,
    parse_contracts,
    parse_symbols,
    spot_instrument,
    swap_instrument,
)


@pytest.mark.parametrize(
    ("symbol", "instrument"),
    [("btcusdt", "BTC-USDT"), ("trioeth", "TRIO-ETH"), ("yfihusd", "YFI-HUSD"), ("usdt", "USDT"), ("", ""), ("x", "X")],
)
def test_a_spot_symbol_is_split_at_its_quote_currency(symbol: str, instrument: str) -> None:
    assert spot_instrument(symbol) == instrument


@pytest.mark.parametrize(
    ("symbol", "instrument"),
    [
        ("BTC-USD", "BTC-USD-PERP"),
        ("BTC-USDT", "BTC-USDT-PERP"),
        ("BTC-USDT-220218", "BTC-USDT-22G18"),
        ("BTC-USDT-221318", "BTC-USDT-221318"),
        ("BTC-USDT-CW", "BTC-USDT-CW"),
        ("BTC", "BTC"),
    ],
)
def test_a_contract_says_what_it_is(symbol: str, instrument: str) -> None:
    assert swap_instrument(symbol) == instrument


def test_coin_margined_contracts_are_quoted_in_dollars() -> None:
    assert is_coin_margined("BTC-USD")
    assert not is_coin_margined("BTC-USDT")
    assert not is_coin_margined("BTC-USDT-220218")


def test_each_kind_of_contract_has_its_list() -> None:
    assert contracts_path(["BTC-USD"]) == "/swap-api/v1/swap_contract_info"
    assert contracts_path(["BTC-USDT", "ETH-USDT"]) == "/linear-swap-api/v1/swap_contract_info"
    assert contracts_path([]) == "/linear-swap-api/v1/swap_contract_info"
    assert contracts_path(["BTC-USD", "BTC-USDT"]) is None


def test_lists_name_instruments() -> None:
    spot = b'{"status":"ok","data":[{"base-currency":"yee","quote-currency":"btc","symbol":"yeebtc","state":"online"}]}'
    assert parse_symbols(spot) == {"yeebtc": "YEE-BTC"}
    swaps = b'{"status":"ok","data":[{"symbol":"BTC","contract_code":"BTC-USD","contract_size":100.00000}]}'
    assert parse_contracts(swaps) == {"BTC-USD": "BTC-USD-PERP"}


@pytest.mark.parametrize("symbol", ["", "btc.usdt", "btc usdt", "b" * 65, "btc\x00", "é"])
def test_an_impossible_symbol_is_known_as_such(symbol: str) -> None:
    assert not is_possible_symbol(symbol)
