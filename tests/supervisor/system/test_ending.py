"""Tasks whose cancellation is forgotten end nevertheless."""

from __future__ import annotations

import asyncio
import contextlib

from foxtrot_supervisor.system.ending import end_tasks


async def test_a_task_that_forgets_a_cancellation_is_cancelled_again() -> None:
    forgotten = 0

    async def forgetful() -> None:
        nonlocal forgotten
        while True:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                forgotten += 1
                if forgotten == 2:
                    raise

    async def broken() -> None:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(60)
        raise ValueError("at its end")

    tasks = [asyncio.create_task(each) for each in (forgetful(), broken())]
    await asyncio.sleep(0)
    async with asyncio.timeout(20):
        await end_tasks(*tasks)
    assert forgotten == 2
    await end_tasks()
