"""Time and state of the exchange."""

from __future__ import annotations

import pytest

from foxtrot_workers.exchanges.binance.adapter import Binance
from foxtrot_workers.exchanges.binance.variants import BinanceCoinm, BinanceUs, BinanceUsdm


@pytest.mark.parametrize(
    ("adapter", "path"),
    [(Binance, "/api/v3/time"), (BinanceUsdm, "/fapi/v1/time"), (BinanceCoinm, "/dapi/v1/time")],
)
def test_time(adapter: type[Binance], path: str) -> None:
    asked = adapter().system_time()
    assert (asked.request.path, asked.read_ns(b'{"serverTime":1499827319559}')) == (path, 1_499_827_319_559_000_000)


def test_state() -> None:
    state = Binance().system_status()
    assert state is not None
    assert state.request.path == "/sapi/v1/system/status"
    assert state.read(b'{"status":0,"msg":"normal"}') == ""
    assert state.read(b'{"status":1,"msg":"system maintenance"}') == "system maintenance"
    assert state.read(b'{"status":1}') == "status 1"
    assert [each().system_status() for each in (BinanceUs, BinanceUsdm, BinanceCoinm)] == [None] * 3
