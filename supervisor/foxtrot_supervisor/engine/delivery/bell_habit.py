"""Whether it pays to wake when a worker's early bell rings, judged by what followed earlier ones. Pure.

A worker that gets little is slow, since nothing of it is in the caches: after a pause a batch is expected for longer.

A bell that rings for pings, answers, or frames without an event, wakes the engine in vain. After `VAIN_MAX` more vain
rings than others it is muted, for longer each time.
"""

from __future__ import annotations

from typing import Final

__all__ = [
    "EXPECT_SHARE",
    "EXPECT_S_MAX",
    "EXPECT_S_MIN",
    "MUTED_S_MAX",
    "MUTED_S_MIN",
    "TRIAL_COUNT",
    "VAIN_MAX",
    "BellHabit",
    "expected_s",
]

EXPECT_S_MIN: Final = 60e-6
"""Shortest time in which a batch is expected after a ring, in seconds."""

EXPECT_S_MAX: Final = 300e-6
"""Longest such time, in seconds."""

EXPECT_SHARE: Final = 0.05
"""Between these, the share of the time since the last ring."""

VAIN_MAX: Final = 16
"""Vain rings, less those that were followed by a batch, after which a bell is muted."""

TRIAL_COUNT: Final = 4
"""Vain rings after which a bell is muted that was muted just before."""

MUTED_S_MIN: Final = 0.05
"""First time without the bell, in seconds; doubled until a batch has followed often enough."""

MUTED_S_MAX: Final = 2.0
"""Longest time without the bell, in seconds."""


def expected_s(since_s: float) -> float:
    """Return for how many seconds a batch is expected after a ring that came `since_s` after the last one."""
    return min(EXPECT_S_MAX, max(EXPECT_S_MIN, EXPECT_SHARE * since_s))


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
