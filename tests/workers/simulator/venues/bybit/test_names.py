from __future__ import annotations

import pytest

from foxtrot_workers.simulator.market.instruments import make_instrument
from foxtrot_workers.simulator.venues.bybit.names import CATEGORIES, is_offered, trade_id_text


@pytest.mark.parametrize(
    ("symbol", "offered"),
    [("BTCUSDT", {"spot", "linear"}), ("BTCUSD", {"spot", "inverse"}), ("ETHBTC", {"spot"})],
)
def test_which_category_has_a_symbol(symbol: str, offered: set[str]) -> None:
    assert {category for category in CATEGORIES if is_offered(category, make_instrument(symbol, 1))} == offered


def test_spot_trades_have_numbers_and_others_uuids() -> None:
    assert trade_id_text("spot", 17) == "2290000000000000017"
    assert trade_id_text("linear", 255) == "20f43950-d8dd-5b31-9112-0000000000ff"
