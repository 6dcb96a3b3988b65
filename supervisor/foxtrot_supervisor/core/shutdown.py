"""Order and time of the final stop: whose turn is it, when is the patience of all at its end; stops nobody.

Tiers go down in the reverse order of their start, and a tier only once everything above it has ended (or is
LOST): connections first, so that the engine still applies what they flush; the simulated exchange last. Within
a tier all go together, each down its own ladder. One budget lies over all of it: when it is spent, whatever
is left is SIGKILLed at once, in whatever tier. A second request does the same now.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from foxtrot_protocol.exit_codes import SupervisorExit

__all__ = ["REQUESTS_PATIENT_MAX", "Shutdown", "exit_code"]

REQUESTS_PATIENT_MAX: Final = 1
"""Stop requests that leave each child its ladder; the next one means SIGKILL."""


class Shutdown:
    """One final stop. Times are seconds on the monotonic clock."""

    __slots__ = ("_requests", "_tiers", "hastened", "kill_needed", "not_after", "reason", "start_failed")

    def __init__(
        self, tiers: Sequence[Sequence[str]], now: float, budget_s: float, reason: str, *, start_failed: bool = False
    ) -> None:
        """`tiers`: names in order of start."""
        self._tiers = [list(tier) for tier in reversed(tiers)]
        self._requests = 0
        self.not_after = now + budget_s
        """When everything left is SIGKILLed."""
        self.hastened = False
        """Whether patience is at its end: SIGKILL for everything."""
        self.kill_needed = False
        """Whether a child had to be SIGKILLed since this stop began."""
        self.reason = reason
        """For people."""
        self.start_failed = start_failed
        """Whether this stop began because the start failed."""

    def request(self) -> None:
        """Somebody asks for it. Twice, and patience is at its end; a failed start asked nobody."""
        self._requests += 1
        self.hastened = self.hastened or self._requests > REQUESTS_PATIENT_MAX

    def look(self, now: float) -> None:
        """Patience is at its end when the budget is spent."""
        self.hastened = self.hastened or now >= self.not_after

    def turn(self, has_ended: Callable[[str], bool]) -> list[str]:
        """Those who have to be on their way down by now; empty when all have ended."""
        waiting = [[name for name in tier if not has_ended(name)] for tier in self._tiers]
        if self.hastened:
            return [name for tier in waiting for name in tier]
        return next((tier for tier in waiting if tier), [])

    def shift(self, gap_s: float) -> None:
        """The supervisor did not run for `gap_s` seconds: they do not count."""
        self.not_after += gap_s

    @property
    def next_deadline(self) -> float | None:
        """When `look` has to be called; None when patience is at its end already."""
        return None if self.hastened else self.not_after


def exit_code(*, lost: bool, start_failed: bool, essential_fatal: bool, kill_needed: bool) -> SupervisorExit:
    """How the whole ended, the worst first; an audit that finds a leftover comes on top of a clean end."""
    if lost:
        return SupervisorExit.UNKILLABLE
    if start_failed:
        return SupervisorExit.START_FAILED
    if essential_fatal:
        return SupervisorExit.ESSENTIAL_FATAL
    if kill_needed:
        return SupervisorExit.KILL_NEEDED
    return SupervisorExit.CLEAN
