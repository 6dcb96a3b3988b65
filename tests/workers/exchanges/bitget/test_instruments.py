from __future__ import annotations

import msgspec
import pytest

from foxtrot_workers.exchanges.bitget.instruments import (
    contract_symbol,
    instrument_of,
    is_possible_symbol,
    parse_instruments,
)

OLD_SPOT = '{"symbol":"ALPHAUSDT_SPBL","symbolName":"ALPHAUSDT","baseCoin":"ALPHA","quoteCoin":"USDT","priceScale":"4"}'
OLD_MIX = '{"symbol":"BTCUSDT_UMCBL","quoteCoin":"USDT","baseCoin":"BTC","pricePlace":"1"}'
SPOT = '{"symbol":"BTCUSDT","baseCoin":"BTC","quoteCoin":"USDT","pricePrecision":"2"}'
CONTRACT = '{"symbol":"BTCPERP","baseCoin":"BTC","quoteCoin":"USDC","symbolType":"perpetual"}'
DATED = '{"symbol":"BTCUSDU24","baseCoin":"BTC","quoteCoin":"USD","symbolType":"delivery"}'


@pytest.mark.parametrize(
    ("row", "symbol", "name"),
    [
        (OLD_SPOT, "ALPHAUSDT", "ALPHA-USDT"),
        (OLD_MIX, "BTCUSDT_UMCBL", "BTC-USDT-PERP"),
        (SPOT, "BTCUSDT", "BTC-USDT"),
        (CONTRACT, "BTCPERP", "BTC-USDC-PERP"),
        (DATED, "BTCUSDU24", "BTCUSDU24"),
    ],
)
def test_lists_of_all_versions(row: str, symbol: str, name: str) -> None:
    body = f'{{"code":"00000","msg":"success","data":[{row}]}}'
    assert parse_instruments(body.encode()) == {symbol: name}


@pytest.mark.parametrize("body", [b"{}", b'{"code":"40034","msg":"no"}', b"[]"])
def test_anything_else_is_no_list(body: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        parse_instruments(body)


@pytest.mark.parametrize(
    ("symbol", "spot", "contract"),
    [
        ("BTCUSDT", "BTC-USDT", "BTC-USDT-PERP"),
        ("BTCUSD", "BTC-USD", "BTC-USD-PERP"),
        ("BTCPERP", "BTCPERP", "BTC-USDC-PERP"),
        ("DASHUSDT_UMCBL", "DASH-USDT-PERP", "DASH-USDT-PERP"),
        ("USDT", "USDT", "USDT"),
    ],
)
def test_symbols_say_their_currencies(symbol: str, spot: str, contract: str) -> None:
    assert instrument_of(symbol, contract=False) == spot
    assert instrument_of(symbol, contract=True) == contract


@pytest.mark.parametrize(
    ("symbol", "name"),
    [("BTCUSDT", "BTCUSDT_UMCBL"), ("BTCUSD", "BTCUSD_DMCBL"), ("BTCPERP", "BTCPERP_CMCBL")],
)
def test_contracts_of_v1_have_a_suffix(symbol: str, name: str) -> None:
    assert contract_symbol(symbol) == name


@pytest.mark.parametrize("symbol", ["", "A:B", "A#B", "a b", "x" * 65, "}"])
def test_what_would_break_a_wire_name_is_no_symbol(symbol: str) -> None:
    assert not is_possible_symbol(symbol)
