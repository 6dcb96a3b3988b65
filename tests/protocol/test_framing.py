"""The batch's layout, read by a plain msgpack library."""

from __future__ import annotations

import msgpack
import msgspec

from foxtrot_protocol.codec import BatchEncoder
from foxtrot_protocol.events import Trade
from foxtrot_protocol.framing import PROTOCOL_VERSION, Batch, BatchHeader


def test_a_batch_is_one_array_with_the_version_first() -> None:
    data = BatchEncoder("sim.a", 2).encode(5, 123, [Trade("SIM", "A", 1, 2, "1.50", "3", "buy", "9")])
    document = msgpack.unpackb(data)
    assert document[:5] == [PROTOCOL_VERSION, "sim.a", 2, 5, 123]
    assert document[5] == [["trade", "SIM", "A", 1, 2, "1.50", "3", "buy", "9", 0, False, False]]


def test_header_and_batch_name_the_same_fields() -> None:
    names = [[field.name for field in msgspec.structs.fields(kind)] for kind in (Batch, BatchHeader)]
    assert names[0] == names[1]
