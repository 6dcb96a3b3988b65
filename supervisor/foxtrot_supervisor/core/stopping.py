"""The final stop: every child down its ladder when its tier's turn comes, one budget over all.

A requested stop outlives everything: nothing is started after it, neither what was in BACKOFF nor what was on its
ladder to be replaced. A second request kills everything at once, whatever state it is in.
"""

from __future__ import annotations

from foxtrot_protocol.exit_codes import SupervisorExit
from foxtrot_supervisor.core.child import Child, Shared
from foxtrot_supervisor.core.children import Children
from foxtrot_supervisor.core.effects import Finish
from foxtrot_supervisor.core.lifecycle import Desired, Event, State
from foxtrot_supervisor.core.records import Purpose, tiers_of
from foxtrot_supervisor.core.shutdown import Shutdown, exit_code

__all__ = ["Stopping"]


class Stopping:
    """The final stop of all children. Times are seconds on the monotonic clock."""

    def __init__(self, children: Children, shared: Shared) -> None:
        self._children = children
        self._shared = shared
        self._stage: tuple[int, bool] | None = None
        self.exit_code: SupervisorExit | None = None
        """How the run ended; None before `Finish`."""

    def begin(self, reason: str, now: float, *, start_failed: bool = False) -> Shutdown:
        """Begin the stop. Children without a process have ended; those on their ladder get the overall limit."""
        tiers = tiers_of([child.record.plan for child in self._children])
        budget_s = self._shared.config.shutdown_s
        shutdown = self._shared.shutdown = Shutdown(tiers, now, budget_s, reason, start_failed=start_failed)
        for child in self._children:
            child.record.desired = Desired.STOPPED
            child.record.retry_at = None
            child.record.health = None
            child.touch()
            if not child.record.may_live:
                child.move(Event.STOP, reason)
            elif child.ladder is not None:
                child.ladder.limit(shutdown.not_after, now)
        return shutdown

    def advance(self, shutdown: Shutdown, now: float) -> None:
        """Take down the children whose turn has come; finish once all have ended."""
        if self.exit_code is not None:
            return
        shutdown.check_deadline(now)
        self._children.settle(now)
        while shutdown.stage != self._stage:
            self._stage = shutdown.stage
            for name in shutdown.turn():
                self._take_down(self._children[name], shutdown, now)
            self._children.settle(now)
        if shutdown.all_ended:
            self._finish(shutdown)

    def _take_down(self, child: Child, shutdown: Shutdown, now: float) -> None:
        not_after = now if shutdown.kill_now else shutdown.not_after
        child.take_down(Purpose.STOP, shutdown.reason, now, not_after=not_after)

    def _finish(self, shutdown: Shutdown) -> None:
        records = self._children.records.values()
        self.exit_code = exit_code(
            lost=any(record.state is State.LOST for record in records),
            start_failed=shutdown.start_failed,
            essential_fatal=any(record.state is State.FATAL and record.plan.essential for record in records),
            kill_needed=shutdown.kill_needed,
        )
        self._shared.effects.append(Finish(self.exit_code))
