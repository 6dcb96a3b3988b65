"""When to request snapshots of books that handlers do not have. Pure; times in monotonic seconds.

The handlers of a new engine have no book although its workers follow them, and a book can be lost later. Snapshots are
requested at once, and again with growing delays while none comes.
"""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["AGAIN_S_FIRST", "AGAIN_S_MAX", "LOOK_S", "BookWants"]

LOOK_S = 0.5
"""Interval between checks for unknown books."""

AGAIN_S_FIRST = 5.0
"""Delay before the second request; doubled for each further one without progress, up to `AGAIN_S_MAX`."""

AGAIN_S_MAX = 60.0


class BookWants:
    """Requests for the books of one connection."""

    def __init__(self) -> None:
        self._look_at = 0.0
        self._ask_at = 0.0
        self._attempts = 0
        self._unknown = 0

    def due(self, now: float) -> bool:
        """Whether `look` has to be called now."""
        return now >= self._look_at

    def look(self, unknown: Sequence[str], now: float) -> int:
        """Return the number of the attempt, from 1, if snapshots of `unknown` have to be requested now, else 0."""
        self._look_at = now + LOOK_S
        if not unknown:
            self._attempts = self._unknown = 0
            self._ask_at = now
            return 0
        if now < self._ask_at:
            return 0
        self._attempts = 1 if len(unknown) < self._unknown else self._attempts + 1  # some came: there is progress
        self._unknown = len(unknown)
        # 2 ** 10 is over any bound: the exponent itself must not grow for ever
        self._ask_at = now + min(AGAIN_S_FIRST * 2.0 ** min(self._attempts - 1, 10), AGAIN_S_MAX)
        return self._attempts
