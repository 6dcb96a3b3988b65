"""A new configuration: keep every process that can be kept.

A child that is no longer configured is stopped and then forgotten, but for its last incarnation: if
the name comes back, the numbers continue. An added child starts in its tier's turn; once the start is over, its failure
is its own. Of two twins that serve, one is replaced at a time, and the other once that one serves again: a mistake in
the new configuration costs one side. A connection with one side that serves is handed over to its other side, as for a
rotation: the old process is stopped once the new one stands in for it. Not so if the data come from elsewhere than
before (another exchange, another address): the two must not be merged.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final

from foxtrot_supervisor.core.child import Child, Shared
from foxtrot_supervisor.core.children import Children, in_order
from foxtrot_supervisor.core.inputs import ChildrenChanged
from foxtrot_supervisor.core.lifecycle import Desired, State
from foxtrot_supervisor.core.records import ChildPlan, Purpose, tiers_of
from foxtrot_supervisor.core.rotation import Rotation, stands_in_at
from foxtrot_supervisor.core.sides import other_side

__all__ = ["CHANGED", "HANDOVERS_MAX", "REMOVED", "Reconfiguration", "hands_over", "needs_new_process"]

CHANGED: Final = "its configuration has changed"
REMOVED: Final = "it is no longer configured"

HANDOVERS_MAX: Final = 20
"""Connections that have both of their sides at a time because their configuration has changed."""


def hands_over(before: ChildPlan, after: ChildPlan) -> bool:
    """Return whether the new process of a connection with one side may serve before the old one is stopped."""
    return after.spare is not None and after.twin is None and bool(after.source) and before.source == after.source


def needs_new_process(before: ChildPlan, after: ChildPlan) -> bool:
    """Return whether only a new process can follow the change; how a child is restarted and judged changes in place."""
    return (before.fingerprint, before.kind) != (after.fingerprint, after.kind)


class Reconfiguration:
    """Follows new configurations. Times are seconds on the monotonic clock."""

    def __init__(self, children: Children, shared: Shared, rotation: Rotation) -> None:
        self._children = children
        self._shared = shared
        self._rotation = rotation

    def apply(self, message: ChildrenChanged, now: float) -> None:
        """Put the new plans and limits in force. Raise `ValueError`, changing nothing, if a name stands twice."""
        tiers_of(message.plans)
        self._shared.adopt(message.config)
        plans = {plan.name: plan for plan in self.sided(message.plans)}
        spares = self._spares_that_stay(plans)
        for child in self._children:
            plan = plans.pop(child.name, None)
            if plan is not None:
                self._rotation.detach(child)
                self._change(child, plan)
            elif child.name in spares:
                self._change(child, spares[child.name])
            else:
                cause = REMOVED if child.predecessor is None else CHANGED
                child.retire(cause, now, not_after=message.kill_at)
        for plan in plans.values():
            self._children.add(plan).record.desired = Desired.RUNNING

    def sided(self, plans: Sequence[ChildPlan]) -> list[ChildPlan]:
        """Return `plans`; where the spare has taken over from its connection's first side, with the sides exchanged."""
        return [
            other_side(plan)
            if plan.spare is not None and not self._stands(plan.name) and self._stands(plan.spare.name)
            else plan
            for plan in plans
        ]

    def _stands(self, name: str) -> bool:
        child = self._children.get(name)
        return child is not None and not child.retiring and child.predecessor is None

    def _spares_that_stay(self, plans: Mapping[str, ChildPlan]) -> dict[str, ChildPlan]:
        """A rotation goes on if nothing has changed that its processes were started with."""
        spares = {}
        for child in self._children:
            if child.predecessor is None or child.retiring:
                continue
            plan = plans.get(child.predecessor)
            if plan is not None and plan.spare is not None and plan.spare.name == child.name:
                spare = other_side(plan)
                if not needs_new_process(child.record.plan, spare):
                    spares[spare.name] = spare
        return spares

    def _change(self, child: Child, plan: ChildPlan) -> None:
        record = child.record
        before, record.plan = record.plan, plan
        child.policy.adopt(plan.restart, self._shared.restart_limits)
        if child.watch is not None:
            child.watch.adopt(self._shared.health_limits(plan))
        if child.retiring:
            # configured again while it is being stopped: its next incarnation starts with the new configuration
            child.retiring = False
            child.record.purpose = Purpose.RESTART
            record.desired = Desired.RUNNING
        elif record.stopped_by_operator:
            pass  # started by an operator only, with the new configuration then
        elif plan.ours and needs_new_process(before, plan) and record.incarnation > child.born_after:
            same = hands_over(before, plan)
            child.hands_over = same and (child.hands_over or not child.outdated)
            child.outdated = True
        child.touch()

    def advance(self, now: float) -> float:
        """Replace outdated children whose turn has come; return when another one's comes without any input."""
        next_at = math.inf
        room = HANDOVERS_MAX - sum(child.predecessor is not None for child in self._children.changing_sides)
        for child in in_order(self._children.outdated):
            if not child.outdated:
                continue
            if child.hands_over and child.record.state is State.RUNNING:
                if room > 0:
                    room -= 1
                    self._hand_over(child, now)
                continue
            next_at = min(next_at, self._replace(child, now))
        return next_at

    def _hand_over(self, child: Child, now: float) -> None:
        """Have the other side started with the new configuration; a rotation that it waits for does that too."""
        child.outdated = False
        child.touch()
        self._rotation.request(child, CHANGED, now)

    def _replace(self, child: Child, now: float) -> float:
        twin = self._children.twin_of(child)
        if twin is not None and child.record.state is State.RUNNING and not twin.stands_in_for(child, now):
            return stands_in_at(twin, now)
        if child.record.state is State.LOST:
            child.outdated = False  # whenever it dies, its successor starts with the new configuration
            child.touch()
        else:
            child.replace(CHANGED, now)
        return math.inf
