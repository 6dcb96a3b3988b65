"""Blocking calls for coroutines: on a thread of their own, which ends with the call."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import TypeVar

__all__ = ["aside", "settled"]

T = TypeVar("T")


async def aside(call: Callable[[], T]) -> T:
    """Return what `call` returns, without blocking the event loop; the call itself cannot be cancelled."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def settle(result: T | None, error: BaseException | None) -> None:
        if done.cancelled():
            return
        if error is not None:
            done.set_exception(error)
        else:
            done.set_result(result)  # type: ignore[arg-type]  # of the call

    def run() -> None:
        result, error = None, None
        try:
            result = call()
        except BaseException as raised:
            error = raised
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits
            loop.call_soon_threadsafe(settle, result, error)

    thread = threading.Thread(target=run, name="foxtrot-aside")
    thread.start()
    result = await done
    thread.join()  # it has nothing left to do
    return result


async def settled(call: Callable[[], T]) -> T:
    """As `aside`; when the caller is cancelled, the call ends first."""
    task = asyncio.ensure_future(aside(call))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait((task,))
        raise
