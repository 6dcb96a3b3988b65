"""The rings of a run, living or dead, opened for reading only: what their headers say, and the batches in them.

Nothing read from a ring is trusted: a file, a mark or a record that does not fit is reported as damaged. Layout:
`foxtrot_protocol.ring_layout`.
"""

from __future__ import annotations

import contextlib
import mmap
import os
from collections.abc import Iterator
from types import TracebackType

from msgspec import Struct

from foxtrot_protocol import ring_layout
from foxtrot_protocol.errors import MalformedMessage
from foxtrot_protocol.ring_layout import HEADER_BYTES, AppliedMark, CommitMark, Record, RingIdentity, Word
from foxtrot_supervisor.system.private_files import open_kept, opened_directory

__all__ = ["Damage", "Marks", "RingFile", "RingName", "list_rings"]

_MARK_READS_MAX = 100
"""Attempts to read a mark that its writer is replacing."""


class RingName(Struct, frozen=True, order=True):
    """Worker and incarnation of a ring, from the name of its file."""

    worker: str
    incarnation: int


class Marks(Struct, frozen=True):
    """Positions (in bytes since the beginning) and counts in a ring's header; a mark is None where it is damaged."""

    head: int
    tail: int
    applying: int
    """Sequence of the batch that handlers have, or had last."""
    dropped: int
    unannounced: int
    committed: CommitMark | None
    applied: AppliedMark | None


class Damage(Struct, frozen=True):
    """Bytes between two positions that hold no readable record, and why; `end` None: nothing readable follows."""

    begin: int
    end: int | None
    reason: str


def list_rings(run_dir: str) -> list[RingName]:
    """Return the rings in the directory, by worker and incarnation; raises OSError, also if it is another user's."""
    with opened_directory(run_dir) as directory:
        found = (ring_layout.parse_ring_name(name) for name in os.listdir(directory))
        return sorted(RingName(*parsed) for parsed in found if parsed is not None)


class RingFile:
    """One ring, mapped for reading; a context manager."""

    def __init__(self, run_dir: str, name: RingName) -> None:
        """Open the ring; raises OSError, `MalformedMessage` if it is unfinished or its header is damaged."""
        with opened_directory(run_dir) as directory:
            descriptor = open_kept(ring_layout.ring_name(name.worker, name.incarnation), os.O_RDONLY, directory)
        try:
            self.size = os.fstat(descriptor).st_size
            identity = ring_layout.read_identity(os.pread(descriptor, HEADER_BYTES, 0))
            if identity is None:
                raise MalformedMessage("ring: its worker has not finished making it")
            if (identity.worker, identity.incarnation) != (name.worker, name.incarnation):
                raise MalformedMessage(f"ring: its header names {identity.worker}#{identity.incarnation}")
            if self.size != HEADER_BYTES + identity.capacity:
                raise MalformedMessage(f"ring: {self.size} bytes, its header says {HEADER_BYTES + identity.capacity}")
            self.identity: RingIdentity = identity
            self._map = mmap.mmap(descriptor, self.size, prot=mmap.PROT_READ)
        finally:
            os.close(descriptor)
        self._whole = memoryview(self._map)
        self._words = self._whole[:HEADER_BYTES].cast("Q")
        self._data = self._whole[HEADER_BYTES:]

    def marks(self) -> Marks:
        """Read the header's positions and marks."""
        words = self._words
        committed = applied = None
        for _ in range(_MARK_READS_MAX):
            committed = committed or ring_layout.commit_mark(words)
            applied = applied or ring_layout.applied_mark(words)
            if committed and applied:
                break
        return Marks(
            words[Word.HEAD],
            words[Word.TAIL],
            words[Word.APPLYING],
            words[Word.DROPPED],
            words[Word.UNANNOUNCED],
            committed,
            applied,
        )

    def records(self) -> Iterator[Record | Damage]:
        """Yield the committed batches that the engine has not released, in order, and what is damaged among them.

        Ends at what was committed when it began. A living engine may release records meanwhile, so that its worker
        overwrites them: they are reported as damaged.
        """
        marks = self.marks()
        position, head = marks.tail, marks.head
        if not 0 <= head - position <= self.identity.capacity or (head | position) % 8:
            yield Damage(position, None, f"ring: a head of {head} and a tail of {position} cannot be true")
            return
        last = marks.committed.sequence if marks.committed else 2**64 - 1
        sequence = 0
        while position != head:
            try:
                record = ring_layout.read_record(self._data, position, head)
            except MalformedMessage as error:
                record = ring_layout.find_record(self._data, position, head, sequence + 1, last)
                begin = None if record is None else record.end - ring_layout.record_size(len(record.data))
                yield Damage(position, begin, str(error))
            if record is None:
                return
            yield record
            sequence, position = record.sequence, record.end

    def latest(self, bytes_max: int) -> list[Record]:
        """Return the last batches that were committed, also those that the engine has had, as far as they still stand.

        `bytes_max`: how much of the file, before its head, is searched.
        """
        marks = self.marks()
        capacity, head = self.identity.capacity, marks.head
        last = marks.committed.sequence if marks.committed else 2**64 - 1
        position = max(0, head - min(bytes_max, capacity)) & -8
        found: list[Record] = []
        while position < head:
            record = None
            with contextlib.suppress(MalformedMessage):
                record = ring_layout.read_record(self._data, position, head)
            if record is None:
                record = ring_layout.find_record(self._data, position, head, 1, last)
            if record is None:
                position += ring_layout.RESYNC_BYTES_MAX
                continue
            if found and record.sequence <= found[-1].sequence:
                found.clear()  # of an earlier lap
            found.append(record)
            position = record.end
        return found

    def close(self) -> None:
        """Unmap the file."""
        self._words.release()
        self._data.release()
        self._whole.release()
        self._map.close()

    def __enter__(self) -> RingFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
