"""Health, stop ladder and messages of one child, scene by scene."""

from __future__ import annotations

import pytest

from foxtrot_protocol.spec import ChildKind
from foxtrot_supervisor.config.schema import SupervisorConfig
from foxtrot_supervisor.core.effects import Ask, DumpStacks, Effect, Fence, Signal, Spawn
from foxtrot_supervisor.core.health import Health
from foxtrot_supervisor.core.inputs import (
    CapturedStacks,
    Exited,
    FailureReported,
    HeartbeatReceived,
    HelloReceived,
    ReadyReceived,
    RestartRequested,
    Spawned,
    StartRequested,
    Tick,
)
from foxtrot_supervisor.core.lifecycle import State
from foxtrot_supervisor.core.records import STACKS_CHARS_MAX, ChildPlan
from tests.support.core_rig import ENGINE, FEED_A, STOP, Rig, acts, timed


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


def test_a_suspended_machine_kills_no_child() -> None:
    rig = Rig().start()
    for _ in range(5):
        rig.wait(9.0)
        rig.now += 3600.0
        assert acts(rig.tell(Tick())) == []
        assert acts([effect for _, effect in rig.wait(0.5)]) == []
    assert all(rig.state(name) is State.RUNNING for name in rig.core.records)


@pytest.mark.parametrize("nap_s", [0.5, 1.5, 3600.0])
def test_a_pause_of_the_supervisor_kills_no_child_with_short_limits(nap_s: float) -> None:
    """With hangs detected within a second, a supervisor that was suspended for a second loses no children."""
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
