from __future__ import annotations

import pytest

from foxtrot_protocol.instruments import Instrument
from foxtrot_workers.exchanges.deribit.adapter import Deribit
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


def listed(*rows: str) -> list[Instrument]:
    return Deribit().listed(f'{{"result":[{",".join(rows)}]}}'.encode())


def test_a_list_says_status_sizes_and_expiry() -> None:
    option, perpetual = listed(
        '{"instrument_name":"BTC-24SEP21-40000-P","tick_size":5e-4,"min_trade_amount":0.1,"contract_size":1.0,'
        '"expiration_timestamp":1632470400000,"is_active":true}',
        '{"instrument_name":"BTC-PERPETUAL","expiration_timestamp":32503708800000,"is_active":false}',
    )
    assert option == Instrument(
        symbol="BTC-24SEP21-40000-P",
        instrument="BTC-40000-21U24-put",
        kind="option",
        tick_size="0.0005",
        lot_size="0.1",
        contract_size="1.0",
        expiry_ns=1_632_470_400_000_000_000,
    )
    assert (perpetual.kind, perpetual.status, perpetual.expiry_ns, perpetual.tick_size) == (
        "perpetual",
        "halted",
        0,
        "",
    )


def test_a_size_that_is_no_number_is_refused() -> None:
    with pytest.raises(ValueError, match="no number"):
        listed('{"instrument_name":"BTC-PERPETUAL","tick_size":"much"}')
