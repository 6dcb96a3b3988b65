"""Background tasks whose failure is reported at once.

asyncio keeps the exception of a task that is never awaited until the task is collected, which may be never: a reader
that failed with a TypeError would leave a feed connected and silent.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

__all__ = ["start_task"]

T = TypeVar("T")


def start_task(work: Coroutine[Any, Any, T], name: str) -> asyncio.Task[T]:
    """Start `work` as a task; an exception that ends it is passed to the loop's exception handler at once."""
    task = asyncio.get_running_loop().create_task(work, name=name)
    task.add_done_callback(_report_failure)
    return task


def _report_failure(task: asyncio.Task[Any]) -> None:
    if task.cancelled():
        return
    error = task.exception()
    if error is not None:
        task.get_loop().call_exception_handler({"message": "task failed", "exception": error, "task": task})
