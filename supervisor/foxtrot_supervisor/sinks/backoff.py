"""Pauses between attempts to reach a store. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

__all__ = ["FIRST_S", "LONGEST_S", "Backoff"]

FIRST_S: Final = 0.1
"""Pause after the first failure, in seconds; doubled with each further one."""

LONGEST_S: Final = 10.0
"""Longest pause, in seconds."""

_JITTER: Final = 0.2


class Backoff:
    """Doubles the pause with each failure in a row, a random fifth up or down."""

    def __init__(self, chance: Callable[[], float]) -> None:
        """`chance` returns a random number of 0 to 1."""
        self._chance = chance
        self._failures = 0
        self._since = 0.0

    def failed(self, now: float) -> float:
        """Return the seconds to wait before the next attempt; `now` in monotonic seconds."""
        if not self._failures:
            self._since = now
        pause_s = min(LONGEST_S, FIRST_S * 2.0 ** min(self._failures, 30))
        self._failures += 1
        return pause_s * (1.0 - _JITTER + 2.0 * _JITTER * self._chance())

    def succeeded(self) -> None:
        """Begin again with the shortest pause."""
        self._failures = 0

    def away_s(self, now: float) -> float:
        """Return the seconds since the first failure in a row; 0 without one."""
        return now - self._since if self._failures else 0.0
