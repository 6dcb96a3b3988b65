"""A sink's spool on disk (`spool_layout`): its segments, how far it is written and how far it is acknowledged.

Appended rows are in the kernel's memory, as rings are: they survive this process, however it ends, but not the machine.
One thread writes (`SpoolWriter`), one reads and acknowledges (`SpoolReader`).
"""

from __future__ import annotations

import contextlib
import mmap
import os
import secrets
import threading

from msgspec import Struct

from foxtrot_protocol.errors import MalformedMessage
from foxtrot_supervisor.sinks import spool_layout
from foxtrot_supervisor.sinks.spool_layout import HEADER_BYTES
from foxtrot_supervisor.system.private_files import create_private, open_private, opened_directory

__all__ = ["SEGMENTS_LEAST", "SEGMENT_BYTES_MAX", "Segment", "Spool"]

SEGMENT_BYTES_MAX = 8 * 1024 * 1024
"""Largest usual size of a segment; one that has to hold a larger block is larger."""

SEGMENTS_LEAST = 4
"""A spool is divided into this many segments at least."""

_ACKNOWLEDGED = "acknowledged.map"
_IDENTITY = "spool-identity"
_IDENTITY_BYTES = 8
_UNFINISHED = "spool-unfinished"
_ACKNOWLEDGED_BYTES = 4096


class Segment(Struct, frozen=True):
    """One file of the spool."""

    first_row: int
    path: str
    size: int
    """Bytes of the file."""
    inode: int
    """Tells it from one that has taken its place."""


class Spool:
    """The files of one spool. Used by two threads: changes of the list of segments are guarded by a lock."""

    def __init__(self, directory: str, bytes_max: int, first_row: int = 1) -> None:
        """Open the spool in `directory`, which exists and is private; `bytes_max` for all segments. Raises OSError.

        `first_row`: number of the first row of a new spool.
        """
        self.directory = directory
        self.segment_bytes = min(SEGMENT_BYTES_MAX, bytes_max // SEGMENTS_LEAST)
        self._bytes_max = bytes_max
        self._lock = threading.Lock()
        self._segments: list[Segment] = []
        for name in sorted(os.listdir(directory)):
            number = spool_layout.first_row_of(name)
            if number is not None:
                path = os.path.join(directory, name)
                facts = os.stat(path)
                self._segments.append(Segment(number, path, facts.st_size, facts.st_ino))
        self._map = self._map_acknowledged()
        self.identity = self._read_identity()
        """Random, made with the spool."""
        self._words = memoryview(self._map).cast("Q")
        if not self.acknowledged:
            self._words[0] = first_row - 1
        if self._segments:  # what is before the first one was acknowledged, or is gone
            self._words[0] = max(self.acknowledged, self._segments[0].first_row - 1)
        self.last_row = self.acknowledged
        """Number of the last committed row; the writer keeps it."""

    @property
    def acknowledged(self) -> int:
        """Number of the row up to which the store has everything."""
        return int.from_bytes(self._map[:8], "little")

    @property
    def pending_rows(self) -> int:
        """Rows that the store does not have yet."""
        return max(0, self.last_row - self.acknowledged)

    @property
    def size_bytes(self) -> int:
        """Size of all segments."""
        with self._lock:
            return sum(segment.size for segment in self._segments)

    def segments(self) -> list[Segment]:
        """Return the segments, oldest first."""
        with self._lock:
            return list(self._segments)

    def has_room_for_segment(self) -> bool:
        """Whether another segment keeps the spool within its bound."""
        return self.size_bytes + self.segment_bytes <= self._bytes_max

    def add(self, first_row: int, size: int, begin: bytes) -> mmap.mmap:
        """Create a segment of `size` bytes whose first block is `begin`, and map it.

        It takes the place of one without rows. Raises OSError if there is no room on the disk.
        """
        path = os.path.join(self.directory, spool_layout.segment_name(first_row))
        with opened_directory(self.directory) as directory:
            fd = create_private(_UNFINISHED, os.O_RDWR | os.O_TRUNC, directory)
        try:
            # allocate everything now: a disk that is full later would raise SIGBUS
            os.posix_fallocate(fd, 0, size)
            mapped = mmap.mmap(fd, size)
        except OSError:
            with contextlib.suppress(OSError):
                os.unlink(os.path.join(self.directory, _UNFINISHED))
            raise
        finally:
            inode = os.fstat(fd).st_ino
            os.close(fd)
        header = spool_layout.pack_header(first_row)
        mapped[: len(header)] = header
        spool_layout.put_first_block(mapped, first_row, begin)
        os.rename(os.path.join(self.directory, _UNFINISHED), path)  # complete, or not there: marks are never lost
        with self._lock:
            self._segments = [segment for segment in self._segments if segment.first_row != first_row]
            self._segments.append(Segment(first_row, path, size, inode))
        return mapped

    def open_segment(self, segment: Segment, *, writable: bool = False) -> mmap.mmap:
        """Map a segment; raises OSError or `MalformedMessage`."""
        with opened_directory(self.directory) as directory:
            fd = open_private(os.path.basename(segment.path), os.O_RDWR if writable else os.O_RDONLY, directory)
        try:
            size = os.fstat(fd).st_size
            if size < HEADER_BYTES:
                raise MalformedMessage(f"spool: {segment.path} is shorter than its header")
            mapped = mmap.mmap(fd, size, access=mmap.ACCESS_WRITE if writable else mmap.ACCESS_READ)
        finally:
            os.close(fd)
        first_row = spool_layout.read_header(mapped[:HEADER_BYTES])
        if first_row != segment.first_row:
            mapped.close()
            raise MalformedMessage(f"spool: {segment.path} begins with row {first_row}")
        return mapped

    def acknowledge(self, row: int) -> None:
        """Record that the store has all rows up to `row`, and remove segments that are no longer needed."""
        if row > self.acknowledged:
            self._words[0] = row  # one aligned store
        self._remove_acknowledged()

    def discard(self, segment: Segment) -> None:
        """Remove a segment that cannot be read."""
        with self._lock:
            self._segments.remove(segment)
        with contextlib.suppress(OSError):
            os.unlink(segment.path)

    def remove_files(self) -> None:
        """Remove everything: the store has all rows, and the run has ended."""
        for segment in self.segments():
            self.discard(segment)
        for name in (_ACKNOWLEDGED, _IDENTITY):
            with contextlib.suppress(OSError):
                os.unlink(os.path.join(self.directory, name))

    def close(self) -> None:
        """Unmap the acknowledged number; files stay."""
        self._words.release()
        self._map.close()

    def _remove_acknowledged(self) -> None:
        """Remove all segments whose rows the store has, except the latest two: keys are numbered by them."""
        acknowledged = self.acknowledged
        while True:
            with self._lock:
                if len(self._segments) < 3 or self._segments[1].first_row > acknowledged + 1:
                    return
                oldest = self._segments.pop(0)
            with contextlib.suppress(OSError):
                os.unlink(oldest.path)

    def _read_identity(self) -> str:
        with opened_directory(self.directory) as directory:
            fd = create_private(_IDENTITY, os.O_RDWR, directory)
            try:
                identity = os.read(fd, 2 * _IDENTITY_BYTES).decode(errors="replace")
                if len(identity) != 2 * _IDENTITY_BYTES:
                    identity = secrets.token_hex(_IDENTITY_BYTES)
                    os.ftruncate(fd, 0)
                    os.pwrite(fd, identity.encode(), 0)
            finally:
                os.close(fd)
        return identity

    def _map_acknowledged(self) -> mmap.mmap:
        with opened_directory(self.directory) as directory:
            fd = create_private(_ACKNOWLEDGED, os.O_RDWR, directory)
        try:
            if os.fstat(fd).st_size != _ACKNOWLEDGED_BYTES:
                os.ftruncate(fd, 0)
                os.posix_fallocate(fd, 0, _ACKNOWLEDGED_BYTES)
            return mmap.mmap(fd, _ACKNOWLEDGED_BYTES)
        finally:
            os.close(fd)
