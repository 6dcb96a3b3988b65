"""Symbols of running workers are changed as soon as a worker can be asked; the others begin with them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from foxtrot_supervisor.core.child_specs import SymbolChange
from foxtrot_supervisor.core.lifecycle import State
from foxtrot_supervisor.core.records import ChildPlan, ChildRecord
from foxtrot_supervisor.runtime import live_symbols
from foxtrot_supervisor.runtime.live_symbols import BATCH_SYMBOLS, LiveSymbols
from foxtrot_supervisor.runtime.timers import Timers
from tests.support.waiting import wait_until_async


class Log:
    """What is logged as an error."""

    def __init__(self) -> None:
        self.reasons: list[str] = []

    def error(self, event: str, **fields: Any) -> None:
        self.reasons.append(f"{event} {fields['worker']}: {fields['reason']}")


class World:
    """Workers that answer as `error` says."""

    def __init__(self) -> None:
        self.record = ChildRecord(plan=ChildPlan(name="a", tier=2), state=State.RUNNING, incarnation=1, pid=10)
        self.asked: list[tuple[list[str], bool]] = []
        self.log = Log()
        self.error = ""
        self.timers = Timers()
        self.live = LiveSymbols(
            lambda name: self.record if name == "a" else None,
            self,  # type: ignore[arg-type]
            self.timers,
            self.log,  # type: ignore[arg-type]
        )

    async def change(self, name: str, symbols: list[str], *, added: bool, delisted: bool) -> list[str] | str:
        assert (name, delisted) == ("a", False)
        await asyncio.sleep(0)
        self.asked.append((symbols, added))
        return self.error or symbols


@pytest.fixture
async def world(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    monkeypatch.setattr(live_symbols, "AGAIN_S", 0.01)
    world = World()
    yield world
    world.live.close()
    world.timers.close()


async def test_a_running_worker_is_changed_once_in_batches(world: World) -> None:
    many = [f"S{number}" for number in range(BATCH_SYMBOLS + 1)]
    world.live.begin({"a": SymbolChange(many, ["X"]), "gone": SymbolChange(["Y"], [])})
    await wait_until_async(lambda: len(world.asked) == 3, what="all batches")
    await asyncio.sleep(0.05)
    assert world.asked == [(["X"], False), (many[:-1], True), (many[-1:], True)]


async def test_a_starting_worker_is_changed_when_it_runs_and_its_successor_is_not(world: World) -> None:
    world.record.state = State.STARTING
    world.live.begin({"a": SymbolChange(["A", "B"], [])})
    world.live.begin({"a": SymbolChange(["C"], ["A"])})
    await asyncio.sleep(0.05)
    assert world.asked == []
    world.record.state = State.RUNNING
    await wait_until_async(lambda: len(world.asked) == 2, what="the change")
    assert world.asked == [(["A"], False), (["B", "C"], True)]
    world.record.state = State.STARTING
    world.live.begin({"a": SymbolChange(["D"], [])})
    world.record.incarnation, world.record.state = 2, State.RUNNING
    await asyncio.sleep(0.05)
    assert len(world.asked) == 2


async def test_a_worker_that_refuses_is_asked_again_and_given_up(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_symbols, "ATTEMPTS_MAX", 3)
    world.error = "too many"
    world.live.begin({"a": SymbolChange(["A"], [])})
    await wait_until_async(lambda: world.log.reasons == ["symbols_not_changed a: too many"], what="the end of patience")
    await asyncio.sleep(0.05)
    assert len(world.asked) == 3
