"""Layout of a frames ring: the file in which a worker keeps what it received and sent, before it is parsed. Pure.

One file for each incarnation of a worker, ``frames/frames-<worker>-<incarnation>`` in the run directory: a header of
`HEADER_BYTES`, then `capacity` bytes of records. *Positions* count bytes from the start and only grow; the record at
position ``p`` stands at offset ``p % capacity`` of the data, and none is split. All numbers are little-endian.
Reference: docs/protocol.md.

There is one writer, which never waits: it overwrites its oldest records. It stores `Word.RESERVED`, then writes a
record, then stores `Word.HEAD`. Bytes are valid from ``RESERVED - capacity`` to ``HEAD``. A reader copies a record,
then compares `Word.RESERVED` again; if the copy was overtaken, it searches the oldest valid record and knows from
that record's `FramesRecord.frames_before` how many frames it has missed.

The writer holds a lock (``flock``) on the file as long as it lives. Nothing read from a ring is trusted.
"""

from __future__ import annotations

import enum
import struct
import zlib
from mmap import mmap
from typing import Final

import msgspec
from msgspec import Struct

from foxtrot_protocol.errors import MalformedMessage

__all__ = [
    "ADDRESS_BYTES_MAX",
    "CAPACITY_MAX",
    "CAPACITY_MIN",
    "FRAMES_DIRECTORY",
    "HEADER_BYTES",
    "IDENTITY_BYTES_MAX",
    "LAP_MARGIN_BYTES",
    "RECORD_BYTES",
    "FramesIdentity",
    "FramesRecord",
    "FramesWord",
    "Kind",
    "earlier_name",
    "find_record",
    "frames_name",
    "is_lapped",
    "lost_name",
    "oldest_position",
    "pack_address",
    "pack_header",
    "pack_record",
    "parse_any_name",
    "parse_frames_name",
    "parse_lost_name",
    "place_record",
    "read_address",
    "read_header",
    "read_record",
    "record_bytes_max",
    "record_size",
    "wrap_marker",
]

FRAMES_DIRECTORY: Final = "frames"
"""Folder of frames rings in the run directory."""

MAGIC: Final = 0x31534D5246584F46
"""First word of the file ("FOXFRMS1")."""

HEADER_BYTES: Final = 16384
"""Size of the header: four pages."""
IDENTITY_BYTES_MAX: Final = 1536
"""Largest identity, as msgpack."""
ADDRESS_BYTES_MAX: Final = 8192
"""Longest address, as UTF-8; the rest of a longer one is cut off."""
RECORD_BYTES: Final = 48
"""Size of a record's header, without the lengths of its parts."""
CAPACITY_MIN: Final = 64 * 1024
"""Smallest capacity in bytes."""
CAPACITY_MAX: Final = 4 << 30
"""Largest capacity in bytes."""
LAP_MARGIN_BYTES: Final = 4096
"""Bytes before the writer's position in the oldest lap that count as overwritten already: processors may show a store
late."""

_LAYOUT: Final = 1
_ALIGN: Final = 8
_FACTS: Final = struct.Struct("<QIIQII")  # magic, layout, header bytes, capacity, bytes of the identity, its checksum
_ADDRESS_AT: Final = 4096
_ADDRESS: Final = struct.Struct("<II")  # bytes, checksum
_RECORD_MAGIC: Final = b"FrmR"
_WRAP: Final = b"FrmWrap\0"
# magic, size of the record, position, frames before, time, kind, parts, frames, status
_RECORD: Final = struct.Struct("<4sIQQqIIII")
_pack_record = _RECORD.pack
_unpack_record = _RECORD.unpack_from


class FramesWord(enum.IntEnum):
    """Index of each 8-byte word of the header; a cache line has 8 words. The writer writes all of them."""

    RESERVED = 256
    """Position up to which the writer may be writing."""
    HEAD = 264
    """Position behind the last complete record."""
    FRAMES = 272
    """Frames in all records so far, omitted ones included."""
    OMITTED = 273
    """Frames that were too large for a record (`record_bytes_max`), and left one of `Kind.OMITTED` instead."""


class Kind(enum.IntEnum):
    """What a record holds."""

    RECEIVED = 0
    """Frames from the exchange that were received together: one part each."""
    SENT = 1
    """A text that the client sent: one part."""
    ANSWER = 2
    """The answer to a REST request: purpose, address and body; `FramesRecord.status`: of HTTP."""
    OMITTED = 3
    """A frame or an answer that was too large: what it was, and its size in bytes, as decimal text."""


_PARTS: Final[dict[int, int]] = {Kind.SENT: 1, Kind.ANSWER: 3, Kind.OMITTED: 2}
"""Parts of a record of each kind; one of received frames has one for each frame."""


class FramesIdentity(Struct, frozen=True, kw_only=True):
    """The worker that writes a frames ring."""

    worker: str
    incarnation: int
    connection: str
    side: str
    exchange: str
    capacity: int
    """Bytes for records; `CAPACITY_MIN` to `CAPACITY_MAX`, a multiple of 8."""
    recorded: bool
    """Whether the recorder reads the ring, and removes it; otherwise it is kept for a crash report."""
    started_ns: int
    """Wall clock at which it was made, ns since 1970."""


class FramesRecord(Struct, frozen=True):
    """One record: what was received together, or sent, or answered."""

    kind: Kind
    time_ns: int
    """Wall clock, ns since 1970: for frames the time of receipt that their events carry too."""
    parts: list[bytes]
    frames: int
    """Frames that it counts as."""
    frames_before: int
    """Frames in earlier records of this ring."""
    status: int
    """Of HTTP in an answer, otherwise 0."""
    position: int
    end: int
    """Position behind it."""


def frames_name(worker: str, incarnation: int) -> str:
    """Return the file name of a frames ring."""
    return f"frames-{worker}-{incarnation}"


def earlier_name(name: str, time_ns: int) -> str:
    """Return the name that the ring `name` of an earlier run gets when a new run needs its name."""
    return f"{name}.{time_ns}"


def parse_any_name(name: str) -> tuple[str, int] | None:
    """Return worker and incarnation of the file name of a frames ring, of this run or an earlier one."""
    ring, _, started = name.rpartition(".")
    return parse_frames_name(ring if ring and started.isascii() and started.isdigit() else name)


def lost_name(worker: str, incarnation: int) -> str:
    """Return the name of the file that says, as text, why an incarnation has no frames ring for the recorder."""
    return f"lost-{worker}-{incarnation}"


def parse_lost_name(name: str) -> tuple[str, int] | None:
    """Return worker and incarnation of such a file's name; None for any other name."""
    kind, _, rest = name.partition("-")
    return parse_frames_name(f"frames-{rest}") if kind == "lost" else None


def parse_frames_name(name: str) -> tuple[str, int] | None:
    """Return worker and incarnation of a frames ring's file name; None for any other name."""
    kind, _, rest = name.partition("-")
    worker, _, incarnation = rest.rpartition("-")
    if kind != "frames" or not worker or not (incarnation.isascii() and incarnation.isdigit()):
        return None
    number = int(incarnation[:19])
    return (worker, number) if frames_name(worker, number) == name else None


# ---- header


def pack_header(identity: FramesIdentity) -> bytes:
    """Return the first bytes of the file; raises ValueError."""
    capacity = identity.capacity
    if not CAPACITY_MIN <= capacity <= CAPACITY_MAX or capacity % _ALIGN:
        raise ValueError(
            f"a frames ring has {CAPACITY_MIN} to {CAPACITY_MAX} bytes, a multiple of {_ALIGN}, not {capacity}"
        )
    packed = msgspec.msgpack.encode(identity)
    if len(packed) > IDENTITY_BYTES_MAX:
        raise ValueError(f"longer than {IDENTITY_BYTES_MAX} bytes, too long for the header of a frames ring")
    return _FACTS.pack(MAGIC, _LAYOUT, HEADER_BYTES, capacity, len(packed), zlib.crc32(packed)) + packed


def read_header(header: bytes) -> FramesIdentity:
    """Return the identity in a header of `HEADER_BYTES`; raises `MalformedMessage`."""
    if len(header) < HEADER_BYTES:
        raise MalformedMessage(f"frames ring: a header has {HEADER_BYTES} bytes, this has {len(header)}")
    magic, layout, header_bytes, capacity, length, checksum = _FACTS.unpack_from(header)
    if magic != MAGIC or layout != _LAYOUT or header_bytes != HEADER_BYTES or length > IDENTITY_BYTES_MAX:
        raise MalformedMessage("frames ring: not one, or of another layout")
    packed = header[_FACTS.size : _FACTS.size + length]
    if zlib.crc32(packed) != checksum:
        raise MalformedMessage("frames ring: its identity is damaged")
    try:
        identity = msgspec.msgpack.decode(packed, type=FramesIdentity)
    except (ValueError, RecursionError) as error:
        raise MalformedMessage(f"frames ring: {error}") from None
    if identity.capacity != capacity or not CAPACITY_MIN <= capacity <= CAPACITY_MAX or capacity % _ALIGN:
        raise MalformedMessage(f"frames ring: its capacity cannot be {capacity}")
    return identity


def pack_address(address: str) -> tuple[int, bytes]:
    """Return the address of the connection as it stands in the header, and its offset there."""
    text = address.encode()[:ADDRESS_BYTES_MAX]
    return _ADDRESS_AT, _ADDRESS.pack(len(text), zlib.crc32(text)) + text


def read_address(header: bytes) -> str:
    """Return the address in a header; "" while there is none, or if it is damaged."""
    length, checksum = _ADDRESS.unpack_from(header, _ADDRESS_AT)
    if length > ADDRESS_BYTES_MAX:
        return ""
    begin = _ADDRESS_AT + _ADDRESS.size
    text = header[begin : begin + length]
    return text.decode(errors="replace") if zlib.crc32(text) == checksum else ""


# ---- records


def record_bytes_max(capacity: int) -> int:
    """Return the size of the largest record: half the capacity, so that a reader can find one before it."""
    return capacity // 2


def record_size(parts: int, payload_bytes: int) -> int:
    """Return the size of a record of so many parts with so many bytes together."""
    return (RECORD_BYTES + 4 * parts + payload_bytes + _ALIGN - 1) & -_ALIGN


def place_record(head: int, capacity: int, size: int) -> int:
    """Return the position of a record of `size` bytes: `head`, or the next lap where it would be split."""
    rest = capacity - head % capacity
    return head if size <= rest else head + rest


def wrap_marker() -> bytes:
    """Return the bytes that mark the rest of a lap as unused."""
    return _WRAP


def pack_record(
    position: int, size: int, frames_before: int, time_ns: int, kind: int, parts: int, frames: int, status: int
) -> bytes:
    """Return the header of a record; the lengths of its parts (u32) and the parts follow. The hot path."""
    return _pack_record(_RECORD_MAGIC, size, position, frames_before, time_ns, kind, parts, frames, status)


def is_lapped(position: int, reserved: int, capacity: int) -> bool:
    """Whether the record at `position` may be overwritten, where `reserved` is the writer's `FramesWord.RESERVED`."""
    return reserved - position > capacity - LAP_MARGIN_BYTES


def oldest_position(reserved: int, capacity: int) -> int:
    """Return the lowest position at which a record can still be valid."""
    return max(0, reserved - capacity + LAP_MARGIN_BYTES)


def read_record(mapped: mmap, position: int, head: int, capacity: int) -> FramesRecord | None:
    """Return the record at `position` or after the unused rest of its lap; None if there is none before `head`.

    `mapped`: the file. Raises `MalformedMessage` where neither stands.
    """
    rest = capacity - position % capacity
    at = HEADER_BYTES + position % capacity
    if rest < RECORD_BYTES or mapped[at : at + len(_WRAP)] == _WRAP:
        position += rest
        at = HEADER_BYTES
    return None if position >= head else _record_at(mapped, at, position, head, capacity)


def _record_at(mapped: mmap, at: int, position: int, head: int, capacity: int) -> FramesRecord:
    magic, size, own, before, time_ns, kind, count, frames, status = _unpack_record(mapped, at)
    room = min(head - position, HEADER_BYTES + capacity - at)
    if magic != _RECORD_MAGIC or own != position or size > room or size < RECORD_BYTES + 4 * count or size % _ALIGN:
        raise MalformedMessage("frames ring: no record where one must stand")
    if (count, frames) != (_PARTS.get(kind, frames), frames if kind == Kind.RECEIVED else 1) or not count:
        raise MalformedMessage(f"frames ring: a record of kind {kind} with {count} parts and {frames} frames")
    data = mapped[at + RECORD_BYTES : at + size]
    lengths = struct.unpack_from(f"<{count}I", data)
    if record_size(count, sum(lengths)) != size:
        raise MalformedMessage("frames ring: the lengths of a record do not fit")
    parts, start = [], 4 * count
    for length in lengths:
        parts.append(data[start : start + length])
        start += length
    try:
        return FramesRecord(Kind(kind), time_ns, parts, frames, before, status, position, position + size)
    except ValueError:
        raise MalformedMessage(f"frames ring: a record of unknown kind {kind}") from None


def find_record(mapped: mmap, position: int, head: int, capacity: int) -> FramesRecord | None:
    """Return the first record at or after `position`, which may stand within one; None if there is none."""
    while position < head:
        offset = position % capacity
        stop = min(capacity, offset + head - position)
        found = mapped.find(_RECORD_MAGIC, HEADER_BYTES + offset, HEADER_BYTES + stop)
        if found < 0 or HEADER_BYTES + capacity - found < RECORD_BYTES:
            position += stop - offset  # the next lap
            continue
        at = position + found - HEADER_BYTES - offset
        try:
            if at % _ALIGN == 0:
                return _record_at(mapped, found, at, head, capacity)
        except MalformedMessage:
            pass  # the text of a frame, or a record of an earlier lap
        position = at + 1
    return None
