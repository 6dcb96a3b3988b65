"""A core with a clock of its own, for tests that play scenes."""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec

from foxtrot_supervisor.config.schema import SupervisorConfig
from foxtrot_supervisor.core.core import Core
from foxtrot_supervisor.core.effects import Effect, Publish
from foxtrot_supervisor.core.inputs import (
    ChildrenChanged,
    Exited,
    HeartbeatReceived,
    HelloReceived,
    Input,
    ReadyReceived,
    Spawned,
    StartRequested,
    StopRequested,
    Tick,
)
from foxtrot_supervisor.core.lifecycle import State
from foxtrot_supervisor.core.records import ChildPlan

__all__ = ["ENGINE", "FEED_A", "FEED_B", "SIMULATOR", "STOP", "Rig", "acts", "changed", "lost_rig", "other", "timed"]

ENGINE = ChildPlan(name="engine", tier=1, kind="engine")
SIMULATOR = ChildPlan(name="simulator", tier=0, kind="simulator")
FEED_A = ChildPlan(name="feed.a", tier=2)
FEED_B = ChildPlan(name="feed.b", tier=2)
STOP = StopRequested("operator")


class Rig:
    """A core with a clock; `living` children beat each second while the clock is wound by `wait`."""

    def __init__(self, *plans: ChildPlan, config: SupervisorConfig | None = None) -> None:
        self.core = Core(plans or (ENGINE, FEED_A, FEED_B), config or SupervisorConfig(), lambda: 0.0)
        self.now = 1000.0
        self.silent: set[str] = set()
        self.topics: dict[str, tuple[int, int]] = {}
        """How many topics each tells as asked and as flowing."""
        self.seen: list[tuple[float, Effect]] = []

    def tell(self, message: Input) -> list[Effect]:
        effects = self.core.handle(message, self.now)
        self.seen += [(self.now, effect) for effect in effects]
        return effects

    def wait(self, seconds: float) -> list[tuple[float, Effect]]:
        """Wind the clock: heartbeats of everyone who is not silent, ticks exactly at the core's deadlines."""
        first, end = len(self.seen), self.now + seconds
        while True:
            deadline = self.core.next_deadline()
            if deadline is None or deadline > end:
                break
            self.now = max(self.now, deadline)
            for record in list(self.core.records.values()):
                if record.state in (State.CONNECTING, State.RUNNING) and record.name not in self.silent:
                    told = (None, *self.topics.get(record.name, (0, 0)))
                    self.tell(HeartbeatReceived(record.name, record.incarnation, *told))
            self.tell(Tick())
        self.now = end
        return self.seen[first:]

    def make(self, name: str) -> None:
        self.tell(Spawned(name, self.inc(name), 4000 + self.inc(name)))

    def serve(self, *names: str) -> None:
        """Their processes are made, say HELLO and READY."""
        for name in names:
            self.make(name)
            self.tell(HelloReceived(name, self.inc(name)))
            self.tell(ReadyReceived(name, self.inc(name)))

    def start(self) -> Rig:
        """Everything runs."""
        self.tell(StartRequested())
        for record in sorted(self.core.records.values(), key=lambda record: record.plan.tier):
            self.serve(record.name)
        for name in self.core.records:
            self.tell(HeartbeatReceived(name, 1))
        return self

    def die(self, name: str, code: int | None = None, signal: int | None = None) -> list[Effect]:
        return self.tell(Exited(name, self.inc(name), code, signal))

    def inc(self, name: str) -> int:
        return self.core.records[name].incarnation

    def state(self, name: str) -> State:
        return self.core.records[name].state


def acts(effects: Sequence[Effect]) -> list[Effect]:
    """Without the publishing."""
    return [effect for effect in effects if not isinstance(effect, Publish)]


def timed(seen: Sequence[tuple[float, Effect]], since: float) -> list[tuple[float, Effect]]:
    return [(round(at - since, 6), effect) for at, effect in seen if not isinstance(effect, Publish)]


def lost_rig() -> Rig:
    rig = Rig(ENGINE, FEED_A).start()
    rig.silent = {"feed.a"}
    rig.wait(16.5)
    assert rig.state("feed.a") is State.LOST
    return rig


def changed(*plans: ChildPlan, config: SupervisorConfig | None = None, kill_at: float = math.inf) -> ChildrenChanged:
    return ChildrenChanged(plans, config or SupervisorConfig(), kill_at)


def other(plan: ChildPlan, **more: object) -> ChildPlan:
    return msgspec.structs.replace(plan, **more)
