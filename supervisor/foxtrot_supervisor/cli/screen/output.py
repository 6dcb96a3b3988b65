"""What a run prints, as the latest lines. Pure."""

from __future__ import annotations

import re
from collections import deque
from typing import Final

__all__ = ["LINES_MAX", "LINE_CHARACTERS_MAX", "Output"]

LINES_MAX: Final = 200
"""Lines kept."""

LINE_CHARACTERS_MAX: Final = 500
"""Characters kept of a line."""

_ESCAPE = re.compile("\x1b\\[[0-9;?]*[A-Za-z]|[\x00-\x08\x0b-\x1f\x7f-\x9f]")
"""Sequences that move the cursor or set colours, and other control characters."""


class Output:
    """Splits printed bytes into lines of plain text."""

    def __init__(self) -> None:
        self._lines: deque[str] = deque(maxlen=LINES_MAX)
        self._rest = b""

    def feed(self, data: bytes) -> None:
        """Take further bytes; an incomplete line waits for its end, at most `LINE_CHARACTERS_MAX` bytes of it."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        self._rest = self._rest[:LINE_CHARACTERS_MAX]
        self._lines.extend(_ESCAPE.sub("", line.decode(errors="replace"))[:LINE_CHARACTERS_MAX] for line in lines)

    def latest(self, count: int) -> list[str]:
        """Return the last `count` lines, oldest first."""
        return list(self._lines)[-count:]
