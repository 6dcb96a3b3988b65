"""Named timers, with both event loops."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
import uvloop

from foxtrot_supervisor.runtime.timers import Timers


@pytest.fixture(params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Callable[[Coroutine[Any, Any, None]], None]:
    def run(scene: Coroutine[Any, Any, None]) -> None:
        with asyncio.Runner(loop_factory=request.param) as runner:
            runner.run(scene)

    return run


Run = Callable[[Coroutine[Any, Any, None]], None]


def test_a_call_without_delay_may_be_requested_several_times(run: Run) -> None:
    """uvloop makes no timer of a delay that it rounds to zero."""
    calls: list[str] = []

    async def scene() -> None:
        timers = Timers()
        for delay_s in (0.0, 0.0004, 0.0):
            timers.call_later("backfills", delay_s, lambda: calls.append("called"))
        await asyncio.sleep(0.05)

    run(scene())
    assert calls == ["called"]


def test_a_waiting_call_is_brought_forward_but_never_put_off(run: Run) -> None:
    calls: list[str] = []

    async def scene() -> None:
        timers = Timers()
        timers.call_later("sweep", 30.0, lambda: calls.append("late"))
        timers.call_later("sweep", 0.01, lambda: calls.append("soon"))
        timers.call_later("sweep", 30.0, lambda: calls.append("late again"))
        await asyncio.sleep(0.05)

    run(scene())
    assert calls == ["soon"]


def test_a_call_can_schedule_its_successor_under_the_same_name(run: Run) -> None:
    calls: list[int] = []

    async def scene() -> None:
        timers = Timers()

        def again() -> None:
            calls.append(len(calls))
            if len(calls) < 3:
                timers.call_later("again", 0.0, again)

        timers.call_later("again", 0.0, again)
        await asyncio.sleep(0.05)

    run(scene())
    assert calls == [0, 1, 2]


def test_cancelled_calls_are_not_made(run: Run) -> None:
    calls: list[str] = []

    async def scene() -> None:
        timers = Timers()
        timers.call_later("one", 0.0, lambda: calls.append("one"))
        timers.call_later("two", 0.0, lambda: calls.append("two"))
        timers.cancel("one")
        timers.cancel("unknown")
        timers.close()
        await asyncio.sleep(0.02)

    run(scene())
    assert calls == []
