from __future__ import annotations

import pytest

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
