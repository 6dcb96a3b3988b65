from __future__ import annotations

import msgspec
import pytest

from foxtrot_workers.exchanges.bitstamp.adapter import Bitstamp
from tests.workers.exchanges.bitstamp.samples import TRADE
from tests.workers.exchanges.driven import Driven


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"type": 0', '"type": 2'),
        ('"price_str": "3805.44"', '"price_str": 5'),
        ('"1641343699596000"', '"soon"'),
        ('"1641343699596000"', '"-1"'),
        ('"1641343699596000"', '"99999999999999999999"'),
        ("216000477", "1.5"),
    ],
)
def test_a_wrong_type_or_size_in_a_known_field_is_refused(old: str, new: str) -> None:
    assert old in TRADE
    wire = Driven(Bitstamp, ["trade"], ["ethusd"])
    with pytest.raises(msgspec.ValidationError):
        wire.parse(TRADE.replace(old, new))
    assert len(wire.parse(TRADE)) == 1
