from __future__ import annotations

import msgspec
import pytest

from foxtrot_workers.exchanges.hyperliquid.adapter import Hyperliquid
from tests.workers.exchanges.driven import Driven
from tests.workers.exchanges.hyperliquid.samples import BBO, BOOK, CANDLE, CONTEXT, TRADES


@pytest.mark.parametrize(
    ("channel", "frame", "old", "new"),
    [
        ("trade", TRADES, '"px":"68517.0"', '"px":68517.0'),
        ("trade", TRADES, '"side":"A"', '"side":"C"'),
        ("trade", TRADES, '"time":1710125266669', '"time":-1'),
        ("trade", TRADES, '"tid":981894269203506', '"tid":-1'),
        ("book", BOOK, '"time":1710131872708', '"time":99999999999999999999'),
        ("book", BOOK, '"sz":"0.97139"', '"sz":null'),
        ("book", BOOK, ',[{"px":"68675.0","sz":"0.04396","n":1}]', ""),
        ("quote", BBO, ",null]", "]"),
        ("bar_1m", CANDLE, '"o":"29195.0"', '"o":[]'),
        ("funding", CONTEXT, '"0.0000125"', "true"),
    ],
)
def test_a_wrong_type_or_size_in_a_known_field_is_refused(channel: str, frame: str, old: str, new: str) -> None:
    assert old in frame
    wire = Driven(Hyperliquid, [channel], ["BTC"])
    with pytest.raises(msgspec.ValidationError):
        wire.parse(frame.replace(old, new))
    assert len(wire.parse(frame)) == 1
