"""Rows of what handlers had, live and in a replay of the recording, and how they compare. Pure."""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

import msgspec
from msgspec import Struct

from foxtrot_protocol.events import BookDelta, BookSnapshot

__all__ = ["TAIL_NS", "HandledRow", "RecordingAccount", "compare_rows", "judge_recording", "pack_event", "unpack_rows"]

TAIL_NS: Final = 2_000_000_000
"""A worker records what it receives before it parses it. So the recording has up to one read more than handlers, from
at most so many nanoseconds before a kill."""

_ROW: Final = struct.Struct("<16sqI")
_encode = msgspec.msgpack.Encoder().encode


class HandledRow(Struct, frozen=True):
    """An event that handlers had."""

    digest: bytes
    """Hash of everything in it but the times of its way through the run; with `timed` also of its time of receipt."""
    receive_ns: int
    stream: int
    """Hash of its kind and symbol."""


class RecordingAccount(Struct, frozen=True, kw_only=True):
    """Live events against those of the replay."""

    live: int
    replayed: int
    missing: int
    """Live, and not in the replay."""
    excused: int
    """Of the missing ones, those in holes that the recording announces."""
    tails: int
    """In the replay only, received directly before a kill: recorded, and not parsed before the end of the worker."""
    extra: int
    """In the replay only, at any other time."""
    misordered: int
    """Streams whose common events have another order."""
    streams: int


def pack_event(event: Any, *, timed: bool) -> bytes:
    """Return the row of an event; `timed`: the time of receipt counts, as it does without twins."""
    changes: dict[str, Any] = {"publish_ns": 0, "redelivered": False}
    if not timed:
        changes["receive_ns"] = 0
    digest = hashlib.blake2b(_encode(msgspec.structs.replace(event, **changes)), digest_size=16).digest()
    kind = "book" if isinstance(event, BookSnapshot | BookDelta) else type(event).__name__
    stream = zlib.crc32(f"{kind} {event.symbol}".encode())
    return _ROW.pack(digest, event.receive_ns, stream)


def unpack_rows(data: bytes) -> Iterator[HandledRow]:
    """Yield the rows in `data`; an incomplete one at its end is left out."""
    whole = len(data) - len(data) % _ROW.size
    for digest, receive_ns, stream in _ROW.iter_unpack(data[:whole]):
        yield HandledRow(digest, receive_ns, stream)


def compare_rows(
    live: Sequence[HandledRow],
    replayed: Sequence[HandledRow],
    kills_ns: Sequence[int],
    holes: Iterable[tuple[int, int]],
) -> RecordingAccount:
    """Compare.

    Args:
        live: rows of the run, in order.
        replayed: rows of the replay, in order.
        kills_ns: wall clock of each kill of a worker, ns since 1970.
        holes: begin and end of each announced hole, ns since 1970.
    """
    live_counts, replayed_counts = Counter(each.digest for each in live), Counter(each.digest for each in replayed)
    missing = live_counts - replayed_counts
    more = replayed_counts - live_counts
    gaps = list(holes)
    lost = [row for row in live if row.digest in missing]
    extra = [row for row in replayed if row.digest in more]
    tails = [row for row in extra if any(kill - TAIL_NS <= row.receive_ns <= kill + TAIL_NS for kill in kills_ns)]
    orders = [_by_stream(rows, counts) for rows, counts in ((live, replayed_counts), (replayed, live_counts))]
    return RecordingAccount(
        live=len(live),
        replayed=len(replayed),
        missing=missing.total(),
        excused=sum(any(begin <= row.receive_ns <= end for begin, end in gaps) for row in lost),
        tails=len(tails),
        extra=len(extra) - len(tails),
        misordered=sum(order != orders[1].get(stream) for stream, order in orders[0].items()),
        streams=len(orders[0]),
    )


def _by_stream(rows: Iterable[HandledRow], common: Counter[bytes]) -> dict[int, list[bytes]]:
    orders: dict[int, list[bytes]] = {}
    for row in rows:
        if common[row.digest]:
            orders.setdefault(row.stream, []).append(row.digest)
    return orders


def judge_recording(account: RecordingAccount, damaged: Sequence[str]) -> list[str]:
    """Return the promises that were broken."""
    broken = [f"a segment is damaged: {each}" for each in damaged]
    if account.missing > account.excused:
        broken.append(f"{account.missing - account.excused} events of handlers are not in the recording, unannounced")
    if account.extra:
        broken.append(f"the replay has {account.extra} events that handlers never had")
    if account.misordered:
        broken.append(f"{account.misordered} of {account.streams} streams are replayed in another order")
    if not account.live:
        broken.append("handlers had no events")
    return broken
