"""Work whose cancellation is forgotten ends nevertheless."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from foxtrot_supervisor.system.ending import end_tasks, insistent_timeout, run_together

LIMIT_S = 20.0


class _Forgetful:
    """A client that forgets its first cancellations, and a loop around it."""

    def __init__(self, forgets: int = 1) -> None:
        self.forgotten = 0
        self._forgets = forgets

    async def work(self) -> None:
        while True:
            await self.ask()

    async def ask(self) -> str:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            if self.forgotten == self._forgets:
                raise
            self.forgotten += 1
        return "answer"


async def _broken() -> None:
    await asyncio.sleep(0)
    raise ValueError("broken")


async def test_a_task_that_forgets_a_cancellation_is_cancelled_again() -> None:
    async def fails_at_its_end() -> None:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(60)
        raise ValueError("at its end")

    client = _Forgetful()
    tasks = [asyncio.create_task(each) for each in (client.work(), fails_at_its_end())]
    await asyncio.sleep(0)
    async with asyncio.timeout(LIMIT_S):
        await end_tasks(*tasks)
    assert client.forgotten == 1
    await end_tasks()


async def test_tasks_end_before_the_cancellation_of_the_one_that_ends_them_takes_effect() -> None:
    client = _Forgetful(3)
    inner = asyncio.create_task(client.work())
    await asyncio.sleep(0)
    outer = asyncio.create_task(end_tasks(inner))
    await asyncio.sleep(0)
    async with asyncio.timeout(LIMIT_S):
        await end_tasks(outer)
    assert outer.cancelled()
    assert inner.cancelled()


async def test_jobs_end_with_the_first_of_them() -> None:
    client = _Forgetful()
    with pytest.raises(ValueError, match="broken"):
        async with asyncio.timeout(LIMIT_S):
            await run_together(client.work(), _broken())
    assert client.forgotten == 1


async def test_the_cancellation_of_jobs_reaches_those_that_forget_it() -> None:
    client = _Forgetful()
    together = asyncio.create_task(run_together(client.work(), asyncio.sleep(60)))
    await asyncio.sleep(0.01)
    async with asyncio.timeout(LIMIT_S):
        await end_tasks(together)
    assert together.cancelled()
    assert client.forgotten == 1


async def test_a_timeout_cancels_until_the_block_ends() -> None:
    client = _Forgetful(2)
    async with asyncio.timeout(LIMIT_S):
        with pytest.raises(TimeoutError):
            async with insistent_timeout(0.01):
                await client.work()
    assert client.forgotten == 2
    assert _cancelling() == 0
    await asyncio.sleep(0.01)  # nothing further cancels this task


async def test_a_result_that_comes_too_late_is_a_result() -> None:
    async with insistent_timeout(-1.0):
        answer = await _Forgetful().ask()
    assert answer == "answer"
    assert _cancelling() == 0


async def test_a_block_that_ends_in_time_is_not_cancelled() -> None:
    async with insistent_timeout(LIMIT_S):
        await asyncio.sleep(0)
    with pytest.raises(ValueError, match="broken"):
        async with insistent_timeout(LIMIT_S):
            await _broken()


@pytest.mark.parametrize("limit_s", [0.0, LIMIT_S])
async def test_a_cancellation_from_outside_stays_one(limit_s: float) -> None:
    async def limited() -> None:
        async with insistent_timeout(limit_s):
            await asyncio.sleep(60)

    task = asyncio.create_task(limited())
    await asyncio.sleep(0)
    asyncio.get_running_loop().call_soon(task.cancel)
    await asyncio.wait((task,))
    assert task.cancelled()


async def test_the_outer_of_two_timeouts_is_the_one_that_is_over() -> None:
    async def inner() -> None:
        try:
            async with insistent_timeout(LIMIT_S):
                await _Forgetful().work()
        except TimeoutError:
            raise AssertionError("the inner one had time left") from None

    with pytest.raises(TimeoutError):
        async with insistent_timeout(0.01):
            await inner()
    assert _cancelling() == 0


def _cancelling() -> int:
    task = asyncio.current_task()
    assert task is not None
    return task.cancelling()
