from __future__ import annotations

import msgspec
import pytest

from foxtrot_workers.exchanges.coinbase.messages import decode_change, decode_trade
from tests.workers.exchanges.coinbase.samples import change, trade


@pytest.mark.parametrize(
    "changes", [{"side": "up"}, {"trade_id": -1}, {"trade_id": "1"}, {"price": 1.5}, {"time": "now"}]
)
def test_wrong_types_are_refused(changes: dict[str, object]) -> None:
    with pytest.raises(msgspec.ValidationError):
        decode_trade(msgspec.json.encode(trade(**changes)))


def test_a_changed_level_has_side_price_and_size() -> None:
    (level,) = decode_change(msgspec.json.encode(change())).changes
    assert (level.side, level.price, level.size) == ("buy", "10101.80000000", "0.162567")
    with pytest.raises(msgspec.ValidationError):
        decode_change(msgspec.json.encode(change(["buy", "1"])))
