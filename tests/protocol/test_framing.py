"""The header is a prefix of the batch, so that a sender can be named though its events are malformed."""

from __future__ import annotations

import msgspec

from foxtrot_protocol.framing import PROTOCOL_VERSION, Batch, BatchHeader


def test_header_and_batch_have_the_same_fields_in_the_same_order() -> None:
    described = ("streams", "order")
    assert (*BatchHeader.__struct_fields__, *described) == Batch.__struct_fields__
    assert Batch.__struct_fields__[:6] == ("version", "worker", "incarnation", "sequence", "publish_ns", "events")


def test_the_version_stands_first_and_fits_into_one_byte() -> None:
    assert 0 < PROTOCOL_VERSION < 128
    data = msgspec.msgpack.encode(Batch(PROTOCOL_VERSION, "w", 1, 1, 1, []))
    assert data[:2] == bytes([0x98, PROTOCOL_VERSION])
