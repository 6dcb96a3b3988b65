"""Decoder of the engine's live event stream: bytes in, batches and drop counts out. Pure.

The stream is a sequence of records::

    u32 length (big endian), then `length` bytes: one batch (docs/protocol.md)
    u32 0, then u32 count: number of batches dropped because this reader was too slow
"""

from __future__ import annotations

import struct
from typing import TypeAlias

from msgspec import Struct

from foxtrot_protocol.codec import BATCH_BYTES_MAX
from foxtrot_protocol.errors import MalformedMessage

__all__ = ["BatchBytes", "Dropped", "TapDecoder", "TapRecord"]

_U32 = struct.Struct(">I")


class BatchBytes(Struct, frozen=True):
    """One encoded batch."""

    data: bytes


class Dropped(Struct, frozen=True):
    """`batches` were not sent to this reader."""

    batches: int


TapRecord: TypeAlias = BatchBytes | Dropped


class TapDecoder:
    """Keeps an incomplete record: at most one of `BATCH_BYTES_MAX` bytes and the chunk that it came with."""

    def __init__(self) -> None:
        self._pending = bytearray()

    def feed(self, data: bytes) -> list[TapRecord]:
        """Return the records that `data` completes; raises `MalformedMessage` for a length over the limit."""
        self._pending += data
        records: list[TapRecord] = []
        start = 0
        while True:
            record, end = self._next(start)
            if record is None:
                break
            records.append(record)
            start = end
        del self._pending[:start]
        return records

    def _next(self, start: int) -> tuple[TapRecord | None, int]:
        body = start + _U32.size
        if len(self._pending) < body:
            return None, start
        (length,) = _U32.unpack_from(self._pending, start)
        if length > BATCH_BYTES_MAX:
            raise MalformedMessage(f"event stream: a batch of {length} bytes is over the limit of {BATCH_BYTES_MAX}")
        end = body + (length or _U32.size)
        if len(self._pending) < end:
            return None, start
        if length:
            return BatchBytes(bytes(self._pending[body:end])), end
        return Dropped(_U32.unpack_from(self._pending, body)[0]), end
