"""Whether it pays to wake when a worker's early bell rings, judged by what followed earlier ones. Pure.

A bell that rings for pings, answers, or frames without an event, wakes the engine in vain. After `VAIN_MAX` more vain
rings than others it is muted, for longer each time.
"""

from __future__ import annotations

from typing import Final

__all__ = ["MUTED_S_MAX", "MUTED_S_MIN", "TRIAL_COUNT", "VAIN_MAX", "BellHabit"]

VAIN_MAX: Final = 16
"""Vain rings, less those that were followed by a batch, after which a bell is muted."""

TRIAL_COUNT: Final = 4
"""Vain rings after which a bell is muted that was muted just before."""

MUTED_S_MIN: Final = 0.05
"""First time without the bell, in seconds; doubled until a batch has followed often enough."""

MUTED_S_MAX: Final = 2.0
"""Longest time without the bell, in seconds."""


class BellHabit:
    """What has followed the rings of one bell."""

    def __init__(self) -> None:
        self.muted_until: float | None = None
        """Monotonic seconds; None: it is heard."""
        self._vain = 0
        self._muted_s = MUTED_S_MIN

    def followed(self, came: bool, now: float) -> bool:
        """Take whether something `came` after a ring; return whether the bell is muted from `now` on."""
        if came:
            self._vain = max(0, self._vain - 1)
            if not self._vain:
                self._muted_s = MUTED_S_MIN
            return False
        self._vain += 1
        if self._vain < VAIN_MAX:
            return False
        self._vain = VAIN_MAX - TRIAL_COUNT
        self.muted_until = now + self._muted_s
        self._muted_s = min(2 * self._muted_s, MUTED_S_MAX)
        return True

    def due(self, now: float) -> bool:
        """Whether a muted bell is heard again, from `now` on (monotonic seconds)."""
        if self.muted_until is None or now < self.muted_until:
            return False
        self.muted_until = None
        return True
