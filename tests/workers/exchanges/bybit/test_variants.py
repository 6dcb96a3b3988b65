from __future__ import annotations

import pytest

from foxtrot_workers.exchanges.bybit.adapter import Bybit
from foxtrot_workers.exchanges.bybit.variants import BybitInverse, BybitLinear
from foxtrot_workers.testing.conformance import check_adapter
from tests.workers.exchanges.bybit.samples import DERIVATIVE_SAMPLES


@pytest.mark.parametrize("adapter_class", [BybitLinear, BybitInverse])
def test_they_conform(adapter_class: type[Bybit]) -> None:
    check_adapter(adapter_class, DERIVATIVE_SAMPLES)


def test_each_category_has_its_address_and_its_name_in_events() -> None:
    classes = (Bybit, BybitLinear, BybitInverse)
    assert [cls().address(cls.url).rpartition("/")[2] for cls in classes] == ["spot", "linear", "inverse"]
    assert len({cls.exchange for cls in classes}) == len({cls.name for cls in classes}) == 3
    assert BybitInverse().instrument("BTCUSD") == "BTC-USD-PERP"
    assert Bybit().instrument("BTCUSDT") == "BTC-USDT"
