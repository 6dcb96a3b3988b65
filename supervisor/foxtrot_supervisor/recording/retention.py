"""Which segments are removed, by age and by size. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

__all__ = ["KeptSegment", "segments_to_remove"]


class KeptSegment(Struct, frozen=True):
    """A segment on disk."""

    path: str
    size_bytes: int
    changed_s: float
    """When it was last written, Unix time in seconds."""


def segments_to_remove(
    segments: Sequence[KeptSegment], now_s: float, *, bytes_max: int | None, age_s_max: float | None
) -> list[KeptSegment]:
    """Return the segments to remove, oldest first.

    Args:
        segments: those that are complete, in any order.
        now_s: Unix time in seconds.
        bytes_max: bytes of all that may stay; None: unlimited.
        age_s_max: age in seconds after which a segment is removed; None: unlimited.
    """
    total = sum(segment.size_bytes for segment in segments)
    removed = []
    for segment in sorted(segments, key=lambda each: (each.changed_s, each.path)):
        old = age_s_max is not None and now_s - segment.changed_s > age_s_max
        if not old and (bytes_max is None or total <= bytes_max):
            continue
        removed.append(segment)
        total -= segment.size_bytes
    return removed
