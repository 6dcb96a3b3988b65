from __future__ import annotations

import pytest

from foxtrot_workers.exchanges.gateio.variants import GateioFutures
from foxtrot_workers.testing.conformance import check_adapter
from tests.workers.exchanges.gateio.samples import FUTURES_BACKFILLS, FUTURES_SAMPLES


def test_futures_conform() -> None:
    check_adapter(GateioFutures, FUTURES_SAMPLES, backfills=FUTURES_BACKFILLS)


@pytest.mark.parametrize(
    ("base", "path"),
    [
        (GateioFutures.url, "/api/v4/futures/usdt/contracts"),
        ("wss://fx-ws.gateio.ws/v4/ws/btc", "/api/v4/futures/btc/contracts"),
        ("wss://fx-ws.gateio.ws/v4/ws", "/api/v4/futures/btc/contracts"),
        ("wss://fx-ws.gateio.ws/v4/ws/delivery/usdt", "/api/v4/delivery/usdt/contracts"),
        ("ws://127.0.0.1:9/", "/api/v4/futures/usdt/contracts"),
    ],
)
def test_the_address_says_where_contracts_are_listed(base: str, path: str) -> None:
    adapter = GateioFutures()
    assert adapter.address(base) == base
    assert adapter.instruments_path([]) == path


def test_contracts_are_named_by_their_currencies() -> None:
    assert GateioFutures().instrument("BTC_USDT") == "BTC-USDT-PERP"
