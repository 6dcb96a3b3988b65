"""A rate limit that allows bursts. Pure."""

from __future__ import annotations

__all__ = ["TokenBucket"]


class TokenBucket:
    """`size` requests at once; they grow again evenly over `period_s` seconds."""

    def __init__(self, size: int, period_s: float) -> None:
        self._size = float(size)
        self._per_s = size / period_s
        self._left = float(size)
        self._at_s: float | None = None

    def take(self, now_s: float) -> bool:
        """Take one token at `now_s`, any clock in seconds; False if there is none."""
        if self._at_s is not None:
            self._left = min(self._size, self._left + max(0.0, now_s - self._at_s) * self._per_s)
        self._at_s = now_s
        if self._left < 1.0:
            return False
        self._left -= 1.0
        return True
