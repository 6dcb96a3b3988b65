"""How long an assignment of connections holds: a node of a cluster has stopped them when it ends.

::

    stop_at            kill_at     ends_at
    stop begins        SIGKILL     no process is left

By `ends_at` the processes have to be gone, so that their stop begins before: a stop takes time.
"""

from __future__ import annotations

from msgspec import Struct

__all__ = ["KILL_SHARE", "Validity"]

KILL_SHARE = 0.25
"""Share of the time of the stop that is left for the ends of processes after SIGKILL."""


class Validity(Struct, frozen=True):
    """Times are seconds on the monotonic clock of this machine."""

    ends_at: float
    """Then no process of a connection is left."""
    stop_s: float
    """So long before that the stop begins."""

    @property
    def stop_at(self) -> float:
        """When the connections are to be stopped."""
        return self.ends_at - self.stop_s

    @property
    def kill_at(self) -> float:
        """When what still lives is killed."""
        return self.ends_at - self.stop_s * KILL_SHARE

    def holds(self, now: float) -> bool:
        """Return whether the connections may run."""
        return now < self.stop_at
