from __future__ import annotations

import pytest

from foxtrot_workers.exchanges.deribit.instruments import (
    instrument_of,
    instruments_path,
    is_possible_instrument,
    parse_instruments,
)


@pytest.mark.parametrize(
    ("symbol", "instrument"),
    [
        ("BTC-PERPETUAL", "BTC-USD-PERP"),
        ("BTC_USDC-PERPETUAL", "BTC-USDC-PERP"),
        ("BTC-24SEP21", "BTC-USD-21U24"),
        ("BTC-3JAN25", "BTC-USD-25F03"),
        ("ETH-30JUL21-2800-C", "ETH-2800-21N30-call"),
        ("BTC-24SEP21-34000-P", "BTC-34000-21U24-put"),
        ("XRP_USDC-30JUN23-0d525-C", "XRP-USDC-0.525-23M30-call"),
        ("BTC_USDC", "BTC-USDC"),
        ("BTC-CS-19MAY26-70000_75000", "BTC-CS-19MAY26-70000_75000"),
        ("BTC-24XXX21", "BTC-24XXX21"),
        ("BTC-24SEP21-34000-X", "BTC-24SEP21-34000-X"),
        ("", ""),
    ],
)
def test_a_name_says_what_it_is(symbol: str, instrument: str) -> None:
    assert instrument_of(symbol) == instrument


def test_the_list_is_that_of_the_currency_if_there_is_one() -> None:
    path = "/api/v2/public/get_instruments?currency={}&expired=false"
    assert instruments_path(["BTC-PERPETUAL", "BTC-24SEP21-34000-P"]) == path.format("BTC")
    assert instruments_path(["SOL_USDC-PERPETUAL", "BTC_USDC"]) == path.format("USDC")
    assert instruments_path(["BTC-PERPETUAL", "ETH-PERPETUAL"]) == path.format("any")
    assert instruments_path([]) == path.format("any")


def test_a_list_names_instruments() -> None:
    body = b'{"jsonrpc":"2.0","result":[{"instrument_name":"BTC-24SEP21-40000-P","strike":40000.0,"kind":"option"}]}'
    assert parse_instruments(body) == {"BTC-24SEP21-40000-P": "BTC-40000-21U24-put"}


@pytest.mark.parametrize("symbol", ["", "btc-perpetual", "BTC.X", "BTC X", "B" * 65, "BTC\x00"])
def test_an_impossible_name_is_known_as_such(symbol: str) -> None:
    assert not is_possible_instrument(symbol)
