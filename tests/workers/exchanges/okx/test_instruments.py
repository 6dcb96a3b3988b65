from __future__ import annotations

import pytest

from foxtrot_protocol.instruments import Instrument
from foxtrot_workers.exchanges.okx.adapter import Okx
from foxtrot_workers.exchanges.okx.instruments import liquidated_kind


@pytest.mark.parametrize(
    ("symbol", "instrument"),
    [
        ("BTC-USDT", "BTC-USDT"),
        ("BTC-USDT-SWAP", "BTC-USDT-PERP"),
        ("BTC-USD-220527", "BTC-USD-22K27"),
        ("BTC-USD-260130", "BTC-USD-26F30"),
        ("BTC-USD-210924-66000-C", "BTC-USD-66000-21U24-call"),
        ("BTC-USD-211231-42000-P", "BTC-USD-42000-21Z31-put"),
        ("BTC-USD-211331", "BTC-USD-211331"),
        ("BTC-USD-TODAY", "BTC-USD-TODAY"),
        ("BTC-USD-211231-42000-X", "BTC-USD-211231-42000-X"),
        ("BTC-USD-211231-42000", "BTC-USD-211231-42000"),
        ("BTC", "BTC"),
        ("", ""),
    ],
)
def test_instruments_are_read_from_symbols(symbol: str, instrument: str) -> None:
    assert Okx().instrument(symbol) == instrument


def test_the_instrument_list() -> None:
    body = b'{"code":"0","data":[{"instId":"BTC-USDT-SWAP","instType":"SWAP"},{"instId":"BTC-USDT"}]}'
    assert Okx().instruments(body) == {"BTC-USDT-SWAP": "BTC-USDT-PERP", "BTC-USDT": "BTC-USDT"}
    path = "/api/v5/public/instruments?instType="
    assert Okx().instruments_path(["BTC-USDT", "BTCUSDT"]) == path + "SPOT"
    assert Okx().instruments_path(["BTC-USDT-SWAP"]) == path + "SWAP"
    assert Okx().instruments_path(["BTC-USD-240329"]) == path + "FUTURES"
    for symbols in ([], ["BTC-USDT", "BTC-USDT-SWAP"], ["BTC-USD-240329-50000-C"]):
        assert Okx().instruments_path(symbols) is None


@pytest.mark.parametrize(
    ("symbol", "kind"),
    [
        ("BTC-USDT-SWAP", "SWAP"),
        ("BTC-USD-260327", "FUTURES"),
        ("BTC-USD-260327-60000-C", "OPTION"),
        ("BTC-USDT", "MARGIN"),
        ("BTC", "MARGIN"),
    ],
)
def test_liquidations_are_sent_by_kind(symbol: str, kind: str) -> None:
    assert liquidated_kind(symbol) == kind


def test_the_whole_list_is_three_and_says_status_and_sizes() -> None:
    adapter = Okx()
    assert [path.rpartition("=")[2] for path in adapter.list_paths()] == ["SPOT", "SWAP", "FUTURES"]
    rows = (
        '{"instId":"BTC-USDT","state":"live","tickSz":"0.1","lotSz":"0.00000001","ctVal":"","expTime":""},'
        '{"instId":"BTC-USD-220527","state":"suspend","tickSz":"0.1","lotSz":"1","ctVal":"100","expTime":"1653638400000"},'
        '{"instId":"OLD-USDT-SWAP","state":"expired"}'
    )
    spot, future, old = adapter.listed(f'{{"code":"0","data":[{rows}]}}'.encode())
    assert spot == Instrument(
        symbol="BTC-USDT", instrument="BTC-USDT", kind="spot", tick_size="0.1", lot_size="0.00000001"
    )
    assert (future.kind, future.status, future.contract_size) == ("future", "halted", "100")
    assert future.expiry_ns == 1_653_638_400_000_000_000
    assert (old.kind, old.status) == ("perpetual", "ended")
