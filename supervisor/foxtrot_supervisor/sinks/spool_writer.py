"""Writing end of a spool: rows and the marks of rings, committed together."""

from __future__ import annotations

import mmap
from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from foxtrot_protocol import ring_layout
from foxtrot_protocol.errors import MalformedMessage
from foxtrot_supervisor.sinks import spool_layout
from foxtrot_supervisor.sinks.keys import KEYS_REMEMBERED
from foxtrot_supervisor.sinks.ring_marks import RingMark
from foxtrot_supervisor.sinks.spool import Segment, Spool
from foxtrot_supervisor.sinks.spool_layout import BLOCK_BYTES_MAX, HEAD_AT, HEADER_BYTES, Block
from foxtrot_supervisor.sinks.spool_reader import SpoolReader, rows_of

__all__ = ["ROWS_PENDING_MAX", "SpoolWriter"]

ROWS_PENDING_MAX: Final = 100_000_000
"""With this number of waiting rows no segment is added to a spool; usually its bytes are the limit."""

_FREE_SHARE: Final = 8
"""A segment is left when less than this part of it is free."""

_RESERVE_SHARE: Final = 16
"""This part of each segment is left to what is committed at the end of a run, when the spool may be full."""

_HEAD_WORD: Final = HEAD_AT // 8


class SpoolWriter:
    """The only writer of a spool; goes on where the last one was killed."""

    def __init__(self, spool: Spool) -> None:
        """Read the last segment. Raises `MalformedMessage` if it is damaged, OSError."""
        self._spool = spool
        self.marks: dict[tuple[str, int], RingMark] = {}
        """How far each ring was read, as of the last commit."""
        self.retired: set[tuple[str, int]] = set()
        """Rings read to their end since the last segment began."""
        self.run_id = ""
        """Run whose rings these are."""
        self._mapped: mmap.mmap | None = None
        self._words: memoryview | None = None
        self._head = 0
        self._blocks = 0
        self._reserve = spool.segment_bytes // _RESERVE_SHARE
        segments = spool.segments()
        if segments:
            self._go_on(segments[-1])
        # the store may know more rows than the spool if its files were removed: their numbers are not used again
        spool.last_row = max(spool.last_row, spool.acknowledged)

    def recent_rows(self) -> list[spool_layout.SpooledRow]:
        """Return up to the last `KEYS_REMEMBERED` rows that the spool still has."""
        rows: list[spool_layout.SpooledRow] = []
        for segment in self._spool.segments()[-2:]:
            reader = SpoolReader(self._spool, first_row=segment.first_row)
            try:
                while taken := reader.take_block():
                    rows = (rows + rows_of(taken))[-KEYS_REMEMBERED:]
            finally:
                reader.close()
        return rows

    def has_room(self) -> bool:
        """Whether a commit is possible now within the bounds, and on the disk."""
        if self._free() - self._reserve >= self._spool.segment_bytes // _FREE_SHARE:
            return True
        if self._spool.pending_rows >= ROWS_PENDING_MAX:
            return False
        if not self._spool.has_room_for_segment():
            return False
        return self._roll(0)

    def begin_run(self, run_id: str) -> None:
        """Forget the rings of an earlier run; raises OSError if there is no room for a segment."""
        if run_id == self.run_id and self._mapped is not None:
            return
        self.run_id = run_id
        self.marks.clear()
        self.retired.clear()
        begin = [(spool_layout.encode_block(Block([], [], [], run_id)), 0)]
        if _size_of(begin) <= self._free():
            self._put(begin)
        elif not self._roll(0):
            raise OSError("there is no room for a segment of the spool")

    def commit(
        self, rows: Sequence[bytes], marks: Sequence[RingMark] = (), retired: Sequence[tuple[str, int]] = ()
    ) -> None:
        """Append encoded rows with what was read of rings. Raises OSError only if the disk is full beyond `has_room`.

        Where the rows take several blocks, all become visible together.
        """
        blocks = _blocks_of(rows, marks, retired)
        size = _size_of(blocks)
        if size > self._free() - self._reserve and not self._roll(size + self._reserve):
            raise OSError("the disk of the spool is full")
        self._put(blocks)
        # only now: a segment that begins holds the marks of what was committed before
        self._follow(marks, retired)

    def commit_last(
        self, choices: Iterable[Sequence[bytes]], marks: Sequence[RingMark], retired: Sequence[tuple[str, int]]
    ) -> None:
        """Commit at the end of a run as `commit`, though the spool may be full: the first of `choices` that fits.

        If none fits, the last one gets a segment of its own, the smallest one. Raises OSError if the disk is full, too.
        """
        blocks: list[tuple[bytes, int]] = []
        for rows in choices:
            blocks = _blocks_of(rows, marks, retired)
            if _size_of(blocks) <= self._free():
                break
        else:
            if not self._roll(_size_of(blocks), least=0):
                raise OSError("the disk of the spool is full")
        self._put(blocks)
        self._follow(marks, retired)

    def close(self) -> None:
        """Unmap the segment; the files stay."""
        if self._words is not None:
            self._words.release()
        if self._mapped is not None:
            self._mapped.close()
        self._words = self._mapped = None

    def _free(self) -> int:
        """Return the bytes that are left in the segment, 0 without one."""
        return 0 if self._mapped is None else len(self._mapped) - HEADER_BYTES - self._head

    def _put(self, blocks: Sequence[tuple[bytes, int]]) -> None:
        assert self._mapped is not None
        assert self._words is not None
        head, row = self._head, self._spool.last_row
        for data, count in blocks:
            self._blocks += 1
            ring_layout.put_record(self._mapped, HEADER_BYTES + head, self._blocks, row, count, data)
            head += spool_layout.block_bytes(len(data))
            row += count
        self._head = self._words[_HEAD_WORD] = head  # one aligned store commits them
        self._spool.last_row = row

    def _roll(self, size: int, least: int | None = None) -> bool:
        """Begin a segment with room for `size` bytes beside the marks; False if the disk is full.

        `least`: its smallest size; None: the usual one.
        """
        least = self._spool.segment_bytes if least is None else least
        begin = spool_layout.encode_block(Block([], list(self.marks.values()), [], self.run_id))
        needed = HEADER_BYTES + spool_layout.block_bytes(len(begin)) + size
        first_row = self._spool.last_row + 1
        try:
            mapped = self._spool.add(first_row, max(least, needed), begin)
        except OSError:
            return False
        self.close()
        self._mapped = mapped
        self._words = memoryview(mapped)[:HEADER_BYTES].cast("Q")
        self._head, self._blocks = int(self._words[_HEAD_WORD]), 1
        self.retired.clear()
        return True

    def _go_on(self, segment: Segment) -> None:
        self._mapped = self._spool.open_segment(segment, writable=True)
        self._words = memoryview(self._mapped)[:HEADER_BYTES].cast("Q")
        self._head = int(self._words[_HEAD_WORD])
        with memoryview(self._mapped) as whole, whole[HEADER_BYTES:] as data:
            if self._head > len(data):
                raise MalformedMessage(f"spool: {segment.path} says that it has {self._head} bytes")
            position, row = 0, segment.first_row - 1
            while (record := spool_layout.read_block(data, position, self._head)) is not None:
                position = record.end
                self._blocks = record.sequence
                row = record.events_before + record.events
                self._take(spool_layout.decode_block(record.data))
        self._spool.last_row = row

    def _take(self, block: Block) -> None:
        if block.run_id:
            self.run_id = block.run_id
            self.marks.clear()
            self.retired.clear()
        self._follow(block.marks, block.retired)

    def _follow(self, marks: Sequence[RingMark], retired: Sequence[tuple[str, int]]) -> None:
        for mark in marks:
            self.marks[mark.worker, mark.incarnation] = mark
        for ring in retired:
            self.marks.pop(ring, None)
            self.retired.add(ring)


def _size_of(blocks: Sequence[tuple[bytes, int]]) -> int:
    return sum(spool_layout.block_bytes(len(data)) for data, _ in blocks)


def _blocks_of(
    rows: Sequence[bytes], marks: Sequence[RingMark], retired: Sequence[tuple[str, int]]
) -> list[tuple[bytes, int]]:
    """Return the content of blocks, and the number of rows in each; marks are in the last one."""
    blocks: list[tuple[bytes, int]] = []
    part: list[msgspec.Raw] = []
    size = 0
    for row in rows:
        if part and size + len(row) > BLOCK_BYTES_MAX:
            blocks.append((spool_layout.encode_block(Block(part)), len(part)))
            part, size = [], 0
        part.append(msgspec.Raw(row))
        size += len(row)
    blocks.append((spool_layout.encode_block(Block(part, list(marks), list(retired))), len(part)))
    return blocks
