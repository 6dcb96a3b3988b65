from __future__ import annotations

import msgspec
import pytest

from foxtrot_workers.exchanges.dydx.adapter import Dydx
from tests.workers.exchanges.driven import Driven
from tests.workers.exchanges.dydx.samples import BOOK, CANDLE, MARKETS, TRADES


@pytest.mark.parametrize(
    ("channel", "frame", "old", "new"),
    [
        ("trade", TRADES, '"60392"', "60392"),
        ("trade", TRADES, '"BUY"', '"HOLD"'),
        ("trade", TRADES, "2024-08-23T00:00:57.627Z", "yesterday"),
        ("trade", TRADES, "2024-08-23T00:00:57.627Z", "1924-08-23T00:00:57.627Z"),
        ("trade", TRADES, '"message_id":4', '"message_id":-4'),
        ("book", BOOK, '"1.5"', "null"),
        ("book", BOOK, '{"price":"43240.0","size":"1.5"}', '["43240.0","1.5"]'),
        ("bar_1m", CANDLE, '"43400.0"', "[]"),
        ("funding", MARKETS, '"0.0001"', "0.0001"),
    ],
)
def test_a_wrong_type_or_size_in_a_known_field_is_refused(channel: str, frame: str, old: str, new: str) -> None:
    assert old in frame
    wire = Driven(Dydx, [channel], ["BTC-USD"])
    with pytest.raises(msgspec.ValidationError):
        wire.parse(frame.replace(old, new))
    assert len(wire.parse(frame)) == 1
