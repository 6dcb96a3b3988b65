"""The most recent log lines of a run, for operators. Bounded in lines and bytes. Pure."""

from __future__ import annotations

import itertools
from collections import deque
from typing import Any

import msgspec
from msgspec import Struct

from foxtrot_protocol.log_line import LogLine
from foxtrot_protocol.log_text import LEVELS

__all__ = ["ANSWER_BYTES_MAX", "ANSWER_LINES_MAX", "MEMORY_BYTES_MAX", "MEMORY_LINES_MAX", "LogMemory"]

MEMORY_LINES_MAX = 10_000
"""Lines that are kept."""

MEMORY_BYTES_MAX = 4 * 1024 * 1024
"""Bytes of JSON of the lines that are kept."""

ANSWER_LINES_MAX = 2000
"""Lines in one answer."""

ANSWER_BYTES_MAX = 1024 * 1024
"""Bytes of JSON in one answer."""


class _Kept(Struct, frozen=True):
    at_ns: int
    level: int
    names: tuple[str, ...]
    """What selects the line: its process, worker and connection."""
    data: bytes


class LogMemory:
    """Keeps lines with sequence numbers from 1 on; the oldest fall out first."""

    def __init__(self, lines_max: int = MEMORY_LINES_MAX, bytes_max: int = MEMORY_BYTES_MAX) -> None:
        self._lines_max = lines_max
        self._bytes_max = bytes_max
        self._lines: deque[_Kept] = deque()
        self._bytes = 0
        self.last_seq = 0
        """Number of the latest line; 0 if there has been none."""

    @property
    def first_seq(self) -> int:
        """Number of the oldest line that is kept; `last_seq` + 1 if there is none."""
        return self.last_seq - len(self._lines) + 1

    def add(self, line: LogLine) -> None:
        """Keep `line`."""
        self.last_seq += 1
        about = line.about
        kept = _Kept(
            line.at_ns,
            LEVELS.get(line.level, LEVELS["info"]),
            (line.process, about.worker, about.connection),
            line.json(seq=self.last_seq),
        )
        self._lines.append(kept)
        self._bytes += len(kept.data)
        while len(self._lines) > self._lines_max or (self._bytes > self._bytes_max and len(self._lines) > 1):
            self._bytes -= len(self._lines.popleft().data)

    def has_named(self, name: str) -> bool:
        """Whether a line that is kept was written by, or is about, this process, worker or connection."""
        return any(name in kept.names for kept in self._lines)

    def read(self, after: int = 0, name: str = "", level: str = "debug", since_ns: int = 0) -> dict[str, Any]:
        """Return the lines after number `after`, oldest first, as many as one answer takes.

        Args:
            after: number of the last line that is known; 0: none.
            name: only lines that were written by, or are about, this process, worker or connection; "": all.
            level: only lines of this level or worse.
            since_ns: only lines from this time on, ns since 1970.

        Returns:
            `lines`: JSON of each. `next`: the value of `after` for the next request. `first_seq`, `last_seq`: what is
            kept. `first_at_ns`: time of the oldest line that is kept, 0 if there is none. `missed`: lines after
            `after` that have fallen out, whatever they were about. `more`: whether the next request has further lines
            at once.
        """
        if not 0 <= after <= self.last_seq:  # of an earlier run
            after = 0
        threshold = LEVELS.get(level, 0)
        lines: list[msgspec.Raw] = []
        size = 0
        start = max(0, after + 1 - self.first_seq)
        position = self.first_seq + start - 1
        more = False
        for position, kept in enumerate(itertools.islice(self._lines, start, None), self.first_seq + start):
            if kept.level < threshold or kept.at_ns < since_ns or (name and name not in kept.names):
                continue
            if lines and (len(lines) >= ANSWER_LINES_MAX or size + len(kept.data) > ANSWER_BYTES_MAX):
                position, more = position - 1, True
                break
            lines.append(msgspec.Raw(kept.data))
            size += len(kept.data)
        return {
            "lines": lines,
            "next": position,
            "first_seq": self.first_seq,
            "last_seq": self.last_seq,
            "first_at_ns": self._lines[0].at_ns if self._lines else 0,
            "missed": max(0, self.first_seq - after - 1) if after else 0,
            "more": more,
        }

    def latest(self, count: int) -> list[dict[str, Any]]:
        """Return the last `count` lines, oldest first."""
        start = max(0, len(self._lines) - count)
        return [msgspec.json.decode(kept.data) for kept in itertools.islice(self._lines, start, None)]
