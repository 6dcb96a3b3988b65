from __future__ import annotations

from typing import Any

import msgspec
import pytest

from foxtrot_workers.exchanges.deribit.adapter import Deribit
from tests.workers.exchanges.deribit.samples import INSTRUMENT, TRADE, frame
from tests.workers.exchanges.driven import Driven

TOPIC = "trades.BTC-PERPETUAL.100ms"


@pytest.mark.parametrize(
    "change",
    [{"price": None}, {"price": []}, {"amount": True}, {"direction": "hold"}, {"timestamp": -1}, {"trade_id": 5}],
)
def test_a_wrong_type_or_size_in_a_known_field_is_refused(change: dict[str, Any]) -> None:
    wire = Driven(Deribit, ["trade"], [INSTRUMENT])
    with pytest.raises(msgspec.ValidationError):
        wire.parse(frame(TOPIC, [TRADE, {**TRADE, **change}]))
    assert len(wire.parse(frame(TOPIC, [TRADE]))) == 1


@pytest.mark.parametrize("raw", [b"", b"[]", b"[" * 100_000, frame(TOPIC, [])[:-2], frame(TOPIC, {})])
def test_garbage_is_a_decode_error(raw: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        Driven(Deribit, ["trade"], [INSTRUMENT]).parse(raw)
