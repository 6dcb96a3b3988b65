"""Removal of old files."""

from __future__ import annotations

from datetime import date

import pytest

from foxtrot_supervisor.tables.retention import KeptFile, to_remove

TODAY = date(2026, 11, 30)

FILES = [
    KeptFile(date(2026, 11, 30), 5, "today", 10),
    KeptFile(date(2026, 11, 28), 2, "old-2", 10),
    KeptFile(date(2026, 11, 28), 1, "old-1", 10),
    KeptFile(date(2026, 11, 29), 3, "yesterday", 10),
]


@pytest.mark.parametrize(
    ("keep_days", "bytes_max", "removed"),
    [
        (None, None, []),
        (2, None, []),
        (1, None, ["old-1", "old-2"]),
        (0, None, ["old-1", "old-2", "yesterday"]),
        (10**9, None, []),
        (None, 40, []),
        (None, 39, ["old-1"]),
        (None, 0, ["old-1", "old-2", "yesterday", "today"]),
        (1, 15, ["old-1", "old-2", "yesterday"]),
    ],
)
def test_the_oldest_files_go_first(keep_days: int | None, bytes_max: int | None, removed: list[str]) -> None:
    found, size = to_remove(FILES, TODAY, keep_days, bytes_max)
    assert [file.path for file in found] == removed
    assert size == 40 - 10 * len(removed)


def test_a_day_of_the_future_is_kept() -> None:
    assert to_remove([KeptFile(date(2027, 1, 1), 1, "x", 1)], TODAY, 0, None) == ([], 1)
