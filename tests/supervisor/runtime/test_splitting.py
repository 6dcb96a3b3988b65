"""Splits of shards over workers that are played: begun, completed, withdrawn, refused, and begun for a busy worker."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from typing import Any

import pytest
from msgspec import structs

from foxtrot_protocol.commands import Heartbeat, TopicStatus
from foxtrot_supervisor.config.schema import FoxtrotConfig, SupervisorConfig
from foxtrot_supervisor.config.shards import Shard
from foxtrot_supervisor.core.child_specs import ChildSpecs, Surroundings
from foxtrot_supervisor.core.lifecycle import Desired, State
from foxtrot_supervisor.core.records import ChildPlan, ChildRecord
from foxtrot_supervisor.core.targets import Targets
from foxtrot_supervisor.runtime import splitting
from foxtrot_supervisor.runtime.active_config import ActiveConfig
from foxtrot_supervisor.runtime.splitting import Split, Splitting
from foxtrot_supervisor.runtime.timers import Timers
from foxtrot_supervisor.telemetry.vitals import Vitals
from tests.support.waiting import wait_until_async

AROUND = Surroundings(run_id="r", run_dir="/r", parent_pid=1, import_path="", log_level="info", log_format="json")
SHARD = Shard(
    name="all-1",
    exchange="binance",
    channels=["trade"],
    symbols=["A", "B", "C", "D"],
    shard_of="all",
    entries=["*"],
    symbols_max=9,
    symbol_case="upper",
)


class World:
    """A run, its reloads and its log."""

    def __init__(self, shard: Shard = SHARD, **limits: Any) -> None:
        config = FoxtrotConfig(connections=[shard], supervisor=SupervisorConfig(**limits))
        self.active = ActiveConfig(config, ChildSpecs(config, AROUND, Targets()))
        self.records: dict[str, ChildRecord] = {}
        self.vitals: defaultdict[str, Vitals] = defaultdict(Vitals)
        self.replaces = self.is_under_way = False
        self.refusal = "a reload is under way"
        self.refused = ""
        self.held = ""
        self.logged: list[str] = []
        self.ends = 0
        self.timers = Timers()
        self.splitting = Splitting(
            self.active,
            self.records,
            self.vitals,
            self,  # type: ignore[arg-type]
            ended=self._ended,
            timers=self.timers,
            log=self,  # type: ignore[arg-type]
        )
        self.runs("all-1.a", "A", "B", "C", "D")

    def _ended(self) -> None:
        self.ends += 1

    def runs(
        self, worker: str, *symbols: str, state: State = State.RUNNING, cpu_s: float = 0.0, at: float = 1.0
    ) -> None:
        self.records[worker] = ChildRecord(
            plan=ChildPlan(name=worker, tier=2), state=state, incarnation=1, cause="why", desired=Desired.RUNNING
        )
        topics = [TopicStatus(f"{symbol}@trade", "flowing", 0.1) for symbol in symbols]
        beat = Heartbeat(worker, 1, 0.0, 0, 0, 0, 0, topics=topics, cpu_s=cpu_s)
        self.vitals[worker].heartbeat(beat, at)

    def put_in_force(self, config: FoxtrotConfig, *, by_holder: bool = False) -> str | None:
        if self.refused:
            return self.refused
        assert by_holder == bool(self.held)
        self.active.adopt(config, ChildSpecs(config, AROUND, Targets()))
        return None

    def hold(self, reason: str) -> None:
        self.held = reason

    def release(self) -> None:
        self.held = ""

    def info(self, event: str, **fields: Any) -> None:
        self.logged.append(event)

    def warning(self, event: str, **fields: Any) -> None:
        self.logged.append(f"{event}: {fields['reason']}")

    def symbols(self) -> dict[str, list[str]]:
        return {each.name: each.symbols for each in self.active.config.connections}

    def begin(self) -> Split:
        split = self.splitting.request("all-1")
        assert isinstance(split, Split), split
        return split


@pytest.fixture
async def world(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    for name, value in (("LOOK_S", 0.001), ("STALL_S", 0.05), ("LET_GO_S", 0.02), ("WATCH_S", 0.001)):
        monkeypatch.setattr(splitting, name, value)
    world = World()
    yield world
    await leave(world)


async def leave(world: World) -> None:
    world.splitting.close()
    world.timers.close()
    await asyncio.sleep(0)


async def ended(split: Split) -> None:
    await wait_until_async(lambda: split.ended, what="the end of the split")
    for _ in range(3):
        await asyncio.sleep(0)  # its task ends


async def test_the_old_shard_lets_go_once_the_new_one_brings_everything(world: World) -> None:
    split = world.begin()
    assert world.held == "all-1 is being split"
    assert [world.splitting.split_with([name]) for name in ("all-1.a", "all-2.a", "engine")] == ["all-1", "all-1", ""]
    assert world.symbols() == {"all-1": ["A", "B", "C", "D"], "all-2": ["B", "D"]}
    world.runs("all-2.a", "B", state=State.CONNECTING)
    world.vitals["all-2.a"].ended()
    await wait_until_async(lambda: split.reason == "all-2.a is CONNECTING: why", what="the first look")
    world.records["all-2.a"].state = State.RUNNING
    await wait_until_async(lambda: "not reported" in split.reason, what="the second look")
    world.replaces = True
    world.runs("all-2.a", "B", "D")
    await wait_until_async(lambda: split.state == "changing", what="the new one to bring everything")
    assert (split.carried, split.total) == (2, 2)
    assert world.symbols()["all-1"] == ["A", "B", "C", "D"]
    world.replaces = False
    await wait_until_async(lambda: world.symbols()["all-1"] == ["A", "C"], what="the old one to let go")
    world.runs("all-1.a", "A", "C")
    await ended(split)
    assert (split.state, split.reason, world.held, world.ends) == ("done", "", "", 1)
    assert world.splitting.split_with(["all-1.a", "all-2.a"]) == ""
    assert world.splitting.figures("all") == {"splits_total": 1, "split": split.as_dict()}
    assert world.splitting.figures("none") == {"splits_total": 0, "split": None}
    assert world.logged == ["split", "split_done"]


async def test_what_the_old_shard_keeps_is_said(world: World) -> None:
    split = world.begin()
    world.runs("all-2.a", "B", "D")
    await ended(split)
    assert (split.state, split.reason) == ("done", "all-1 still has 2 topics of all-2, B@trade among them")


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        (State.FATAL, "all-2.a is FATAL: why"),
        (State.BACKOFF, "no progress for 0.05 s: all-2.a is BACKOFF: why"),
        (None, "it is gone"),
    ],
)
async def test_a_split_that_fails_is_taken_back(world: World, state: State | None, reason: str) -> None:
    split = world.begin()
    if state is not None:
        world.runs("all-2.a", state=state)
    await ended(split)
    assert (split.state, split.reason, world.held) == ("failed", reason, "")
    assert world.symbols() == {"all-1": ["A", "B", "C", "D"]}
    assert world.logged == ["split", f"split_failed: {reason}"]


async def test_a_split_has_an_end_whatever_its_progress(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(splitting, "SPLIT_S_MAX", 0.0)
    split = world.begin()
    world.runs("all-2.a", state=State.CONNECTING)
    await ended(split)
    assert split.reason == "not done within 0 s: all-2.a is CONNECTING: why"


async def test_a_stop_in_the_middle_ends_it_at_once(world: World) -> None:
    stopped = world.begin()
    world.runs("all-2.a", state=State.STOPPING)
    world.records["all-2.a"].desired = Desired.STOPPED
    world.refused = "everything is being stopped"
    await ended(stopped)
    assert (stopped.state, stopped.reason, world.held) == ("failed", "everything is being stopped", "")
    world.active.adopt(FoxtrotConfig(connections=[SHARD]), world.active.specs)


async def test_a_stop_while_the_old_shard_lets_go_ends_it(world: World) -> None:
    split = world.begin()
    world.runs("all-2.a", "B", "D")
    world.refused = "everything is being stopped"
    await ended(split)
    assert (split.state, split.reason, world.held) == ("failed", "everything is being stopped", "")
    world.refused = ""
    cancelled = world.begin()
    await world.splitting.settle()
    assert cancelled.ended
    await world.splitting.settle()
    assert cancelled.reason == "everything is being stopped"


async def test_refusals_change_nothing(world: World) -> None:
    assert world.splitting.request("none") == "there is no connection called 'none'"
    world.records["all-1.a"].rotation = "going"
    assert world.splitting.request("all-1") == "all-1.a: being rotated; ask again in a moment"
    world.records["all-1.a"].state = State.BACKOFF
    assert world.splitting.request("all-1") == "all-1 does not run"
    world.is_under_way = True
    assert world.splitting.request("all-1") == "a reload is under way"
    world.is_under_way, world.refused = False, "stopping"
    world.runs("all-1.a", "A")
    assert world.splitting.request("all-1") == "stopping"
    assert (world.symbols(), world.held) == ({"all-1": ["A", "B", "C", "D"]}, "")


async def busy(world: World) -> None:
    """Report a worker that has needed 90 % of a core for a minute."""
    world.splitting.start()
    await asyncio.sleep(0.01)
    world.runs("all-1.a", "A", "B", "C", "D", cpu_s=54.0, at=61.0)


async def test_a_busy_worker_is_split(world: World) -> None:
    await busy(world)
    await wait_until_async(lambda: "split" in world.logged, what="the split")
    assert world.splitting.figures("all")["split"]["into"] == "all-2"


@pytest.mark.parametrize(
    ("shard", "limits"),
    [
        (SHARD, {"split_cpu": 0.0}),
        (SHARD, {"split_cpu": 0.95}),
        (SHARD, {"split_after_s": 61.0}),
        (structs.replace(SHARD, connections_max=1), {}),
    ],
)
async def test_and_not_where_the_limits_forbid_it(world: World, shard: Shard, limits: dict[str, Any]) -> None:
    other = World(shard, **limits)
    await busy(other)
    await asyncio.sleep(0.02)
    refused = ["split_refused: binance allows 1 connections, 1 are configured"] if shard.connections_max else []
    assert (other.logged, list(other.symbols())) == (refused, ["all-1"])
    await leave(other)


async def test_a_busy_worker_waits_for_a_change_under_way(world: World) -> None:
    world.is_under_way = True
    await busy(world)
    await asyncio.sleep(0.02)
    assert world.logged == []
    world.is_under_way = False
    world.runs("all-1.a", "A", "B", "C", "D", cpu_s=110.0, at=121.0)
    await wait_until_async(lambda: "split" in world.logged, what="the split")


async def test_a_failure_is_not_repeated_at_once(world: World) -> None:
    split = world.begin()
    await ended(split)
    await busy(world)
    await asyncio.sleep(0.02)
    assert world.logged == ["split", "split_failed: it is gone"]
