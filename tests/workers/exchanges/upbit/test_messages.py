from __future__ import annotations

import msgspec
import pytest

from foxtrot_workers.exchanges.upbit.messages import LONG, SHORT
from tests.workers.exchanges.upbit.samples import (
    BAR,
    ORDERBOOK,
    SHORT_BAR,
    SHORT_ORDERBOOK,
    SHORT_TICKER,
    SHORT_TRADE,
    TICKER,
    TRADE,
)


def test_both_formats_say_the_same() -> None:
    for long, short in ((LONG.ticker(TICKER), SHORT.ticker(SHORT_TICKER)), (LONG.bar(BAR), SHORT.bar(SHORT_BAR))):
        assert msgspec.structs.astuple(long) == msgspec.structs.astuple(short)
    assert SHORT.trade(SHORT_TRADE).trade_id == 1618678262000003
    assert SHORT.orderbook(SHORT_ORDERBOOK).units[0].bid_size == "688682.44561413"
    assert LONG.orderbook(ORDERBOOK).units[0].ask == "41000.0"


@pytest.mark.parametrize(
    ("old", "new"),
    [(b'"ASK"', b'"HOLD"'), (b"1614729599000,", b"-1,"), (b"1614729599000000", b"1.5"), (b"trade_price", b"other")],
)
def test_a_wrong_type_or_size_in_a_known_field_is_refused(old: bytes, new: bytes) -> None:
    assert old in TRADE
    with pytest.raises(msgspec.ValidationError):
        LONG.trade(TRADE.replace(old, new))
