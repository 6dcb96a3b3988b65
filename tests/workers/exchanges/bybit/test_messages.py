from __future__ import annotations

import msgspec
import pytest

from foxtrot_workers.exchanges.bybit.variants import BybitLinear
from tests.workers.exchanges.bybit.samples import BOOK, TICKER, TRADE
from tests.workers.exchanges.driven import Driven


@pytest.mark.parametrize(
    ("channel", "frame", "old", "new"),
    [
        ("trade", TRADE, '"p":"16578.50"', '"p":null'),
        ("trade", TRADE, '"S":"Buy"', '"S":"None"'),
        ("trade", TRADE, '"T":1672304486865', '"T":-1'),
        ("trade", TRADE, '"T":1672304486865', '"T":99999999999999999999'),
        ("book50", BOOK, '"u":18521288', '"u":1.5'),
        ("book50", BOOK, '"u":18521288', '"u":99999999999999999999'),
        ("book50", BOOK, '["16493.50","0.006"]', '["16493.50"]'),
        ("book50", BOOK, '"snapshot"', '"picture"'),
        ("funding", TICKER, '"1673280000000"', '"soon"'),
    ],
)
def test_a_wrong_type_or_size_in_a_known_field_is_refused(channel: str, frame: str, old: str, new: str) -> None:
    assert old in frame
    wire = Driven(BybitLinear, [channel], ["BTCUSDT"])
    with pytest.raises(msgspec.ValidationError):
        wire.parse(frame.replace(old, new))
    assert len(wire.parse(frame)) == 1


def test_unknown_fields_are_skipped() -> None:
    wire = Driven(BybitLinear, ["trade"], ["BTCUSDT"])
    assert len(wire.parse(TRADE.replace('"L":"PlusTick"', '"L":{"new":[1e999]},"X":"INSURANCE_FUND"'))) == 1
