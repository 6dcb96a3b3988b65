"""The system we compare with tells the same facts as the product: else the comparison means nothing."""

from __future__ import annotations

import json
from typing import Any

import msgpack
import msgspec
import pytest

from foxtrot_protocol.events import EVENT_TYPES, MarketEvent
from foxtrot_workers.benchmark.baseline import HandlerTable, to_event
from foxtrot_workers.benchmark.load_frames import LoadBlock, primer
from foxtrot_workers.exchanges.binance.adapter import Binance

FRAMES = bytes(LoadBlock("mixed", ["BTCUSDT"], 1).repetition(0)).split(b'{"stream"')[1:200]


def as_numbers(value: Any) -> Any:
    """Prices and sizes of an event of ours as the float values that the baseline passes on."""
    if isinstance(value, list | tuple):
        return [[float(price), float(size)] for price, size in value]
    return float(value)


@pytest.mark.parametrize("index", [0, 1, 2])
def test_the_baseline_event_equals_that_of_the_adapter(index: int) -> None:
    stream = ("aggTrade", "bookTicker", "depth")[index]
    text = next(frame for frame in FRAMES if stream.encode() in frame)
    frame = (b'{"stream"' + text)[: text.rindex(b"}}") + 11]
    binance = Binance(adopt=True)
    binance.address("ws://x/stream?timeUnit=MICROSECOND")
    events: list[MarketEvent[str]] = []
    if stream == "depth":
        binance.parse(primer("BTCUSDT")[4:], 7, events)
        binance.on_rest("/api/v3/depth?symbol=BTCUSDT", 200, _snapshot_before(frame), 7, events)
        events.clear()
    binance.parse(frame, 7, events)
    (ours,) = events
    theirs = msgpack.unpackb(msgpack.packb(to_event(json.loads(frame), 7)))
    assert theirs.pop("type") == EVENT_TYPES[type(ours)]
    for name, value in theirs.items():
        mine = getattr(ours, name)
        numeric = name in ("price", "size", "bid", "bid_size", "ask", "ask_size", "bids", "asks")
        assert value == (as_numbers(mine) if numeric else mine), name


def _snapshot_before(frame: bytes) -> bytes:
    first = msgspec.json.decode(frame)["data"]["U"]
    return msgspec.json.encode({"lastUpdateId": first - 1, "bids": [["1", "1"]], "asks": [["2", "1"]]})


def test_handlers_are_called_by_type() -> None:
    table = HandlerTable()
    table.register("a", print)
    table.register("a", repr)
    assert table.of("a") == [print, repr]
    assert table.of("b") == []
