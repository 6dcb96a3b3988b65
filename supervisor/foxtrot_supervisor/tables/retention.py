"""Which files of a recording are removed, by age and by size. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta
from typing import NamedTuple

__all__ = ["KeptFile", "to_remove"]


class KeptFile(NamedTuple):
    """One published file. Sorts by age: by day of receipt, then by the time of its publication."""

    day: date
    published_ns: int
    path: str
    size: int
    """In bytes."""


def to_remove(
    files: Iterable[KeptFile], today: date, keep_days: int | None, bytes_max: int | None
) -> tuple[list[KeptFile], int]:
    """Return the files to remove, oldest first, and the bytes that stay.

    Args:
        files: all of the recording.
        today: day of UTC.
        keep_days: days before today that are kept in full; None: all.
        bytes_max: largest size of what stays; None: unlimited.
    """
    ordered = sorted(files)
    size = sum(file.size for file in ordered)
    first_day = date.min if keep_days is None else today - timedelta(days=min(keep_days, today.toordinal() - 1))
    removed = []
    for file in ordered:
        if file.day >= first_day and (bytes_max is None or size <= bytes_max):
            break
        removed.append(file)
        size -= file.size
    return removed, size
