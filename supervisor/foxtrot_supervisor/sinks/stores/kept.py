"""What a sink has to remember between runs, in small files of its own directory."""

from __future__ import annotations

import os
import uuid
from pathlib import Path

__all__ = ["KeptNumber", "writer_name"]


class KeptNumber:
    """A row number in a file, which only grows. A crash of the machine may take the latest values with it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self.value = int(path.read_text())
        except (OSError, ValueError):
            self.value = 0
        """The largest number that was kept; 0 without one."""

    def raise_to(self, number: int) -> None:
        """Keep `number` if it is larger."""
        if number > self.value:
            _replace(self._path, str(number))
            self.value = number


def writer_name(directory: Path) -> str:
    """Return the name under which a store knows this sink, whatever it is called; made by the first call."""
    path = directory / "writer-name"
    if not path.exists():
        _replace(path, uuid.uuid4().hex)
    return path.read_text()


def _replace(path: Path, text: str) -> None:
    fresh = path.with_suffix(".new")
    fresh.write_text(text)
    os.replace(fresh, path)
