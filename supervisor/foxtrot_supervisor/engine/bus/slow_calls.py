"""Which call of a handler takes too long, seen from outside by looking again and again; pure."""

from __future__ import annotations

from typing import Protocol

__all__ = ["CountedCalls", "SlowCallJudge"]


class CountedCalls(Protocol):
    """A handler whose calls are counted when they begin."""

    @property
    def calls(self) -> int: ...


class SlowCallJudge:
    """Fast handlers pay nothing for it: it compares what runs now with what ran at the last look."""

    def __init__(self, slow_s: float) -> None:
        self._slow_s = slow_s
        self._running: CountedCalls | None = None
        self._call = 0
        self._since = 0.0
        self._told = False

    def look(self, running: CountedCalls | None, now: float) -> tuple[float, bool]:
        """For how many seconds at least the present call of `running` has gone on, and whether to tell of it now.

        It is told of once, when it has gone on for `slow_s`. `now`: monotonic seconds.
        """
        if running is None or running is not self._running or running.calls != self._call:
            self._running = running
            self._call = 0 if running is None else running.calls
            self._since = now
            self._told = False
            return 0.0, False
        elapsed_s = now - self._since
        tell = not self._told and elapsed_s >= self._slow_s
        self._told = self._told or tell
        return elapsed_s, tell
