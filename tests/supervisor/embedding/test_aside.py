"""Blocking calls for coroutines."""

from __future__ import annotations

import asyncio
import threading

import pytest

from foxtrot_supervisor.embedding.aside import aside, settled
from tests.support.waiting import wait_until_async


async def test_results_and_errors_come_back_and_no_thread_stays() -> None:
    before = threading.active_count()
    assert await aside(lambda: threading.current_thread().name) == "foxtrot-aside"
    with pytest.raises(ZeroDivisionError):
        await aside(lambda: 1 // 0)
    await wait_until_async(lambda: threading.active_count() == before, what="the last thread to end")


async def test_a_cancelled_caller_waits_for_the_call() -> None:
    release, done = threading.Event(), []

    def call() -> None:
        release.wait(5)
        done.append(1)

    task = asyncio.create_task(settled(call))
    await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.sleep(0.01)
    assert not task.done()
    release.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert done == [1]
