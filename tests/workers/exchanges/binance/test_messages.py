from __future__ import annotations

from typing import Any

import msgspec
import pytest

from foxtrot_protocol.events import (
    Trade,
)
from tests.workers.exchanges.binance.subscribed import Subscribed
from tests.workers.exchanges.samples import (
    MS,
    binance_frame,
    binance_trade,
)

NS = MS * 1_000_000


def test_microseconds_when_the_address_asks_for_them() -> None:
    wire = Subscribed("trade", base="wss://stream.binance.com:9443/stream?timeUnit=MICROSECOND")
    (trade,) = wire.parse(binance_frame("bnbbtc@trade", binance_trade(T=MS * 1000 + 5)))
    assert trade.exchange_ns == NS + 5000


@pytest.mark.parametrize(
    "change",
    [{"p": 1.5}, {"p": None}, {"T": "1"}, {"T": -1}, {"T": 2**62}, {"T": 1e300}, {"m": 0}, {"t": 2**63}, {"t": 1.5}],
)
def test_a_wrong_type_or_size_in_a_known_field_is_refused(change: dict[str, Any]) -> None:
    wire = Subscribed("trade")
    with pytest.raises(msgspec.ValidationError):
        wire.parse(binance_frame("bnbbtc@trade", binance_trade(**change)))
    assert len(wire.parse(binance_frame("bnbbtc@trade", binance_trade()))) == 1


def test_unknown_and_repeated_fields_are_accepted() -> None:
    wire = Subscribed("trade")
    frame = binance_frame("bnbbtc@trade", binance_trade(new={"x": [1]}, X="INSURANCE_FUND"))
    assert len(wire.parse(frame)) == 1
    (trade,) = wire.parse(frame.replace(b'"p":', b'"p":"9","p":'))
    assert isinstance(trade, Trade)
    assert trade.price == "0.0010"


@pytest.mark.parametrize(
    "frame",
    [
        b"{",
        b"",
        b"\xff",
        b"[" * 100_000,
        b'{"data":' * 100_000,
        b'{"stream":"bnbbtc@trade","data":NaN}',
        b'{"stream":"bnbbtc@trade","data":{"t":1,"p":"\xff","q":"1","T":1,"m":true}}',
    ],
)
def test_garbage_is_a_decode_error(frame: bytes) -> None:
    wire = Subscribed("trade")
    with pytest.raises(msgspec.DecodeError):
        wire.parse(frame)
