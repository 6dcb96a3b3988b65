"""Figures out of measurements: spread, percentiles, ratios; pure."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from msgspec import Struct

__all__ = ["Spread", "percentile", "ratio_of", "spread_of"]


class Spread(Struct, frozen=True):
    """Least, middle and greatest of a few repeated measurements."""

    min: float
    median: float
    max: float
    runs: int


def spread_of(values: Sequence[float], digits: int = 3) -> Spread:
    """The spread of at least one value, rounded to so many `digits`."""
    return Spread(
        round(min(values), digits), round(statistics.median(values), digits), round(max(values), digits), len(values)
    )


def ratio_of(ours: Sequence[float], others: Sequence[float]) -> Spread:
    """How many times `others` is in `ours`, pair by pair: neighbours in time, so noise hits both alike."""
    return spread_of([mine / theirs for mine, theirs in zip(ours, others, strict=True)], 2)


def percentile(ordered: Sequence[int], fraction: float) -> int:
    """The least of the ascending values that `fraction` (0 to 1) of them do not exceed (nearest rank)."""
    rank = -int(-fraction * len(ordered) // 1)  # rounded up
    return ordered[max(0, min(len(ordered), rank) - 1)]
