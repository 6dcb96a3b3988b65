"""What follows from a child's death: start it again after a delay, leave it, or give it up. Decides only.

The three policies are OTP's: *permanent* is always started again, *transient* unless it ended cleanly,
*temporary* never. What kind of death it was comes from `foxtrot_protocol.exit_codes.verdict`:

========= ==================== ======================================= ===========================
verdict   started again by     when                                    counts towards intensity
========= ==================== ======================================= ===========================
CLEAN     permanent            backoff                                 no
CRASH     permanent, transient backoff                                 yes: beyond it, given up
OUTSIDE   permanent, transient backoff, however often                  no: an exchange that is down for
                                                                       a day must not cost the feed
ROTATE    permanent, transient at once; backoff if it had hardly run   no
PERMANENT none: given up       -                                       -
========= ==================== ======================================= ===========================

Backoff: `first_s`, then `base_s` doubling up to `max_s`; jitter only shortens a delay, so that `max_s` is a
maximum and many children that died together do not come back together. An incarnation that served for
`healthy_after_s` resets the series. A delay requested by the exchange is a lower bound.

Intensity: in any window of `period_s` there are at most `intensity` restarts that follow from a crash. The
window holds the times of these *restarts*, not of the crashes: only then the bound holds whatever the delay between
the two.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final

from msgspec import Struct

from foxtrot_protocol.exit_codes import ExitVerdict
from foxtrot_supervisor.config.schema import Restart

__all__ = [
    "DOUBLINGS_MAX",
    "RETRY_AFTER_S_MAX",
    "ROTATE_SERVED_S_MIN",
    "GiveUp",
    "Leave",
    "RestartLimits",
    "RestartPolicy",
    "Retry",
    "backoff_s",
]

RETRY_AFTER_S_MAX: Final = 3 * 24 * 3600.0
"""Longest delay accepted from an exchange, in seconds: the longest ban that is documented (Binance, 418)."""

ROTATE_SERVED_S_MIN: Final = 10.0
"""A planned replacement is at once only after this many seconds of service: else an exchange that announces its
shutdown to every new connection would be connected to without a pause."""

DOUBLINGS_MAX: Final = 40
"""Exponent of the backoff at most: 0.5 s doubled this often is beyond any maximum, and no overflow is near."""


class RestartLimits(Struct, frozen=True):
    """Numbers of the policy, in seconds; `intensity` is a count, `jitter` a share from 0 to 1."""

    intensity: int
    period_s: float
    first_s: float
    base_s: float
    max_s: float
    jitter: float
    healthy_after_s: float


class Retry(Struct, frozen=True):
    """Start it again after `delay_s`; `crashed`: this restart counts towards the intensity."""

    delay_s: float
    crashed: bool


class Leave(Struct, frozen=True):
    """The policy leaves it ended."""


class GiveUp(Struct, frozen=True):
    """No restart can help; `reason` is for people."""

    reason: str


def backoff_s(attempt: int, limits: RestartLimits, random: float) -> float:
    """Return the delay in seconds before restart `attempt` of a series, counted from 0; `random`: 0 to 1."""
    full_s = limits.first_s if attempt == 0 else limits.base_s * 2.0 ** min(attempt - 1, DOUBLINGS_MAX)
    return min(full_s, limits.max_s) * (1.0 - limits.jitter * random)


class RestartPolicy:
    """Policy and history of one child."""

    __slots__ = ("_attempt", "_crash_restarts", "_limits", "_policy", "_random")

    def __init__(self, policy: Restart, limits: RestartLimits, random: Callable[[], float]) -> None:
        self._policy = policy
        self._limits = limits
        self._random = random
        self._attempt = 0
        self._crash_restarts: deque[float] = deque(maxlen=max(1, limits.intensity))

    def adopt(self, policy: Restart, limits: RestartLimits) -> None:
        """Put another policy and limits in force; the history is kept."""
        self._policy = policy
        self._limits = limits
        self._crash_restarts = deque(self._crash_restarts, maxlen=max(1, limits.intensity))

    def died(
        self, verdict: ExitVerdict, now: float, served_s: float, retry_after_s: float | None
    ) -> Retry | Leave | GiveUp:
        """Return what follows from a death.

        `served_s`: seconds for which this incarnation was READY. `retry_after_s`: delay requested by the exchange.
        """
        limits = self._limits
        if verdict is ExitVerdict.PERMANENT:
            return GiveUp("no restart can help")
        if self._policy == "temporary" or (self._policy == "transient" and verdict is ExitVerdict.CLEAN):
            return Leave()
        if served_s >= limits.healthy_after_s:
            self._attempt = 0
        crashed = verdict is ExitVerdict.CRASH
        if crashed and self._restarts_within(now) >= limits.intensity:
            return GiveUp(f"more than {limits.intensity} crashes within {limits.period_s:g} s")
        planned = verdict is ExitVerdict.ROTATE and served_s >= ROTATE_SERVED_S_MIN
        return Retry(self._delay_s(planned, retry_after_s), crashed)

    def _restarts_within(self, now: float) -> int:
        return sum(now - at <= self._limits.period_s for at in self._crash_restarts)

    def _delay_s(self, planned: bool, retry_after_s: float | None) -> float:
        if planned:
            delay_s = 0.0
        else:
            delay_s = backoff_s(self._attempt, self._limits, self._random())
            self._attempt += 1
        if retry_after_s is not None and retry_after_s > delay_s:
            return min(retry_after_s, RETRY_AFTER_S_MAX)
        return delay_s

    def restarted(self, now: float, crashed: bool) -> None:
        """Note that a restart which `died` allowed takes place now; `crashed`: it counts towards the intensity."""
        if crashed:
            # a high intensity must not keep what is past counting
            while self._crash_restarts and now - self._crash_restarts[0] > self._limits.period_s:
                self._crash_restarts.popleft()
            self._crash_restarts.append(now)

    def forgive(self) -> None:
        """Reset backoff and intensity: an operator or a new configuration restarts the child."""
        self._attempt = 0
        self._crash_restarts.clear()
