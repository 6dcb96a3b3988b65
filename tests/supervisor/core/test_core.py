"""The joined core, scene by scene; what must hold in all scenes is checked by the simulation."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import pytest

from foxtrot_protocol.exit_codes import ChildExit, SupervisorExit
from foxtrot_protocol.spec import ChildKind
from foxtrot_supervisor.config.schema import SupervisorConfig
from foxtrot_supervisor.core.core import CHANGED, REMOVED, ROTATED, Core
from foxtrot_supervisor.core.effects import Ask, DumpStacks, Effect, Fence, Finish, Publish, Signal, Spawn
from foxtrot_supervisor.core.health import LOOK_S_MAX, Health
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
)
from foxtrot_supervisor.core.lifecycle import Desired, State
from foxtrot_supervisor.core.records import CAUSE_CHARS_MAX, DEATHS_REMEMBERED, STACKS_CHARS_MAX, ChildPlan
from foxtrot_supervisor.core.sides import CARRY_S_MAX, TWIN_APART_S, other_side

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


# ---- start


def test_tiers_start_one_after_the_other_when_the_one_below_serves() -> None:
    rig = Rig(FEED_A, ENGINE, SIMULATOR, FEED_B)
    assert rig.core.state == "stopped"
    assert acts(rig.tell(StartRequested())) == [Spawn("simulator", 1)]
    rig.make("simulator")
    assert acts(rig.tell(HelloReceived("simulator", 1))) == []
    assert acts(rig.tell(ReadyReceived("simulator", 1))) == [Spawn("engine", 1)]
    rig.make("engine")
    assert rig.core.state == "starting"
    assert acts(rig.tell(ReadyReceived("engine", 1))) == [Spawn("feed.a", 1), Spawn("feed.b", 1)]
    rig.serve("feed.a")
    assert rig.core.state == "starting"
    rig.serve("feed.b")
    assert rig.core.state == "running"
    assert all(record.desired is Desired.RUNNING for record in rig.core.records.values())


def test_each_state_is_published_with_its_cause() -> None:
    rig = Rig().start()
    said = [(e.status.worker, e.status.state) for _, e in rig.seen if isinstance(e, Publish)]
    assert said[:3] == [("engine", "STARTING"), ("engine", "CONNECTING"), ("engine", "RUNNING")]
    effects = rig.die("feed.a", signal=11)
    status = next(e.status for e in effects if isinstance(e, Publish))
    assert (status.state, status.cause, status.signal, status.exit_code) == ("BACKOFF", "killed by SIGSEGV", 11, None)
    assert (status.incarnation, status.rung, status.restarts) == (1, None, 0)


def test_what_is_not_essential_does_not_hold_up_the_whole() -> None:
    rig = Rig(ENGINE, FEED_A, ChildPlan(name="feed.b", tier=2, essential=False))
    rig.tell(StartRequested())
    rig.serve("engine", "feed.a")
    assert rig.core.state == "running"
    rig.die("feed.a", ChildExit.CONFIGURATION)
    assert rig.core.state == "degraded"


def test_nothing_to_supervise_starts_and_stops() -> None:
    core = Core((), SupervisorConfig(), lambda: 0.0)
    assert core.handle(StartRequested(), 0.0) == []
    assert (core.state, core.next_deadline()) == ("running", None)
    assert core.handle(STOP, 1.0) == [Finish(0)]


def test_stop_before_the_start() -> None:
    rig = Rig()
    assert rig.tell(STOP) == [Finish(0)]
    assert rig.core.state == "stopped"
    with pytest.raises(RequestRefused, match="already started or stopped"):
        rig.tell(StartRequested())


def test_a_second_start_is_refused() -> None:
    rig = Rig().start()
    with pytest.raises(RequestRefused):
        rig.tell(StartRequested())
    assert rig.core.state == "running"


def test_names_have_to_be_unique() -> None:
    with pytest.raises(ValueError, match="two children"):
        Core((FEED_A, FEED_A), SupervisorConfig(), lambda: 0.0)


@pytest.mark.parametrize("plan", [ENGINE, SIMULATOR])
def test_the_start_fails_when_what_the_others_stand_on_cannot_start(plan: ChildPlan) -> None:
    rig = Rig(plan, FEED_A)
    rig.tell(StartRequested())
    rig.make(plan.name)
    effects = rig.die(plan.name, ChildExit.CONFIGURATION)
    assert acts(effects) == [Fence(plan.name, 1), Finish(SupervisorExit.START_FAILED)]
    assert rig.state(plan.name) is State.FATAL
    assert rig.core.exit_code is SupervisorExit.START_FAILED


def test_a_failed_start_stops_what_runs_and_a_first_request_then_is_still_patient() -> None:
    rig = Rig(SIMULATOR, ENGINE, FEED_A)
    rig.tell(StartRequested())
    rig.serve("simulator")
    rig.make("engine")
    assert acts(rig.die("engine", ChildExit.CONFIGURATION)) == [Fence("engine", 1), Ask("simulator", 1, 30.0)]
    assert rig.core.state == "stopping"
    assert acts(rig.tell(STOP)) == []
    assert acts(rig.tell(STOP)) == [Signal("simulator", 1, "SIGKILL", whole_session=True)]
    assert acts(rig.die("simulator", signal=9))[-1] == Finish(SupervisorExit.START_FAILED)


def test_an_engine_that_falls_for_good_while_others_have_not_started_fails_the_start() -> None:
    late = ChildPlan(name="late", tier=1)
    rig = Rig(ENGINE, late, FEED_A)
    rig.tell(StartRequested())
    rig.serve("engine")
    rig.make("late")
    rig.die("engine", ChildExit.CONFIGURATION)
    assert rig.core.state == "stopping"


def test_nothing_is_started_in_the_moment_the_start_fails() -> None:
    """Found by seed 13467: the engine's backoff ended in the very call that told that the simulator fell for good."""
    rig = Rig(ENGINE, SIMULATOR, FEED_A)
    rig.tell(StartRequested())
    rig.serve("simulator")
    rig.make("engine")
    rig.die("engine", 1)
    rig.die("engine", 1)
    rig.now += 0.6
    assert acts(rig.die("simulator", ChildExit.CONFIGURATION)) == [
        Fence("simulator", 1),
        Finish(SupervisorExit.START_FAILED),
    ]


def test_a_simulator_that_is_not_essential_may_fail() -> None:
    rig = Rig(ChildPlan(name="simulator", tier=0, kind="simulator", essential=False), ENGINE)
    rig.tell(StartRequested())
    rig.make("simulator")
    assert Spawn("engine", 1) in rig.die("simulator", ChildExit.CONFIGURATION)


def test_an_engine_that_falls_in_operation_leaves_the_connections_running() -> None:
    rig = Rig().start()
    rig.die("engine", ChildExit.CONFIGURATION)
    assert rig.core.state == "degraded"
    assert rig.state("feed.a") is State.RUNNING


# ---- deaths and restarts


def test_a_dead_worker_is_fenced_then_started_again_at_once() -> None:
    rig = Rig().start()
    assert acts(rig.die("feed.a", signal=9)) == [Fence("feed.a", 1), Spawn("feed.a", 2)]
    record = rig.core.records["feed.a"]
    assert (record.restarts_total, record.pid, record.started_at, record.ready_at) == (1, None, None, None)
    assert rig.state("feed.b") is State.RUNNING


def test_the_engine_is_replaced_alone() -> None:
    rig = Rig().start()
    assert acts(rig.die("engine", signal=9)) == [Fence("engine", 1), Spawn("engine", 2)]
    assert rig.core.state == "degraded"
    assert (rig.state("feed.a"), rig.state("feed.b")) == (State.RUNNING, State.RUNNING)


def test_a_crash_loop_backs_off_and_ends_fatal_others_unaffected() -> None:
    rig = Rig().start()
    delays = []
    for _ in range(5):
        rig.die("feed.a", 1)
        died_at = rig.now
        delays.append((rig.core.records["feed.a"].retry_at or died_at) - died_at)
        rig.wait(delays[-1])
        rig.serve("feed.a")
    assert delays == [0.0, 0.5, 1.0, 2.0, 4.0]
    rig.die("feed.a", 1)
    record = rig.core.records["feed.a"]
    assert record.state is State.FATAL
    assert record.cause == "more than 5 crashes within 60 s: exit code 1, CRASH"
    assert record.desired is Desired.RUNNING
    assert rig.state("feed.b") is State.RUNNING
    assert acts([effect for _, effect in rig.wait(300.0)]) == []


def test_restart_revives_a_fatal_child_with_a_clean_window() -> None:
    rig = Rig().start()
    for _ in range(6):
        rig.die("feed.a", 1)
        rig.wait(4.0)
    assert rig.state("feed.a") is State.FATAL
    assert acts(rig.tell(RestartRequested("feed.a"))) == [Spawn("feed.a", 7)]
    for _ in range(5):
        rig.serve("feed.a")
        rig.die("feed.a", 1)
        rig.wait(4.0)
    assert rig.state("feed.a") is State.STARTING


def test_an_exchange_that_is_away_for_a_day_costs_nothing() -> None:
    rig = Rig().start()
    for _ in range(200):
        rig.tell(FailureReported("feed.a", rig.inc("feed.a"), "connection refused"))
        rig.die("feed.a", ChildExit.CONNECTION_LOST)
        assert rig.state("feed.a") in (State.BACKOFF, State.STARTING)
        rig.wait(60.0)
        rig.make("feed.a")
    assert len(rig.core.records["feed.a"].deaths) == DEATHS_REMEMBERED


def test_the_exchanges_delay_is_kept_and_its_cause_shown() -> None:
    rig = Rig().start()
    rig.tell(FailureReported("feed.a", 1, "429 too many requests", 90.0))
    rig.die("feed.a", ChildExit.REFUSED)
    record = rig.core.records["feed.a"]
    assert record.cause == "429 too many requests (exit code 11, REFUSED)"
    assert record.retry_at == rig.now + 90.0
    died_at = rig.now
    assert timed(rig.wait(91.0), died_at) == [(90.0, Spawn("feed.a", 2))]


def test_a_planned_replacement_is_at_once_and_uncounted() -> None:
    rig = Rig().start()
    for number in range(20):
        rig.wait(15.0)
        assert Spawn("feed.a", number + 2) in rig.die("feed.a", ChildExit.ROTATE)
        rig.serve("feed.a")


def test_a_mistake_is_fatal_at_once() -> None:
    rig = Rig().start()
    assert acts(rig.die("feed.a", ChildExit.CONFIGURATION)) == [Fence("feed.a", 1)]
    assert rig.core.records["feed.a"].cause == "no restart can help: exit code 78, CONFIGURATION"


def test_a_transient_child_that_ends_cleanly_has_exited() -> None:
    rig = Rig(ENGINE, ChildPlan(name="once", tier=2, restart="transient")).start()
    rig.die("once", 0)
    assert rig.state("once") is State.EXITED
    assert acts(rig.tell(RestartRequested("once"))) == [Spawn("once", 2)]


def test_a_spawn_that_fails_is_a_crash_of_its_own_incarnation() -> None:
    rig = Rig().start()
    rig.die("feed.a", 1)
    effects = rig.tell(SpawnFailed("feed.a", 2, "no memory"))
    assert acts(effects) == [Fence("feed.a", 2)]
    record = rig.core.records["feed.a"]
    assert (record.state, record.cause) == (State.BACKOFF, "could not be started: no memory")
    assert record.last_exit is not None
    assert (record.last_exit.code, record.last_exit.signal) == (None, None)


def test_what_the_shell_found_out_comes_first() -> None:
    rig = Rig().start()
    rig.tell(Exited("feed.a", 1, None, 9, "the kernel ran out of memory"))
    assert rig.core.records["feed.a"].cause == "the kernel ran out of memory (killed by SIGKILL)"


@pytest.mark.parametrize(
    ("code", "signal", "cause"),
    [
        (3, None, "exit code 3"),
        (10, None, "exit code 10, CONNECTION_LOST"),
        (None, 64, "killed by SIGRTMAX"),
        (None, 200, "killed by signal 200"),
    ],
)
def test_causes_without_a_report(code: int | None, signal: int | None, cause: str) -> None:
    rig = Rig().start()
    rig.die("feed.a", code, signal)
    assert rig.core.records["feed.a"].last_exit is not None
    assert rig.core.records["feed.a"].last_exit.cause == cause


def test_serving_for_long_begins_the_backoff_anew() -> None:
    rig = Rig().start()
    for _ in range(3):
        rig.die("feed.a", 1)
        rig.wait(1.0)
        rig.serve("feed.a")
    rig.wait(61.0)
    assert Spawn("feed.a", 5) in rig.die("feed.a", 1)


def test_a_cause_from_the_child_is_bounded() -> None:
    rig = Rig().start()
    rig.tell(FailureReported("feed.a", 1, "x" * 100_000))
    rig.die("feed.a", 10)
    assert len(rig.core.records["feed.a"].cause) <= CAUSE_CHARS_MAX


# ---- health


def test_a_hung_worker_is_dumped_killed_within_12_s_and_replaced() -> None:
    rig = Rig().start()
    rig.silent = {"feed.a"}
    began = rig.now
    seen = timed(rig.wait(12.0), began)
    assert seen == [
        (10.0, DumpStacks("feed.a", 1)),
        (11.0, Signal("feed.a", 1, "SIGKILL", whole_session=True)),
    ]
    rig.tell(CapturedStacks("feed.a", 1, "while True"))
    assert acts(rig.die("feed.a", signal=9)) == [Fence("feed.a", 1), Spawn("feed.a", 2)]
    death = rig.core.records["feed.a"].last_exit
    assert death is not None
    assert (death.rung, death.cause) == ("kill", "no heartbeat for 10 s (killed by SIGKILL)")
    assert rig.core.records["feed.a"].kills_total == 1


def test_stacks_explain_the_death_also_when_they_come_after_it() -> None:
    rig = Rig().start()
    rig.die("feed.a", 1)
    rig.tell(CapturedStacks("feed.a", 1, "y" * (STACKS_CHARS_MAX + 1)))
    record = rig.core.records["feed.a"]
    assert record.last_exit is not None
    assert record.last_exit.stacks == record.stacks == "y" * STACKS_CHARS_MAX


def test_stacks_that_came_before_the_death_explain_it_too() -> None:
    rig = Rig().start()
    rig.tell(CapturedStacks("feed.a", 1, "in f"))
    rig.die("feed.a", 1)
    assert rig.core.records["feed.a"].last_exit is not None
    assert rig.core.records["feed.a"].last_exit.stacks == "in f"
    rig.die("feed.a", 1)
    assert rig.core.records["feed.a"].last_exit.stacks == ""
    rig.tell(CapturedStacks("feed.a", 1, "of the one before"))
    assert rig.core.records["feed.a"].last_exit.stacks == ""


def test_a_late_child_is_shown_and_left_alone() -> None:
    rig = Rig().start()
    rig.silent = {"feed.a"}
    assert timed(rig.wait(6.0), 0.0) == []
    assert rig.core.records["feed.a"].health is Health.LATE
    rig.silent = set()
    rig.wait(1.0)
    assert rig.core.records["feed.a"].health is Health.HEALTHY


def test_no_hello_in_time_is_dumped_and_killed() -> None:
    rig = Rig(ENGINE)
    rig.tell(StartRequested())
    rig.make("engine")
    began = rig.now
    assert timed(rig.wait(31.0), began) == [
        (30.0, DumpStacks("engine", 1)),
        (31.0, Signal("engine", 1, "SIGKILL", whole_session=True)),
    ]
    rig.die("engine", signal=9)
    assert rig.core.records["engine"].last_exit is not None
    assert rig.core.records["engine"].last_exit.cause == "no HELLO within 30 s (killed by SIGKILL)"


@pytest.mark.parametrize("kind", ["engine", "nursery"])
def test_who_loads_code_may_be_silent_until_it_serves(kind: ChildKind) -> None:
    rig = Rig(ChildPlan(name="loader", tier=1, kind=kind), config=SupervisorConfig(hung_s=2.0, late_s=1.5))
    rig.tell(StartRequested())
    rig.make("loader")
    rig.tell(HelloReceived("loader", 1))
    rig.silent.add("loader")
    rig.wait(29.0)
    assert rig.state("loader") is State.CONNECTING
    rig.tell(ReadyReceived("loader", 1))
    rig.wait(2.1)
    assert rig.state("loader") is State.STOPPING


def test_no_ready_in_time_goes_down_the_whole_ladder_and_counts_as_a_crash() -> None:
    rig = Rig(ENGINE, FEED_A, config=SupervisorConfig(restart_intensity=0))
    rig.tell(StartRequested())
    rig.serve("engine")
    rig.make("feed.a")
    rig.tell(HelloReceived("feed.a", 1))
    began = rig.now
    assert timed(rig.wait(31.0), began) == [(30.0, Ask("feed.a", 1, 30.0))]
    rig.die("feed.a", 0)
    assert rig.core.records["feed.a"].cause == (
        "more than 0 crashes within 60 s: no READY within 30 s (exit code 0, CLEAN)"
    )


def test_stale_data_is_replaced_politely_and_not_held_against_the_child() -> None:
    rig = Rig(
        ENGINE,
        ChildPlan(name="feed.a", tier=2, stale_after_s=90.0),
        config=SupervisorConfig(restart_intensity=0),
    ).start()
    assert rig.tell(HeartbeatReceived("feed.a", 1, 89.0)) == []
    assert acts(rig.tell(HeartbeatReceived("feed.a", 1, 90.0))) == [Ask("feed.a", 1, 30.0)]
    assert acts(rig.die("feed.a", 0)) == [Fence("feed.a", 1), Spawn("feed.a", 2)]


def test_a_suspended_machine_kills_nobody() -> None:
    rig = Rig().start()
    for _ in range(5):
        rig.wait(9.0)
        rig.now += 3600.0
        assert acts(rig.tell(Tick())) == []
        assert acts([effect for _, effect in rig.wait(0.5)]) == []
    assert all(rig.state(name) is State.RUNNING for name in rig.core.records)


@pytest.mark.parametrize("nap_s", [0.5, 1.5, 3600.0])
def test_a_nap_of_the_supervisor_kills_nobody_with_short_limits(nap_s: float) -> None:
    """Whoever wants hangs found within a second does not lose children to a nap of a second."""
    rig = Rig(config=SupervisorConfig(heartbeat_s=0.2, late_s=0.5, hung_s=1.0)).start()
    for _ in range(5):
        rig.wait(0.9)
        rig.now += nap_s
        assert acts(rig.tell(Tick())) == []
        assert acts([effect for _, effect in rig.wait(0.4)]) == []
    assert all(rig.state(name) is State.RUNNING for name in rig.core.records)


def test_a_child_on_the_ladder_may_block_its_loop() -> None:
    rig = Rig().start()
    rig.tell(RestartRequested("feed.a"))
    rig.silent = {"feed.a"}
    assert timed(rig.wait(29.0), 0.0) == []
    assert rig.tell(HeartbeatReceived("feed.a", 1)) == []
    assert rig.core.records["feed.a"].health is None


# ---- restart by an operator


def test_restart_goes_down_the_ladder_and_starts_at_once() -> None:
    rig = Rig().start()
    assert acts(rig.tell(RestartRequested("feed.a"))) == [Ask("feed.a", 1, 30.0)]
    assert rig.state("feed.a") is State.STOPPING
    assert acts(rig.die("feed.a", 0)) == [Fence("feed.a", 1), Spawn("feed.a", 2)]
    assert rig.core.records["feed.a"].last_exit is not None
    assert rig.core.records["feed.a"].last_exit.rung == "ask"


def test_restart_ends_a_backoff() -> None:
    rig = Rig().start()
    rig.die("feed.a", 1)
    rig.die("feed.a", 1)
    assert rig.state("feed.a") is State.BACKOFF
    assert acts(rig.tell(RestartRequested("feed.a"))) == [Spawn("feed.a", 3)]
    assert rig.core.records["feed.a"].retry_at is None


def test_restart_of_a_hung_child_makes_its_death_uncounted() -> None:
    rig = Rig(ENGINE, FEED_A, config=SupervisorConfig(restart_intensity=0)).start()
    rig.silent = {"feed.a"}
    rig.wait(10.5)
    assert acts(rig.tell(RestartRequested("feed.a"))) == []
    assert acts(rig.die("feed.a", signal=9)) == [Fence("feed.a", 1), Spawn("feed.a", 2)]


def test_what_cannot_be_restarted_is_refused_and_nothing_changes() -> None:
    rig = Rig()
    rig.tell(StartRequested())
    with pytest.raises(RequestRefused, match="no child called 'nobody'"):
        rig.tell(RestartRequested("nobody"))
    with pytest.raises(RequestRefused, match="has not been started yet"):
        rig.tell(RestartRequested("feed.a"))
    rig.serve("engine")
    rig.serve("feed.a", "feed.b")
    rig.tell(STOP)
    before = msgspec.to_builtins(list(rig.core.records.values()), enc_hook=str)
    with pytest.raises(RequestRefused, match="being stopped"):
        rig.tell(RestartRequested("feed.a"))
    assert msgspec.to_builtins(list(rig.core.records.values()), enc_hook=str) == before


# ---- stop


def test_a_stop_goes_in_reverse_order_and_ends_clean() -> None:
    rig = Rig(SIMULATOR, ENGINE, FEED_A, FEED_B).start()
    assert acts(rig.tell(STOP)) == [Ask("feed.a", 1, 30.0), Ask("feed.b", 1, 30.0)]
    assert all(record.desired is Desired.STOPPED for record in rig.core.records.values())
    assert acts(rig.die("feed.a", 0)) == [Fence("feed.a", 1)]
    assert acts(rig.die("feed.b", 0)) == [Fence("feed.b", 1), Ask("engine", 1, 30.0)]
    assert acts(rig.die("engine", 0)) == [Fence("engine", 1), Ask("simulator", 1, 30.0)]
    assert acts(rig.die("simulator", 0)) == [Fence("simulator", 1), Finish(SupervisorExit.CLEAN)]
    assert (rig.core.state, rig.core.exit_code, rig.core.next_deadline()) == ("stopped", SupervisorExit.CLEAN, None)


def test_the_ladder_with_default_deadlines() -> None:
    rig = Rig(ENGINE).start()
    began = rig.now
    rig.tell(STOP)
    rig.wait(46.0)
    assert timed(rig.seen, began)[-5:] == [
        (0.0, Ask("engine", 1, 30.0)),
        (30.0, Signal("engine", 1, "SIGTERM")),
        (39.0, DumpStacks("engine", 1)),
        (40.0, Signal("engine", 1, "SIGKILL", whole_session=True)),
        (45.0, Finish(SupervisorExit.UNKILLABLE)),
    ]
    rungs = [e.status.rung for _, e in rig.seen if isinstance(e, Publish) and e.status.state == "STOPPING"]
    assert rungs == ["ask", "term", "kill"]
    assert rig.state("engine") is State.LOST
    assert rig.core.records["engine"].cause == "survives SIGKILL: operator"


@pytest.mark.parametrize(
    ("seconds", "rung", "code"),
    [
        (1.0, "ask", SupervisorExit.CLEAN),
        (31.0, "term", SupervisorExit.CLEAN),
        (40.5, "kill", SupervisorExit.KILL_NEEDED),
    ],
)
def test_the_rung_it_ended_at_is_remembered(seconds: float, rung: str, code: SupervisorExit) -> None:
    rig = Rig(ENGINE).start()
    rig.tell(STOP)
    rig.wait(seconds)
    assert Finish(code) in rig.die("engine", 0)
    assert rig.core.records["engine"].last_exit is not None
    assert rig.core.records["engine"].last_exit.rung == rung


def test_the_budget_lies_over_all_tiers() -> None:
    """Workers that take all their time leave the engine what is left of 60 s, for every rung."""
    rig = Rig(ENGINE, FEED_A).start()
    began = rig.now
    rig.tell(STOP)
    rig.wait(40.0)
    rig.die("feed.a", signal=9)
    seen = timed([(at, effect) for at, effect in rig.seen if at >= began + 40.0], began)
    assert seen[-1] == (40.0, Ask("engine", 1, 15.0))
    assert timed(rig.wait(25.0), began) == [
        (55.0, Signal("engine", 1, "SIGTERM")),
        (59.0, DumpStacks("engine", 1)),
        (60.0, Signal("engine", 1, "SIGKILL", whole_session=True)),
        (65.0, Finish(SupervisorExit.UNKILLABLE)),
    ]


def test_everything_is_killed_when_the_budget_is_spent() -> None:
    rig = Rig(ENGINE, FEED_A, config=SupervisorConfig(shutdown_s=5.0)).start()
    began = rig.now
    rig.tell(STOP)
    kills = [(at, e) for at, e in timed(rig.wait(5.0), began) if isinstance(e, Signal) and e.signal == "SIGKILL"]
    assert [(at, kill.name) for at, kill in kills] == [(5.0, "feed.a"), (5.0, "engine")]


def test_a_second_request_kills_everything_at_once() -> None:
    rig = Rig().start()
    rig.tell(STOP)
    effects = acts(rig.tell(STOP))
    assert sorted(e.name for e in effects if isinstance(e, Signal) and e.signal == "SIGKILL" and e.whole_session) == [
        "engine",
        "feed.a",
        "feed.b",
    ]
    assert len(effects) == 3
    assert acts(rig.tell(STOP)) == []
    for name in ("feed.a", "feed.b", "engine"):
        effects = rig.die(name, signal=9)
    assert effects[-1] == Finish(SupervisorExit.KILL_NEEDED)


def test_a_stop_is_served_during_a_crash_loop() -> None:
    rig = Rig(ENGINE, FEED_A).start()
    rig.die("feed.a", 1)
    rig.die("feed.a", 1)
    assert rig.state("feed.a") is State.BACKOFF
    assert acts(rig.tell(STOP)) == [Ask("engine", 1, 30.0)]
    assert rig.state("feed.a") is State.STOPPED
    assert acts(rig.die("engine", 0)) == [Fence("engine", 1), Finish(SupervisorExit.CLEAN)]
    assert acts([effect for _, effect in rig.wait(100.0)]) == []


def test_a_child_that_dies_before_its_turn_is_not_started_again() -> None:
    rig = Rig(ENGINE, FEED_A).start()
    rig.tell(STOP)
    assert acts(rig.die("engine", signal=9)) == [Fence("engine", 1)]
    assert rig.state("engine") is State.STOPPED


def test_a_child_that_is_being_replaced_is_not_started_again_and_keeps_its_rung() -> None:
    rig = Rig(ENGINE, FEED_A).start()
    rig.tell(RestartRequested("feed.a"))
    rig.wait(31.0)
    assert acts(rig.tell(STOP)) == []
    assert acts(rig.die("feed.a", signal=15)) == [Fence("feed.a", 1), Ask("engine", 1, 30.0)]


def test_a_hung_child_in_the_final_stop_is_left_to_its_ladder() -> None:
    rig = Rig(ENGINE, FEED_A).start()
    rig.tell(STOP)
    rig.silent = {"engine", "feed.a"}
    assert timed(rig.wait(29.9), 0.0) == []


def test_a_gap_during_the_stop_takes_no_time_from_anyone() -> None:
    rig = Rig(ENGINE).start()
    rig.tell(STOP)
    rig.now += 3600.0
    assert acts(rig.tell(Tick())) == []
    assert rig.core.state == "stopping"


def test_a_kill_in_operation_does_not_change_the_exit_code() -> None:
    rig = Rig(ENGINE, FEED_A).start()
    rig.silent = {"feed.a"}
    rig.wait(11.0)
    rig.die("feed.a", signal=9)
    rig.tell(STOP)
    rig.die("feed.a", 0)
    assert Finish(SupervisorExit.CLEAN) in rig.die("engine", 0)


@pytest.mark.parametrize(("essential", "code"), [(True, SupervisorExit.ESSENTIAL_FATAL), (False, SupervisorExit.CLEAN)])
def test_a_fatal_worker_shows_in_the_exit_code_if_essential(essential: bool, code: SupervisorExit) -> None:
    rig = Rig(ENGINE, ChildPlan(name="feed.a", tier=2, essential=essential)).start()
    rig.die("feed.a", ChildExit.CONFIGURATION)
    rig.tell(STOP)
    assert rig.state("feed.a") is State.FATAL
    assert Finish(code) in rig.die("engine", 0)


# ---- before there is a process, and after there is none


def test_a_child_that_was_asked_before_it_could_hear_is_asked_again() -> None:
    rig = Rig(ENGINE)
    rig.tell(StartRequested())
    assert acts(rig.tell(STOP)) == [Ask("engine", 1, 30.0)]
    rig.make("engine")
    assert acts(rig.tell(HelloReceived("engine", 1))) == [Ask("engine", 1, 30.0)]
    assert rig.tell(ReadyReceived("engine", 1)) == []
    assert rig.state("engine") is State.STOPPING


@pytest.mark.parametrize(
    ("seconds", "effect"),
    [
        (31.0, Signal("engine", 1, "SIGTERM")),
        (41.0, Signal("engine", 1, "SIGKILL", whole_session=True)),
        (46.0, Signal("engine", 1, "SIGKILL", whole_session=True)),
    ],
)
def test_signals_wait_for_the_process(seconds: float, effect: Effect) -> None:
    """A spawn that takes longer than the ladder: the signal of its rung comes as soon as there is a process."""
    rig = Rig(ENGINE)
    rig.tell(StartRequested())
    rig.tell(STOP)
    assert not [e for _, e in rig.wait(seconds) if isinstance(e, Signal)]
    assert acts(rig.tell(Spawned("engine", 1, 77))) == [effect]


def test_hello_before_the_shell_knows_of_the_process() -> None:
    rig = Rig(ENGINE)
    rig.tell(StartRequested())
    rig.tell(HelloReceived("engine", 1))
    rig.tell(ReadyReceived("engine", 1))
    assert rig.state("engine") is State.RUNNING
    rig.make("engine")
    assert rig.state("engine") is State.RUNNING
    assert rig.core.records["engine"].pid == 4001


def test_repeated_news_changes_nothing() -> None:
    rig = Rig(ENGINE).start()
    assert rig.tell(HelloReceived("engine", 1)) == []
    assert rig.tell(ReadyReceived("engine", 1)) == []


def test_messages_of_the_dead_and_the_unknown_are_counted_and_ignored() -> None:
    rig = Rig(ENGINE, FEED_A).start()
    rig.die("feed.a", 1)
    rig.die("feed.a", 1)
    for message in (
        HelloReceived("feed.a", 1),
        HeartbeatReceived("feed.a", 2),
        ReadyReceived("feed.a", 2),
        Exited("feed.a", 1, 0, None),
        FailureReported("feed.a", 3, "from the future"),
    ):
        assert rig.tell(message) == []
    assert rig.core.records["feed.a"].late_messages_total == 5
    assert rig.tell(HelloReceived("nobody", 1)) == []
    assert rig.tell(CapturedStacks("nobody", 1, "")) == []
    assert rig.core.unknown_messages_total == 2


# ---- LOST


def lost_rig() -> Rig:
    rig = Rig(ENGINE, FEED_A).start()
    rig.silent = {"feed.a"}
    rig.wait(16.5)
    assert rig.state("feed.a") is State.LOST
    return rig


def test_a_lost_child_is_never_doubled() -> None:
    rig = lost_rig()
    assert rig.core.state == "degraded"
    with pytest.raises(RequestRefused, match="survives SIGKILL"):
        rig.tell(RestartRequested("feed.a"))
    assert acts([effect for _, effect in rig.wait(100.0)]) == []


def test_a_lost_child_that_dies_after_all_is_replaced() -> None:
    rig = lost_rig()
    assert acts(rig.die("feed.a", signal=9)) == [Fence("feed.a", 1), Spawn("feed.a", 2)]


def test_a_lost_child_is_told_in_the_exit_code_and_not_waited_for() -> None:
    rig = lost_rig()
    assert acts(rig.tell(STOP)) == [Ask("engine", 1, 30.0)]
    assert Finish(SupervisorExit.UNKILLABLE) in rig.die("engine", 0)
    assert acts(rig.die("feed.a", signal=9)) == [Fence("feed.a", 1)]
    assert rig.state("feed.a") is State.STOPPED
    assert acts(rig.tell(STOP)) == []
    assert acts(rig.tell(Tick())) == []


# ---- deadlines


def test_a_living_child_is_looked_at_at_least_each_second() -> None:
    rig = Rig().start()
    deadline = rig.core.next_deadline()
    assert deadline is not None
    assert deadline <= rig.now + LOOK_S_MAX


def test_without_a_process_only_the_backoff_is_waited_for() -> None:
    rig = Rig(ENGINE, config=SupervisorConfig(backoff_first_s=7.0)).start()
    rig.die("engine", 1)
    assert rig.core.next_deadline() == rig.now + 7.0


# ---- another configuration


def changed(*plans: ChildPlan, config: SupervisorConfig | None = None) -> ChildrenChanged:
    return ChildrenChanged(plans, config or SupervisorConfig())


def other(plan: ChildPlan, **more: object) -> ChildPlan:
    return msgspec.structs.replace(plan, **more)


def test_the_same_configuration_changes_nothing() -> None:
    rig = Rig().start()
    assert rig.tell(changed(ENGINE, FEED_A, FEED_B)) == []
    assert rig.core.state == "running"


def test_what_is_added_is_started_and_what_is_gone_is_stopped_and_forgotten() -> None:
    rig = Rig().start()
    added = ChildPlan(name="feed.c", tier=2)
    assert acts(rig.tell(changed(ENGINE, FEED_A, added))) == [Ask("feed.b", 1, 30.0), Spawn("feed.c", 1)]
    assert rig.core.records["feed.b"].desired is Desired.STOPPED
    assert rig.core.records["feed.b"].cause == REMOVED
    assert rig.core.state == "starting"
    assert rig.state("feed.a") is State.RUNNING
    rig.serve("feed.c")
    assert rig.core.state == "running"
    effects = rig.die("feed.b", 0)
    assert [type(effect) for effect in effects] == [Fence, Publish]
    assert set(rig.core.records) == {"engine", "feed.a", "feed.c"}
    with pytest.raises(RequestRefused, match="no child called"):
        rig.tell(RestartRequested("feed.b"))


def test_who_has_gone_goes_down_the_whole_ladder() -> None:
    rig = Rig().start()
    rig.silent.add("feed.b")
    since = rig.now
    rig.tell(changed(ENGINE, FEED_A))
    rig.wait(60.0)
    assert timed(rig.seen, since)[-4:] == [
        (0.0, Ask("feed.b", 1, 30.0)),
        (30.0, Signal("feed.b", 1, "SIGTERM")),
        (39.0, DumpStacks("feed.b", 1)),
        (40.0, Signal("feed.b", 1, "SIGKILL", whole_session=True)),
    ]
    assert rig.state("feed.b") is State.LOST  # still shown: its process may be there
    with pytest.raises(RequestRefused, match="no longer configured"):
        rig.tell(RestartRequested("feed.b"))
    rig.die("feed.b", signal=9)
    assert "feed.b" not in rig.core.records


@pytest.mark.parametrize("code", [ChildExit.CRASH, ChildExit.CONFIGURATION])
def test_who_has_no_process_is_forgotten_at_once(code: ChildExit) -> None:
    rig = Rig(ENGINE, FEED_A, config=SupervisorConfig(backoff_first_s=5.0)).start()
    rig.die("feed.a", code)
    rig.tell(changed(ENGINE))
    assert set(rig.core.records) == {"engine"}
    assert rig.wait(60.0)[-1:] == [] or not acts([effect for _, effect in rig.wait(0.0)])
    assert rig.core.state == "running"


def test_a_changed_child_is_replaced_and_the_others_keep_their_process() -> None:
    rig = Rig().start()
    assert acts(rig.tell(changed(ENGINE, other(FEED_A, fingerprint="new"), FEED_B))) == [Ask("feed.a", 1, 30.0)]
    assert rig.core.records["feed.a"].cause == CHANGED
    rig.tell(changed(ENGINE, other(FEED_A, fingerprint="new"), FEED_B))  # the same again: nothing more
    rig.die("feed.a", 0)
    rig.serve("feed.a")
    assert (rig.inc("feed.a"), rig.core.records["feed.a"].restarts_total) == (2, 1)
    assert rig.core.state == "running"


def test_how_a_child_is_judged_changes_without_a_new_process() -> None:
    rig = Rig().start()
    soft = other(FEED_A, essential=False, restart="temporary", stale_after_s=1.0)
    assert acts(rig.tell(changed(ENGINE, soft, FEED_B))) == []
    rig.tell(HeartbeatReceived("feed.a", 1, data_age_s=2.0))
    assert rig.state("feed.a") is State.STOPPING
    rig.die("feed.a", 12)
    assert rig.state("feed.a") is State.EXITED
    assert rig.core.state == "running"


def test_new_deadlines_hold_for_those_that_run() -> None:
    rig = Rig(ENGINE, FEED_A).start()
    rig.tell(changed(ENGINE, FEED_A, config=SupervisorConfig(hung_s=3.0, late_s=2.0, restart_intensity=0)))
    rig.silent.add("feed.a")
    rig.wait(3.5)
    assert rig.state("feed.a") is State.STOPPING
    rig.die("feed.a", signal=9)
    assert rig.state("feed.a") is State.FATAL  # not one crash is allowed any more


@pytest.mark.parametrize("code", [ChildExit.CONFIGURATION, ChildExit.CRASH])
def test_a_change_revives_who_has_failed(code: ChildExit) -> None:
    rig = Rig(ENGINE, FEED_A, config=SupervisorConfig(backoff_first_s=50.0)).start()
    rig.die("feed.a", code)
    assert rig.state("feed.a") in (State.FATAL, State.BACKOFF)
    assert acts(rig.tell(changed(ENGINE, other(FEED_A, fingerprint="new")))) == [Spawn("feed.a", 2)]


def test_twins_are_replaced_one_after_the_other() -> None:
    twins = [other(FEED_A, twin="feed.b"), other(FEED_B, twin="feed.a")]
    rig = Rig(ENGINE, *twins).start()
    assert acts(rig.tell(changed(ENGINE, *(other(twin, fingerprint="new") for twin in twins)))) == [
        Ask("feed.a", 1, 30.0)
    ]
    rig.die("feed.a", 0)
    rig.make("feed.a")
    rig.tell(HelloReceived("feed.a", 2))
    assert rig.state("feed.b") is State.RUNNING
    assert acts(rig.tell(ReadyReceived("feed.a", 2))) == [], "its topics may not yet be answered"
    assert acts(rig.tell(HeartbeatReceived("feed.a", 2, None, 1, 0))) == []
    assert acts(rig.tell(HeartbeatReceived("feed.a", 2, None, 0, 1))) == [Ask("feed.b", 1, 30.0)]


def test_a_twin_that_dies_while_it_waits_needs_no_second_replacement() -> None:
    twins = [other(FEED_A, twin="feed.b"), other(FEED_B, twin="feed.a")]
    rig = Rig(ENGINE, *twins).start()
    rig.tell(changed(ENGINE, *(other(twin, fingerprint="new") for twin in twins)))
    rig.die("feed.b", 1)  # whatever is started now is what is configured now
    rig.serve("feed.b")
    rig.die("feed.a", 0)
    rig.serve("feed.a")
    assert (rig.inc("feed.a"), rig.inc("feed.b")) == (2, 2)
    assert rig.core.state == "running"


def test_a_twin_that_serves_stays_while_the_new_configuration_does_not_work() -> None:
    twins = [other(FEED_A, twin="feed.b"), other(FEED_B, twin="feed.a")]
    rig = Rig(ENGINE, *twins).start()
    rig.tell(changed(ENGINE, *(other(twin, fingerprint="new") for twin in twins)))
    rig.die("feed.a", 0)
    for _ in range(4):
        rig.make("feed.a")
        rig.die("feed.a", ChildExit.CONNECTION_LOST)
        rig.wait(20.0)
    assert (rig.state("feed.b"), rig.inc("feed.b")) == (State.RUNNING, 1)
    rig.die("feed.a", ChildExit.CONFIGURATION)
    assert rig.state("feed.a") is State.FATAL
    assert (rig.state("feed.b"), rig.inc("feed.b")) == (State.RUNNING, 1)


def test_who_comes_back_while_it_goes_is_started_again() -> None:
    rig = Rig().start()
    rig.tell(changed(ENGINE, FEED_A))
    assert acts(rig.tell(changed(ENGINE, FEED_A, FEED_B))) == []
    assert rig.core.records["feed.b"].desired is Desired.RUNNING
    assert acts(rig.die("feed.b", 0)) == [Fence("feed.b", 1), Spawn("feed.b", 2)]


def test_a_name_that_comes_back_counts_on() -> None:
    """A late message of its former life must not be taken for one of the new."""
    rig = Rig().start()
    rig.tell(changed(ENGINE, FEED_A))
    rig.die("feed.b", 0)
    assert acts(rig.tell(changed(ENGINE, FEED_A, FEED_B))) == [Spawn("feed.b", 2)]
    assert rig.core.records["feed.b"].restarts_total == 0


def test_more_names_than_are_remembered_count_on_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("foxtrot_supervisor.core.core.RETIRED_MAX", 1)
    rig = Rig().start()
    rig.tell(changed(ENGINE))
    rig.die("feed.b", 0)
    rig.die("feed.a", 0)
    assert acts(rig.tell(changed(ENGINE, FEED_B, ChildPlan(name="feed.c", tier=2)))) == [
        Spawn("feed.b", 2),
        Spawn("feed.c", 2),
    ]


def test_what_is_added_waits_for_those_it_stands_on() -> None:
    rig = Rig(ENGINE, FEED_A).start()
    assert acts(rig.tell(changed(SIMULATOR, ENGINE, FEED_A, FEED_B))) == [Spawn("simulator", 1)]
    rig.make("simulator")
    assert acts(rig.tell(ReadyReceived("simulator", 1))) == [Spawn("feed.b", 1)]


def test_what_is_added_and_cannot_start_does_not_end_the_whole() -> None:
    rig = Rig(ENGINE, FEED_A).start()
    rig.tell(changed(SIMULATOR, ENGINE, FEED_A))
    rig.make("simulator")
    rig.die("simulator", ChildExit.CONFIGURATION)
    assert rig.state("feed.a") is State.RUNNING
    assert rig.core.state == "degraded"


def test_a_change_while_the_start_is_going_on() -> None:
    rig = Rig()
    rig.tell(StartRequested())
    added = ChildPlan(name="feed.c", tier=2)
    assert acts(rig.tell(changed(ENGINE, FEED_A, added))) == []
    assert set(rig.core.records) == {"engine", "feed.a", "feed.c"}
    rig.make("engine")
    assert acts(rig.tell(ReadyReceived("engine", 1))) == [Spawn("feed.a", 1), Spawn("feed.c", 1)]


def test_a_stop_takes_those_along_that_were_on_their_way_out() -> None:
    rig = Rig().start()
    rig.tell(changed(ENGINE, FEED_A))
    rig.tell(STOP)
    rig.die("feed.a", 0)
    assert rig.state("engine") is State.RUNNING  # feed.b has not ended yet
    rig.die("feed.b", 0)
    assert acts(rig.die("engine", 0))[-1] == Finish(SupervisorExit.CLEAN)


def test_changes_that_cannot_be_are_refused_and_nothing_changes() -> None:
    rig = Rig()
    with pytest.raises(RequestRefused, match="nothing has been started"):
        rig.tell(changed(ENGINE))
    rig.start()
    with pytest.raises(ValueError, match="two children"):
        rig.tell(changed(ENGINE, ENGINE))
    assert set(rig.core.records) == {"engine", "feed.a", "feed.b"}
    rig.tell(STOP)
    with pytest.raises(RequestRefused, match="being stopped"):
        rig.tell(changed(ENGINE))


@pytest.mark.parametrize("removed", [False, True])
def test_a_lost_child_is_left_alone_by_a_change_until_it_dies(removed: bool) -> None:
    rig = Rig(ENGINE, FEED_A).start()
    rig.silent.add("feed.a")
    rig.tell(RestartRequested("feed.a"))
    rig.wait(60.0)
    assert rig.state("feed.a") is State.LOST
    after = [ENGINE] if removed else [ENGINE, other(FEED_A, fingerprint="new")]
    assert acts(rig.tell(changed(*after))) == []
    assert rig.state("feed.a") is State.LOST
    rig.die("feed.a", signal=9)
    if removed:
        assert "feed.a" not in rig.core.records
    else:
        assert (rig.state("feed.a"), rig.inc("feed.a")) == (State.STARTING, 2)


# ---- an application that is the engine


APPLICATION = ChildPlan(name="engine", tier=1, kind="engine", ours=False)


def test_an_application_is_neither_judged_nor_replaced_however_long_it_is_silent() -> None:
    rig = Rig(APPLICATION, FEED_A)
    rig.tell(StartRequested())
    rig.make("engine")
    rig.wait(1000.0)
    assert rig.state("engine") is State.STARTING
    rig.tell(HelloReceived("engine", 1))
    rig.tell(ReadyReceived("engine", 1))
    rig.serve("feed.a")
    rig.silent.add("engine")
    seen = rig.wait(1000.0)
    assert acts([effect for _, effect in seen]) == []
    with pytest.raises(RequestRefused, match="the application"):
        rig.tell(RestartRequested("engine"))
    rig.tell(changed(msgspec.structs.replace(APPLICATION, fingerprint="other"), FEED_A))
    assert rig.state("engine") is State.RUNNING


def test_an_application_is_asked_when_all_others_have_ended() -> None:
    rig = Rig(APPLICATION, FEED_A).start()
    assert acts(rig.tell(STOP)) == [Ask("feed.a", 1, 30.0)]
    assert acts(rig.die("feed.a", code=0)) == [Fence("feed.a", 1), Ask("engine", 1, 30.0)]
    assert acts(rig.die("engine", code=0)) == [Fence("engine", 1), Finish(SupervisorExit.CLEAN)]


def test_incarnations_of_an_earlier_supervisor_are_not_used_again() -> None:
    core = Core([APPLICATION, FEED_A], SupervisorConfig(), lambda: 0.0, incarnations_before=1000)
    assert Spawn("engine", 1001) in core.handle(StartRequested(), 0.0)
    core.handle(Spawned("engine", 1001, 7), 0.0)
    assert Spawn("feed.a", 1001) in core.handle(ReadyReceived("engine", 1001), 0.0)
    assert core.records["feed.a"].restarts_total == 0


# ---- twins and rotation

SINGLE = ChildPlan(name="one.a", tier=2, spare=ChildPlan(name="one.b", tier=2))
TWINS = (ChildPlan(name="two.a", tier=2, twin="two.b"), ChildPlan(name="two.b", tier=2, twin="two.a"))


def wants(rig: Rig, name: str) -> list[Effect]:
    return acts(rig.tell(RotationWanted(name, rig.inc(name), "planned age")))


def flows(rig: Rig, name: str, flowing: int = 2, asked: int = 0) -> list[Effect]:
    rig.topics[name] = (asked, flowing)
    return acts(rig.tell(HeartbeatReceived(name, rig.inc(name), None, asked, flowing)))


def twins() -> Rig:
    rig = Rig(ENGINE, *TWINS)
    rig.tell(StartRequested())
    rig.serve("engine", "two.a", "two.b")
    flows(rig, "two.a")
    flows(rig, "two.b")
    return rig


def single() -> Rig:
    rig = Rig(ENGINE, SINGLE).start()
    rig.wait(60.0)
    flows(rig, "one.a")
    return rig


def rotating() -> Rig:
    """One side serves, the other is asked to take its place."""
    rig = single()
    assert wants(rig, "one.a") == [Spawn("one.b", 1)]
    return rig


def test_the_second_twin_starts_when_the_first_is_ready() -> None:
    rig = Rig(ENGINE, *TWINS)
    rig.tell(StartRequested())
    rig.serve("engine")
    assert (rig.state("two.a"), rig.state("two.b")) == (State.STARTING, State.STOPPED)
    rig.make("two.a")
    rig.tell(HelloReceived("two.a", 1))
    assert acts(rig.tell(ReadyReceived("two.a", 1))) == [Spawn("two.b", 1)]


def test_the_second_twin_does_not_wait_for_long() -> None:
    rig = Rig(ENGINE, *TWINS)
    rig.tell(StartRequested())
    rig.serve("engine")
    rig.make("two.a")
    rig.tell(HelloReceived("two.a", 1))
    assert Spawn("two.b", 1) not in [effect for _, effect in rig.wait(TWIN_APART_S - 1.1)]
    assert Spawn("two.b", 1) in [effect for _, effect in rig.wait(1.2)]


def test_the_second_twin_does_not_wait_for_one_that_cannot_connect() -> None:
    rig = Rig(ENGINE, *TWINS, config=SupervisorConfig(backoff_first_s=5.0))
    rig.tell(StartRequested())
    rig.serve("engine")
    rig.make("two.a")
    assert Spawn("two.b", 1) in rig.die("two.a", ChildExit.CONNECTION_LOST)


def test_a_crash_of_twins_delays_no_restart() -> None:
    rig = twins()
    rig.die("two.a", None, 9)
    rig.die("two.b", None, 9)
    assert (rig.inc("two.a"), rig.inc("two.b")) == (2, 2)


def test_a_twin_is_rotated_while_the_other_stands_in() -> None:
    rig = twins()
    assert wants(rig, "two.a") == [Ask("two.a", 1, 30.0)]
    assert rig.core.records["two.a"].cause == f"{ROTATED}: planned age"
    assert wants(rig, "two.b") == [], "not both"
    rig.die("two.a", 0)
    assert rig.state("two.a") is State.STARTING
    rig.serve("two.a")
    assert flows(rig, "two.b") == [], "the first has told of no data yet"
    assert flows(rig, "two.a", flowing=1) == [], "not of all"
    assert flows(rig, "two.a", asked=1) == [], "not every subscription is answered"
    assert flows(rig, "two.a") == [Ask("two.b", 1, 30.0)]
    record = rig.core.records["two.a"]
    assert (record.rotations_total, record.restarts_total, record.rotation) == (1, 0, "")


def test_a_twin_waits_with_its_rotation_for_the_other() -> None:
    rig = twins()
    rig.die("two.b", ChildExit.CONNECTION_LOST)
    assert wants(rig, "two.a") == []
    assert rig.core.records["two.a"].rotation == "wanted"
    rig.serve("two.b")
    assert flows(rig, "two.b") == [Ask("two.a", 1, 30.0)]


def test_an_operator_cannot_take_both_twins_away() -> None:
    rig = twins()
    rig.tell(RestartRequested("two.a"))
    with pytest.raises(RequestRefused, match=r"two.a is STOPPING: two.b is not taken away"):
        rig.tell(RestartRequested("two.b"))
    rig.die("two.a", 0)
    rig.serve("two.a")
    with pytest.raises(RequestRefused, match=r"two.a does not yet have all its data"):
        rig.tell(RestartRequested("two.b"))
    flows(rig, "two.a")
    assert acts(rig.tell(RestartRequested("two.b"))) == [Ask("two.b", 1, 30.0)]


def test_an_operator_may_restart_a_twin_that_does_not_serve() -> None:
    rig = twins()
    rig.die("two.a", ChildExit.CONFIGURATION)
    rig.die("two.b", ChildExit.CONFIGURATION)
    assert rig.state("two.a") is rig.state("two.b") is State.FATAL
    assert acts(rig.tell(RestartRequested("two.a"))) == [Spawn("two.a", 2)]


def test_a_single_connection_is_made_before_it_is_broken() -> None:
    rig = rotating()
    assert rig.core.state == "running"
    assert [record.rotation for record in rig.core.records.values()] == ["", "going", "coming"]
    rig.serve("one.b")
    assert rig.state("one.a") is State.RUNNING
    assert flows(rig, "one.b", asked=1) == []
    assert flows(rig, "one.b") == [Ask("one.a", 1, 30.0)]
    assert rig.core.records["one.a"].cause == f"{ROTATED}: one.b has taken over"
    rig.die("one.a", 0)
    assert set(rig.core.records) == {"engine", "one.b"}
    record = rig.core.records["one.b"]
    assert (record.rotation, record.rotations_total, record.restarts_total) == ("", 1, 0)
    assert rig.core.last_incarnation("one.a") == 1
    assert rig.core.last_incarnation("nobody") == 0
    assert rig.core.state == "running"


def test_it_goes_back_to_the_first_side_and_counts_on() -> None:
    rig = rotating()
    rig.serve("one.b")
    flows(rig, "one.b")
    rig.die("one.a", 0)
    rig.wait(60.0)
    assert wants(rig, "one.b") == [Spawn("one.a", 2)]
    rig.serve("one.a")
    assert flows(rig, "one.a") == [Ask("one.b", 1, 30.0)]
    assert rig.core.records["one.a"].rotations_total == 2


def test_the_next_rotation_waits_until_the_old_side_is_gone() -> None:
    rig = rotating()
    rig.serve("one.b")
    flows(rig, "one.b")
    rig.wait(15.0)
    assert wants(rig, "one.b") == [], "one.a still lives"
    assert Spawn("one.a", 2) in rig.die("one.a", 0)


def test_a_rotation_that_is_asked_for_again_and_again_is_one() -> None:
    rig = rotating()
    assert wants(rig, "one.a") == []
    rig.serve("one.b")
    assert wants(rig, "one.b") == [], "who is to take over cannot want to go"
    assert set(rig.core.records) == {"engine", "one.a", "one.b"}


@pytest.mark.parametrize("how", ["dies", "cannot be started", "never ready", "no data"])
def test_a_spare_that_does_not_come_up_is_let_go_and_tried_again_later(how: str) -> None:
    rig = rotating()
    if how == "cannot be started":
        rig.tell(SpawnFailed("one.b", 1, "no memory"))
    elif how == "dies":
        rig.make("one.b")
        rig.die("one.b", ChildExit.CONFIGURATION)
    elif how == "never ready":
        rig.make("one.b")
        rig.tell(HelloReceived("one.b", 1))
        rig.wait(31.0)
        rig.die("one.b", 0)
    else:
        rig.serve("one.b")
        seen = rig.wait(CARRY_S_MAX - 1.1)
        assert Ask("one.b", 1, 30.0) not in [effect for _, effect in seen]
        assert Ask("one.b", 1, 30.0) in [effect for _, effect in rig.wait(2.2)]
        rig.die("one.b", 0)
    assert rig.state("one.a") is State.RUNNING
    assert set(rig.core.records) == {"engine", "one.a"}
    assert rig.core.records["one.a"].rotation == "wanted"
    assert rig.core.state == "running"
    assert Spawn("one.b", 2) in [effect for _, effect in rig.wait(1.1)]


def test_a_spare_that_its_exchange_refused_is_not_tried_before_it_may() -> None:
    rig = rotating()
    rig.make("one.b")
    rig.tell(FailureReported("one.b", 1, "HTTP 429", 20.0))
    rig.die("one.b", ChildExit.REFUSED)
    assert acts([effect for _, effect in rig.wait(19.0)]) == []
    assert Spawn("one.b", 2) in [effect for _, effect in rig.wait(2.0)]


def test_if_the_old_side_dies_meanwhile_the_new_one_is_the_connections_worker() -> None:
    rig = rotating()
    rig.make("one.b")
    rig.tell(HelloReceived("one.b", 1))
    assert acts(rig.die("one.a", ChildExit.ROTATE)) == [Fence("one.a", 1)]
    assert set(rig.core.records) == {"engine", "one.b"}
    assert rig.core.state == "degraded"
    rig.tell(ReadyReceived("one.b", 1))
    assert rig.core.state == "running"
    rig.die("one.b", None, 9)
    assert rig.inc("one.b") == 2, "it is restarted as any other"


def test_an_old_side_that_dies_while_its_spare_is_on_its_way_down_is_restarted() -> None:
    rig = rotating()
    rig.make("one.b")
    rig.tell(HelloReceived("one.b", 1))
    rig.wait(31.0)
    assert rig.state("one.b") is State.STOPPING
    rig.die("one.a", None, 9)
    assert (rig.state("one.a"), rig.inc("one.a")) == (State.STARTING, 2)
    assert rig.core.records["one.a"].restarts_total == 1
    rig.die("one.b", 0)
    assert set(rig.core.records) == {"engine", "one.a"}
    assert rig.core.records["one.a"].rotation == "", "its fresh process wants nothing"


def test_a_spare_that_cannot_be_killed_inherits_nothing() -> None:
    rig = rotating()
    rig.make("one.b")
    rig.tell(HelloReceived("one.b", 1))
    rig.wait(31.0 + 46.0)
    assert rig.state("one.b") is State.LOST
    rig.die("one.a", None, 9)
    assert (rig.state("one.a"), rig.inc("one.a")) == (State.STARTING, 2)


def test_a_stop_during_a_rotation_starts_nothing() -> None:
    rig = rotating()
    rig.serve("one.b")
    assert acts(rig.tell(STOP)) == [Ask("one.a", 1, 30.0), Ask("one.b", 1, 30.0)]
    assert flows(rig, "one.b") == []
    rig.die("one.a", 0)
    rig.die("one.b", 0)
    rig.die("engine", 0)
    assert rig.core.exit_code is SupervisorExit.CLEAN


def test_nothing_is_restarted_by_request_during_a_rotation() -> None:
    rig = rotating()
    for name in ("one.a", "one.b"):
        with pytest.raises(RequestRefused, match="being rotated"):
            rig.tell(RestartRequested(name))


def test_a_child_without_another_side_is_not_rotated() -> None:
    rig = Rig().start()
    assert wants(rig, "feed.a") == []
    assert wants(rig, "engine") == []
    assert rig.core.records["feed.a"].rotation == ""


def test_a_reload_finds_a_connection_on_the_side_where_it_is() -> None:
    rig = rotating()
    rig.serve("one.b")
    flows(rig, "one.b")
    rig.die("one.a", 0)
    assert rig.core.sided([ENGINE, SINGLE]) == [ENGINE, other_side(SINGLE)]
    assert acts(rig.tell(changed(ENGINE, SINGLE))) == []
    assert set(rig.core.records) == {"engine", "one.b"}


def test_a_rotation_goes_on_through_a_reload_that_does_not_concern_it() -> None:
    rig = rotating()
    calm = other(SINGLE, essential=False, spare=other(other_side(SINGLE), essential=False, spare=None))
    assert acts(rig.tell(changed(ENGINE, calm))) == []
    assert not rig.core.records["one.b"].plan.essential
    rig.serve("one.b")
    assert flows(rig, "one.b") == [Ask("one.a", 1, 30.0)]


def test_a_reload_that_changes_a_connection_ends_its_rotation() -> None:
    rig = rotating()
    rig.serve("one.b")
    new = other(SINGLE, fingerprint="new", spare=other(other_side(SINGLE), fingerprint="new", spare=None))
    assert acts(rig.tell(changed(ENGINE, new))) == [Ask("one.b", 1, 30.0), Ask("one.a", 1, 30.0)]
    assert rig.core.records["one.b"].cause == CHANGED
    rig.die("one.b", 0)
    rig.die("one.a", 0)
    assert set(rig.core.records) == {"engine", "one.a"}
    assert rig.inc("one.a") == 2


def test_a_reload_without_the_connection_ends_both_sides() -> None:
    rig = rotating()
    rig.serve("one.b")
    assert acts(rig.tell(changed(ENGINE))) == [Ask("one.a", 1, 30.0), Ask("one.b", 1, 30.0)]
    rig.die("one.a", 0)
    rig.die("one.b", 0)
    assert set(rig.core.records) == {"engine"}


def test_a_connection_that_gets_twins_during_its_rotation_keeps_both_sides() -> None:
    rig = rotating()
    rig.serve("one.b")
    sides = [other(SINGLE, spare=None, twin="one.b"), ChildPlan(name="one.b", tier=2, twin="one.a")]
    assert acts(rig.tell(changed(ENGINE, *sides))) == []
    assert rig.core.records["one.a"].rotation == "wanted"
    assert flows(rig, "one.b") == [Ask("one.a", 1, 30.0)], "now as one of twins"
    rig.die("one.a", 0)
    assert (rig.state("one.a"), rig.inc("one.a")) == (State.STARTING, 2)


def test_an_old_side_that_cannot_be_killed_is_no_hindrance_to_the_new_one() -> None:
    rig = rotating()
    rig.serve("one.b")
    flows(rig, "one.b")
    rig.wait(46.0)
    assert rig.state("one.a") is State.LOST
    assert rig.core.state == "running"
    wants(rig, "one.b")
    assert set(rig.core.records) == {"engine", "one.a", "one.b"}, "its name is not free"
    assert Spawn("one.a", 2) in rig.die("one.a", None, 9)
