"""One frames ring on its way into segments: read, gathered into chunks, written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias

from foxtrot_protocol.frames_layout import FramesRecord
from foxtrot_protocol.segments import ChunkHeader, Lost, Session
from foxtrot_supervisor.recording.frames_reader import FramesReader
from foxtrot_supervisor.recording.line_memory import LineMemory, MemoryPool
from foxtrot_supervisor.recording.lines import lines_of, received_lines

__all__ = ["BEHIND_SHARE", "LAPPED", "Compress", "RingSession"]

Compress: TypeAlias = Callable[[memoryview, bool], bytes]
"""Makes a complete zstandard frame; True: in a hurry."""

BEHIND_SHARE: Final = 4
"""Part of the capacity (one over so much) that may wait in a ring before chunks are packed in a hurry."""

LAPPED = "the recorder was slower than the exchange, or stopped, for longer than the frames ring holds"


class RingSession:
    """The frames of one incarnation.

    Args:
        reader: of its ring, at the first frame that is not recorded yet.
        carried: frames that were lost in an earlier session, which no line says yet.
        lost: frames that were lost between sessions.
        pool: of memory for lines.
    """

    def __init__(self, reader: FramesReader, carried: list[Lost], lost: list[Lost], pool: MemoryPool) -> None:
        identity = reader.identity
        self.session = Session(
            worker=identity.worker,
            incarnation=identity.incarnation,
            connection=identity.connection,
            side=identity.side,
            exchange=identity.exchange,
            started_ns=identity.started_ns,
        )
        self.reader = reader
        self.pending = [*carried, *lost]
        """Lost frames that no line announces yet."""
        self.bytes = 0
        """Bytes gathered for the next chunk: of its lines, and of records that give no line."""
        self.frames = 0
        """Frames gathered for the next chunk."""
        self.gathered_s = 0.0
        """Monotonic time at which the next chunk began."""
        self._lines = LineMemory(pool)
        self._has_address = False
        """Whether a line of the next chunk has the address."""
        self._lost = list(lost)
        self._last_ns = 0
        self._built: tuple[ChunkHeader, bytes] | None = None

    @property
    def is_full(self) -> bool:
        """Whether a chunk could not be written yet: nothing more is gathered until it is."""
        return self._built is not None

    @property
    def is_behind(self) -> bool:
        """Whether so much waits in the ring that saving time matters more than saving bytes."""
        return self.reader.waiting_bytes > self.reader.identity.capacity // BEHIND_SHARE

    def gather(self, bytes_max: int, now_s: float) -> bool:
        """Read until the next chunk has about `bytes_max` bytes; False if nothing is left to read."""
        reader = self.reader
        takes_lines = reader.takes_lines
        while self.bytes < bytes_max:
            if not self.bytes:
                self.gathered_s = now_s
            if takes_lines and self._has_address and not self.pending:
                self._take(bytes_max)
                if self.bytes >= bytes_max:
                    break
            record = reader.next()
            if record is None:
                return False
            if reader.lost:
                self._lose(Lost(frames=reader.lost, reason=LAPPED, after_ns=self._last_ns, before_ns=record.time_ns))
            self._add(record)
        return True

    def _take(self, bytes_max: int) -> None:
        """Gather what needs nothing but its own lines."""
        lines, frames = self._lines, self.reader.frames
        before = lines.used
        taken = lines.take(self.reader, before + bytes_max - self.bytes)
        if taken.lines:
            self._last_ns = taken.latest_ns
            self.bytes += lines.used - before
            self.frames += self.reader.frames - frames

    def _add(self, record: FramesRecord) -> None:
        encoded = received_lines(record) if self._has_address and not self.pending else None
        before = self._lines.used
        if encoded:
            self._lines.add(encoded, len(record.parts), record.time_ns)
        else:
            self._add_lines(record)
        # a record without lines counts too: the chunk must say what is lost
        self.bytes += self._lines.used - before or record.end - record.position
        self.frames += record.frames
        self._last_ns = record.time_ns

    def _add_lines(self, record: FramesRecord) -> None:
        lines, lost = lines_of(record)
        if lost is not None:
            self._lose(lost)
        if not lines:
            return
        if self.pending:
            lines[0].lost, self.pending = self.pending, []
        if not self._lines.lines:
            lines[0].session = self.session
        if not self._has_address and lines[0].dir != "http":
            lines[0].url = self.reader.address
            self._has_address = True
        self._lines.add_lines(lines)

    def _lose(self, lost: Lost) -> None:
        self.pending.append(lost)
        self._lost.append(lost)

    def chunk(self, compress: Compress, *, ended: bool) -> tuple[ChunkHeader, bytes]:
        """Return header and zstandard frame of what was gathered; the same again until `written`.

        `ended`: the session ends with it.
        """
        if self._built is None:
            lines = self._lines
            with lines.plain() as plain:
                packed = compress(plain, self.is_behind)
            header = ChunkHeader(
                session=self.session,
                url=self.reader.address,
                position=self.reader.position,
                frames=self.reader.frames,
                lines=lines.lines,
                first_ns=lines.first_ns,
                last_ns=lines.last_ns,
                lost=self._lost,
                ended=ended,
                plain_bytes=lines.used,
                packed_bytes=len(packed),
            )
            lines.free()
            self._built = header, packed
        return self._built

    def written(self) -> None:
        """Begin the next chunk."""
        self._built = None
        self._has_address = False
        self._lost = []
        self.bytes = self.frames = 0
