"""Is a child well? A verdict from what was heard of it and when; kills nobody.

A night watchman who calls every hour: as long as the calls come, nobody looks after him. But whoever slept
through three hours himself has not heard three calls, and must not conclude that the watchman is dead. So
the verdict discounts the supervisor's own sleep: if two looks lie further apart than `gap_s_max`, the gap is
added to every deadline (`discount`), and each child has at least `RESUME_GRACE_S` to be heard again. A
suspended machine, a SIGSTOPped supervisor or a minute of swapping kills nobody. How often is looked and how long
a gap may be follows from `hung_s`: whoever wants hangs found within a second must notice a nap of half a second.

Alive and ready are separate facts. *Alive*: HELLO came in time, then heartbeats from the child's own event
loop. *Ready*: READY came in time. An engine runs its user's set-up code before READY, which may lawfully
block its loop; until then only the limit for READY holds for it (`alive_before_ready`).
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
"""Seconds between two looks at most while any process lives: what makes a longer gap tell something."""

LOOKS_PER_HUNG: Final = 5
"""Looks at least in the time after which a child counts as hung."""

LOOKS_MISSED_MAX: Final = 2
"""Looks further apart than this many intervals mean that the supervisor itself did not run."""

RESUME_GRACE_S: Final = 5.0
"""Seconds a child has at least, after such a gap, to be heard again ..."""

RESUME_GRACE_SHARE: Final = 0.5
"""... or this share of `hung_s`, where that is shorter."""


def look_s(hung_s: float) -> float:
    """Seconds between two looks at most."""
    return min(LOOK_S_MAX, hung_s / LOOKS_PER_HUNG)


def gap_s_max(hung_s: float) -> float:
    """Seconds between two looks beyond which the supervisor itself did not run."""
    return LOOKS_MISSED_MAX * look_s(hung_s)


class Health(enum.Enum):
    """How a child is."""

    STARTING = "starting"
    """Not ready yet, all limits kept."""
    HEALTHY = "healthy"
    LATE = "late"
    """A heartbeat is overdue; nothing is done yet."""
    MUTE = "mute"
    """No HELLO in time: it has no control link to be asked over."""
    HUNG = "hung"
    """Its event loop does not turn."""
    UNREADY = "unready"
    """Alive, but no READY in time."""
    STALE = "stale"
    """Alive, but its market data is older than it may be."""


class HealthLimits(Struct, frozen=True):
    """The deadlines, in seconds; `stale_s` None: the age of data is not looked at."""

    hello_s: float
    ready_s: float
    late_s: float
    hung_s: float
    stale_s: float | None = None


class Watch:
    """What was heard of one incarnation. Times are seconds on the monotonic clock."""

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
        """Infinity while silence means nothing."""
        self._spoke_at = now
        """When its last message came, whatever silence means."""
        self._data_age_s: float | None = None
        self._grace_until = -math.inf
        """Until then the age of data means nothing: it aged while nobody ran."""

    def adopt(self, limits: HealthLimits) -> None:
        """From now on `limits` hold; waits for HELLO and READY that have begun end as they would have."""
        self.limits = limits

    def hello(self, now: float) -> None:
        """HELLO came: from now on READY is awaited."""
        self._hello_by = math.inf
        self._ready_by = now + self.limits.ready_s
        if self._alive_before_ready:
            self._heard_at = now

    def ready(self, now: float) -> None:
        """READY came: from now on heartbeats count for every child."""
        self._hello_by = math.inf
        self._ready_by = math.inf
        self._heard_at = now

    def heard(self, now: float) -> None:
        """A message came, whichever: the child's event loop turned."""
        self._spoke_at = now
        if self._heard_at != math.inf:
            self._heard_at = now

    def is_deaf(self, now: float) -> bool:
        """Whether its event loop stands still, so that a request would not be heard."""
        return now - self._spoke_at >= self.limits.hung_s

    def data(self, now: float, age_s: float | None) -> None:
        """A heartbeat told the age of the child's latest market data (None: not told)."""
        self._data_age_s = age_s if now >= self._grace_until else None

    def discount(self, gap_s: float, now: float) -> None:
        """The supervisor did not run for `gap_s` seconds until `now`."""
        self._hello_by += gap_s
        self._spoke_at += gap_s
        self._ready_by += gap_s
        grace_s = min(RESUME_GRACE_S, self.limits.hung_s * RESUME_GRACE_SHARE)
        self._heard_at = max(self._heard_at + gap_s, now - self.limits.hung_s + grace_s)
        self._grace_until = now + RESUME_GRACE_S
        self._data_age_s = None

    def verdict(self, now: float) -> Health:
        """How the child is at `now`; the worst that is true."""
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
        """When the verdict may next change without anything being heard; infinity if it cannot."""
        late_at = self._heard_at + self.limits.late_s
        hung_at = self._heard_at + self.limits.hung_s
        return min(self._hello_by, self._ready_by, late_at if late_at > now else hung_at)
