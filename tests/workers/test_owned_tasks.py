"""A background task that fails is heard of at once."""

from __future__ import annotations

import asyncio
from typing import Any

from foxtrot_workers.owned_tasks import start_task


async def test_a_failure_goes_to_the_loops_exception_handler_at_once() -> None:
    heard: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: heard.append(context))

    async def fail() -> None:
        raise TypeError("at fault")

    task = start_task(fail(), "failing")
    await asyncio.wait({task})
    await asyncio.sleep(0)
    assert [repr(context["exception"]) for context in heard] == ["TypeError('at fault')"]
    assert heard[0]["task"] is task


async def test_completion_and_cancellation_are_not_failures() -> None:
    heard: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: heard.append(context))
    ended, cancelled = start_task(asyncio.sleep(0), "ending"), start_task(asyncio.sleep(60), "cancelled")
    await ended
    cancelled.cancel()
    await asyncio.wait({cancelled})
    await asyncio.sleep(0)
    assert heard == []
