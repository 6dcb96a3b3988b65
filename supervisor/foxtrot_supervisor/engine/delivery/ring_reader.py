"""The engine's end of a worker's ring (`foxtrot_protocol.ring_layout`)."""

from __future__ import annotations

import mmap
import os
from typing import ClassVar, Self

from foxtrot_protocol import ring_layout
from foxtrot_protocol.errors import MalformedMessage
from foxtrot_protocol.ring_layout import HEADER_BYTES, AppliedMark, CommitMark, Record, Word
from foxtrot_supervisor.system.private_files import open_kept, opened_directory

__all__ = ["RingReader"]

_HEAD, _TAIL, _APPLYING, _APPLIED = int(Word.HEAD), int(Word.TAIL), int(Word.APPLYING), int(Word.APPLIED)
_MARK = int(Word.APPLIED_MARK)
_MARK_READS_MAX = 100
"""Attempts to read a mark that its writer is replacing."""


class RingReader:
    """One mapped ring; make it with `RingReader.open`. Used by one thread."""

    writes: ClassVar[bool] = True
    """Whether it acknowledges in the ring what it has read."""

    missing_cause: ClassVar[str] = "are not in the ring"
    """Why batches may be missing before the one that is read."""

    def __init__(self, path: str, mapped: mmap.mmap, identity: ring_layout.RingIdentity) -> None:
        self.path = path
        self.worker = identity.worker
        self.incarnation = identity.incarnation
        self.capacity = identity.capacity
        self.identity = identity
        self._map = mapped
        self._whole = memoryview(mapped)
        self._words = self._whole[:HEADER_BYTES].cast("Q")
        self._data = self._whole[HEADER_BYTES : HEADER_BYTES + identity.capacity]
        self._turn = max(0, ring_layout.applied_place(self._words))
        self.tail = int(self._words[_TAIL])
        """Position of the next record."""
        if not self.plausible:  # damaged: begin at the oldest position that can hold a record
            self.tail = max(0, int(self._words[_HEAD]) - self.capacity) & -8
        self.in_flight = int(self._words[_APPLYING])
        """Batch that was in flight in the previous engine, if it is later than the last acknowledged one."""

    @classmethod
    def open(cls, run_dir: str, worker: str, incarnation: int) -> Self | None:
        """Map the ring of an incarnation; None if there is none yet. Raises `MalformedMessage` or OSError."""
        name = ring_layout.ring_name(worker, incarnation)
        path = os.path.join(run_dir, name)
        try:
            with opened_directory(run_dir) as directory:
                fd = open_kept(name, os.O_RDWR if cls.writes else os.O_RDONLY, directory)
        except FileNotFoundError:
            return None
        try:
            if _size(fd) < HEADER_BYTES:
                return None  # being created
            identity = ring_layout.read_identity(os.pread(fd, HEADER_BYTES, 0))
            if identity is None:
                return None
            if (identity.worker, identity.incarnation) != (worker, incarnation):
                raise MalformedMessage(f"ring: {path} belongs to {identity.worker}#{identity.incarnation}")
            if _size(fd) != HEADER_BYTES + identity.capacity:
                raise MalformedMessage(f"ring: the size of {path} differs from that in its header")
            access = mmap.ACCESS_WRITE if cls.writes else mmap.ACCESS_READ
            return cls(path, mmap.mmap(fd, HEADER_BYTES + identity.capacity, access=access), identity)
        finally:
            os.close(fd)

    @property
    def dropped(self) -> int:
        """Events that the worker dropped."""
        return int(self._words[Word.DROPPED])

    @property
    def unannounced(self) -> int:
        """Events that the worker dropped, or had no room for, and that no committed gap announces."""
        return int(self._words[Word.UNANNOUNCED])

    @property
    def plausible(self) -> bool:
        """Whether head and tail are consistent."""
        head = int(self._words[_HEAD])
        return 0 <= head - self.tail <= self.capacity and not (head | self.tail) % 8

    @property
    def empty(self) -> bool:
        """Whether nothing is committed beyond the tail."""
        return self.tail == int(self._words[_HEAD])

    def committed(self) -> CommitMark | None:
        """Return what the worker has committed; None if its mark is unreadable."""
        for _ in range(_MARK_READS_MAX):
            mark = ring_layout.commit_mark(self._words)
            if mark is not None:
                return mark
        return None

    def applied(self) -> AppliedMark | None:
        """Return what engines have acknowledged so far; None if the mark is damaged."""
        return ring_layout.applied_mark(self._words)

    def next(self) -> Record | None:
        """Return the record at the tail, None if there is none; raises `MalformedMessage` if it is damaged."""
        head, tail = self._words[_HEAD], self.tail
        if head == tail:
            return None
        record = ring_layout.read_record(self._data, tail, head)
        if record is not None:
            begin = record.end - ring_layout.record_size(len(record.data))
            if begin != tail:
                self._skip_to(begin)
        return record

    def find(self, first: int, last: int) -> Record | None:
        """Return the first valid record after damage at the tail with a sequence of `first` to `last`."""
        return ring_layout.find_record(self._data, self.tail, self._words[_HEAD], first, last)

    def holds(self, sequence: int, data: bytes) -> int | None:
        """Return the position behind the record at the tail if it is this batch, else None. The hot path.

        `data` is the batch as ZeroMQ brought it. A record whose bytes are damaged but whose checksum is that of `data`
        matches: `data` is complete.
        """
        length = len(data)
        size = ring_layout.record_size(length)
        start = ring_layout.place(self._map, self.tail, size, self.capacity)
        end = start + size
        if not end <= self._words[_HEAD] <= self.tail + self.capacity:
            return None
        begin = HEADER_BYTES + start % self.capacity
        if not ring_layout.is_record_of(self._map, begin, sequence, data):
            return None
        if start != self.tail:
            self._skip_to(start)
        return end

    def _skip_to(self, begin: int) -> None:
        """Free the unused rest of a lap, before the record at `begin` is handled: that may take long.

        Not while records before it wait to be freed.
        """
        if self._words[_TAIL] == self.tail:
            self._words[_TAIL] = self.tail = begin

    def begin(self, sequence: int) -> None:
        """Record that a batch is in flight to handlers."""
        self._words[_APPLYING] = sequence

    def acknowledge(
        self,
        sequence: int,
        end: int,
        applied: int,
        lost: int,
        redelivered: int,
        deduplicated: int = 0,
        superseded: int = 0,
    ) -> None:
        """Acknowledge batches up to `sequence`, with the ring's totals in events; free the space before `end`."""
        self.mark_applied(sequence, applied, lost, redelivered, deduplicated, superseded)
        self.consume_to(end)

    def mark_applied(
        self, sequence: int, applied: int, lost: int, redelivered: int, deduplicated: int, superseded: int = 0
    ) -> None:
        """Acknowledge batches up to `sequence`, with the ring's totals in events; keep their records for now."""
        words = self._words
        self._turn ^= 1
        mark = _MARK + 8 * self._turn
        words[mark + 1] = applied
        words[mark + 2] = lost
        words[mark + 3] = redelivered
        words[mark + 4] = deduplicated
        words[mark + 5] = superseded
        words[mark] = sequence
        words[_APPLIED] = sequence  # one aligned store: after it a crash redelivers nothing of the batch

    def advance(self, end: int) -> None:
        """Continue reading at `end`; the space before it is freed by `release`."""
        self.tail = end

    def release(self) -> None:
        """Free the space before the reading position."""
        self._words[_TAIL] = self.tail

    def free_to(self, end: int) -> None:
        """Free the space before `end`, which has been read."""
        self._words[_TAIL] = end

    def consume_to(self, end: int) -> None:
        """Continue reading at `end` and free the space before it."""
        self._words[_TAIL] = self.tail = end

    def abandon(self) -> None:
        """Free all space: its records are unreadable."""
        self.consume_to(int(self._words[_HEAD]))

    def close(self) -> None:
        """Unmap the ring; the file stays."""
        self._words.release()
        self._data.release()
        self._whole.release()
        self._map.close()


def _size(fd: int) -> int:
    return os.fstat(fd).st_size
