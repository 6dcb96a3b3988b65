"""The state that another host continues from."""

from __future__ import annotations

import zlib

import msgspec
import pytest

from foxtrot_protocol.codec import BatchEncoder, batch_decoder
from foxtrot_protocol.errors import MalformedMessage
from foxtrot_protocol.events import Trade
from foxtrot_supervisor.cluster.engine_state import (
    EngineState,
    LaneState,
    PositionParts,
    as_redelivered,
    decode_state,
    encode_state,
    joined_positions,
    packed_positions,
)

STATE = EngineState(
    holder="run",
    host="h",
    consumer="c",
    stream_created="2026",
    position=7,
    landed=9,
    lanes=[LaneState("w.a", 1, 4, 8)],
    ended={"w.b": 2},
)


def test_a_state_comes_back_and_another_version_is_refused() -> None:
    back = decode_state(encode_state(STATE))
    assert msgspec.structs.replace(back, lanes=list(back.lanes)) == STATE
    for wrong in (encode_state(msgspec.structs.replace(STATE, version=2)), b"", b"\x81"):
        with pytest.raises(MalformedMessage):
            decode_state(wrong)


def test_positions_are_kept_inside_or_in_parts_and_checked() -> None:
    data = bytes(range(256)) * 5000
    packed, checksum = packed_positions(data)
    assert len(packed) < len(data) // 10
    inside = msgspec.structs.replace(STATE, positions=packed, checksum=checksum)
    assert joined_positions(inside, []) == data
    parts = [packed[:100], packed[100:]]
    outside = msgspec.structs.replace(STATE, parts=PositionParts(0, 2), checksum=checksum)
    assert joined_positions(outside, parts) == data
    with pytest.raises(MalformedMessage):
        joined_positions(outside, parts[:1])
    assert joined_positions(STATE, []) == b""


def test_positions_that_are_not_packed_data_are_malformed() -> None:
    data = b"not zlib"
    state = msgspec.structs.replace(STATE, positions=data, checksum=zlib.crc32(data))
    with pytest.raises(MalformedMessage, match="its positions are unreadable"):
        joined_positions(state, ())


def test_events_that_may_have_been_given_are_marked() -> None:
    trade = Trade("SIM", "BTC", 1, 2, "1.5", "2", "buy", "77")
    data = BatchEncoder("w.a", 1, rules={"eMarketTrade.": "sequence"}).encode(3, 9, [trade] * 12)
    batch = batch_decoder("text").decode(as_redelivered(data))
    assert (batch.worker, batch.sequence, batch.publish_ns) == ("w.a", 3, 9)
    assert [event.redelivered for event in batch.events] == [True] * 12
    assert as_redelivered(b"damaged") == b"damaged"
