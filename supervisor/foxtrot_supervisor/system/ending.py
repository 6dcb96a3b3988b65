"""Ends work that waits for answers of servers, through client libraries that may forget a cancellation.

`asyncio.wait_for`, which clients of NATS and Redis await the server with, forgets a cancellation that comes together
with its result (Python before 3.12): a loop around it, cancelled once, would go on for ever.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Coroutine
from typing import Any

__all__ = ["AGAIN_S", "end_tasks", "insistent_timeout", "run_together"]

AGAIN_S = 0.2
"""Time after which work that has not ended is cancelled again."""


async def end_tasks(*tasks: asyncio.Task[Any]) -> None:
    """Cancel `tasks`, again every `AGAIN_S`, and wait until they have ended; their results and errors are taken.

    When the caller is cancelled meanwhile, the tasks end first.
    """
    waiting = set(tasks)
    cancelled: asyncio.CancelledError | None = None
    while waiting:
        for task in waiting:
            task.cancel()
        try:
            _, waiting = await asyncio.wait(waiting, timeout=AGAIN_S)
        except asyncio.CancelledError as error:
            cancelled = error
    for task in tasks:
        if not task.cancelled():
            task.exception()
    if cancelled is not None:
        raise cancelled


async def run_together(*jobs: Coroutine[Any, Any, None]) -> None:
    """Run `jobs` until one of them ends or the caller is cancelled, then end the others; raises what that one raised.

    `asyncio.TaskGroup` cancels its tasks only once, whatever happens to itself.
    """
    tasks = [asyncio.create_task(job) for job in jobs]
    try:
        ended, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        await end_tasks(*tasks)
    for task in ended:
        task.result()


@contextlib.asynccontextmanager
async def insistent_timeout(limit_s: float) -> AsyncIterator[None]:
    """As `asyncio.timeout`, but cancels the block again every `AGAIN_S` until it has ended.

    A block that ends after its time without a cancellation has its result, and no TimeoutError is raised.
    """
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None
    before, cancels = task.cancelling(), 0
    timer: asyncio.TimerHandle

    def expire() -> None:
        nonlocal cancels, timer
        cancels += 1
        task.cancel()
        timer = loop.call_later(AGAIN_S, expire)

    timer = loop.call_later(max(0.0, limit_s), expire)
    try:
        yield
    except asyncio.CancelledError as error:
        if cancels and task.cancelling() - cancels <= before:
            raise TimeoutError from error
        raise
    finally:
        timer.cancel()
        for _ in range(cancels):
            task.uncancel()
