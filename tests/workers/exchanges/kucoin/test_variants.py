from __future__ import annotations

from foxtrot_workers.exchanges.kucoin.variants import KucoinFutures
from foxtrot_workers.testing.conformance import check_adapter
from tests.workers.exchanges.kucoin.samples import FUTURES_SAMPLES


def test_futures_conform() -> None:
    check_adapter(KucoinFutures, FUTURES_SAMPLES)


def test_contracts_are_named_by_their_currencies() -> None:
    assert KucoinFutures().instrument("ETHUSDTM") == "ETH-USDT-PERP"
    assert KucoinFutures().instruments_path([]) == "/api/v1/contracts/active"
