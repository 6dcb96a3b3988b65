"""Which segments go: the oldest first, by size and by age."""

from __future__ import annotations

import pytest

from foxtrot_supervisor.recording.retention import KeptSegment, segments_to_remove

SEGMENTS = [KeptSegment("b", 10, 200.0), KeptSegment("a", 10, 100.0), KeptSegment("c", 10, 300.0)]


@pytest.mark.parametrize(
    ("bytes_max", "age_s_max", "removed"),
    [
        (None, None, ""),
        (30, None, ""),
        (29, None, "a"),
        (10, None, "ab"),
        (0, None, "abc"),
        (None, 250.0, "a"),
        (10, 250.0, "ab"),
        (None, 1000.0, ""),
    ],
)
def test_removed(bytes_max: int | None, age_s_max: float | None, removed: str) -> None:
    found = segments_to_remove(SEGMENTS, 400.0, bytes_max=bytes_max, age_s_max=age_s_max)
    assert "".join(segment.path for segment in found) == removed
