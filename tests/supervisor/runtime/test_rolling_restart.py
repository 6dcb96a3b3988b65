"""A restart of all workers, a few at a time."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from foxtrot_protocol.control import Reply
from foxtrot_supervisor.runtime import rolling_restart
from foxtrot_supervisor.runtime.logs import Logs
from foxtrot_supervisor.runtime.rolling_restart import AT_ONCE_MAX, RollingRestart, in_rounds

WORKERS = [f"c{number}.a" for number in range(3 * AT_ONCE_MAX)]


class Restarts:
    """Restarts that end when they are released."""

    def __init__(self) -> None:
        self.down: set[str] = set()
        self.down_max = 0
        self.order: list[str] = []
        self.broken = ""
        self.free = asyncio.Event()

    async def __call__(self, name: str) -> Reply:
        self.order.append(name)
        self.down.add(name)
        self.down_max = max(self.down_max, len(self.down))
        await self.free.wait()
        await asyncio.sleep(0)
        self.down.discard(name)
        return Reply(error="no luck" if name == self.broken else "")


def test_first_sides_come_first() -> None:
    assert in_rounds([["a.a", "a.b"], ["b.a"], ["c.a", "c.b"]]) == ["a.a", "b.a", "c.a", "a.b", "c.b"]
    assert in_rounds([]) == []


async def test_a_few_at_a_time_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rolling_restart, "PROGRESS_S", 0.0)
    restarts = Restarts()
    rolling = RollingRestart(restarts, Logs("info", "json").log)
    task = asyncio.create_task(rolling.run(WORKERS))
    await asyncio.sleep(0)
    assert (await rolling.run(WORKERS)).error == "another restart of all workers is under way"
    restarts.free.set()
    reply = await asyncio.wait_for(task, 5)
    assert (reply.error, reply.data["restarted"]) == ("", len(WORKERS))
    assert restarts.order == WORKERS
    assert restarts.down_max == AT_ONCE_MAX


async def test_a_worker_that_does_not_serve_again_ends_the_whole() -> None:
    restarts = Restarts()
    restarts.free.set()
    restarts.broken = WORKERS[1]
    reply = await asyncio.wait_for(RollingRestart(restarts, Logs("info", "json").log).run(WORKERS), 5)
    assert reply.error.startswith("c1.a: no luck; ")
    assert reply.error.endswith(" workers were left as they are")
    left = int(reply.error.split("; ")[1].split()[0])
    assert left == len(WORKERS) - len(restarts.order)
    assert left >= len(WORKERS) - 2 * AT_ONCE_MAX


async def test_an_operator_who_goes_starts_no_further_restart() -> None:
    restarts = Restarts()
    rolling = RollingRestart(restarts, Logs("info", "json").log)
    task: asyncio.Task[Any] = asyncio.create_task(rolling.run(WORKERS))
    await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.wait({task})
    restarts.free.set()
    assert len(restarts.order) == AT_ONCE_MAX
    assert (await asyncio.wait_for(rolling.run(WORKERS), 5)).error == ""
