"""Reading end of a spool."""

from __future__ import annotations

import mmap
from typing import Final

import msgspec
from msgspec import Struct

from foxtrot_protocol.errors import MalformedMessage
from foxtrot_protocol.ring_layout import Record
from foxtrot_supervisor.sinks import spool_layout
from foxtrot_supervisor.sinks.sink import KINDS_OF_EVENTS, SinkRow
from foxtrot_supervisor.sinks.spool import Segment, Spool
from foxtrot_supervisor.sinks.spool_layout import HEAD_AT, HEADER_BYTES, SpooledRow

__all__ = ["SpoolReader", "TakenBlock", "rows_of"]

_HEAD_WORD: Final = HEAD_AT // 8

_decode_row = msgspec.msgpack.Decoder(SpooledRow).decode


class TakenBlock(Struct, frozen=True):
    """A committed block with rows."""

    first_row: int
    rows: list[msgspec.Raw]
    bytes: int
    """Of the encoded block."""


class SpoolReader:
    """Reads the rows of a spool in order, from any row on. Used by one thread."""

    def __init__(self, spool: Spool, first_row: int) -> None:
        """`first_row`: the first one that is read."""
        self._spool = spool
        self._next = first_row
        self._segment: Segment | None = None
        self._mapped: mmap.mmap | None = None
        self._position = 0
        self._held: list[SinkRow] = []
        self.damaged_rows = 0
        """Rows that could not be read."""

    def take(self, count: int, size: int) -> list[SinkRow]:
        """Return the next rows: at most `count`, and about `size` bytes; empty if there are none yet."""
        rows = self._held
        taken_bytes = 0
        while len(rows) < count and taken_bytes < size and (block := self.take_block()) is not None:
            taken_bytes += block.bytes
            number = block.first_row
            for row in rows_of(block):
                event = row.event
                rows.append(
                    SinkRow(
                        number,
                        row.key,
                        row.connection,
                        event.exchange,
                        KINDS_OF_EVENTS[type(event)],
                        event.symbol,
                        event,
                    )
                )
                number += 1
        self._held = rows[count:]
        return rows[:count]

    def take_block(self) -> TakenBlock | None:
        """Return the next block with rows, cut to the row that is due; None at the end."""
        while True:
            try:
                mapped = self._mapped or self._open_next()
                if mapped is None:
                    return None
                record = self._read(mapped)
            except MalformedMessage:
                if not self._skip_segment():
                    raise
                continue
            if record is None:
                if not self._close_finished():
                    return None
                continue
            self._position = record.end
            first_row = record.events_before + 1
            skip = self._next - first_row
            if record.events <= max(0, skip):
                continue
            rows = spool_layout.decode_block(record.data).rows
            if skip < 0:
                self.damaged_rows += -skip
            self._next = record.events_before + record.events + 1
            return TakenBlock(first_row + max(0, skip), rows[max(0, skip) :], len(record.data))

    def rewind(self, row: int) -> None:
        """Read `row` next."""
        self.close()
        self._next = row
        self._held = []

    def close(self) -> None:
        """Unmap the segment."""
        if self._mapped is not None:
            self._mapped.close()
        self._mapped = self._segment = None
        self._position = 0

    def _read(self, mapped: mmap.mmap) -> Record | None:
        with memoryview(mapped) as whole, whole[:HEADER_BYTES].cast("Q") as words, whole[HEADER_BYTES:] as data:
            return spool_layout.read_block(data, self._position, int(words[_HEAD_WORD]))

    def _open_next(self) -> mmap.mmap | None:
        """Map the segment that holds the row that is due, or the next one after it."""
        segments = self._spool.segments()
        wanted = [segment for segment in segments if segment.first_row <= self._next][-1:] or segments[:1]
        if not wanted:
            return None
        self._segment = wanted[0]
        self._position = 0
        self._mapped = self._spool.open_segment(wanted[0])
        return self._mapped

    def _close_finished(self) -> bool:
        """Close a segment that is read to its end and has a successor; False if it may still grow."""
        segments = self._spool.segments()
        assert self._segment is not None
        later = [segment for segment in segments if segment.first_row > self._segment.first_row]
        if not later:
            if self._segment not in segments:  # replaced by one of the same name
                self.close()
                return True
            return False
        # its writer has left it before it began the next one: what it holds now is all
        mapped = self._mapped
        assert mapped is not None
        if self._read(mapped) is not None:
            return True
        self.close()
        self._pass_to(later[0])
        return True

    def _skip_segment(self) -> bool:
        """Go on with the next segment after damage; False if there is none."""
        segments = self._spool.segments()
        assert self._segment is not None
        later = [segment for segment in segments if segment.first_row > self._segment.first_row]
        if not later:
            return False
        self.close()
        self._pass_to(later[0])
        return True

    def _pass_to(self, segment: Segment) -> None:
        """Read the next segment; rows before it that the last one should have had are damaged."""
        self.damaged_rows += max(0, segment.first_row - self._next)
        self._next = max(self._next, segment.first_row)


def rows_of(block: TakenBlock) -> list[SpooledRow]:
    """Return the decoded rows of a block; raises `MalformedMessage`."""
    try:
        return [_decode_row(row) for row in block.rows]
    except (ValueError, RecursionError) as error:
        raise MalformedMessage(f"spool: row {block.first_row} or one behind it cannot be decoded: {error}") from None
