"""Lateness of an event loop, by a timer that is due at regular intervals. Pure; times are monotonic seconds."""

from __future__ import annotations

from typing import Final

from msgspec import Struct

__all__ = ["LATE_S", "PERIOD_S", "WINDOW_S", "LoopLag", "LoopLagFigures"]

PERIOD_S: Final = 0.05
"""Interval of the timer: a blocked loop is measured to this precision."""

WINDOW_S: Final = 60.0
"""The recent maximum covers between one and two of these spans."""

LATE_S: Final = 0.25
"""Lateness from which on the loop counts as late: deadlines, deaths and operators wait so long."""


class LoopLagFigures(Struct, frozen=True):
    """Lateness so far; milliseconds."""

    recent_ms: float = 0.0
    """Maximum of the last minute or two."""
    max_ms: float = 0.0
    """Maximum since the start."""
    late_total: int = 0
    """Number of times at which the loop was later than `LATE_S`."""


class LoopLag:
    """Call `fired` whenever the timer has fired, and set it for `PERIOD_S` later."""

    def __init__(self, now: float) -> None:
        self._due_at = now + PERIOD_S
        self._window_ends_at = now + WINDOW_S
        self._previous_s = 0.0
        self._current_s = 0.0
        self._max_s = 0.0
        self._late_total = 0

    def fired(self, now: float) -> float:
        """Return how late the timer has fired, in seconds."""
        late_s = max(0.0, now - self._due_at)
        self._due_at = now + PERIOD_S
        if now >= self._window_ends_at:
            self._window_ends_at = now + WINDOW_S
            self._previous_s, self._current_s = self._current_s, 0.0
        self._current_s = max(self._current_s, late_s)
        self._max_s = max(self._max_s, late_s)
        self._late_total += late_s >= LATE_S
        return late_s

    def figures(self) -> LoopLagFigures:
        """Return the figures for ``status``."""
        recent_s = max(self._previous_s, self._current_s)
        return LoopLagFigures(round(recent_s * 1e3, 1), round(self._max_s * 1e3, 1), self._late_total)
