"""How much of a busy machine the recorder takes. Pure.

A low priority is not enough: also what runs only while the feed waits for a moment delays it when that moment ends,
and takes caches and memory bandwidth from it. So where processors are contended the recorder pauses.
"""

from __future__ import annotations

from typing import Final

__all__ = ["CONTENDED_SHARE", "PAUSE_S_MAX", "SHARE_MAX", "pause_s"]

CONTENDED_SHARE: Final = 0.5
"""If it waited for a processor for more than this share of the time that it ran, others want the processors too."""

SHARE_MAX: Final = 0.05
"""Share of one processor that it then takes at most."""

PAUSE_S_MAX: Final = 0.25
"""Longest pause in seconds: afterwards the machine may be idle."""


def pause_s(ran_s: float, waited_s: float) -> float:
    """Return how many seconds to pause after work that ran for `ran_s` and waited for a processor for `waited_s`."""
    if waited_s <= ran_s * CONTENDED_SHARE:
        return 0.0
    return min(PAUSE_S_MAX, max(0.0, ran_s / SHARE_MAX - ran_s - waited_s))
