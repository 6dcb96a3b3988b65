"""Detection of slow handler calls by repeated observation from another thread. Pure."""

from __future__ import annotations

from typing import Protocol

__all__ = ["CountedCalls", "SlowCallJudge"]


class CountedCalls(Protocol):
    """A handler whose calls are counted when they begin."""

    @property
    def calls(self) -> int: ...


class SlowCallJudge:
    """Compares the running call with that of the last observation, so that fast handlers pay nothing.

    `slow_s`: duration from which a call is slow, in seconds.
    """

    def __init__(self, slow_s: float) -> None:
        self._slow_s = slow_s
        self._running: CountedCalls | None = None
        self._call = 0
        self._since = 0.0
        self._reported = False

    def look(self, running: CountedCalls | None, now: float) -> tuple[float, bool]:
        """Return the least duration of the current call of `running` in seconds, and whether it has just become slow.

        Each call is reported as slow once. `now`: monotonic seconds.
        """
        if running is None or running is not self._running or running.calls != self._call:
            self._running = running
            self._call = 0 if running is None else running.calls
            self._since = now
            self._reported = False
            return 0.0, False
        elapsed_s = now - self._since
        newly_slow = not self._reported and elapsed_s >= self._slow_s
        self._reported = self._reported or newly_slow
        return elapsed_s, newly_slow
