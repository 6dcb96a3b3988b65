"""Writes records into a mapped frames ring. Pure."""

from __future__ import annotations

from array import array
from mmap import mmap
from typing import Protocol

from foxtrot_protocol import frames_layout
from foxtrot_protocol.frames_layout import HEADER_BYTES, RECORD_BYTES, FramesWord

__all__ = ["PureRecordWriter", "RecordWriter"]

_RESERVED, _HEAD, _FRAMES = int(FramesWord.RESERVED), int(FramesWord.HEAD), int(FramesWord.FRAMES)
_pack_record = frames_layout.pack_record


class RecordWriter(Protocol):
    """What both forms have. Only one of them writes a ring, from its beginning on."""

    def write(self, kind: int, parts: list[bytes], frames: int, time_ns: int, status: int = 0) -> bool:
        """Write a record that counts as `frames` frames; False if it is too large, and then nothing is written."""

    def close(self) -> None:
        """Let go of the ring, which can be unmapped then."""


class PureRecordWriter:
    """The pure form.

    Args:
        mapped: the file, all of it.
        capacity: of the ring in bytes.
    """

    def __init__(self, mapped: mmap, capacity: int) -> None:
        self._map = mapped
        self._words = memoryview(mapped)[:HEADER_BYTES].cast("Q")
        self._capacity = capacity
        self._record_bytes_max = frames_layout.record_bytes_max(capacity)
        self._head = 0
        self._frames = 0

    def write(self, kind: int, parts: list[bytes], frames: int, time_ns: int, status: int = 0) -> bool:
        """As `RecordWriter` says. The hot path."""
        count = len(parts)
        lengths = array("I", map(len, parts))
        payload = parts[0] if count == 1 else b"".join(parts)
        length = len(payload)
        body = RECORD_BYTES + 4 * count
        size = (body + length + 7) & -8
        if size > self._record_bytes_max:
            return False
        words, capacity, head = self._words, self._capacity, self._head
        rest = capacity - head % capacity
        start = head if size <= rest else head + rest
        # before anything is overwritten: a reader compares it after it has copied
        words[_RESERVED] = end = start + size
        mapped = self._map
        if start != head and rest >= RECORD_BYTES:
            at = HEADER_BYTES + head % capacity
            mapped[at : at + 8] = frames_layout.wrap_marker()
        at = HEADER_BYTES + start % capacity
        before = self._frames
        mapped[at : at + body] = (
            _pack_record(start, size, before, time_ns, kind, count, frames, status) + lengths.tobytes()
        )
        at += body
        mapped[at : at + length] = payload
        self._frames = words[_FRAMES] = before + frames
        self._head = words[_HEAD] = end  # one aligned store commits the record
        return True

    def close(self) -> None:
        """As `RecordWriter` says."""
        self._words.release()
