"""Writes the segments of one worker: appends whole chunks, rotates, continues after a kill."""

from __future__ import annotations

import contextlib
import os

from msgspec import Struct

from foxtrot_protocol.segments import (
    ChunkHeader,
    Scan,
    pack_chunk_header,
    parse_segment_name,
    scan_chunks,
    segment_name,
)

__all__ = ["SEGMENTS_RESUMED_MAX", "Resumed", "SegmentWriter"]

SEGMENTS_RESUMED_MAX = 8
"""Latest segments in which a recorder looks for what was recorded already."""

_FLAGS = os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC


class Resumed(Struct, frozen=True):
    """Where an earlier recorder has ended."""

    last: ChunkHeader | None
    """Of the last complete chunk."""
    ended: frozenset[int]
    """Sessions that are recorded to their end, by their start (`Session.started_ns`)."""
    cut: str
    """What was incomplete or damaged, for people; "": nothing."""


class SegmentWriter:
    """The segments of one worker in one folder.

    Args:
        folder: of the worker's connection; made if it is missing.
        worker: name of the worker.
        segment_bytes: size at which the next segment begins.
        segment_s: age in seconds at which the next segment begins.
    """

    def __init__(self, folder: str, worker: str, segment_bytes: int, segment_s: float) -> None:
        self._folder = folder
        self._worker = worker
        self._segment_bytes = segment_bytes
        self._segment_s = segment_s
        self._number = 0
        self._bytes = 0
        self._begun_ns = 0
        self.path = ""
        """The segment that grows; "" before the first chunk."""

    def resume(self) -> Resumed:
        """Find where an earlier recorder has ended, and cut what it has not written completely.

        Raises OSError if the folder cannot be made or read.
        """
        os.makedirs(self._folder, 0o700, exist_ok=True)
        named = ((parse_segment_name(name), name) for name in os.listdir(self._folder))
        own = sorted(
            (found.number, name) for found, name in named if found is not None and found.worker == self._worker
        )
        if own:
            self._number = own[-1][0]
        last: ChunkHeader | None = None
        ended: set[int] = set()
        problems = []
        for _, name in own[: -SEGMENTS_RESUMED_MAX - 1 : -1]:
            scan = _scan(os.path.join(self._folder, name))
            if scan.problem:
                problems.append(f"{name}: {scan.problem}")
            if last is None and scan.chunks:
                last = scan.chunks[-1].header
            ended.update(chunk.header.session.started_ns for chunk in scan.chunks if chunk.header.ended)
        return Resumed(last, frozenset(ended), "; ".join(problems))

    def write(self, header: ChunkHeader, packed: bytes, now_ns: int) -> None:
        """Append a chunk, at `now_ns`; raises OSError, and then nothing of it is in the file."""
        if self.path and self._is_over(now_ns):
            self.finish()
        data = pack_chunk_header(header) + packed
        if self.path:
            self._append(self.path, _FLAGS, data)
            return
        os.makedirs(self._folder, 0o700, exist_ok=True)
        path = os.path.join(self._folder, segment_name(self._worker, self._number + 1, now_ns))
        self._bytes = 0
        try:
            self._append(path, _FLAGS | os.O_CREAT | os.O_EXCL, data)
        except FileExistsError:
            raise
        except OSError:
            with contextlib.suppress(OSError):
                os.unlink(path)
            raise
        self._number += 1
        self._begun_ns = now_ns
        self.path = path

    def _append(self, path: str, flags: int, data: bytes) -> None:
        fd = os.open(path, flags, 0o600)
        rest, at = memoryview(data), self._bytes
        try:
            while rest:
                written = os.pwrite(fd, rest, at)
                rest, at = rest[written:], at + written
        except OSError:
            with contextlib.suppress(OSError):
                os.ftruncate(fd, self._bytes)
            raise
        finally:
            os.close(fd)
        self._bytes = at

    def finish(self) -> None:
        """Let the next chunk begin a new segment; the one that grew is complete and on disk."""
        if not self.path:
            return
        path, self.path = self.path, ""
        with contextlib.suppress(FileNotFoundError):
            fd = os.open(path, _FLAGS)
            try:
                os.fsync(fd)
            finally:
                os.close(fd)

    def _is_over(self, now_ns: int) -> bool:
        """Whether the growing segment is large or old, or was removed or changed by others."""
        if self._bytes >= self._segment_bytes or now_ns - self._begun_ns >= self._segment_s * 1e9:
            return True
        try:
            return os.stat(self.path, follow_symlinks=False).st_size != self._bytes
        except OSError:
            return True


def _scan(path: str) -> Scan:
    """Return the chunks of a segment; what was torn off by a kill is cut, an empty segment removed."""
    fd = os.open(path, _FLAGS)
    try:
        scan = scan_chunks(lambda at, size: os.pread(fd, size, at), os.fstat(fd).st_size)
        if scan.torn:
            os.ftruncate(fd, scan.chunks[-1].end if scan.chunks else 0)
        if not scan.chunks and (scan.torn or not scan.problem):
            os.unlink(path)
        return scan
    finally:
        os.close(fd)
