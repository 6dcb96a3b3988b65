"""Memory for the lines of chunks."""

from __future__ import annotations

import mmap
from typing import Final

from foxtrot_supervisor.recording.frames_reader import FramesReader, TakenLines
from foxtrot_supervisor.recording.lines import RecordedLine, encode_lines

__all__ = ["KEPT_MAX", "MEMORY_BYTES", "LineMemory", "MemoryPool"]

MEMORY_BYTES: Final = 2 * 1024 * 1024
"""Bytes of one memory at first: a chunk, and room for a large record. Pages that are not used cost nothing."""

KEPT_MAX: Final = 2
"""Memories kept for the next chunks: while every chunk is written in one turn, they use the same one in turn."""


class MemoryPool:
    """Memories that are not in use. For one thread."""

    def __init__(self) -> None:
        self._kept: list[mmap.mmap] = []

    def take(self) -> mmap.mmap:
        """Return memory of `MEMORY_BYTES`."""
        return self._kept.pop() if self._kept else mmap.mmap(-1, MEMORY_BYTES)

    def give(self, memory: mmap.mmap) -> None:
        """Take memory back; what was enlarged, or is too much, goes back to the system."""
        if len(memory) == MEMORY_BYTES and len(self._kept) < KEPT_MAX:
            self._kept.append(memory)
        else:
            memory.close()


class LineMemory:
    """Encoded lines of one chunk. `free` gives the memory back; then the next chunk can begin."""

    def __init__(self, pool: MemoryPool) -> None:
        self._pool = pool
        self._memory: mmap.mmap | None = None
        self.used = 0
        """Bytes of all lines."""
        self.lines = 0
        self.first_ns = 0
        """Lowest time of a line, ns since 1970; 0 without lines."""
        self.last_ns = 0
        """Highest time of a line."""

    def take(self, reader: FramesReader, bytes_max: int) -> TakenLines:
        """Take what `reader` can read straight into lines; begin no record where `bytes_max` bytes are used."""
        taken = reader.take_lines(self._opened(), self.used, bytes_max)
        if taken.lines:
            self._note(taken.lines, taken.first_ns, taken.last_ns)
            self.used = taken.used
        return taken

    def add_lines(self, lines: list[RecordedLine]) -> None:
        """Add lines of one time."""
        self.add(encode_lines(lines), len(lines), lines[0].t)

    def add(self, encoded: bytes, lines: int, time_ns: int) -> None:
        """Add encoded lines of one time."""
        memory, end = self._opened(), self.used + len(encoded)
        if end > len(memory):
            memory = self._enlarge(max(end, 2 * len(memory)))
        memory[self.used : end] = encoded
        self.used = end
        self._note(lines, time_ns, time_ns)

    def _note(self, lines: int, first_ns: int, last_ns: int) -> None:
        self.first_ns = min(self.first_ns, first_ns) if self.lines else first_ns
        self.last_ns = max(self.last_ns, last_ns) if self.lines else last_ns
        self.lines += lines

    def plain(self) -> memoryview:
        """Return all lines; to be released before anything is added."""
        return memoryview(self._memory or b"")[: self.used]

    def free(self) -> None:
        """Forget all lines."""
        if self._memory is not None:
            self._pool.give(self._memory)
            self._memory = None
        self.used = self.lines = self.first_ns = self.last_ns = 0

    def _opened(self) -> mmap.mmap:
        if self._memory is None:
            self._memory = self._pool.take()
        return self._memory

    def _enlarge(self, size: int) -> mmap.mmap:
        small, large = self._opened(), mmap.mmap(-1, size)
        large[: self.used] = small[: self.used]
        small.close()
        self._memory = large
        return large
