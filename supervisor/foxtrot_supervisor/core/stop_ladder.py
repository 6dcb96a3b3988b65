"""The stop ladder of one child: STOP request, SIGTERM, SIGKILL, given up; decides what is due, sends nothing.

::

    begin       + ask_s              + term_s - 1 s     + term_s     + kill_s
      "ask"       "term"               "dump"             "kill"       "lost"
                                       a hung child begins here

The dump of stacks is no rung: it does not affect the child, and shows later what the child was doing when it had to be
killed. Each rung's deadline is an absolute time, fixed on entering the rung: if the supervisor is late for one rung,
the next one keeps its whole time, so SIGKILL never precedes the end of SIGTERM's grace. Two exceptions: a hung child,
which cannot hear, and `kill_now` (second stop request, overall budget spent).

An overall limit (`not_after`) is shared between request and SIGTERM in proportion: a child whose turn came late still
passes every rung, only faster.
"""

from __future__ import annotations

import math
from typing import Final, Literal, TypeAlias

from msgspec import Struct

__all__ = ["DUMP_LEAD_S", "Ladder", "Rung", "Step", "StopLimits"]

DUMP_LEAD_S: Final = 1.0
"""Seconds from the dump of stacks to SIGKILL: a dump takes milliseconds, on a busy machine longer."""

DUMP_LEAD_SHARE: Final = 0.5
"""Share of SIGTERM's grace that passes before the dump at least, however short the grace is."""

Rung: TypeAlias = Literal["ask", "term", "kill", "lost"]
"""Rungs of the stop ladder, gentlest first; "lost": the process survived SIGKILL for too long."""

Step: TypeAlias = Literal["ask", "term", "dump", "kill", "lost"]
"""What is due: a rung, or the dump of stacks."""

_NEXT: Final[dict[Rung, Rung]] = {"ask": "term", "term": "kill", "kill": "lost", "lost": "lost"}


class StopLimits(Struct, frozen=True):
    """Seconds that each rung waits for the child to end."""

    ask_s: float
    term_s: float
    kill_s: float


class Ladder:
    """The way down of one child. Times are seconds on the monotonic clock."""

    __slots__ = ("_deadline", "_dump_at", "_kill_s", "_next", "_not_after", "_term_s", "ask_s", "rung")

    def __init__(self, limits: StopLimits, now: float, *, hung: bool = False, not_after: float = math.inf) -> None:
        """Begin at `now`; `due` returns the first step. SIGKILL is due at `not_after` at the latest.

        `hung`: the child cannot hear, so begin with the dump of stacks.
        """
        self.rung: Rung | None = None
        """The last rung reached; None before the first (stacks of a hung child are being dumped)."""
        self.ask_s: float = limits.ask_s
        """Grace in seconds that the STOP request names."""
        self._term_s = limits.term_s
        self._kill_s = limits.kill_s
        self._next: Rung = "kill" if hung else "ask"
        self._dump_at = now if hung else math.inf
        self._deadline = now + DUMP_LEAD_S if hung else now
        self._not_after = math.inf
        self.limit(not_after, now)

    def due(self, now: float) -> list[Step]:
        """Return what has to be done now, in this order. Call again at `next_deadline`."""
        steps: list[Step] = []
        while True:
            if now >= self._dump_at:
                self._dump_at = math.inf
                steps.append("dump")
            if now < self._deadline:
                return steps
            steps.append(self._enter(now))

    def _enter(self, now: float) -> Rung:
        rung = self.rung = self._next
        self._next = _NEXT[rung]
        self._dump_at = math.inf
        if rung == "ask":
            self._deadline = now + self.ask_s
        elif rung == "term":
            self._deadline = max(now, min(now + self._term_s, self._not_after))
            lead_s = min(DUMP_LEAD_S, (self._deadline - now) * DUMP_LEAD_SHARE)
            self._dump_at = self._deadline - lead_s
        elif rung == "kill":
            self._deadline = now + self._kill_s
        else:
            self._deadline = math.inf
        return rung

    def limit(self, not_after: float, now: float) -> None:
        """SIGKILL no later than `not_after`: shorten what is left of request and SIGTERM to fit."""
        self._not_after = min(self._not_after, not_after)
        left_s = max(0.0, self._not_after - now)
        if self._next == "ask":
            share = _share(left_s, self.ask_s + self._term_s)
            self.ask_s *= share
            self._term_s *= share
        elif self._next == "term":
            asking_s = max(0.0, self._deadline - now)
            share = _share(left_s, asking_s + self._term_s)
            self._deadline = now + asking_s * share
            self._term_s *= share
        elif self._next == "kill" and self._not_after < self._deadline:
            self._deadline = now + left_s
            self._dump_at = min(self._dump_at, self._deadline)

    def kill_now(self, now: float) -> None:
        """Make SIGKILL due now, whatever rung this is; no effect once SIGKILL was sent."""
        if self._next in ("ask", "term", "kill"):
            self._next = "kill"
            self._deadline = now
            self._dump_at = math.inf

    def shift(self, gap_s: float) -> None:
        """Discount `gap_s` seconds in which the supervisor did not run."""
        self._deadline += gap_s
        self._dump_at += gap_s
        self._not_after += gap_s

    @property
    def next_deadline(self) -> float:
        """When `due` has to be called again; infinity once the child was given up."""
        return min(self._deadline, self._dump_at)


def _share(left_s: float, wanted_s: float) -> float:
    return 1.0 if wanted_s <= left_s else left_s / wanted_s
