"""A tick has vn.py's fields, under vn.py's names."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from foxtrot_protocol.tick_data import LEVELS, TickData

VNPY_FIELDS = {
    "gateway_name",
    "symbol",
    "exchange",
    "datetime",
    "name",
    "volume",
    "turnover",
    "open_interest",
    "last_price",
    "last_volume",
    "limit_up",
    "limit_down",
    "open_price",
    "high_price",
    "low_price",
    "pre_close",
    "localtime",
}


def test_the_fields_are_vn_pys() -> None:
    levels = {
        f"{side}_{what}_{level}"
        for side in ("bid", "ask")
        for what in ("price", "volume")
        for level in range(1, LEVELS + 1)
    }
    assert set(TickData.__struct_fields__) == VNPY_FIELDS | levels


def test_what_is_not_known_is_zero_and_the_symbol_names_its_exchange() -> None:
    tick = TickData("SIM", "BTCUSDT", "SIM", datetime(2026, 1, 1, tzinfo=UTC))
    assert tick.vt_symbol == "BTCUSDT.SIM"
    assert tick.bid_price_5 == tick.ask_volume_1 == tick.last_price == 0.0
    with pytest.raises(AttributeError):
        tick.last_price = 1.0  # type: ignore[misc]  # the point of this test
