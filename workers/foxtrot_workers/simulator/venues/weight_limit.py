"""REST weight of one address, and the ban of a client that goes on after refusals. Pure."""

from __future__ import annotations

from msgspec import Struct

__all__ = ["PERIOD_S", "Refusal", "WeightLimit"]

PERIOD_S = 60.0
"""The period of the limit, in seconds."""


class Refusal(Struct, frozen=True):
    """HTTP status, and seconds until requests are answered again."""

    status: int
    retry_after_s: float


class WeightLimit:
    """Counts weight by the minute.

    Args:
        weight_per_minute: None: counted, never refused.
        refusals_max: refused requests in a row after which the address is banned; None: never.
        ban_s: length of a ban in seconds.
    """

    def __init__(self, weight_per_minute: int | None, refusals_max: int | None, ban_s: float) -> None:
        self._limit = weight_per_minute
        self._refusals_max = refusals_max
        self._ban_s = ban_s
        self._period = 0
        self._refusals = 0
        self._banned_until = 0.0
        self.used = 0
        """Weight spent in the running minute."""

    def banned_s(self, now_s: float) -> float:
        """Return for how many seconds the address is banned; 0: it is not."""
        return max(0.0, self._banned_until - now_s)

    def spend(self, weight: int, now_s: float) -> Refusal | None:
        """Count a request at `now_s`, monotonic seconds; return why it is refused."""
        if self.banned_s(now_s):
            return Refusal(418, self.banned_s(now_s))
        period = int(now_s // PERIOD_S)
        if period != self._period:
            self._period, self.used, self._refusals = period, 0, 0
        self.used += weight
        if self._limit is None or self.used <= self._limit:
            return None
        self._refusals += 1
        if self._refusals_max is not None and self._refusals > self._refusals_max:
            self._banned_until = now_s + self._ban_s
            return Refusal(418, self._ban_s)
        return Refusal(429, PERIOD_S - now_s % PERIOD_S)
