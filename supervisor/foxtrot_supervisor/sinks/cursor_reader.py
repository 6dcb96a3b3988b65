"""Reads a worker's ring beside the engine: by a cursor of its own, without writing anything into the ring.

Neither the worker nor the engine waits for it. What the engine has freed stays readable until the worker overwrites it;
a reader that is overtaken goes on at the oldest record that is left, and the caller announces what is missing.
"""

from __future__ import annotations

import mmap
from collections.abc import Callable
from typing import ClassVar

from foxtrot_protocol import ring_layout
from foxtrot_protocol.codec import read_header
from foxtrot_protocol.errors import MalformedMessage
from foxtrot_protocol.ring_layout import AppliedMark, Record, Word
from foxtrot_supervisor.engine.delivery.ring_reader import RingReader
from foxtrot_supervisor.sinks.ring_marks import RingMark

__all__ = ["CursorReader"]

_HEAD = int(Word.HEAD)

_READS_MAX = 10
"""Attempts to find the oldest record while the worker overwrites it."""

_MARGIN_SHARE = 16
"""An overtaken reader leaves this part of the capacity to the worker, or it would be overtaken again at once."""

_SEQUENCE_MAX = (1 << 64) - 1


class CursorReader(RingReader):
    """A `RingReader` whose marks and cursor are kept by the caller; make it with `CursorReader.open`."""

    writes: ClassVar[bool] = False
    missing_cause: ClassVar[str] = "were overwritten before this sink had read them"

    def __init__(self, path: str, mapped: mmap.mmap, identity: ring_layout.RingIdentity) -> None:
        super().__init__(path, mapped, identity)
        self.in_flight = 0
        self.tail = 0
        self.mark = RingMark(self.worker, self.incarnation)
        """What was taken of the ring."""
        self.overtaken_total = 0
        """How often the worker has overwritten records that were not read."""
        self._on_mark: Callable[[RingMark], None] = _nobody
        self._read = 0
        """Batch that was read last."""
        self._end = 0
        """Position behind it."""
        self._passed = 0
        """Batch before the cursor."""
        self._released = (0, 0)
        self._next: Record | None = None
        """The record at the cursor, once it was read."""
        self._sent_ns: int | None = None
        """When it was sent, once that was asked for."""

    def resume(self, mark: RingMark | None, on_mark: Callable[[RingMark], None]) -> None:
        """Go on where `mark` says, None: at the first record. `on_mark` gets each later mark.

        Batches up to the mark whose streams' positions may not be written are read again.
        """
        if mark is not None:
            self.mark = mark
            self.tail, self._passed = self._released = (mark.released_position, mark.released_sequence)
        self._on_mark = on_mark

    @property
    def plausible(self) -> bool:
        """Whether head and cursor are consistent."""
        head = int(self._words[_HEAD])
        return head >= self.tail and not (head | self.tail) % 8

    def applied(self) -> AppliedMark | None:
        """Return what this reader has taken so far."""
        mark = self.mark
        return AppliedMark(mark.sequence, mark.applied, mark.lost, mark.redelivered, mark.deduplicated, mark.superseded)

    def next(self) -> Record | None:
        """Return the record at the cursor, or the oldest one left if it was overwritten; None if there is none.

        Raises `MalformedMessage` if it is damaged.
        """
        if self._next is None:
            self._next = self._read_next()
        return self._next

    def next_sent_ns(self) -> int | None:
        """Return when the batch at the cursor was sent, in ns since 1970; None if there is none, 0 if it is damaged."""
        if self._next is None or self._sent_ns is None:
            try:
                record = self.next()
                self._sent_ns = None if record is None else read_header(record.data).publish_ns
            except MalformedMessage:
                return 0
        return self._sent_ns

    def _read_next(self) -> Record | None:
        if self.tail == int(self._words[_HEAD]):
            return None
        try:
            record = ring_layout.read_record(self._data, self.tail, int(self._words[_HEAD]))
        except MalformedMessage:
            if self._is_overwritten(ring_layout.batch_bytes_max(self.capacity)):
                return self._oldest()
            raise
        if record is None or self._is_overwritten(0) or record.sequence != self._passed + 1:
            # a number out of order without an advance of the head: the record that is being written in its place
            return self._oldest()
        self.tail = record.end - ring_layout.record_size(len(record.data))
        self._read, self._end = record.sequence, record.end
        return record

    def begin(self, sequence: int) -> None:
        """Do nothing: what is in flight is decided again after a crash."""

    def mark_applied(
        self, sequence: int, applied: int, lost: int, redelivered: int, deduplicated: int, superseded: int = 0
    ) -> None:
        """Hand over the mark behind the record that was read last; the cursor follows with `advance`."""
        self._make_mark(self._end, (sequence, applied, lost, redelivered, deduplicated, superseded))

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
        """Hand over a mark with the position `end`, and continue reading there."""
        self._make_mark(end, (sequence, applied, lost, redelivered, deduplicated, superseded))
        self.tail = end
        self._passed = sequence
        self._next = self._sent_ns = None

    def advance(self, end: int) -> None:
        """Continue reading at `end`, behind the record that was read last."""
        self.tail = end
        self._passed = self._read
        self._next = self._sent_ns = None

    def consume_to(self, end: int) -> None:
        """Do as `advance`: no space has to be freed."""
        self.advance(end)

    def release(self) -> None:
        """Note that the positions of all streams are written up to the cursor."""
        self._released = (self.tail, self._passed)

    def _make_mark(self, position: int, taken: tuple[int, int, int, int, int, int]) -> None:
        self.mark = RingMark(self.worker, self.incarnation, position, *taken, *self._released)
        self._on_mark(self.mark)

    def _skip_to(self, begin: int) -> None:
        self.tail = begin

    def _is_overwritten(self, margin: int) -> bool:
        """Whether the worker has written, or with one more record of `margin` bytes may be writing, over the cursor."""
        return int(self._words[_HEAD]) - self.tail > self.capacity - margin

    def _oldest(self) -> Record | None:
        """Return the oldest record that is left, None if it cannot be found now; the cursor moves to it."""
        for _ in range(_READS_MAX):
            head = int(self._words[_HEAD])
            position = max(self.tail, head - self.capacity + self.capacity // _MARGIN_SHARE) & -8
            record = ring_layout.find_record(self._data, position, head, self._passed + 1, _SEQUENCE_MAX)
            if record is None:
                return None
            start = record.end - ring_layout.record_size(len(record.data))
            mark = self.committed()
            if mark is None or record.sequence > mark.sequence:
                continue
            if int(self._words[_HEAD]) - start <= self.capacity:
                self.tail = start
                self._read, self._end = record.sequence, record.end
                self.overtaken_total += 1
                return record
        return None


def _nobody(mark: RingMark) -> None:
    """Stands in for a receiver of marks."""
