"""The state that another host continues from."""

from __future__ import annotations

import os
import zlib

import msgspec
import pytest

from foxtrot_protocol.codec import BatchEncoder, batch_decoder
from foxtrot_protocol.errors import MalformedMessage
from foxtrot_protocol.events import Trade
from foxtrot_supervisor.cluster.engine_state import (
    PART_BYTES,
    STATE_VERSION,
    Base,
    BaseRef,
    EngineState,
    Known,
    LaneState,
    as_redelivered,
    decode_state,
    encode_state,
    known_lanes,
    packed_base,
    unpacked_base,
)

STATE = EngineState(
    holder="run",
    host="h",
    consumer="c",
    stream_created="2026",
    position=7,
    read=9,
    lanes=[LaneState("w.a", 1, 4, 8, 6)],
    base=BaseRef("run", 1, 1, 5),
)


def test_a_state_comes_back_and_another_version_is_refused() -> None:
    back = decode_state(encode_state(STATE))
    assert msgspec.structs.replace(back, lanes=list(back.lanes), begun=()) == STATE
    for wrong in (b"", b"\x81"):
        with pytest.raises(MalformedMessage):
            decode_state(wrong)
    older = {"version": STATE_VERSION - 1, "holder": "run", "positions": b""}
    with pytest.raises(MalformedMessage, match=f"this version reads {STATE_VERSION}"):
        decode_state(msgspec.msgpack.encode(older))


def test_a_base_is_kept_in_parts_and_checked() -> None:
    random = os.urandom(2 * PART_BYTES)  # nothing that packs
    base = Base(7, [LaneState("w.a", 1, 4, 8, 6)], {"w.b": 2}, random)
    parts, checksum = packed_base(base)
    assert len(parts) == 3
    assert max(len(part) for part in parts) == PART_BYTES
    ref = BaseRef("run", 0, len(parts), checksum)
    back = unpacked_base(ref, parts)
    assert (back.positions, list(back.lanes), back.ended) == (random, list(base.lanes), base.ended)
    for wrong in (parts[:2], [*parts[:2], parts[0]], []):
        with pytest.raises(MalformedMessage):
            unpacked_base(ref, wrong)
    parts, checksum = packed_base(msgspec.structs.replace(base, positions=bytes(4 * PART_BYTES)))
    assert len(parts) == 1, "most of a file of positions is empty"


def test_what_state_and_base_say_of_lanes() -> None:
    base = Base(7, [LaneState("w.a", 1, 4, 8, 6), LaneState("w.b", 1, 2, 4, 6)], {}, b"")
    begin, now = LaneState("w.c", 1, 100, 900), LaneState("w.c", 1, 103, 907, 109)
    later = LaneState("w.a", 1, 9, 18, 12)
    known = known_lanes(msgspec.structs.replace(STATE, lanes=[later, now], begun=[begin]), base)
    assert known == {
        ("w.a", 1): Known(base.lanes[0], later),
        ("w.b", 1): Known(base.lanes[1], base.lanes[1]),
        ("w.c", 1): Known(begin, now),
    }


def test_a_base_that_is_not_packed_data_is_malformed() -> None:
    for data in (b"not zlib", zlib.compress(b"no base")):
        with pytest.raises(MalformedMessage, match="its positions are unreadable"):
            unpacked_base(BaseRef("run", 0, 1, zlib.crc32(data)), [data])


def test_events_that_may_have_been_given_are_marked() -> None:
    trade = Trade("SIM", "BTC", 1, 2, "1.5", "2", "buy", "77")
    data = BatchEncoder("w.a", 1, rules={"eMarketTrade.": "sequence"}).encode(3, 9, [trade] * 12)
    batch = batch_decoder("text").decode(as_redelivered(data))
    assert (batch.worker, batch.sequence, batch.publish_ns) == ("w.a", 3, 9)
    assert [event.redelivered for event in batch.events] == [True] * 12
    assert as_redelivered(b"damaged") == b"damaged"
