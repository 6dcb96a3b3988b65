"""Hypothesis plays the shell: any message, true or nonsense, at any time; a failure shrinks to a short story.

The seeded world of `process_world` is made of plausible processes. This machine is not bound to plausible:
HELLO without a process, READY before HELLO, deaths told twice, news of incarnations that never were.
"""

from __future__ import annotations

import msgspec
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from foxtrot_protocol.exit_codes import ChildExit
from foxtrot_supervisor.core.inputs import (
    CapturedStacks,
    ChildrenChanged,
    Exited,
    FailureReported,
    HeartbeatReceived,
    HelloReceived,
    Input,
    ReadyReceived,
    RequestRefused,
    RestartRequested,
    RotationWanted,
    Spawned,
    SpawnFailed,
    StartRequested,
    StopRequested,
    Tick,
    WorkersStopRequested,
)
from foxtrot_supervisor.core.records import ChildPlan
from tests.support.checked_core import CheckedCore
from tests.support.core_invariants import Observer, Violation
from tests.support.process_world import CONFIG

PLANS = (
    ChildPlan(name="simulator", tier=0, kind="simulator", essential=False),
    ChildPlan(name="engine", tier=1, kind="engine"),
    ChildPlan(name="a", tier=2, restart="transient"),
    ChildPlan(name="b", tier=2, stale_after_s=10.0),
    ChildPlan(name="e.a", tier=2, spare=ChildPlan(name="e.b", tier=2)),
)
TWINS = {"c.a": "c.b", "c.b": "c.a"}
TICKS_TO_THE_END_MAX = 200

names = st.sampled_from([*(plan.name for plan in PLANS), "c.a", "c.b", "e.b"])
ages = st.sampled_from([0, 0, 0, 0, 0, 1, -1, -2])
"""Incarnation a message speaks of, from the current one: mostly that, sometimes an older or a future one."""
codes = st.sampled_from([0, 1, *map(int, ChildExit), 99])


class Shell(RuleBasedStateMachine):
    """Everything a shell can tell a core."""

    def __init__(self) -> None:
        super().__init__()
        self.core = CheckedCore(PLANS, CONFIG, lambda: 0.5)
        self.observer = Observer(PLANS, CONFIG)
        self.now = 0.0

    def tell(self, message: Input) -> None:
        try:
            effects = self.core.handle(message, self.now)
        except RequestRefused:
            self.observer.look(self.now)
            self.observer.expect(self.core.next_deadline())
            return
        self.observer.told(message, self.now)
        self.observer.saw(effects, self.now)
        self.observer.expect(self.core.next_deadline())

    def inc(self, name: str, age: int) -> int:
        record = self.core.records.get(name)
        return (record.incarnation if record is not None else 1) + age

    @initialize()
    def start(self) -> None:
        self.tell(StartRequested())

    @rule(name=names, age=ages)
    def spawned(self, name: str, age: int) -> None:
        self.tell(Spawned(name, self.inc(name, age), 4711))

    @rule(name=names, age=ages)
    def spawn_failed(self, name: str, age: int) -> None:
        self.tell(SpawnFailed(name, self.inc(name, age), "no memory"))

    @rule(name=names, age=ages)
    def hello(self, name: str, age: int) -> None:
        self.tell(HelloReceived(name, self.inc(name, age)))

    @rule(name=names, age=ages)
    def ready(self, name: str, age: int) -> None:
        self.tell(ReadyReceived(name, self.inc(name, age)))

    @rule(name=names)
    def serves(self, name: str) -> None:
        """The usual way up in one step, or runs would mostly end in STARTING."""
        self.tell(Spawned(name, self.inc(name, 0), 4711))
        self.tell(HelloReceived(name, self.inc(name, 0)))
        self.tell(ReadyReceived(name, self.inc(name, 0)))

    @rule(
        name=names,
        age=ages,
        data_age_s=st.sampled_from([None, 0.0, 9.0]),
        asked=st.sampled_from([0, 0, 1]),
        flowing=st.integers(0, 2),
    )
    def heartbeat(self, name: str, age: int, data_age_s: float | None, asked: int, flowing: int) -> None:
        self.tell(HeartbeatReceived(name, self.inc(name, age), data_age_s, asked, flowing))

    @rule(name=names, age=ages)
    def rotation_wanted(self, name: str, age: int) -> None:
        self.tell(RotationWanted(name, self.inc(name, age), "planned age"))

    @rule(
        side=st.sampled_from(["e.a", "e.b"]), up=st.integers(0, 2), beat=st.sampled_from([None, (1, 1), (0, 0), (0, 2)])
    )
    def rotates(self, side: str, up: int, beat: tuple[int, int] | None) -> None:
        """The usual way to another side in one step, as far as it goes; or runs would hardly get so far."""
        for name in ("simulator", "engine", side):
            self.serves(name)
        self.tell(HeartbeatReceived(side, self.inc(side, 0), None, 0, 2))
        self.tell(RotationWanted(side, self.inc(side, 0), "planned age"))
        other = "e.b" if side == "e.a" else "e.a"
        if up:
            self.tell(Spawned(other, self.inc(other, 0), 4711))
            self.tell(HelloReceived(other, self.inc(other, 0)))
        if up > 1:
            self.tell(ReadyReceived(other, self.inc(other, 0)))
        if beat is not None:
            self.tell(HeartbeatReceived(other, self.inc(other, 0), None, *beat))

    @rule(name=names, age=ages, wish_s=st.sampled_from([None, -1.0, 0.0, 2.0, float("inf"), float("nan")]))
    def failure(self, name: str, age: int, wish_s: float | None) -> None:
        self.tell(FailureReported(name, self.inc(name, age), "exchange", wish_s))

    @rule(name=names, age=ages)
    def stacks(self, name: str, age: int) -> None:
        self.tell(CapturedStacks(name, self.inc(name, age), "in f"))

    @rule(name=names, age=ages, code=codes)
    def exited(self, name: str, age: int, code: int) -> None:
        self.tell(Exited(name, self.inc(name, age), code, None))

    @rule(name=names, age=ages, signal=st.sampled_from([6, 9, 11, 15]))
    def killed(self, name: str, age: int, signal: int) -> None:
        self.tell(Exited(name, self.inc(name, age), None, signal))

    @rule(name=names)
    def restart(self, name: str) -> None:
        self.tell(RestartRequested(name))

    @rule(workers=st.lists(names, min_size=1, max_size=2))
    def stop_workers(self, workers: list[str]) -> None:
        self.tell(WorkersStopRequested(workers))

    @rule(kept=st.sets(names), changed=st.sets(names), added=st.sets(st.sampled_from(["c.a", "c.b", "d"]), max_size=2))
    def configuration_changes(self, kept: set[str], changed: set[str], added: set[str]) -> None:
        """The engine always stays."""
        plans = [plan for plan in PLANS if plan.name in kept | changed | {"engine"}]
        plans = [_with_fingerprint(plan, str(self.now)) if plan.name in changed else plan for plan in plans]
        plans += [ChildPlan(name=name, tier=2, twin=TWINS.get(name)) for name in sorted(added)]
        self.tell(ChildrenChanged(plans, CONFIG))

    @rule(share=st.floats(0.0, 0.99))
    def time_passes(self, share: float) -> None:
        """Not as far as the next deadline."""
        deadline = self.core.next_deadline()
        if deadline is not None:
            self.now += max(0.0, deadline - self.now) * share
            self.tell(Tick())

    @rule(times=st.integers(1, 12))
    def deadlines_pass(self, times: int) -> None:
        for _ in range(times):
            deadline = self.core.next_deadline()
            if deadline is not None:
                self.now = max(self.now, deadline)
                self.tell(Tick())

    @rule(gap_s=st.floats(0.1, 3600.0))
    def suspended(self, gap_s: float) -> None:
        self.now += gap_s
        self.tell(Tick())

    @rule(sure=st.integers(0, 4))
    def stop(self, sure: int) -> None:
        if sure == 0:
            self.tell(StopRequested("operator"))

    @invariant()
    def records_agree_with_what_was_seen(self) -> None:
        self.observer.compare(self.core.records, self.core.next_deadline(), self.now)

    def teardown(self) -> None:
        """However it stands: one stop request, and it ends, without any child's help."""
        self.tell(StopRequested("the end"))
        for _ in range(TICKS_TO_THE_END_MAX):
            if self.core.exit_code is not None:
                return
            deadline = self.core.next_deadline()
            assert deadline is not None
            self.now = max(self.now, deadline)
            self.tell(Tick())
        raise Violation("every stop ends", f"{self.core.records}")


def _with_fingerprint(plan: ChildPlan, fingerprint: str) -> ChildPlan:
    spare = plan.spare and msgspec.structs.replace(plan.spare, fingerprint=fingerprint)
    return msgspec.structs.replace(plan, fingerprint=fingerprint, spare=spare)


TestShell = Shell.TestCase
TestShell.settings = settings(
    max_examples=120,
    stateful_step_count=40,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
