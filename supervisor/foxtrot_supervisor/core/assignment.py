"""How long an assignment of connections holds: a node of a cluster stops them when nobody renews it."""

from __future__ import annotations

__all__ = ["Validity"]


class Validity:
    """Times are seconds on the monotonic clock."""

    def __init__(self) -> None:
        self._until: float | None = None

    def renew(self, now: float, valid_s: float) -> None:
        """Let the assignment hold from `now` for `valid_s` seconds, be that longer or shorter than before."""
        self._until = now + valid_s

    def remaining_s(self, now: float) -> float:
        """Return for how long it still holds: 0 if it has expired or there is none."""
        return 0.0 if self._until is None else max(0.0, self._until - now)

    def expire(self, now: float) -> bool:
        """Return True once after it has expired."""
        if self._until is None or now < self._until:
            return False
        self._until = None
        return True
