from __future__ import annotations

import msgspec
import pytest

from foxtrot_workers.exchanges.huobi.adapter import Huobi
from tests.workers.exchanges.driven import Driven
from tests.workers.exchanges.huobi.samples import TRADE


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"price":9.2E-7', '"price":null'),
        ('"price":9.2E-7', '"price":[]'),
        ('"amount":20995.88', '"amount":true'),
        ('"buy"', '"hold"'),
        ('"ts":1618678027940,"tradeId"', '"ts":-1,"tradeId"'),
        ('"ts":1618678027940,"tradeId"', '"ts":99999999999999999999,"tradeId"'),
        ("100045088885", "1.5"),
        ("100045088885", "99999999999999999999"),
    ],
)
def test_a_wrong_type_or_size_in_a_known_field_is_refused(old: str, new: str) -> None:
    assert old in TRADE
    wire = Driven(Huobi, ["trade"], ["trioeth"])
    with pytest.raises(msgspec.ValidationError):
        wire.parse(TRADE.replace(old, new))
    assert len(wire.parse(TRADE)) == 1
