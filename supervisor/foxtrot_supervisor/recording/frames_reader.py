"""Reading end of a frames ring (`foxtrot_protocol.frames_layout`): writes nothing, so the worker never waits for it."""

from __future__ import annotations

import contextlib
import fcntl
import mmap
import os
from typing import NamedTuple

from foxtrot_protocol import compiled, frames_layout
from foxtrot_protocol.errors import MalformedMessage
from foxtrot_protocol.frames_layout import HEADER_BYTES, FramesIdentity, FramesRecord, FramesWord
from foxtrot_supervisor.system.private_files import open_kept, opened_directory

__all__ = ["FramesReader", "TakenLines"]

_compiled = compiled.load("foxtrot_supervisor.recording._lines")

_RESERVED, _HEAD = int(FramesWord.RESERVED), int(FramesWord.HEAD)

_HEADROOM_SHARES = (0, 64, 16, 8, 4)
"""Part of the capacity (one over so much) that is given up, in further attempts to get ahead of a fast writer."""


class TakenLines(NamedTuple):
    """What `FramesReader.take_lines` has written. Times: ns since 1970."""

    used: int
    """Bytes used of the memory."""
    lines: int = 0
    first_ns: int = 0
    """Lowest time of a line."""
    last_ns: int = 0
    """Highest time of a line."""
    latest_ns: int = 0
    """Time of the last record."""


class FramesReader:
    """One mapped frames ring; make it with `FramesReader.open`. Used by one thread."""

    takes_lines = _compiled is not None
    """Whether the compiled form of `take_lines` is installed."""

    def __init__(self, fd: int, mapped: mmap.mmap, identity: FramesIdentity, position: int, frames: int) -> None:
        self.identity = identity
        self._fd = fd
        self._map = mapped
        self._words = memoryview(mapped)[:HEADER_BYTES].cast("Q")
        self._capacity = identity.capacity
        self.position = position
        """Position of the next record."""
        self.frames = frames
        """Frames of this ring that were read, or counted as lost."""
        self.lost = 0
        """Frames that were lost directly before the record that `next` returned last."""

    @classmethod
    def open(cls, directory: str, worker: str, incarnation: int, position: int = 0, frames: int = 0) -> FramesReader:
        """Map the ring of an incarnation in `directory`, the folder of frames rings.

        Args:
            directory: the folder.
            worker: name of the worker.
            incarnation: of the worker.
            position: where an earlier reader ended; 0: at the oldest record.
            frames: what `frames` of that reader was.

        Raises:
            FileNotFoundError: there is none.
            OSError: it cannot be opened, or is not ours.
            MalformedMessage: it is no frames ring of this worker.
        """
        return cls.open_name(directory, frames_layout.frames_name(worker, incarnation), position, frames)

    @classmethod
    def open_name(cls, directory: str, name: str, position: int = 0, frames: int = 0) -> FramesReader:
        """Map the ring in the file `name`, of this run or an earlier one; otherwise as `open`."""
        with opened_directory(directory) as opened:
            fd = open_kept(name, os.O_RDONLY, opened)
        try:
            header = os.pread(fd, HEADER_BYTES, 0)
            identity = frames_layout.read_header(header)
            if (identity.worker, identity.incarnation) != frames_layout.parse_any_name(name):
                raise MalformedMessage(f"frames ring: {name} belongs to {identity.worker}#{identity.incarnation}")
            size = HEADER_BYTES + identity.capacity
            if os.fstat(fd).st_size != size:
                raise MalformedMessage(f"frames ring: the size of {name} differs from that in its header")
            return cls(fd, mmap.mmap(fd, size, prot=mmap.PROT_READ), identity, position, frames)
        except BaseException:
            os.close(fd)
            raise

    @property
    def address(self) -> str:
        """Address that the frames come from; "" before the worker connects."""
        return frames_layout.read_address(self._map[:HEADER_BYTES])

    @property
    def waiting_bytes(self) -> int:
        """Bytes that are written and not read yet; more than the capacity if the reader was lapped."""
        return int(self._words[_HEAD]) - self.position

    @property
    def frames_written(self) -> int:
        """Frames that the worker has written."""
        return int(self._words[FramesWord.FRAMES])

    def is_ended(self) -> bool:
        """Whether the worker is gone: nothing will be added to what is written now."""
        try:
            fcntl.flock(self._fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return False
        with contextlib.suppress(OSError):
            fcntl.flock(self._fd, fcntl.LOCK_UN)
        return True

    def next(self) -> FramesRecord | None:
        """Return the next record, None if there is none yet; `lost` says how many frames are missing before it."""
        words, capacity = self._words, self._capacity
        head = min(words[_HEAD], words[_RESERVED])  # the first is the lower one, unless it is damaged
        if self.position >= head:
            return None
        record = None
        if not frames_layout.is_lapped(self.position, words[_RESERVED], capacity):
            with contextlib.suppress(MalformedMessage):  # overtaken while it was read, or damaged
                record = frames_layout.read_record(self._map, self.position, head, capacity)
            if record is not None and frames_layout.is_lapped(record.position, words[_RESERVED], capacity):
                record = None
        if record is None:
            record = self._find(head)
        if record is None:
            return None
        self.lost = max(0, record.frames_before - self.frames)
        self.frames = record.frames_before + record.frames
        self.position = record.end
        return record

    def take_lines(self, memory: mmap.mmap, used: int, bytes_max: int) -> TakenLines:
        """Read records of received text straight into JSON lines; only where `takes_lines`.

        Stops before a record that is of another kind, lost, damaged or too large for the memory, and leaves it to
        `next`. Lines are those of `lines.received_lines`.

        Args:
            memory: for lines.
            used: bytes of it that are used.
            bytes_max: no record is begun where so many bytes are used.
        """
        assert _compiled is not None
        self.position, self.frames, *taken = _compiled.take_lines(
            self._map, self.position, self.frames, self._capacity, memory, used, bytes_max
        )
        return TakenLines(*taken)

    def _find(self, head: int) -> FramesRecord | None:
        """Return the oldest record that is still valid; of a writer that is fast, one with some distance to it."""
        words, capacity = self._words, self._capacity
        for share in _HEADROOM_SHARES:
            headroom = capacity // share if share else 0
            oldest = frames_layout.oldest_position(words[_RESERVED], capacity)
            # a damaged record is not read again
            start = max(oldest + headroom if oldest > self.position else self.position + 1, 0)
            record = frames_layout.find_record(self._map, start, min(words[_HEAD], words[_RESERVED]), capacity)
            if record is None:
                return None
            if not frames_layout.is_lapped(record.position, words[_RESERVED], capacity):
                return record
        return None

    def close(self) -> None:
        """Unmap the ring; the file stays."""
        self._words.release()
        self._map.close()
        os.close(self._fd)
