from __future__ import annotations

import msgspec
import pytest

from foxtrot_workers.exchanges.dydx.adapter import Dydx
from foxtrot_workers.exchanges.dydx.instruments import is_possible_symbol


def test_all_markets_are_perpetuals() -> None:
    adapter = Dydx()
    assert adapter.instrument("BTC-USD") == "BTC-USD-PERP"
    assert adapter.instruments_path(["BTC-USD"]) == "/v4/perpetualMarkets"
    body = msgspec.json.encode({"markets": {"BTC-USD": {"ticker": "BTC-USD"}, "ETH-USD": {}}})
    assert adapter.instruments(body) == {"BTC-USD": "BTC-USD-PERP", "ETH-USD": "ETH-USD-PERP"}


@pytest.mark.parametrize("symbol", ["BTC-USD", "$MICHI,RAYDIUM,5MBNXGFT-USD", "A" * 128])
def test_markets_that_anybody_opens_have_strange_names(symbol: str) -> None:
    assert is_possible_symbol(symbol)
