"""One frames ring on its way into segments: read, gathered into chunks, written."""

from __future__ import annotations

from collections.abc import Callable

from foxtrot_protocol.segments import ChunkHeader, Lost, Session
from foxtrot_supervisor.recording.frames_reader import FramesReader
from foxtrot_supervisor.recording.lines import RecordedLine, encode_lines, lines_of

__all__ = ["LAPPED", "RingSession"]

LAPPED = "the recorder was slower than the exchange, or stopped, for longer than the frames ring holds"

_LINE_BYTES = 64
"""Bytes of a line beside its frame, about."""


class RingSession:
    """The frames of one incarnation.

    Args:
        reader: of its ring, at the first frame that is not recorded yet.
        carried: frames that were lost in an earlier session, which no line says yet.
        lost: frames that were lost between sessions.
    """

    def __init__(self, reader: FramesReader, carried: list[Lost], lost: list[Lost]) -> None:
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
        """Bytes gathered for the next chunk, about."""
        self.frames = 0
        """Frames gathered for the next chunk."""
        self.gathered_s = 0.0
        """Monotonic time at which the next chunk began."""
        self._lines: list[RecordedLine] = []
        self._lost = list(lost)
        self._last_ns = 0
        self._built: tuple[ChunkHeader, bytes] | None = None

    @property
    def is_full(self) -> bool:
        """Whether a chunk could not be written yet: nothing more is gathered until it is."""
        return self._built is not None

    def gather(self, bytes_max: int, now_s: float) -> bool:
        """Read until the next chunk has about `bytes_max` bytes; False if nothing is left to read."""
        reader = self.reader
        while self.bytes < bytes_max:
            record = reader.next()
            if record is None:
                return False
            if reader.lost:
                self._lose(Lost(frames=reader.lost, reason=LAPPED, after_ns=self._last_ns, before_ns=record.time_ns))
            lines, lost = lines_of(record)
            if lost is not None:
                self._lose(lost)
            if lines and self.pending:
                lines[0].lost, self.pending = self.pending, []
            if not self.bytes:
                self.gathered_s = now_s
            self._lines += lines
            self._last_ns = record.time_ns
            self.frames += record.frames
            self.bytes += record.end - record.position + _LINE_BYTES * len(lines)
        return True

    def _lose(self, lost: Lost) -> None:
        self.pending.append(lost)
        self._lost.append(lost)

    def chunk(self, compress: Callable[[bytes], bytes], *, ended: bool) -> tuple[ChunkHeader, bytes]:
        """Return header and zstandard frame of what was gathered; the same again until `written`.

        `ended`: the session ends with it.
        """
        if self._built is None:
            lines, url = self._lines, self.reader.address
            if lines:
                lines[0].session = self.session
                first = next((line for line in lines if line.dir != "http"), None)
                if first is not None:
                    first.url = url
            plain = encode_lines(lines)
            packed = compress(plain)
            times = [line.t for line in lines]
            header = ChunkHeader(
                session=self.session,
                url=url,
                position=self.reader.position,
                frames=self.reader.frames,
                lines=len(lines),
                first_ns=min(times, default=0),
                last_ns=max(times, default=0),
                lost=self._lost,
                ended=ended,
                plain_bytes=len(plain),
                packed_bytes=len(packed),
            )
            self._built = header, packed
        return self._built

    def written(self) -> None:
        """Begin the next chunk."""
        self._built = None
        self._lines = []
        self._lost = []
        self.bytes = self.frames = 0
