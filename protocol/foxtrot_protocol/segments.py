"""Layout of recorded segments: files of zstandard frames, each with the JSON lines of one *chunk*. Pure.

A segment holds frames of one worker, ``<directory>/<connection>/<worker>-<number>-<UTC>.jsonl.zst``; numbers of a
worker are contiguous. Before each zstandard frame stands a skippable frame with the chunk's `ChunkHeader`: readers of
zstandard skip it, and by hopping from one to the next a reader finds a time without unpacking anything. A chunk counts
only if header and zstandard frame are complete, so a file that ends anywhere has a readable prefix.
Reference: docs/recording.md.
"""

from __future__ import annotations

import datetime
import struct
import zlib
from collections.abc import Callable
from typing import Final

import msgspec
from msgspec import Struct

from foxtrot_protocol.errors import MalformedMessage

__all__ = [
    "CHUNK_BYTES_MAX",
    "HEADER_BYTES_MAX",
    "PREFIX_BYTES",
    "SEGMENT_SUFFIX",
    "Chunk",
    "ChunkHeader",
    "Lost",
    "Scan",
    "SegmentName",
    "Session",
    "pack_chunk_header",
    "parse_chunk_prefix",
    "parse_segment_name",
    "read_chunk_header",
    "scan_chunks",
    "segment_name",
]

SEGMENT_SUFFIX: Final = ".jsonl.zst"

HEADER_BYTES_MAX: Final = 64 * 1024
"""Largest header of a chunk."""

CHUNK_BYTES_MAX: Final = 1 << 32
"""Largest chunk, packed or not."""

_SKIPPABLE: Final = 0x184D2A5F
"""Magic of a skippable frame (RFC 8878, section 3.1.2); one of sixteen."""

_OURS: Final = b"FXCH"
_PREFIX: Final = struct.Struct("<II4sI")  # magic, bytes that follow these two, ours, crc32 of the header

PREFIX_BYTES: Final = _PREFIX.size
"""Bytes before the header's text."""


class SegmentName(Struct, frozen=True, order=True):
    """What a segment's file name says; sorts in the order of recording."""

    worker: str
    number: int


class Session(Struct, frozen=True, kw_only=True):
    """One life of a worker: frames of one connection to the exchange."""

    worker: str
    incarnation: int
    connection: str
    side: str
    exchange: str
    started_ns: int
    """Start of the worker, ns since 1970: tells sessions of several runs apart."""


class Lost(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Frames that were not recorded, before the line that says so."""

    frames: int | None
    """None: an unknown number."""
    reason: str
    after_ns: int = 0
    """Time of the last line before them, ns since 1970; 0: there is none."""
    before_ns: int = 0
    """Time of the first line after them; 0: unknown."""
    incarnation: int = 0
    """Incarnation of the worker that left nothing; 0: that of the line."""


class ChunkHeader(Struct, frozen=True, kw_only=True):
    """What a chunk holds."""

    session: Session
    url: str
    """Address of the connection."""
    position: int
    """Of the worker's frames ring, behind the last line: the recorder continues there."""
    frames: int
    """Frames of that ring so far, lost ones included."""
    lines: int
    first_ns: int
    """Lowest time of a line, ns since 1970; 0 without lines."""
    last_ns: int
    """Highest time of a line."""
    lost: list[Lost] = []
    """As its lines say."""
    ended: bool = False
    """Whether the session ends with it."""
    plain_bytes: int
    """Bytes of its lines."""
    packed_bytes: int
    """Bytes of the zstandard frame that follows."""


class Chunk(Struct, frozen=True):
    """A complete chunk of a file."""

    header: ChunkHeader
    data_at: int
    """Offset of its zstandard frame."""
    end: int
    """Offset behind it."""


class Scan(Struct, frozen=True):
    """The chunks of a file."""

    chunks: list[Chunk]
    """Those that are complete, up to the first that is not."""
    problem: str
    """What is wrong behind them; "": nothing."""
    torn: bool = False
    """Whether the file just ends too early, as after a kill."""


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(ChunkHeader).decode


def segment_name(worker: str, number: int, begin_ns: int) -> str:
    """Return the file name of segment `number` of a worker, begun at `begin_ns` (ns since 1970)."""
    begin = datetime.datetime.fromtimestamp(begin_ns // 1_000_000_000, datetime.UTC)
    return f"{worker}-{number:08d}-{begin:%Y%m%dT%H%M%SZ}{SEGMENT_SUFFIX}"


def parse_segment_name(name: str) -> SegmentName | None:
    """Return worker and number of a segment's file name; None for any other name."""
    stem = name.removesuffix(SEGMENT_SUFFIX)
    rest, _, begin = stem.rpartition("-")
    worker, _, number = rest.rpartition("-")
    if stem == name or not worker or len(begin) != 16 or not (number.isascii() and number.isdigit()):
        return None
    return SegmentName(worker, int(number)) if len(number) >= 8 else None


def pack_chunk_header(header: ChunkHeader) -> bytes:
    """Return the skippable frame that precedes the zstandard frame of a chunk."""
    text = _encode(header)
    return _PREFIX.pack(_SKIPPABLE, len(text) + 8, _OURS, zlib.crc32(text)) + text


def parse_chunk_prefix(prefix: bytes) -> int | None:
    """Return the length of the header's text, of which `prefix` has the `PREFIX_BYTES` before it; None: it is none."""
    if len(prefix) < PREFIX_BYTES:
        return None
    magic, size, ours, _ = _PREFIX.unpack_from(prefix)
    if magic != _SKIPPABLE or ours != _OURS or not 8 < size <= HEADER_BYTES_MAX:
        return None
    return int(size) - 8


def read_chunk_header(prefix: bytes, text: bytes) -> ChunkHeader:
    """Return the header of a chunk; raises `MalformedMessage`."""
    checksum = _PREFIX.unpack_from(prefix)[3]
    if zlib.crc32(text) != checksum:
        raise MalformedMessage("segment: the header of a chunk is damaged")
    try:
        header = _decode(text)
    except (ValueError, RecursionError) as error:
        raise MalformedMessage(f"segment: {error}") from None
    if not (0 < header.packed_bytes <= CHUNK_BYTES_MAX and 0 <= header.plain_bytes <= CHUNK_BYTES_MAX):
        raise MalformedMessage("segment: a chunk of impossible size")
    return header


def scan_chunks(read: Callable[[int, int], bytes], size: int) -> Scan:
    """Find the complete chunks of a file of `size` bytes.

    `read`: returns up to so many bytes (second argument) at an offset (first).
    """
    chunks: list[Chunk] = []
    at = 0
    while at < size:
        prefix = read(at, PREFIX_BYTES)
        length = parse_chunk_prefix(prefix)
        if length is None and len(prefix) == PREFIX_BYTES:
            return Scan(chunks, f"no chunk at byte {at} of {size}")
        data_at = at + PREFIX_BYTES + (length or 0)
        header = None
        if length is not None and data_at <= size:
            try:
                header = read_chunk_header(prefix, read(at + PREFIX_BYTES, length))
            except MalformedMessage as error:
                return Scan(chunks, f"byte {at} of {size}: {error}")
        if header is None or data_at + header.packed_bytes > size:
            # a damaged length looks alike, but chunks follow it
            torn = _OURS not in read(at + PREFIX_BYTES, size - at)
            return Scan(chunks, f"it ends within the chunk at byte {at}" if torn else f"byte {at} is damaged", torn)
        chunks.append(Chunk(header, data_at, data_at + header.packed_bytes))
        at = data_at + header.packed_bytes
    return Scan(chunks, "")
