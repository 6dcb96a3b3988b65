"""Rotation: replace a connection that grows old, while the other side stands in for it.

A twin is stopped and started again under its own name. For a connection with one side a spare is started, which takes
over once it stands in for the old side; the old side is then retired. A spare that fails is retired and tried again
later. If the old side dies meanwhile, the spare is promoted at once: from then on it is the connection's worker.
"""

from __future__ import annotations

import math
from typing import Final

from foxtrot_supervisor.core.child import Child, Shared
from foxtrot_supervisor.core.children import Children, in_order
from foxtrot_supervisor.core.lifecycle import Desired, State
from foxtrot_supervisor.core.records import CAUSE_CHARS_MAX, Purpose
from foxtrot_supervisor.core.sides import CARRY_S_MAX, SETTLE_S, other_side

__all__ = ["ROTATED", "Rotation", "stands_in_at"]

ROTATED: Final = "rotated"
"""Prefix of the cause recorded on rotation."""

_COMING_UP: Final = frozenset({State.STARTING, State.CONNECTING, State.RUNNING})


def stands_in_at(child: Child, now: float) -> float:
    """Return when `child` may begin to stand in for its other side without any message; infinity if it cannot."""
    ready_at = child.record.ready_at
    if child.record.state is not State.RUNNING or ready_at is None or ready_at + SETTLE_S <= now:
        return math.inf
    return ready_at + SETTLE_S


class Rotation:
    """All rotations. Times are seconds on the monotonic clock."""

    def __init__(self, children: Children, shared: Shared) -> None:
        self._children = children
        self._shared = shared

    def request(self, child: Child, reason: str, now: float) -> None:
        """Note that the child wants to be rotated. It may ask repeatedly: each incarnation is noted once."""
        record = child.record
        has_alternative = record.plan.twin is not None or record.plan.spare is not None
        if record.state is not State.RUNNING or record.rotation or not has_alternative:
            return
        record.rotation = "wanted"
        record.rotation_reason = reason[:CAUSE_CHARS_MAX]
        child.pace.wanted(now, child.served_s(now), self._shared.restart_limits, self._shared.random())
        child.touch()

    def advance(self, now: float) -> float:
        """Begin and finish what is due; return when something else is due without any input."""
        next_at = math.inf
        for child in in_order(self._children.changing_sides):
            if child.retiring or child.record.state is not State.RUNNING:
                continue
            if child.predecessor is not None:
                next_at = min(next_at, self._check_spare(child, self._children[child.predecessor], now))
            else:
                next_at = min(next_at, self._begin(child, now))
        return next_at

    def _begin(self, child: Child, now: float) -> float:
        if now < child.pace.not_before:
            return child.pace.not_before
        record = child.record
        twin = self._children.twin_of(child)
        if twin is not None:
            if not twin.stands_in_for(child, now):
                return stands_in_at(twin, now)
            record.rotation = "going"
            child.take_down(Purpose.RESTART, f"{ROTATED}: {record.rotation_reason}", now)
        elif record.plan.spare is not None and record.plan.spare.name not in self._children:
            self._start_spare(child, now)
        return math.inf  # else no side can take over, or the previous holder of the spare's name is still stopping

    def _start_spare(self, child: Child, now: float) -> None:
        record = child.record
        spare = self._children.add(other_side(record.plan))
        spare.record.desired = Desired.RUNNING
        spare.record.rotation = "coming"
        spare.predecessor, child.successor = record.name, spare.name
        record.rotation = "going"
        child.touch()
        spare.spawn(f"in place of {record.name}: {record.rotation_reason}", now)

    def _check_spare(self, spare: Child, old: Child, now: float) -> float:
        if spare.stands_in_for(old, now):
            self.take_over(spare, old)
            old.retire(f"{ROTATED}: {spare.name} has taken over", now)
            return math.inf
        assert spare.record.ready_at is not None
        give_up_at = spare.record.ready_at + CARRY_S_MAX
        if now >= give_up_at:
            spare.retire(f"it does not stand in for {old.name} within {CARRY_S_MAX:g} s", now)
            return math.inf
        return min(stands_in_at(spare, now), give_up_at)

    def take_over(self, spare: Child, old: Child) -> None:
        """Make the spare the connection's worker, with the history of the old side."""
        self.detach(spare)
        old.retiring = True
        old.record.rotation = "going"
        spare.policy, spare.pace = old.policy, old.pace
        spare.served_once = spare.served_once or old.served_once
        spare.record.restarts_total += old.record.restarts_total
        spare.record.rotations_total = old.record.rotations_total + 1
        old.touch()
        spare.touch()

    def detach(self, spare: Child) -> None:
        """End the bond between a spare and the side that it was to take over from; nothing if it is no spare."""
        if spare.predecessor is None:
            return
        old = self._children.get(spare.predecessor)
        if old is not None:
            old.successor = None
            if old.record.rotation == "going":
                old.record.rotation = "wanted"
            old.touch()
        spare.predecessor = None
        spare.record.rotation = ""
        spare.touch()

    def died(self, child: Child, now: float) -> None:
        """Take the death of a child that is a spare, or has one; nothing for any other."""
        if child.predecessor is not None:
            self._spare_failed(child, now)
        elif child.successor is not None:
            self._promote_spare(child, now)

    def _spare_failed(self, spare: Child, now: float) -> None:
        old = self._children.get(spare.predecessor)
        spare.retiring = True
        spare.record.desired = Desired.STOPPED
        self.detach(spare)
        if old is not None:
            old.pace.failed(now, self._shared.restart_limits, self._shared.random())
            old.pace.not_within(spare.retry_after_s, now)

    def _promote_spare(self, child: Child, now: float) -> None:
        """The old side died while its spare was coming up: the spare takes over at once."""
        spare = self._children[child.successor or ""]
        child.touch()
        if spare.retiring or spare.record.state not in _COMING_UP:
            child.record.rotation = ""  # the spare is going down itself: an ordinary restart follows
            return
        self.take_over(spare, child)
        spare.pace.not_within(child.retry_after_s, now)
        child.record.desired = Desired.STOPPED
