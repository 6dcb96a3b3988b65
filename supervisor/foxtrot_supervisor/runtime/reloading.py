"""Reloads: reads the configuration again, puts it in force and follows the replacements until all have ended."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from msgspec import to_builtins

from foxtrot_protocol.errors import MessageTooLarge
from foxtrot_supervisor.config.differences import differences
from foxtrot_supervisor.config.problems import ConfigInvalid
from foxtrot_supervisor.config.schema import FoxtrotConfig
from foxtrot_supervisor.config.shards import Placements
from foxtrot_supervisor.core.child_specs import ChildSpecs, SymbolChange
from foxtrot_supervisor.core.core import Core
from foxtrot_supervisor.core.effects import Effect
from foxtrot_supervisor.core.inputs import ChildrenChanged, Input, RequestRefused
from foxtrot_supervisor.core.lifecycle import Desired
from foxtrot_supervisor.core.reconfigure import HANDOVERS_MAX, hands_over
from foxtrot_supervisor.core.records import ChildPlan, ChildRecord
from foxtrot_supervisor.core.reload import Reload, changes_between, fixed_problems
from foxtrot_supervisor.runtime.active_config import ActiveConfig
from foxtrot_supervisor.runtime.logs import Log
from foxtrot_supervisor.runtime.service_manager import ServiceManager
from foxtrot_supervisor.runtime.timers import Timers

__all__ = ["RELOAD_STEPS_MAX", "Decisions", "Reloading"]

NO_FILE = "this supervisor was started without a configuration file: there is nothing to read again"

RELOAD_STEPS_MAX = 4
"""A reload may take as long as this many replacements one after the other: three tiers, and twins in turn."""


class Decisions(Protocol):
    """The control loop, as far as a request concerns it."""

    def decide(self, request: Input) -> Sequence[Effect]:
        """Let the core decide about a request; return its effects, or raise `RequestRefused`."""

    def perform(self, effects: Sequence[Effect]) -> None:
        """Perform these effects, then whatever follows from changes."""


class Reloading:
    """One reload at a time.

    Args:
        active: the configuration in force.
        core: read only; what is decided is decided through `decisions`.
        decisions: takes the request for other children.
        read_config: reads the configuration again, or raises `ConfigInvalid`; None: there is nothing to read.
        adopted: is called when another configuration is in force, with the symbols that running workers are to change.
        ended: is called when a reload has ended.
        service: the service manager.
        timers: for the deadline.
        log: gets ``reload``, ``reload_refused``, ``assignment_refused`` and ``reloaded``.
    """

    def __init__(
        self,
        active: ActiveConfig,
        core: Core,
        decisions: Decisions,
        *,
        read_config: Callable[[Placements], FoxtrotConfig] | None,
        adopted: Callable[[Mapping[str, SymbolChange]], None],
        ended: Callable[[], None],
        service: ServiceManager,
        timers: Timers,
        log: Log,
    ) -> None:
        self._active = active
        self._core = core
        self._decisions = decisions
        self._read_config = read_config
        self._adopted = adopted
        self._ended = ended
        self._service = service
        self._timers = timers
        self._log = log
        self._reload: Reload | None = None
        self._held = ""
        self._deferred = False

    def request(self) -> Reload | str:
        """Begin a reload. Return it, or every reason why it is refused, one a line; then nothing has changed."""
        read = self._read_config
        if read is None:
            self._log.error("reload_refused", reason=NO_FILE)
            return NO_FILE
        return self._change(lambda: read(self._active.placements()))

    def request_when_free(self) -> None:
        """Begin a reload, or defer it while the configuration is held."""
        if self._held:
            self._deferred = True
            self._log.info("reload_deferred", reason=self._held)
        else:
            self.request()

    def put_in_force(self, config: FoxtrotConfig, *, by_holder: bool = False) -> Reload | str:
        """Begin to replace the configuration by `config`, as `request` does; `by_holder`: although it is held."""
        return self._change(lambda: config, by_holder=by_holder)

    def assign(self, config: FoxtrotConfig, *, kill_at: float = math.inf) -> Reload | str:
        """Begin to replace the configuration by `config`, although replacements of the one before have not ended.

        Return the reload, or why it is refused. `kill_at`: when what is removed is killed at the latest, monotonic.
        """
        self._service.reloading()
        begun = self._begin(lambda: config, kill_at)
        if isinstance(begun, str):
            self._service.reloaded()
            self._log.error("assignment_refused", reason=begun)
        return begun

    def hold(self, reason: str) -> None:
        """Refuse reloads until `release`, for this reason; only the holder changes the configuration."""
        self._held = reason

    def release(self) -> None:
        """Allow reloads again; begins one that was deferred."""
        self._held = ""
        if self._deferred:
            self._deferred = False
            self.request()

    def preview(self) -> dict[str, Any] | str:
        """Return what a reload would do, or every reason why it would be refused, one a line. Nothing changes."""
        read = self._read_config
        if read is None:
            return NO_FILE
        if self.is_under_way:
            return "a reload is under way"
        if self._held:
            return self._held
        try:
            config, specs, plans = self._read(lambda: read(self._active.placements()))
        except (ConfigInvalid, MessageTooLarge) as refusal:
            return str(refusal)
        running = {record.name: record.plan for record in self._core.records.values() if _is_meant_to_run(record)}
        plans = self._to_run(plans)
        changes = changes_between(list(running.values()), plans)
        return {
            **to_builtins(differences(self._active.config, config)),
            "processes": to_builtins(changes),
            "handed_over": [
                plan.name for plan in plans if plan.name in changes.restarted and hands_over(running[plan.name], plan)
            ],
            "in_turn": [plan.name for plan in plans if plan.name in changes.restarted and plan.twin is not None],
            "live": to_builtins(specs.changes_since(self._active.specs)),
        }

    def check(self) -> None:
        """End the reload if every replacement has ended or its time is over; called after each change of a state."""
        reload = self._reload
        stopping = self._core.state in ("stopping", "stopped")
        if reload is not None and reload.look(self._core.records, time.monotonic(), stopping=stopping):
            self._timers.cancel("reload")
            self._log.info("reloaded", **reload.outcome or {})
            self._service.reloaded()
            self._ended()

    @property
    def replaces(self) -> bool:
        """Whether replacements of a reload have not ended."""
        return self._reload is not None and self._reload.outcome is None

    @property
    def is_held(self) -> bool:
        """Whether only a holder may change the configuration."""
        return bool(self._held)

    @property
    def is_under_way(self) -> bool:
        """Whether a reload would be refused."""
        return self.is_held or self.replaces

    @property
    def refusal(self) -> str:
        """Why a reload would be refused."""
        return self._held or "a reload is under way"

    def _change(self, new: Callable[[], FoxtrotConfig], *, by_holder: bool = False) -> Reload | str:
        begun: Reload | str = self.refusal
        if not self.is_under_way or (by_holder and not self.replaces):
            self._service.reloading()
            begun = self._begin(new)
            if isinstance(begun, str):
                self._service.reloaded()
        if isinstance(begun, str):
            self._log.error("reload_refused", reason=begun)
        return begun

    def _read(self, new: Callable[[], FoxtrotConfig]) -> tuple[FoxtrotConfig, ChildSpecs, list[ChildPlan]]:
        """Return the new configuration and what follows from it; raises `ConfigInvalid` or `MessageTooLarge`."""
        config = new()
        problems = fixed_problems(self._active.config.supervisor, config.supervisor)
        if problems:
            raise ConfigInvalid("", problems)
        specs = self._active.specs.succeeded_by(config)
        return config, specs, self._core.sided(specs.plans())

    def _begin(self, new: Callable[[], FoxtrotConfig], kill_at: float = math.inf) -> Reload | str:
        """Check everything before anything is changed."""
        records = self._core.records
        try:
            config, specs, plans = self._read(new)
            before = {name: record.incarnation for name, record in records.items()}
            old_plans = [record.plan for record in records.values() if _is_meant_to_run(record)]
            effects = self._decisions.decide(ChildrenChanged(plans, config.supervisor, kill_at))
        except (ConfigInvalid, MessageTooLarge, RequestRefused) as refusal:
            return str(refusal)
        symbols = specs.changes_since(self._active.specs)
        self._active.adopt(config, specs)
        self._adopted(symbols)
        plans = self._to_run(plans)
        changes = changes_between(old_plans, plans)
        twins = {plan.name: plan.twin for plan in plans if plan.twin is not None}
        spares = {plan.name: plan.spare.name for plan in plans if plan.spare is not None}
        turns = math.ceil(len(changes.restarted) / HANDOVERS_MAX)
        limit_s = (RELOAD_STEPS_MAX - 1 + max(1, turns)) * self._active.restart_limit_s
        reload = self._reload = Reload(changes, twins, before, time.monotonic(), limit_s, spares)
        self._log.info("reload", added=changes.added, removed=changes.removed, restarted=changes.restarted)
        self._timers.call_later("reload", limit_s, self.check)
        self._decisions.perform(effects)  # what follows calls `check`, even without effects: nothing had to change
        return reload

    def _to_run(self, plans: Sequence[ChildPlan]) -> list[ChildPlan]:
        """Return `plans` without those of workers that an operator has stopped: a reload leaves these as they are."""
        records = self._core.records
        return [plan for plan in plans if not ((record := records.get(plan.name)) and record.stopped_by_operator)]


def _is_meant_to_run(record: ChildRecord) -> bool:
    return record.desired is Desired.RUNNING
