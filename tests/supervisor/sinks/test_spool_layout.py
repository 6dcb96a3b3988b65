"""Segments and blocks of a spool: what is written is read back, and anything else is refused."""

from __future__ import annotations

import mmap

import msgspec
import pytest

from foxtrot_protocol.errors import MalformedMessage
from foxtrot_protocol.events import Trade
from foxtrot_supervisor.sinks import spool_layout
from foxtrot_supervisor.sinks.ring_marks import RingMark
from foxtrot_supervisor.sinks.spool_layout import HEAD_AT, HEADER_BYTES, Block, SpooledRow

TRADE = Trade("SIM", "BTCUSDT", 1, 2, "1.10", "2", "buy", "7")


@pytest.mark.parametrize("first_row", [1, 12345, 10**20 - 1])
def test_a_name_says_the_first_row_and_names_sort_by_it(first_row: int) -> None:
    name = spool_layout.segment_name(first_row)
    assert spool_layout.first_row_of(name) == first_row
    assert name >= spool_layout.segment_name(1)


@pytest.mark.parametrize(
    "name", ["", "spool-1.seg", "spool-" + "x" * 20 + ".seg", "0" * 20, "spool-" + "²" * 20 + ".seg"]
)
def test_other_names_are_no_segments(name: str) -> None:
    assert spool_layout.first_row_of(name) is None


def test_a_header_says_the_first_row() -> None:
    header = spool_layout.pack_header(41).ljust(HEADER_BYTES, b"\0")
    assert spool_layout.read_header(header) == 41
    with pytest.raises(MalformedMessage, match="shorter than its header"):
        spool_layout.read_header(header[:-1])


@pytest.mark.parametrize("at", [0, 8], ids=["magic", "layout"])
def test_a_header_of_something_else_is_refused(at: int) -> None:
    header = bytearray(spool_layout.pack_header(41).ljust(HEADER_BYTES, b"\0"))
    header[at] ^= 1
    with pytest.raises(MalformedMessage, match="not a segment, or of another layout"):
        spool_layout.read_header(header)


def test_a_block_holds_rows_and_how_far_rings_were_read() -> None:
    row = spool_layout.encode_row("key", "sim", TRADE)
    block = Block([msgspec.Raw(row)], [RingMark("sim.a", 1, 5, 9)], [("sim.b", 2)], "run")
    found = spool_layout.decode_block(spool_layout.encode_block(block))
    assert (found.marks, found.retired, found.run_id) == (block.marks, block.retired, "run")
    assert msgspec.msgpack.decode(found.rows[0], type=SpooledRow) == SpooledRow("key", "sim", TRADE)


@pytest.mark.parametrize("data", [b"", b"\xc1", b"\x94\x90", msgspec.msgpack.encode([1]), b"\x91" * 100_000])
def test_what_is_no_block_is_refused(data: bytes) -> None:
    with pytest.raises(MalformedMessage, match="a block cannot be decoded"):
        spool_layout.decode_block(data)


def test_only_committed_blocks_are_read() -> None:
    segment = mmap.mmap(-1, HEADER_BYTES + 4096)
    data = memoryview(segment)[HEADER_BYTES:]
    try:
        assert spool_layout.read_block(data, 0, 0) is None
        spool_layout.put_first_block(segment, 41, b"marks")
        head = int.from_bytes(segment[HEAD_AT : HEAD_AT + 8], "little")
        assert head == spool_layout.block_bytes(len(b"marks"))
        record = spool_layout.read_block(data, 0, head)
        assert record is not None
        assert (record.data, record.sequence, record.events_before, record.events) == (b"marks", 1, 40, 0)
        assert spool_layout.read_block(data, record.end, head) is None
    finally:
        data.release()
        segment.close()
