"""Bounded queue of lines on their way to a stream that may block, break or be full. Pure.

The producer calls `put` and never waits; a writer calls `take`, writes, and reports with `written` or `failed`. Lines
that find no room, or that could not be written, are counted; a notice with their number takes their place in the
output as soon as writing works.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Mapping

__all__ = ["CHUNK_BYTES", "QUEUE_BYTES_MAX", "QUEUE_LINES_MAX", "LineQueue", "dropped_line"]

QUEUE_LINES_MAX = 10_000
"""Writes that may wait for a stream."""

QUEUE_BYTES_MAX = 4 * 1024 * 1024
"""Bytes that may wait for a stream."""

CHUNK_BYTES = 4096
"""Whole lines are joined up to this size: what POSIX guarantees a pipe to take in one piece (PIPE_BUF on Linux)."""


class LineQueue:
    """Lines of one stream. `notice(count)`: the line that reports `count` dropped lines.

    Entries are lines (`bytes`, one for each `put`) and gaps (`int`, how many lines are missing there).
    """

    def __init__(
        self, notice: Callable[[int], bytes], lines_max: int = QUEUE_LINES_MAX, bytes_max: int = QUEUE_BYTES_MAX
    ) -> None:
        self.notice = notice
        self._lines_max = lines_max
        self._bytes_max = bytes_max
        self._entries: deque[bytes | int] = deque()
        self._in_flight: list[bytes | int] = []
        self._bytes = 0
        self.dropped_total = 0
        """Lines that were never written."""

    @property
    def pending(self) -> int:
        """Entries that are not written yet."""
        return len(self._entries) + len(self._in_flight)

    def has_room(self, size: int) -> bool:
        """Whether a line of `size` bytes would be accepted now."""
        return self.pending < self._lines_max and self._bytes + size <= self._bytes_max

    def put(self, line: bytes) -> bool:
        """Append `line`; False if it was dropped because the queue is full."""
        if not self.has_room(len(line)):
            self._drop(1)
            return False
        self._entries.append(line)
        self._bytes += len(line)
        return True

    def take(self) -> bytes:
        """The next piece to write, b"" if there is none: whole lines, at most `CHUNK_BYTES` unless one is longer.

        Report with `written` or `failed` before the next call.
        """
        data = b""
        while self._entries:
            entry = self._entries[0]
            line = entry if isinstance(entry, bytes) else self.notice(entry)
            if data and len(data) + len(line) > CHUNK_BYTES:
                break
            self._in_flight.append(self._entries.popleft())
            data += line
        return data

    def written(self) -> None:
        """What was taken has been written."""
        self._bytes -= sum(len(entry) for entry in self._in_flight if isinstance(entry, bytes))
        self._in_flight.clear()

    def failed(self) -> None:
        """What was taken could not be written: it is lost, and so is all that waits behind it.

        The gap that remains is reported before the next line that is put, so each new line is one further attempt.
        """
        missing = lost = 0
        for entry in (*self._in_flight, *self._entries):
            if isinstance(entry, bytes):
                lost += 1
            else:
                missing += entry
        self.clear()
        self.dropped_total += lost
        if missing + lost:
            self._entries.append(missing + lost)

    def clear(self) -> None:
        """Forget everything that waits, uncounted: a forked copy must not write what its parent will write."""
        self._entries.clear()
        self._in_flight.clear()
        self._bytes = 0

    def _drop(self, count: int) -> None:
        self.dropped_total += count
        last = self._entries[-1] if self._entries else b""
        if isinstance(last, int):
            self._entries[-1] = last + count
        else:
            self._entries.append(count)


def dropped_line(log_format: str, count: int, timestamp: str, fields: Mapping[str, object]) -> bytes:
    """The log line that reports `count` dropped lines: event ``log_lines_dropped``, as "json" or for people."""
    record = {"timestamp": timestamp, "level": "warning", "event": "log_lines_dropped", **fields, "count": count}
    if log_format == "json":
        return json.dumps(record, default=str).encode() + b"\n"
    from foxtrot_protocol.log_text import console_text  # every process that logs has it; `--help` does not need it

    return console_text(record).encode() + b"\n"
