from __future__ import annotations

import pytest

from foxtrot_workers.exchanges.bitget.variants import BitgetCoinFutures, BitgetFutures, BitgetUsdcFutures
from foxtrot_workers.testing.conformance import AdapterSample, check_adapter
from tests.workers.exchanges.bitget.samples import BACKFILLS, FUTURES_SAMPLES


@pytest.mark.parametrize("adapter_class", [BitgetFutures, BitgetUsdcFutures, BitgetCoinFutures])
def test_futures_conform(adapter_class: type[BitgetFutures]) -> None:
    kind = adapter_class.kind.encode()
    samples = [
        AdapterSample(
            sample.channel,
            sample.symbol,
            sample.frame.replace(b"USDT-FUTURES", kind).replace(b"usdt-futures", kind.lower()),
        )
        for sample in FUTURES_SAMPLES
    ]
    check_adapter(adapter_class, samples, backfills=BACKFILLS)


def test_liquidations_and_v2_books_need_a_connection_each() -> None:
    with pytest.raises(ValueError, match="connection each"):
        BitgetFutures().topics(["liquidation", "book15"], ["BTCUSDT"])


def test_contracts_are_listed_by_product() -> None:
    assert BitgetCoinFutures().instruments_path([]) == "/api/v2/mix/market/contracts?productType=COIN-FUTURES"
    assert BitgetFutures().instrument("BTCUSDT") == "BTC-USDT-PERP"
