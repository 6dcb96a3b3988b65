"""Layout of a spool: the files in which a sink keeps events until their store has them. Pure.

A spool is a sequence of *segments*, ``spool-<number of the first row>.seg``, each a header page and *blocks* behind one
another. A block is a record of `foxtrot_protocol.ring_layout`: checksum, length, number of the block in its segment,
rows before it, rows in it. An aligned word of the header, written last, says where the committed blocks end: a process
that is killed while it writes a block leaves the earlier ones intact.

A block also holds how far the rings were read when its rows were made. So rows and marks are committed together:
a process that continues after the last block neither loses an event nor has one twice. The first block
of each segment holds the marks of all rings.
"""

from __future__ import annotations

import struct
from mmap import mmap
from typing import Final

import msgspec
from msgspec import Struct

from foxtrot_protocol import ring_layout
from foxtrot_protocol.errors import MalformedMessage
from foxtrot_protocol.events import MarketEvent
from foxtrot_supervisor.sinks.ring_marks import RingMark

__all__ = [
    "BLOCK_BYTES_MAX",
    "HEADER_BYTES",
    "HEAD_AT",
    "Block",
    "SpooledRow",
    "block_bytes",
    "decode_block",
    "encode_block",
    "encode_row",
    "first_row_of",
    "pack_header",
    "put_first_block",
    "read_block",
    "read_header",
    "segment_name",
]

HEADER_BYTES: Final = ring_layout.HEADER_BYTES
HEAD_AT: Final = 64
"""Offset of the word with the end of the committed blocks, counted from the end of the header."""
BLOCK_BYTES_MAX: Final = 2 * 1024 * 1024
"""Largest content of a block; the rows of larger batches are spread over several."""

_MAGIC: Final = 0x314C4F4F50534F46
_LAYOUT: Final = 1
_HEADER: Final = struct.Struct("<QIIQ")  # magic, layout, nothing, number of the first row
_ROW_DIGITS: Final = 20


class SpooledRow(Struct, frozen=True, array_like=True):
    """One event in a block; its number follows from its place."""

    key: str
    connection: str
    event: MarketEvent[str]


class Block(Struct, frozen=True, array_like=True):
    """Rows that were made together, and what was read of rings by then."""

    rows: list[msgspec.Raw]
    """Encoded `SpooledRow`."""
    marks: list[RingMark] = []
    """Rings read further than the block before says."""
    retired: list[tuple[str, int]] = []
    """Worker and incarnation of rings that are read to their end."""
    run_id: str = ""
    """Where not empty: marks of earlier blocks are void, these are all. Rings belong to one run."""


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Block).decode


def segment_name(first_row: int) -> str:
    """Return the file name of the segment that begins with this row."""
    return f"spool-{first_row:0{_ROW_DIGITS}d}.seg"


def first_row_of(name: str) -> int | None:
    """Return the first row of a segment by its file name; None for any other name."""
    digits = name.removeprefix("spool-").removesuffix(".seg")
    if len(digits) != _ROW_DIGITS or not (digits.isascii() and digits.isdigit()) or segment_name(int(digits)) != name:
        return None
    return int(digits)


def pack_header(first_row: int) -> bytes:
    """Return the beginning of a segment without blocks."""
    return _HEADER.pack(_MAGIC, _LAYOUT, 0, first_row)


def put_first_block(mapped: mmap, first_row: int, data: bytes) -> None:
    """Write and commit the first block of a segment, which has no rows."""
    ring_layout.put_record(mapped, HEADER_BYTES, 1, first_row - 1, 0, data)
    mapped[HEAD_AT : HEAD_AT + 8] = block_bytes(len(data)).to_bytes(8, "little")


def read_header(header: bytes | memoryview) -> int:
    """Return the first row of a segment; raises `MalformedMessage`."""
    if len(header) < HEADER_BYTES:
        raise MalformedMessage("spool: a segment is shorter than its header")
    magic, layout, _, first_row = _HEADER.unpack_from(header)
    if magic != _MAGIC or layout != _LAYOUT:
        raise MalformedMessage("spool: not a segment, or of another layout")
    return int(first_row)


def encode_row(key: str, connection: str, event: MarketEvent[str]) -> bytes:
    """Return an encoded `SpooledRow`."""
    return _encode((key, connection, event))


def encode_block(block: Block) -> bytes:
    """Return `block` as bytes."""
    return _encode(block)


def decode_block(data: bytes) -> Block:
    """Return the block in `data`; raises `MalformedMessage`."""
    try:
        return _decode(data)
    except (ValueError, RecursionError) as error:
        raise MalformedMessage(f"spool: a block cannot be decoded: {error}") from None


def block_bytes(length: int) -> int:
    """Return the space that a block with a content of this length takes."""
    return ring_layout.record_size(length)


def read_block(data: memoryview, position: int, head: int) -> ring_layout.Record | None:
    """Return the committed block at `position`; None at the head. Raises `MalformedMessage` if it is damaged.

    `data`: the segment without its header. `events_before` of the result is the number of the row before it.
    """
    if position >= head:
        return None
    return ring_layout.read_record(data, position, head)
