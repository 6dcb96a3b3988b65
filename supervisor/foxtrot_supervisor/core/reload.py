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

__all__ = ["FIXED", "Changes", "Reload", "changes_between", "describe", "describe_preview", "fixed_problems"]

SHOWN_MAX = 10
"""Values of a list that are shown to people."""

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
        self,
        changes: Changes,
        twins: Mapping[str, str],
        before: Mapping[str, int],
        now: float,
        limit_s: float,
        spares: Mapping[str, str] | None = None,
    ) -> None:
        """`twins`: the twin of each child that has one. `before`: incarnation of each child when the reload began.

        `limit_s`: seconds after which children that are not ready are reported as failed. `spares`: the other side of
        each child that may be handed over to it.
        """
        self._changes = changes
        self._spares = spares or {}
        self._handed_over: dict[str, str] = {}
        """Children whose other side was started, and the latest cause of that one's state."""
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
        spare = records.get(self._spares.get(name, ""))
        if spare is not None and spare.incarnation > self._before.get(spare.name, 0):
            self._handed_over[name] = f"{spare.name} is {spare.state.value}: {spare.cause}"
            if record is None:
                return self._judge_process(spare)
            if not record.incarnation > self._before.get(name, 0):
                return None
        elif name in self._handed_over and record is not None and record.rotation == "wanted":
            return f"as it was, it will be tried again: {self._handed_over[name]}"
        if record is None:
            return "it is gone"
        if record.stopped_by_operator:
            return record.cause
        new = record.incarnation > self._before.get(name, 0)
        if new:
            return self._judge_process(record)
        twin = records.get(self._twins.get(name, ""))
        if twin is not None and twin.state in (State.BACKOFF, State.FATAL, State.EXITED, State.LOST):
            return f"as it was, until {twin.name} serves: only one of both is replaced at a time"
        return _lost(record)

    @staticmethod
    def _judge_process(record: ChildRecord) -> str | None:
        """Return "" if this new process serves, else why it does not; None: undecided."""
        if record.state is State.RUNNING:
            return ""
        if record.state in (State.BACKOFF, State.FATAL, State.EXITED):
            return f"{record.state.value}: {record.cause}"
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


def describe_preview(preview: Mapping[str, Any]) -> list[str]:
    """Return the lines that tell people what a reload would do; `preview`: the answer to a dry run."""
    lines = [f"  {_setting(each)}" for each in preview["settings"]]
    lines += [f"  connection {name}: new" for name in preview["added"]]
    lines += [f"  connection {name}: removed" for name in preview["removed"]]
    for name, settings in preview["changed"].items():
        lines.append(f"  connection {name}: changed")
        lines += [f"    {_setting(each)}" for each in settings]
    lines = ["in the file:", *lines] if lines else ["nothing has changed in the file"]
    processes, handed_over, in_turn = preview["processes"], preview["handed_over"], preview["in_turn"]
    stopped = [name for name in processes["restarted"] if name not in (*handed_over, *in_turn)]
    acts = [
        (processes["added"], "started"),
        (processes["removed"], "stopped"),
        (handed_over, "replaced, the new process serves before the old one stops"),
        (in_turn, "replaced one after the other, while the other side serves"),
        (stopped, "stopped and started again"),
    ]
    lines += ["a reload would do:", *(f"  {', '.join(names)}: {act}" for names, act in acts if names)]
    for name, change in preview["live"].items():
        for key, act in (("added", "subscribe"), ("removed", "unsubscribe")):
            if change[key]:
                lines.append(f"  {name}: {act} {_some(change[key])} on its connection")
    if lines[-1] == "a reload would do:":
        lines[-1] = "a reload would start and stop nothing"
    return [*lines, f"{len(processes['kept'])} processes run on"]


def _setting(setting: Mapping[str, Any]) -> str:
    before, after = setting["before"], setting["after"]
    if isinstance(before, list) and isinstance(after, list):
        parts = [f"- {_some(before)}"] * bool(before) + [f"+ {_some(after)}"] * bool(after)
        return f"{setting['key']}: {'; '.join(parts)}"
    return f"{setting['key']}: {_some(before)} → {_some(after)}"


def _some(value: Any) -> str:
    """Return a value in short: of a long list the first ones and their number."""
    if isinstance(value, list):
        shown = ", ".join(map(str, value[:SHOWN_MAX]))
        return f"{shown}, … ({len(value)})" if len(value) > SHOWN_MAX else shown
    return "unset" if value is None else str(value)


def _lost(record: ChildRecord) -> str | None:
    return f"LOST: {record.cause}" if record.state is State.LOST else None
