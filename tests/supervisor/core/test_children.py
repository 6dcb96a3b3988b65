"""The table of children: what it keeps at hand equals what a scan over all children finds."""

from __future__ import annotations

import pytest

from foxtrot_protocol.exit_codes import ChildExit
from foxtrot_supervisor.config.schema import SupervisorConfig
from foxtrot_supervisor.core.child import Shared
from foxtrot_supervisor.core.children import Children
from foxtrot_supervisor.core.core import Core
from foxtrot_supervisor.core.inputs import (
    Exited,
    HeartbeatReceived,
    HelloReceived,
    ReadyReceived,
    Spawned,
    StartRequested,
    StopRequested,
)
from foxtrot_supervisor.core.records import ChildPlan
from tests.support.checked_core import CheckedCore
from tests.support.process_world import World

SCHEDULES = 400
BLOCKS = 4


@pytest.mark.parametrize("block", range(BLOCKS))
def test_counts_indices_and_deadlines_equal_those_of_a_full_scan(block: int) -> None:
    """In seeded schedules with crashes, hangs, rotations, reloads, suspended machines and stops, after each input."""
    for seed in range(block * SCHEDULES // BLOCKS, (block + 1) * SCHEDULES // BLOCKS):
        try:
            World(seed, CheckedCore).run()
        except Exception as error:
            error.add_note(f"seed {seed}")
            raise


def test_the_check_sees_a_change_that_the_table_does_not_know() -> None:
    core = CheckedCore([ChildPlan(name="engine", tier=1, kind="engine")], SupervisorConfig(), lambda: 0.5)
    core.handle(StartRequested(), 0.0)
    core._children["engine"].record.retry_at = core._children["engine"].deadline(0.0) / 2
    core._children["engine"].watch = None
    with pytest.raises(AssertionError, match="heap"):
        core.check(0.0)


def served(workers: int) -> Core:
    plans = [ChildPlan(name="engine", tier=1, kind="engine")]
    plans += [ChildPlan(name=f"worker{number}.a", tier=2) for number in range(workers)]
    core = Core(plans, SupervisorConfig(), lambda: 0.5)
    core.handle(StartRequested(), 0.0)
    for name in core.records:
        core.handle(Spawned(name, 1, 4711), 0.0)
        core.handle(HelloReceived(name, 1), 0.0)
        core.handle(ReadyReceived(name, 1), 0.0)
    assert core.state == "running"
    return core


def scans(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Number of children that each look at the whole table visits, from now on."""
    visited: list[int] = []
    iterate = Children.__iter__

    def counting(children: Children) -> object:
        visited.append(len(children.records))
        return iterate(children)

    monkeypatch.setattr(Children, "__iter__", counting)
    return visited


def test_messages_and_deaths_look_at_no_other_child(monkeypatch: pytest.MonkeyPatch) -> None:
    core = served(50)
    visited = scans(monkeypatch)
    for number in range(50):
        core.handle(HeartbeatReceived(f"worker{number}.a", 1, 0.1, 0, 3), 0.1)
        assert core.next_deadline() is not None
    core.handle(Exited("worker7.a", 1, ChildExit.CRASH, None), 0.2)
    assert core.records["worker7.a"].incarnation == 2
    assert visited == []
    core.handle(StopRequested("operator"), 0.3)
    assert visited != [], "the end of everything concerns all"
    visited.clear()
    for number in range(50):
        core.handle(Exited(f"worker{number}.a", core.last_incarnation(f"worker{number}.a"), 0, None), 0.4)
    core.handle(Exited("engine", 1, 0, None), 0.5)
    assert core.exit_code is not None
    assert visited == []


def test_a_heartbeat_advances_only_the_child_that_sent_it(monkeypatch: pytest.MonkeyPatch) -> None:
    core = served(50)
    advanced: list[str] = []
    child_type = type(core._children["engine"])
    advance = child_type.advance
    monkeypatch.setattr(child_type, "advance", lambda child, now: (advanced.append(child.name), advance(child, now)))
    core.handle(HeartbeatReceived("worker7.a", 1, 0.1, 0, 3), 0.5)
    assert advanced == ["worker7.a"]


def test_a_name_that_is_unknown_has_no_child_and_no_incarnation() -> None:
    children = Children(Shared(SupervisorConfig(), lambda: 0.5), 0)
    assert (children.get(None), children.get("a"), children.last_incarnation("a")) == (None, None, 0)
    assert children.lowest_blocking_tier is None
