"""The start: tier by tier, twins apart.

A tier begins once every child of the lower tiers serves. A child that ended for good does not hold up the higher tiers,
unless the others depend on it (an essential engine or simulated exchange): then the start has failed, and everything is
stopped. The second of two twins starts when the first is READY, or `TWIN_APART_S` after it.

At most `BOOTING_MAX` processes boot at a time: a thousand that boot together take the processor from those that serve
already, and from the supervisor, and miss their own deadlines.
"""

from __future__ import annotations

import math
from typing import Final

from foxtrot_supervisor.core.child import ENDED_FOR_GOOD, Child
from foxtrot_supervisor.core.children import Children
from foxtrot_supervisor.core.lifecycle import State
from foxtrot_supervisor.core.sides import TWIN_APART_S

__all__ = ["BOOTING_MAX", "Starting"]

BOOTING_MAX: Final = 32
"""Processes that have been started and have not been heard, beyond which no further one is started."""


class Starting:
    """The start of everything, and later of what a new configuration adds. Times are monotonic seconds."""

    def __init__(self, children: Children) -> None:
        self._children = children
        self._is_over = False

    def failure(self) -> str:
        """Return why the start has failed, "" if it has not."""
        if self._is_over:
            return ""
        for child in self._children.foundations:
            if child.record.state in ENDED_FOR_GOOD and (not child.served_once or self._children.awaiting):
                return f"start failed: {child.name}: {child.record.cause}"
        return ""

    def advance(self, now: float) -> float:
        """Start the children whose turn has come; return when the turn of another comes without any input."""
        awaiting = list(self._children.awaiting)
        lowest = self._children.lowest_blocking_tier
        next_at = math.inf
        room = BOOTING_MAX - self._children.booting
        for child in awaiting:
            if room <= 0:
                break  # each HELLO, or death, is a change that leads here again
            if lowest is not None and child.record.plan.tier > lowest:
                continue
            apart_until = self._apart_until(child, now)
            if apart_until <= now:
                child.spawn("start requested", now)
                room -= 1
            else:
                next_at = min(next_at, apart_until)
        return next_at

    def _apart_until(self, child: Child, now: float) -> float:
        """Return until when the child waits for its twin, which was started before it; `now` if it does not."""
        twin = self._children.twin_of(child)
        if twin is None or twin.first_spawned_at is None:
            return now
        if twin.record.state not in (State.STARTING, State.CONNECTING):
            return now
        return twin.first_spawned_at + TWIN_APART_S

    def note_progress(self) -> None:
        """Once everything was started and each foundation has served, no later failure is one of the start."""
        self._is_over = self._is_over or not (
            self._children.awaiting or any(not child.served_once for child in self._children.foundations)
        )
