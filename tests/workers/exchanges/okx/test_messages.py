from __future__ import annotations

from typing import Any

import msgspec
import pytest

from tests.workers.exchanges.okx.subscribed import INSTRUMENT, Subscribed
from tests.workers.exchanges.samples import (
    okx_frame,
    okx_trade,
)


@pytest.mark.parametrize(
    "change", [{"px": 1.5}, {"px": None}, {"side": "hold"}, {"ts": "x"}, {"ts": "-1"}, {"ts": "9" * 30}, {"tradeId": 5}]
)
def test_a_wrong_type_or_size_in_a_known_field_is_refused(change: dict[str, Any]) -> None:
    wire = Subscribed("trade")
    with pytest.raises(msgspec.ValidationError):
        wire.parse(okx_frame("trades", INSTRUMENT, [okx_trade(), okx_trade(**change)]))
    assert len(wire.parse(okx_frame("trades", INSTRUMENT, [okx_trade()]))) == 1


@pytest.mark.parametrize(
    "frame",
    [
        b"",
        b"pong!",
        b"\xff",
        b"[]",
        b"[" * 100_000,
        b'{"arg":{"channel":"trades","instId":"BTC-USDT"},"data":' + b"[" * 100_000,
        b'{"arg":{"channel":"trades","instId":"BTC-USDT"},"data":NaN}',
        b'{"arg":{"channel":"trades","instId":"BTC-USDT"},"data":[{"tradeId":"\xff"}]}',
    ],
)
def test_garbage_is_a_decode_error(frame: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        Subscribed("trade").parse(frame)
