"""Earlier measurements in a file: one report a line, each one JSON object."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from foxtrot_supervisor.bench.chain import BenchFailed

__all__ = ["append", "last_of"]


def last_of(path: Path) -> dict[str, Any] | None:
    """Return the last report in the file; None if there is no such file. Raises `BenchFailed` if it is unreadable."""
    try:
        lines = path.read_bytes().splitlines()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise BenchFailed(f"{path}: {error.strerror}") from None
    try:
        report: dict[str, Any] = msgspec.json.decode(lines[-1], type=dict[str, Any])
    except (IndexError, ValueError) as error:
        raise BenchFailed(f"{path}: its last line is no report: {error}") from None
    return report


def append(path: Path, report: Mapping[str, Any]) -> None:
    """Append a report; raises `BenchFailed`."""
    try:
        with path.open("ab") as file:
            file.write(msgspec.json.encode(report) + b"\n")
    except OSError as error:
        raise BenchFailed(f"{path}: {error.strerror}") from None
