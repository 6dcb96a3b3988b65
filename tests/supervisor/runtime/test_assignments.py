"""Assigned connections replace the ones before, and are stopped in time when nobody renews them."""

from __future__ import annotations

import math
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from foxtrot_protocol.control import AssignRequest
from foxtrot_supervisor.config.cluster import NodeCluster
from foxtrot_supervisor.config.schema import FoxtrotConfig
from foxtrot_supervisor.core.child_specs import ChildSpecs, Surroundings
from foxtrot_supervisor.core.lifecycle import State
from foxtrot_supervisor.core.records import ChildPlan, ChildRecord
from foxtrot_supervisor.core.targets import Targets
from foxtrot_supervisor.runtime import assignments
from foxtrot_supervisor.runtime.active_config import ActiveConfig
from foxtrot_supervisor.runtime.assignments import RETRY_S, Assignments

AROUND = Surroundings(run_id="r", run_dir="/r", parent_pid=1, import_path="", log_level="info", log_format="json")
TABLE = {
    "name": "btc_a0_5",
    "exchange": "sim",
    "channels": ["trade"],
    "symbols": ["BTCUSDT"],
    "merged_as": "btc",
    "part": "a0",
}


class World:
    """The supervisor around the assignments; time passes when a test says so."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, config: FoxtrotConfig) -> None:
        self.now = 1000.0
        monkeypatch.setattr(assignments, "time", SimpleNamespace(monotonic=lambda: self.now))
        self.active = ActiveConfig(config, ChildSpecs(config, AROUND, Targets()))
        self.records: dict[str, ChildRecord] = {}
        self.stops: list[tuple[float, float]] = []
        """When everything was to be stopped, and to be killed."""
        self.refusal = ""
        self.logged: list[str] = []
        self._due: tuple[float, Callable[[], None]] | None = None
        self.assignments = Assignments(self.active, self.records, self, self, self)  # type: ignore[arg-type]

    # ---- the supervisor

    def assign(self, config: FoxtrotConfig, *, kill_at: float = math.inf) -> object:
        if self.refusal:
            return self.refusal
        if not config.connections:
            self.stops.append((self.now, kill_at))
        self.active.config = config
        return object()

    def error(self, event: str, **_: Any) -> None:
        self.logged.append(event)

    def call_later(self, name: str, delay_s: float, call: Callable[[], None]) -> None:
        assert name == "assignment"
        if self._due is None or self._due[0] > self.now + delay_s:
            self._due = (self.now + delay_s, call)

    def cancel(self, name: str) -> None:
        assert name == "assignment"
        self._due = None

    # ---- the test

    def asks(self, *tables: dict[str, Any], ends_at: float, stop_s: float = 1.0, renew: bool = False) -> Any:
        return self.assignments.answer(AssignRequest(ends_at, stop_s, None if renew else list(tables)))

    def passes(self, until: float) -> None:
        while self._due is not None and self._due[0] <= until:
            self.now, call = max(self.now, self._due[0]), self._due[1]
            self._due = None
            call()
        self.now = until

    @property
    def assigned(self) -> list[str]:
        return [connection.name for connection in self.active.config.connections]


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    return World(monkeypatch, FoxtrotConfig(cluster=NodeCluster(node="n1", host="h1")))


def test_connections_are_stopped_before_their_end_and_killed_in_time(world: World) -> None:
    reply = world.asks(TABLE, ends_at=1004.0)
    assert (reply.error, reply.data["connections"]) == ("", ["btc_a0_5"])
    world.passes(1002.99)
    assert world.assigned == ["btc_a0_5"]
    world.passes(1004.0)
    assert world.stops == [(1003.0, 1003.75)]
    assert world.assigned == []
    assert world.logged == ["assignment_expired"]


def test_each_renewal_moves_the_end(world: World) -> None:
    world.asks(TABLE, ends_at=1004.0)
    for at in range(1001, 1010):
        world.passes(float(at))
        world.asks(ends_at=at + 4.0, renew=True)
    world.passes(1011.9)
    assert world.stops == []
    world.passes(1013.0)
    assert world.stops == [(1012.0, 1012.75)]


def test_a_renewal_may_bring_the_end_forward(world: World) -> None:
    world.asks(TABLE, ends_at=1100.0)
    world.asks(ends_at=1004.0, renew=True)
    world.passes(1004.0)
    assert world.stops == [(1003.0, 1003.75)]


def test_what_came_too_late_starts_nothing_and_ends_once(world: World) -> None:
    world.asks(TABLE, ends_at=1004.0)
    world.passes(1003.5)
    for _ in range(3):  # an agent that has no contact goes on with the same end
        assert world.asks(TABLE, ends_at=1004.0).data["connections"] == []
        world.passes(world.now + 0.1)
    assert [kill_at for _, kill_at in world.stops if kill_at < math.inf] == [1003.75]
    world.asks(TABLE, ends_at=1010.0)
    assert world.assigned == ["btc_a0_5"], "with contact it goes on"


def test_what_an_earlier_assignment_has_left_is_killed_in_time_too(world: World) -> None:
    world.asks(TABLE, ends_at=1004.0)
    world.asks(ends_at=1004.0)  # removed: its worker takes its time
    world.passes(1004.0)
    assert world.stops[-1] == (1003.0, 1003.75)
    assert world.logged == []


def test_a_stop_that_was_refused_is_tried_again(world: World) -> None:
    world.asks(TABLE, ends_at=1004.0)
    world.refusal = "nothing has been started yet"
    world.passes(1003.2)
    world.refusal = ""
    world.passes(1005.0)
    assert world.stops == [(pytest.approx(1003.0 + RETRY_S), 1003.75)]


def test_a_refused_assignment_does_not_move_the_end(world: World) -> None:
    world.asks(TABLE, ends_at=1004.0)
    assert "at most" in world.asks(TABLE, TABLE, ends_at=1100.0).error
    assert "connections" in world.asks({"name": "x", "unheard_of": 1}, ends_at=1100.0).error
    world.passes(1004.0)
    assert world.stops == [(1003.0, 1003.75)]


@pytest.mark.parametrize(
    ("ends_at", "stop_s"), [(math.nan, 1.0), (math.inf, 1.0), (1005.0, -1.0), (1005.0, math.nan), (1005.0, 1e9)]
)
def test_times_are_checked(world: World, ends_at: float, stop_s: float) -> None:
    assert "ends_at must be" in world.asks(TABLE, ends_at=ends_at, stop_s=stop_s).error
    assert world.assigned == []


def test_only_a_node_of_a_cluster_takes_assignments(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "is no node" in World(monkeypatch, FoxtrotConfig()).asks(TABLE, ends_at=1004.0).error


def test_the_answer_has_the_living_workers(world: World) -> None:
    record = ChildRecord(plan=ChildPlan(name="btc_a0_5.a", tier=2, kind="connection"), incarnation=3)
    record.state, record.cause = State.FATAL, "crashed too often"
    world.records["btc_a0_5.a"] = record
    world.records["engine"] = ChildRecord(plan=ChildPlan(name="engine", tier=1, kind="engine"), incarnation=1)
    world.records["eth_a0_6.a"] = ChildRecord(plan=ChildPlan(name="eth_a0_6.a", tier=2, kind="connection"))
    assert world.asks(ends_at=1004.0).data["workers"] == {
        "btc_a0_5.a": {"incarnation": 3, "state": "FATAL", "cause": "crashed too often"}
    }
