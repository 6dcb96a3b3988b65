"""Waiting in tests: always for a condition, always with a limit."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import Any

__all__ = ["POLL_S", "wait_until", "wait_until_async"]

POLL_S = 0.005
"""Time between two looks at the condition."""


def _timed_out(what: str, limit_s: float, last: Any) -> AssertionError:
    return AssertionError(f"waited {limit_s:g} s in vain for {what} (last seen: {last!r})")


def wait_until(predicate: Callable[[], Any], limit_s: float = 10.0, what: str = "the condition") -> Any:
    """The first true value of `predicate`; raises `AssertionError` naming `what` after `limit_s` seconds."""
    deadline = time.monotonic() + limit_s
    while True:
        value = predicate()
        if value:
            return value
        if time.monotonic() >= deadline:
            raise _timed_out(what, limit_s, value)
        time.sleep(POLL_S)


async def wait_until_async(
    predicate: Callable[[], Any | Awaitable[Any]], limit_s: float = 10.0, what: str = "the condition"
) -> Any:
    """As `wait_until`, for a plain or an async `predicate`, without blocking the loop."""
    deadline = time.monotonic() + limit_s
    while True:
        value = predicate()
        if inspect.isawaitable(value):
            value = await value
        if value:
            return value
        if time.monotonic() >= deadline:
            raise _timed_out(what, limit_s, value)
        await asyncio.sleep(POLL_S)
