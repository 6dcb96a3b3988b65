"""Order and time of the final stop: which tier is stopped next, when everything left is killed. Stops nothing itself.

Tiers are stopped in the reverse order of their start, and a tier only once everything above it has ended (or is LOST):
connections first, so that the engine still applies what they flush; the simulated exchange last. Within a tier all
children are stopped together, each by its own ladder. One deadline holds for the whole stop: once it has passed, or a
second stop was requested, everything left is killed at once, in every tier.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from foxtrot_protocol.exit_codes import SupervisorExit

__all__ = ["GRACEFUL_REQUESTS_MAX", "Shutdown", "exit_code", "exit_code_after_audit"]

GRACEFUL_REQUESTS_MAX: Final = 1
"""Stop requests that leave each child its stop ladder; the next one means SIGKILL."""


class Shutdown:
    """One final stop. Times are seconds on the monotonic clock."""

    __slots__ = ("_left", "_requests", "kill_needed", "kill_now", "not_after", "reason", "start_failed")

    def __init__(
        self, tiers: Sequence[Sequence[str]], now: float, budget_s: float, reason: str, *, start_failed: bool = False
    ) -> None:
        """`tiers`: names in order of start. `reason`: for people. `start_failed`: the stop follows a failed start."""
        self._left = [dict.fromkeys(tier) for tier in tiers]
        """Children of each tier that have not ended, in order of start."""
        self._requests = 0
        self.not_after = now + budget_s
        """When everything left is killed."""
        self.kill_now = False
        """The overall deadline has passed, or a second stop was requested: SIGKILL everything."""
        self.kill_needed = False
        """Whether a child was sent SIGKILL since this stop began."""
        self.reason = reason
        self.start_failed = start_failed

    def request(self) -> None:
        """Count a stop request; the second one kills. A stop that follows a failed start was not requested."""
        self._requests += 1
        self.kill_now = self.kill_now or self._requests > GRACEFUL_REQUESTS_MAX

    def check_deadline(self, now: float) -> None:
        """Kill everything once the budget is spent."""
        self.kill_now = self.kill_now or now >= self.not_after

    def ended(self, name: str) -> None:
        """Note that a child has ended or is LOST."""
        for tier in self._left:
            tier.pop(name, None)

    def turn(self) -> list[str]:
        """Return the children that have to be on their way down by now; empty once all have ended."""
        while self._left and not self._left[-1]:
            self._left.pop()
        if self.kill_now:
            return [name for tier in reversed(self._left) for name in tier]
        return list(self._left[-1]) if self._left else []

    @property
    def all_ended(self) -> bool:
        """Whether nothing is left to wait for."""
        return not any(self._left)

    @property
    def stage(self) -> tuple[int, bool]:
        """Changes when `turn` names further children, or they have to go faster."""
        return sum(map(bool, self._left)), self.kill_now

    def shift(self, gap_s: float) -> None:
        """Discount `gap_s` seconds in which the supervisor did not run."""
        self.not_after += gap_s

    @property
    def next_deadline(self) -> float | None:
        """When `check_deadline` has to be called; None once everything is being killed."""
        return None if self.kill_now else self.not_after


def exit_code(*, lost: bool, start_failed: bool, essential_fatal: bool, kill_needed: bool) -> SupervisorExit:
    """Return how the run ended, the worst first; an audit that finds a leftover comes on top of a clean end."""
    if lost:
        return SupervisorExit.UNKILLABLE
    if start_failed:
        return SupervisorExit.START_FAILED
    if essential_fatal:
        return SupervisorExit.ESSENTIAL_FATAL
    if kill_needed:
        return SupervisorExit.KILL_NEEDED
    return SupervisorExit.CLEAN


def exit_code_after_audit(code: int, *, leftover: bool, unhandled: bool) -> SupervisorExit:
    """Return the exit code of a run that ended with `code`, given what the audit found.

    `leftover`: something was left behind; `unhandled`: events stand in rings that no handler was given. Neither hides a
    worse code.
    """
    if leftover and code in (SupervisorExit.CLEAN, SupervisorExit.KILL_NEEDED):
        return SupervisorExit.LEFTOVER
    if unhandled and code == SupervisorExit.CLEAN:
        return SupervisorExit.KILL_NEEDED
    return SupervisorExit(code)
