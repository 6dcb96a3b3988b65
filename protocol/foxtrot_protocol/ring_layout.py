"""Layout of a ring: the file in which a worker keeps its batches until the engine has handled them. Pure.

One file for each incarnation of a worker, ``ring-<worker>-<incarnation>``, mapped by worker and engine: a header page,
then `capacity` bytes of records. *Positions* count bytes from the start and only grow; the record at position ``p``
stands at offset ``p % capacity`` of the data. All numbers are little-endian. Reference: docs/protocol.md.

Each side writes only its own words, each on a cache line of its own. The worker writes a record, then a mark, then
`Word.HEAD`: everything before it is committed. The engine writes `Word.APPLYING` before it hands a batch to handlers,
then its own mark, then `Word.APPLIED`, then `Word.TAIL`, which frees the space.

A mark holds several figures that must be consistent. It has two places that are used in turn, and one aligned word says
which is valid. A process that is killed between two writes leaves the previous mark intact.

Nothing read from a ring is trusted: a record is valid only if length, position, checksum and sequence fit.
"""

from __future__ import annotations

import enum
import struct
import zlib
from collections.abc import Mapping
from mmap import mmap
from typing import Final

from msgspec import Struct

from foxtrot_protocol.codec import BATCH_BYTES_MAX
from foxtrot_protocol.errors import MalformedMessage
from foxtrot_protocol.identity import RULES_BYTES_MAX, pack_rules, parse_rules

__all__ = [
    "CAPACITY_MAX",
    "CAPACITY_MIN",
    "CONNECTION_BYTES_MAX",
    "COPIED_BYTES_MAX",
    "HEADER_BYTES",
    "MAGIC",
    "RECORD_BYTES",
    "RESYNC_BYTES_MAX",
    "SIDE_BYTES_MAX",
    "WORKER_BYTES_MAX",
    "AppliedMark",
    "CommitMark",
    "Record",
    "RingFigures",
    "RingIdentity",
    "Word",
    "applied_mark",
    "applied_place",
    "batch_bytes_max",
    "commit_mark",
    "figures",
    "find_record",
    "is_record_of",
    "is_worker_name",
    "pack_identity",
    "parse_ring_name",
    "place",
    "plan_append",
    "put_record",
    "read_identity",
    "read_record",
    "record_size",
    "ring_name",
    "wrap_marker",
]

MAGIC: Final = 0x31474E4952584F46
"""First word of the file ("FOXRING1"), written last: a file without it is incomplete."""

HEADER_BYTES: Final = 4096
"""Size of the header page."""
RECORD_BYTES: Final = 32
"""Size of a record's header."""
WORKER_BYTES_MAX: Final = 200
"""Longest name of a worker, as UTF-8."""
CONNECTION_BYTES_MAX: Final = 200
"""Longest name of a connection, as UTF-8."""
SIDE_BYTES_MAX: Final = 8
"""Longest name of a side, as UTF-8."""
CAPACITY_MIN: Final = 4096
"""Smallest capacity in bytes."""
CAPACITY_MAX: Final = 1 << 30
"""Largest capacity in bytes."""
RESYNC_BYTES_MAX: Final = 8 * 1024 * 1024
"""Bytes searched for the next valid record after damage: twice the largest batch."""
COPIED_BYTES_MAX: Final = 4096
"""Committed bytes from a record to the head that are copied at once when it is read."""

_LAYOUT: Final = 2
_ALIGN: Final = 8
_IDENTITY: Final = struct.Struct("<QIIQQ")  # magic, layout, header bytes, capacity, incarnation
# bytes of each text that follows (worker, connection, side, rules), checksum of the texts, of all before it, nothing
_LENGTHS: Final = struct.Struct("<HHHHII")
_TEXTS_AT: Final = _IDENTITY.size + _LENGTHS.size
_TEXT_BYTES_MAX: Final = (WORKER_BYTES_MAX, CONNECTION_BYTES_MAX, SIDE_BYTES_MAX, RULES_BYTES_MAX)
_RECORD: Final = struct.Struct("<IIQQII")  # checksum, length, sequence, events before, events, nothing
_CHECKED: Final = struct.Struct("<IQQII")
_CHECKED_AT: Final = 4  # in a record: where `_CHECKED` stands
_WRAP_START: Final = (0x50415257, 0xFFFFFFFF)
_START: Final = struct.Struct("<II")
_WRAP: Final = _START.pack(*_WRAP_START)
_crc32 = zlib.crc32
_unpack_record = _RECORD.unpack_from
_unpack_start = _START.unpack_from
_pack_record = _RECORD.pack_into
_pack_checked = _CHECKED.pack


class Word(enum.IntEnum):
    """Index of each 8-byte word of the header; a cache line has 8 words."""

    HEAD = 128
    """Worker: position behind the last committed record."""
    COMMIT_MARK = 136
    """Worker: two places of a line each for `CommitMark`; the one whose head equals `HEAD` is valid."""
    DROPPED = 152
    """Worker: events dropped because the ring was full for too long or an event was too large."""
    UNANNOUNCED = 153
    """Worker: dropped events whose gap is not committed yet."""
    TAIL = 192
    """Engine: position before which the space is free."""
    APPLYING = 200
    """Engine: sequence of the batch that is, or was last, in flight to handlers."""
    APPLIED = 208
    """Engine: sequence of the last batch that it has acknowledged."""
    APPLIED_MARK = 216
    """Engine: two places of a line each for `AppliedMark`; the one whose sequence equals `APPLIED` is valid."""


class RingIdentity(Struct, frozen=True):
    """The worker that writes a ring, and the ring's size."""

    worker: str
    incarnation: int
    """Run of that worker, from 1."""
    capacity: int
    """Bytes for records; `CAPACITY_MIN` to `CAPACITY_MAX`, a multiple of 8."""
    connection: str = ""
    """Workers of one connection receive the same events from the exchange. "": no other worker does."""
    side: str = ""
    """Tells the workers of a connection apart."""
    rules: Mapping[str, str] = {}
    """How copies are recognized, an `identity.IdentityRule` by event type."""


class CommitMark(Struct, frozen=True):
    """What the worker has committed."""

    head: int
    """Position behind the last record."""
    sequence: int
    """Sequence of the last batch; 0 before the first."""
    events: int
    """Events in all batches."""


class AppliedMark(Struct, frozen=True):
    """What the engine has acknowledged."""

    sequence: int
    """Sequence of the last batch; 0 before the first."""
    applied: int
    """Events handed to handlers."""
    lost: int
    """Events announced as lost."""
    redelivered: int
    """Events handed over again after the death of an engine; counted once in `applied`."""
    deduplicated: int = 0
    """Events dropped as copies of what another worker of the connection had brought."""
    superseded: int = 0
    """Updates of books that were not handed over, because the next snapshot contains them."""


class Record(Struct, frozen=True):
    """A committed batch."""

    sequence: int
    events_before: int
    """Events committed before it in this ring."""
    events: int
    """Events in it."""
    data: bytes
    """The encoded batch."""
    end: int
    """Position behind the record."""


class RingFigures(Struct, frozen=True, kw_only=True):
    """Figures of a ring that any process of the user can read, also after the worker's death."""

    worker: str
    incarnation: int
    capacity_bytes: int
    used_bytes: int
    committed_events: int
    applied_events: int
    lost_events: int
    redelivered_events: int
    dropped_events: int
    deduplicated_events: int = 0
    unannounced_events: int = 0
    """Dropped events that no committed gap announces."""
    superseded_events: int = 0


# ---- names and identity


def ring_name(worker: str, incarnation: int) -> str:
    """Return the file name of a ring."""
    return f"ring-{worker}-{incarnation}"


def is_worker_name(name: str) -> bool:
    """Whether `name` can be part of a ring's file name: names in messages may be anything."""
    return bool(name) and len(name.encode()) <= WORKER_BYTES_MAX and "/" not in name and "\0" not in name


def parse_ring_name(name: str) -> tuple[str, int] | None:
    """Return worker and incarnation of a ring's file name; None for any other name."""
    kind, _, rest = name.partition("-")
    worker, _, incarnation = rest.rpartition("-")
    if kind != "ring" or not worker or not (incarnation.isascii() and incarnation.isdigit() and len(incarnation) < 19):
        return None
    number = int(incarnation)
    return (worker, number) if ring_name(worker, number) == name else None


def pack_identity(identity: RingIdentity) -> bytes:
    """Return the start of the file with 0 in place of the magic, which is written last; raises ValueError."""
    texts = (
        identity.worker.encode(),
        identity.connection.encode(),
        identity.side.encode(),
        pack_rules(identity.rules),
    )
    capacity = identity.capacity
    for text, bytes_max in zip(texts, _TEXT_BYTES_MAX, strict=True):
        if len(text) > bytes_max:
            raise ValueError(f"longer than {bytes_max} bytes, too long for a ring's header: {text.decode()}")
    if not CAPACITY_MIN <= capacity <= CAPACITY_MAX or capacity % _ALIGN:
        raise ValueError(f"a ring has {CAPACITY_MIN} to {CAPACITY_MAX} bytes, a multiple of {_ALIGN}, not {capacity}")
    facts = _IDENTITY.pack(0, _LAYOUT, HEADER_BYTES, capacity, identity.incarnation)
    joined = b"".join(texts)
    lengths = [len(text) for text in texts]
    checksum = _crc32(joined, _crc32(_LENGTHS.pack(*lengths, 0, 0), _crc32(facts[8:])))
    return facts + _LENGTHS.pack(*lengths, checksum, 0) + joined


def read_identity(header: bytes) -> RingIdentity | None:
    """Return the identity in a header; None while the ring is incomplete. Raises `MalformedMessage`."""
    if len(header) < HEADER_BYTES:
        raise MalformedMessage(f"ring: a header has {HEADER_BYTES} bytes, this has {len(header)}")
    magic, layout, header_bytes, capacity, incarnation = _IDENTITY.unpack_from(header)
    if magic == 0:
        return None
    *lengths, checksum, nothing = _LENGTHS.unpack_from(header, _IDENTITY.size)
    if magic != MAGIC or layout != _LAYOUT or header_bytes != HEADER_BYTES or nothing:
        raise MalformedMessage("ring: not a ring, or of another layout")
    if any(length > bytes_max for length, bytes_max in zip(lengths, _TEXT_BYTES_MAX, strict=True)):
        raise MalformedMessage("ring: its identity is too long")
    joined = bytes(header[_TEXTS_AT : _TEXTS_AT + sum(lengths)])
    if _crc32(joined, _crc32(_LENGTHS.pack(*lengths, 0, 0), _crc32(header[8 : _IDENTITY.size]))) != checksum:
        raise MalformedMessage("ring: its identity is damaged")
    if not CAPACITY_MIN <= capacity <= CAPACITY_MAX or capacity % _ALIGN:
        raise MalformedMessage(f"ring: its capacity cannot be {capacity}")
    texts = []
    for length in lengths:
        texts.append(joined[:length])
        joined = joined[length:]
    try:
        worker, connection, side = (text.decode() for text in texts[:3])
    except UnicodeDecodeError:
        raise MalformedMessage("ring: its worker's name is no text") from None
    return RingIdentity(worker, incarnation, capacity, connection, side, parse_rules(texts[3]))


# ---- marks


def commit_mark(words: memoryview) -> CommitMark | None:
    """Return the worker's mark; None while it is being replaced, or if it is damaged."""
    head = words[Word.HEAD]
    if head == 0:
        return CommitMark(0, 0, 0)
    for at in (Word.COMMIT_MARK, Word.COMMIT_MARK + 8):
        if words[at] == head:
            mark = CommitMark(head, words[at + 1], words[at + 2])
            # a mark is replaced only after the head has advanced: it has not, so these figures are consistent
            return mark if words[Word.HEAD] == head else None
    return None


def applied_place(words: memoryview) -> int:
    """Return the place of the engine's latest mark, 0 or 1; -1 if there is none or it is damaged."""
    sequence = words[Word.APPLIED]
    valid = [turn for turn in (0, 1) if sequence and words[Word.APPLIED_MARK + 8 * turn] == sequence]
    return valid[0] if valid else -1


def applied_mark(words: memoryview) -> AppliedMark | None:
    """Return the engine's mark; None while it is being replaced, or if it is damaged."""
    sequence = words[Word.APPLIED]
    if sequence == 0:
        return AppliedMark(0, 0, 0, 0)
    turn = applied_place(words)
    if turn < 0:
        return None
    at = Word.APPLIED_MARK + 8 * turn
    return AppliedMark(sequence, words[at + 1], words[at + 2], words[at + 3], words[at + 4], words[at + 5])


def figures(header: bytes) -> RingFigures | None:
    """Return the figures in a header; None while it is incomplete or changing. Raises `MalformedMessage`."""
    identity = read_identity(header)
    if identity is None:
        return None
    words = memoryview(header)[:HEADER_BYTES].cast("Q")
    head, tail = words[Word.HEAD], words[Word.TAIL]
    committed, applied = commit_mark(words), applied_mark(words)
    if committed is None or applied is None:
        return None
    return RingFigures(
        worker=identity.worker,
        incarnation=identity.incarnation,
        capacity_bytes=identity.capacity,
        used_bytes=min(max(0, head - tail), identity.capacity),
        committed_events=committed.events,
        applied_events=applied.applied,
        lost_events=applied.lost,
        redelivered_events=applied.redelivered,
        dropped_events=words[Word.DROPPED],
        deduplicated_events=applied.deduplicated,
        unannounced_events=words[Word.UNANNOUNCED],
        superseded_events=applied.superseded,
    )


# ---- records


def batch_bytes_max(capacity: int) -> int:
    """Return the largest batch in bytes: half the capacity, so that it fits wherever the last record ended."""
    return min(BATCH_BYTES_MAX, capacity // 2 - RECORD_BYTES)


def record_size(length: int) -> int:
    """Return the size of a record whose batch has `length` bytes."""
    return (RECORD_BYTES + length + _ALIGN - 1) & -_ALIGN


def place(mapped: mmap, position: int, size: int, capacity: int) -> int:
    """Return where a record of `size` bytes after `position` begins: there, or at the next lap. None is split.

    `mapped`: the file. The hot path.
    """
    offset = position % capacity
    rest = capacity - offset
    if size <= rest and _unpack_start(mapped, HEADER_BYTES + offset) != _WRAP_START:
        return position
    return position + rest


def plan_append(head: int, tail: int, capacity: int, size: int) -> int | None:
    """Return where the next record begins; None if there is no room now, or `tail` is implausible."""
    rest = capacity - head % capacity
    start = head if size <= rest else head + rest
    if tail > head or start + size - tail > capacity:
        return None
    return start


def wrap_marker() -> bytes:
    """Return the bytes that mark the rest of a lap as unused: the next record begins at the next lap."""
    return _WRAP


def put_record(
    into: mmap | bytearray, offset: int, sequence: int, events_before: int, events: int, data: bytes
) -> None:
    """Write a record at `offset` of the file. The hot path."""
    length = len(data)
    checksum = _crc32(data, _crc32(_pack_checked(length, sequence, events_before, events, 0)))
    _pack_record(into, offset, checksum, length, sequence, events_before, events, 0)
    begin = offset + RECORD_BYTES
    into[begin : begin + length] = data


def is_record_of(mapped: mmap, offset: int, sequence: int, data: bytes) -> bool:
    """Whether the record at `offset` of the file is batch `sequence` with these bytes, or with their checksum.

    The hot path: a checksum is computed only where the bytes differ.
    """
    checksum, length, written, before, events, nothing = _unpack_record(mapped, offset)
    if written != sequence or length != len(data) or nothing:
        return False
    begin = offset + RECORD_BYTES
    if mapped[begin : begin + length] == data:
        return True
    written_of: int = checksum
    return _crc32(data, _crc32(_pack_checked(length, sequence, before, events, 0))) == written_of


def read_record(data: memoryview, position: int, head: int) -> Record | None:
    """Return the committed record at `position`; None at the head. Raises `MalformedMessage` if it is damaged.

    `data`: the ring without its header page.
    """
    capacity = len(data)
    room = head - position
    if not room:
        return None
    if not 0 < room <= capacity or (position | head) % _ALIGN:
        raise MalformedMessage(f"ring: a head of {head} cannot follow {position} in {capacity} bytes")
    offset = position % capacity
    if RECORD_BYTES <= room <= COPIED_BYTES_MAX and offset + room <= capacity:
        # nearly every record that is read as soon as it is committed: one copy brings its memory from the other
        # processor, and the checksum covers what follows it. What does not fit is judged below
        copied = bytes(data[offset : offset + room])
        checksum, length, sequence, before, events, nothing = _unpack_record(copied, 0)
        end = RECORD_BYTES + length
        if end <= room and not nothing and _crc32(copied[_CHECKED_AT:end]) == checksum:
            return Record(sequence, before, events, copied[RECORD_BYTES:end], position + record_size(length))
    if capacity - offset < RECORD_BYTES or _unpack_start(data, offset) == _WRAP_START:
        position += capacity - offset
        offset = 0
    return _record_at(data, offset, position, head)


def _record_at(data: memoryview, offset: int, position: int, head: int) -> Record:
    room = min(len(data) - offset, head - position)
    if room < RECORD_BYTES:
        raise MalformedMessage("ring: no room for a record where one must stand")
    checksum, length, sequence, before, events, nothing = _unpack_record(data, offset)
    size = record_size(length)
    if length > BATCH_BYTES_MAX or size > room or nothing:
        raise MalformedMessage(f"ring: a record of {length} bytes where {room} are left")
    batch = bytes(data[offset + RECORD_BYTES : offset + RECORD_BYTES + length])
    # of the copy: the ring may change meanwhile
    if _crc32(batch, _crc32(_CHECKED.pack(length, sequence, before, events, 0))) != checksum:
        raise MalformedMessage("ring: the checksum of a record does not fit")
    return Record(sequence, before, events, batch, position + size)


def find_record(data: memoryview, position: int, head: int, first: int, last: int) -> Record | None:
    """Return the next valid record after damage at `position` whose sequence is `first` to `last`, inclusive.

    Searches `RESYNC_BYTES_MAX` bytes at most; None if there is none within them or before `head`.
    """
    capacity = len(data)
    if not 0 < head - position <= capacity or position % _ALIGN:
        return None
    end = min(head, position + RESYNC_BYTES_MAX)
    for at in range(position, end, _ALIGN):
        offset = at % capacity
        if capacity - offset < RECORD_BYTES:
            continue
        # fails cheaply at most offsets: the rest is read only where it may be a record
        _, length, sequence, *_ = _unpack_record(data, offset)
        if first <= sequence <= last and length <= BATCH_BYTES_MAX:
            try:
                return _record_at(data, offset, at, head)
            except MalformedMessage:
                continue
    return None
