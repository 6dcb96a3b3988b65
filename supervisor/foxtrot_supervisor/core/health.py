"""Health of a child: a verdict from its messages and their times. Acts on nothing.

The verdict discounts time in which the supervisor itself did not run: if two looks lie further apart than `gap_s_max`,
the gap is added to every deadline (`discount`), and each child has at least `RESUME_GRACE_S` to be heard again. So a
suspended machine, a SIGSTOPped supervisor or a minute of swapping kills no child. The interval of looks and the longest
gap follow from `hung_s`: to find a hang within a second, a pause of half a second has to be noticed.

Alive and ready are separate facts. *Alive*: HELLO came in time, then heartbeats from the child's own event loop.
*Ready*: READY came in time. An engine runs the user's set-up code before READY, which may block its loop; until then
only the limit for READY applies to it (`alive_before_ready`).
"""

from __future__ import annotations

import enum
import math
from typing import Final

from msgspec import Struct

__all__ = [
    "LOOKS_MISSED_MAX",
    "LOOKS_PER_HUNG",
    "LOOK_S_MAX",
    "RESUME_GRACE_S",
    "RESUME_GRACE_SHARE",
    "Health",
    "HealthLimits",
    "Watch",
    "gap_s_max",
    "look_s",
]

LOOK_S_MAX: Final = 1.0
"""Longest interval between two looks, in seconds, while any process lives."""

LOOKS_PER_HUNG: Final = 5
"""Least number of looks within `hung_s`."""

LOOKS_MISSED_MAX: Final = 2
"""Intervals without a look that mean that the supervisor itself did not run."""

RESUME_GRACE_S: Final = 5.0
"""Seconds that a child has at least, after such a gap, to be heard again ..."""

RESUME_GRACE_SHARE: Final = 0.5
"""... or this share of `hung_s`, where that is shorter."""


def look_s(hung_s: float) -> float:
    """Return the longest interval between two looks, in seconds."""
    return min(LOOK_S_MAX, hung_s / LOOKS_PER_HUNG)


def gap_s_max(hung_s: float) -> float:
    """Return the gap between two looks, in seconds, beyond which the supervisor itself did not run."""
    return LOOKS_MISSED_MAX * look_s(hung_s)


class Health(enum.Enum):
    """Verdict on a child."""

    STARTING = "starting"
    """Not ready yet, within all limits."""
    HEALTHY = "healthy"
    LATE = "late"
    """A heartbeat is overdue; shown, without consequence."""
    MUTE = "mute"
    """No HELLO in time: there is no control link to send STOP over."""
    HUNG = "hung"
    """No heartbeat for `hung_s`: its event loop does not turn."""
    UNREADY = "unready"
    """Alive, but no READY in time."""
    STALE = "stale"
    """Alive, but its market data is older than it may be."""


class HealthLimits(Struct, frozen=True):
    """The deadlines, in seconds; `stale_s` None: the age of market data is not judged."""

    hello_s: float
    ready_s: float
    late_s: float
    hung_s: float
    stale_s: float | None = None


class Watch:
    """Messages of one incarnation and the deadlines that follow. Times are seconds on the monotonic clock."""

    __slots__ = (
        "_alive_before_ready",
        "_data_age_s",
        "_grace_until",
        "_heard_at",
        "_hello_by",
        "_ready_by",
        "_spoke_at",
        "limits",
    )

    def __init__(self, limits: HealthLimits, now: float, *, alive_before_ready: bool) -> None:
        self.limits = limits
        """The limits in force."""
        self._alive_before_ready = alive_before_ready
        self._hello_by = now + limits.hello_s
        self._ready_by = math.inf
        self._heard_at = math.inf
        """Time of the last message; infinity while silence is no sign of a hang."""
        self._spoke_at = now
        """Time of its last message, whether or not silence is a sign of a hang."""
        self._data_age_s: float | None = None
        self._grace_until = -math.inf
        """Until then the age of data is ignored: data aged while the machine was suspended."""

    def adopt(self, limits: HealthLimits) -> None:
        """Put other limits in force; waits for HELLO and READY that have begun keep their deadline."""
        self.limits = limits

    def hello(self, now: float) -> None:
        """Take HELLO: READY is due next."""
        self._hello_by = math.inf
        self._ready_by = now + self.limits.ready_s
        if self._alive_before_ready:
            self._heard_at = now

    def ready(self, now: float) -> None:
        """Take READY: heartbeats are due from now on, for every child."""
        self._hello_by = math.inf
        self._ready_by = math.inf
        self._heard_at = now

    def heard(self, now: float) -> None:
        """Take any message: the child's event loop turned."""
        self._spoke_at = now
        if self._heard_at != math.inf:
            self._heard_at = now

    def is_deaf(self, now: float) -> bool:
        """Whether its event loop stands still, so that a request would not be heard."""
        return now - self._spoke_at >= self.limits.hung_s

    def data(self, now: float, age_s: float | None) -> None:
        """Take the age of the child's latest market data, in seconds; None: not reported."""
        self._data_age_s = age_s if now >= self._grace_until else None

    def discount(self, gap_s: float, now: float) -> None:
        """Discount the `gap_s` seconds until `now` in which the supervisor did not run."""
        self._hello_by += gap_s
        self._spoke_at += gap_s
        self._ready_by += gap_s
        grace_s = min(RESUME_GRACE_S, self.limits.hung_s * RESUME_GRACE_SHARE)
        self._heard_at = max(self._heard_at + gap_s, now - self.limits.hung_s + grace_s)
        self._grace_until = now + RESUME_GRACE_S
        self._data_age_s = None

    def verdict(self, now: float) -> Health:
        """Return the verdict at `now`; the worst that applies."""
        limits = self.limits
        if now >= self._hello_by:
            return Health.MUTE
        silent_s = now - self._heard_at
        if silent_s >= limits.hung_s:
            return Health.HUNG
        if now >= self._ready_by:
            return Health.UNREADY
        if limits.stale_s is not None and self._data_age_s is not None and self._data_age_s >= limits.stale_s:
            return Health.STALE
        if silent_s >= limits.late_s:
            return Health.LATE
        if self._hello_by != math.inf or self._ready_by != math.inf:
            return Health.STARTING
        return Health.HEALTHY

    def next_deadline(self, now: float) -> float:
        """Return when the verdict may change without a message; infinity if it cannot."""
        late_at = self._heard_at + self.limits.late_s
        hung_at = self._heard_at + self.limits.hung_s
        return min(self._hello_by, self._ready_by, late_at if late_at > now else hung_at)
