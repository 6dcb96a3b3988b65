"""A reload as its requester sees it: what it changes, and when it is complete. How it is done: `reconfigure`.

A reload is complete once each added or replaced child serves, or has failed in a way that waiting does not cure, and
each removed child is gone. A replacement whose exchange is unreachable counts as failed: its configuration is in force,
and it is retried as usual.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from foxtrot_supervisor.config.problems import Problem
from foxtrot_supervisor.config.schema import SupervisorConfig
from foxtrot_supervisor.core.lifecycle import State
from foxtrot_supervisor.core.records import ChildPlan, ChildRecord

__all__ = ["FIXED", "Changes", "Reload", "changes_between", "describe", "fixed_problems"]

FIXED = ("run_dir", "start_method")
"""Keys of ``[supervisor]`` that a reload cannot change."""


class Changes(Struct, frozen=True):
    """Names of children; each name is in exactly one of the lists."""

    added: list[str]
    removed: list[str]
    restarted: list[str]
    """Children that get a new process."""
    kept: list[str]
    """Children that keep their process, whatever else changes."""


def changes_between(before: Sequence[ChildPlan], after: Sequence[ChildPlan]) -> Changes:
    """Return what happens to each child."""
    old = {plan.name: plan for plan in before}
    new = {plan.name: plan for plan in after}
    both = [name for name in new if name in old]
    return Changes(
        added=[name for name in new if name not in old],
        removed=[name for name in old if name not in new],
        restarted=[name for name in both if old[name].fingerprint != new[name].fingerprint],
        kept=[name for name in both if old[name].fingerprint == new[name].fingerprint],
    )


def fixed_problems(before: SupervisorConfig, after: SupervisorConfig) -> list[Problem]:
    """Return a problem for each key that differs and cannot be changed by a reload."""
    return [
        Problem(f"supervisor.{key}", "cannot be changed by a reload: stop and start again")
        for key in FIXED
        if getattr(before, key) != getattr(after, key)
    ]


class Reload:
    """One reload. Times are seconds on the monotonic clock."""

    def __init__(
        self, changes: Changes, twins: Mapping[str, str], before: Mapping[str, int], now: float, limit_s: float
    ) -> None:
        """`twins`: the twin of each child that has one. `before`: incarnation of each child when the reload began.

        `limit_s`: seconds after which children that are not ready are reported as failed.
        """
        self._changes = changes
        self._twins = twins
        self._before = before
        self._limit_s = limit_s
        self.deadline = now + limit_s
        self.outcome: dict[str, Any] | None = None
        """`Changes` as a dictionary, and ``failed``: reasons by name. None until the reload is complete."""

    def look(self, records: Mapping[str, ChildRecord], now: float, *, stopping: bool) -> bool:
        """Return True once: when the reload is complete."""
        if self.outcome is not None:
            return False
        failed = {}
        for name in (*self._changes.added, *self._changes.restarted, *self._changes.removed):
            reason = self._judge(name, records)
            if reason is None and stopping:
                reason = "everything is being stopped"
            elif reason is None and now >= self.deadline:
                reason = f"not done within {self._limit_s:g} s"
            if reason is None:
                return False
            if reason:
                failed[name] = reason
        self.outcome = {
            "added": self._changes.added,
            "removed": self._changes.removed,
            "restarted": self._changes.restarted,
            "kept": self._changes.kept,
            "failed": failed,
        }
        return True

    def _judge(self, name: str, records: Mapping[str, ChildRecord]) -> str | None:
        """Return "" if the child is as configured, else why it is not; None: undecided."""
        record = records.get(name)
        if name in self._changes.removed:
            return "" if record is None else _lost(record)
        if record is None:
            return "it is gone"
        new = record.incarnation > self._before.get(name, 0)
        if new and record.state is State.RUNNING:
            return ""
        if new and record.state in (State.BACKOFF, State.FATAL, State.EXITED):
            return f"{record.state.value}: {record.cause}"
        twin = records.get(self._twins.get(name, ""))
        if not new and twin is not None and twin.state in (State.BACKOFF, State.FATAL, State.EXITED, State.LOST):
            return f"as it was, until {twin.name} serves: only one of both is replaced at a time"
        return _lost(record)


def describe(outcome: Mapping[str, Any]) -> str:
    """Return one line for people."""
    parts = [
        f"{word} {', '.join(outcome[key])}"
        for key, word in (("added", "added"), ("removed", "removed"), ("restarted", "restarted"))
        if outcome.get(key)
    ]
    kept = len(outcome.get("kept", ()))
    return "reloaded: " + "; ".join([*(parts or ["nothing to start or to stop"]), f"{kept} kept as they run"])


def _lost(record: ChildRecord) -> str | None:
    return f"LOST: {record.cause}" if record.state is State.LOST else None
