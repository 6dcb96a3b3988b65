"""When to ask for the books of a connection that handlers cannot know. Pure; times in monotonic seconds.

An engine that has taken over knows no book, though its workers follow them; nor does one that has lost one on the way.
It asks at once, and again, later each time while nothing comes of it.
"""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["AGAIN_S_FIRST", "AGAIN_S_MAX", "LOOK_S", "BookWants"]

LOOK_S = 0.5
"""How often it is looked which books are unknown."""

AGAIN_S_FIRST = 5.0
"""After so long it is asked again; doubled for each further time in vain, to `AGAIN_S_MAX`."""

AGAIN_S_MAX = 60.0


class BookWants:
    """Of one connection."""

    def __init__(self) -> None:
        self._look_at = 0.0
        self._ask_at = 0.0
        self._attempts = 0
        self._unknown = 0

    def due(self, now: float) -> bool:
        """Whether `look` has to be called now."""
        return now >= self._look_at

    def look(self, unknown: Sequence[str], now: float) -> int:
        """Whether to ask for `unknown` now: which attempt that is, from 1; 0: not now."""
        self._look_at = now + LOOK_S
        if not unknown:
            self._attempts = self._unknown = 0
            self._ask_at = now
            return 0
        if now < self._ask_at:
            return 0
        self._attempts = 1 if len(unknown) < self._unknown else self._attempts + 1  # some came: it goes on
        self._unknown = len(unknown)
        # 2 ** 10 is over any bound: the exponent itself must not grow for ever
        self._ask_at = now + min(AGAIN_S_FIRST * 2.0 ** min(self._attempts - 1, 10), AGAIN_S_MAX)
        return self._attempts
