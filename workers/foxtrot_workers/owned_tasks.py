"""Background tasks whose failure must not go unseen.

asyncio keeps the exception of a task that nobody awaits until the task is collected, which may be never: a reader that
died of a TypeError would leave a feed that is connected and silent.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

__all__ = ["start_task"]

T = TypeVar("T")


def start_task(work: Coroutine[Any, Any, T], name: str) -> asyncio.Task[T]:
    """Start `work` as a task; an exception that ends it goes to the loop's exception handler at once."""
    task = asyncio.get_running_loop().create_task(work, name=name)
    task.add_done_callback(_tell)
    return task


def _tell(task: asyncio.Task[Any]) -> None:
    if task.cancelled():
        return
    error = task.exception()
    if error is not None:
        task.get_loop().call_exception_handler({"message": "task failed", "exception": error, "task": task})
