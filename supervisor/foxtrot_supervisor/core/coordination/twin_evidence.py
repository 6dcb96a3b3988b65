"""Whether the other side of a connection proves that a worker without data is cut off. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

__all__ = ["FRESH_S", "SILENT_S", "fresh_twin_age_s"]

SILENT_S: Final = 5.0
"""A worker whose latest data are older than this many seconds is sent the age of its twin's."""

FRESH_S: Final = 3.0
"""Data of the twin younger than this prove that the venue sends."""


def fresh_twin_age_s(age_s: float | None, twin_ages_s: Iterable[float | None]) -> float | None:
    """Age in seconds of the twin's data where they prove that this side is cut off, else None.

    Args:
        age_s: age of the latest data of this side; None: it has had none.
        twin_ages_s: the same of each other side with the same topics.
    """
    if age_s is not None and age_s < SILENT_S:
        return None
    youngest = min((age for age in twin_ages_s if age is not None), default=None)
    return youngest if youngest is not None and youngest < FRESH_S else None
