"""Reloads: reads the configuration again, puts it in force and follows the replacements until all have ended."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from foxtrot_protocol.errors import MessageTooLarge
from foxtrot_supervisor.config.problems import ConfigInvalid
from foxtrot_supervisor.config.schema import FoxtrotConfig
from foxtrot_supervisor.config.shards import Placements
from foxtrot_supervisor.core.child_specs import SymbolChange
from foxtrot_supervisor.core.core import Core
from foxtrot_supervisor.core.effects import Effect
from foxtrot_supervisor.core.inputs import ChildrenChanged, Input, RequestRefused
from foxtrot_supervisor.core.lifecycle import Desired
from foxtrot_supervisor.core.reload import Reload, changes_between, fixed_problems
from foxtrot_supervisor.runtime.active_config import ActiveConfig
from foxtrot_supervisor.runtime.logs import Log
from foxtrot_supervisor.runtime.service_manager import ServiceManager
from foxtrot_supervisor.runtime.timers import Timers

__all__ = ["RELOAD_STEPS_MAX", "Decisions", "Reloading"]

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
        log: gets ``reload``, ``reload_refused`` and ``reloaded``.
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
            begun: Reload | str = (
                "this supervisor was started without a configuration file: there is nothing to read again"
            )
            self._log.error("reload_refused", reason=begun)
            return begun
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

    def hold(self, reason: str) -> None:
        """Refuse reloads until `release`, for this reason; only the holder changes the configuration."""
        self._held = reason

    def release(self) -> None:
        """Allow reloads again; begins one that was deferred."""
        self._held = ""
        if self._deferred:
            self._deferred = False
            self.request()

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

    def _begin(self, new: Callable[[], FoxtrotConfig]) -> Reload | str:
        """Check everything before anything is changed."""
        records = self._core.records
        try:
            config = new()
            problems = fixed_problems(self._active.config.supervisor, config.supervisor)
            if problems:
                raise ConfigInvalid("", problems)
            specs = self._active.specs.succeeded_by(config)
            plans = self._core.sided(specs.plans())
            before = {name: record.incarnation for name, record in records.items()}
            old_plans = [record.plan for record in records.values() if record.desired is Desired.RUNNING]
            effects = self._decisions.decide(ChildrenChanged(plans, config.supervisor))
        except (ConfigInvalid, MessageTooLarge, RequestRefused) as refusal:
            return str(refusal)
        symbols = specs.changes_since(self._active.specs)
        self._active.adopt(config, specs)
        self._adopted(symbols)
        changes = changes_between(old_plans, plans)
        twins = {plan.name: plan.twin for plan in plans if plan.twin is not None}
        limit_s = RELOAD_STEPS_MAX * self._active.restart_limit_s
        reload = self._reload = Reload(changes, twins, before, time.monotonic(), limit_s)
        self._log.info("reload", added=changes.added, removed=changes.removed, restarted=changes.restarted)
        self._timers.call_later("reload", limit_s, self.check)
        self._decisions.perform(effects)  # what follows calls `check`, even without effects: nothing had to change
        return reload
