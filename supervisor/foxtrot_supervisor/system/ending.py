"""Ends tasks that wait for answers of servers, through client libraries that may forget a cancellation."""

from __future__ import annotations

import asyncio
from typing import Any

__all__ = ["AGAIN_S", "end_tasks"]

AGAIN_S = 0.2
"""Time after which a task that has not ended is cancelled again."""


async def end_tasks(*tasks: asyncio.Task[Any]) -> None:
    """Cancel `tasks` and wait until they have ended; their results and errors are taken.

    Cancelled again where needed: `asyncio.wait_for`, which clients of NATS and Redis await the server with, forgets a
    cancellation that comes together with its result (Python before 3.12), and a loop around it would go on for ever.
    """
    waiting = set(tasks)
    while waiting:
        for task in waiting:
            task.cancel()
        _, waiting = await asyncio.wait(waiting, timeout=AGAIN_S)
    await asyncio.gather(*tasks, return_exceptions=True)
