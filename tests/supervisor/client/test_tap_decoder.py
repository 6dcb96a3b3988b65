"""The stream is decoded to the same records however it is divided."""

from __future__ import annotations

import struct

import pytest

from foxtrot_protocol.codec import BATCH_BYTES_MAX
from foxtrot_protocol.errors import MalformedMessage
from foxtrot_supervisor.client.tap_decoder import BatchBytes, Dropped, TapDecoder, TapRecord

STREAM = b"\0\0\0\3abc" + b"\0\0\0\0\0\0\0\7" + b"\0\0\0\1z"
RECORDS: list[TapRecord] = [BatchBytes(b"abc"), Dropped(7), BatchBytes(b"z")]


@pytest.mark.parametrize("step", [1, 2, 3, 5, 7, len(STREAM)])
def test_any_cut_gives_the_same_records(step: int) -> None:
    decoder = TapDecoder()
    got = [record for i in range(0, len(STREAM), step) for record in decoder.feed(STREAM[i : i + step])]
    assert got == RECORDS


def test_an_incomplete_record_stays_pending() -> None:
    decoder = TapDecoder()
    assert decoder.feed(STREAM + b"\0\0") == RECORDS
    assert decoder.feed(b"\0\1y") == [BatchBytes(b"y")]


def test_a_length_over_the_limit_is_refused_at_once() -> None:
    with pytest.raises(MalformedMessage, match="over the limit"):
        TapDecoder().feed(struct.pack(">I", BATCH_BYTES_MAX + 1))
