"""Restarts all workers, a few at a time; the others go on serving.

The first sides of all connections come before the second ones. The core refuses to take a side away before its twin
stands in for it, so such a worker is asked for again until it is granted. A worker that does not serve again ends the
whole: what keeps one from serving may keep all of them.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence

from foxtrot_protocol.control import Reply
from foxtrot_supervisor.runtime.logs import Log

__all__ = ["AT_ONCE_MAX", "PROGRESS_S", "RollingRestart", "in_rounds"]

AT_ONCE_MAX = 8
"""Workers that are down at the same time."""

PROGRESS_S = 10.0
"""Seconds between two log lines about the progress."""


class RollingRestart:
    """One rolling restart at a time.

    Args:
        restart: replaces one worker, and replies when it serves again.
        log: gets ``rolling_restart``.
    """

    def __init__(self, restart: Callable[[str], Awaitable[Reply]], log: Log) -> None:
        self._restart = restart
        self._log = log
        self._is_running = False

    async def run(self, workers: Sequence[str]) -> Reply:
        """Restart `workers`, in this order; reply when all serve again or one does not. Cancelled: start no other."""
        if self._is_running:
            return Reply(error="another restart of all workers is under way")
        self._is_running = True
        try:
            return await self._run(workers)
        finally:
            self._is_running = False

    async def _run(self, workers: Sequence[str]) -> Reply:
        began_at = time.monotonic()
        waiting, done, failed = deque(workers), list[str](), list[str]()
        reported_at = began_at
        self._report(done, workers, began_at)

        async def lane() -> None:
            nonlocal reported_at
            while waiting and not failed:
                name = waiting.popleft()
                reply = await self._restart(name)
                if reply.error:
                    failed.append(f"{name}: {reply.error}")
                    return
                done.append(name)
                if time.monotonic() >= reported_at + PROGRESS_S:
                    reported_at = time.monotonic()
                    self._report(done, workers, began_at)

        async with asyncio.TaskGroup() as lanes:
            for _ in range(AT_ONCE_MAX):
                lanes.create_task(lane())
        self._report(done, workers, began_at)
        error = "; ".join(failed) + f"; {len(waiting)} workers were left as they are" if failed else ""
        return Reply(error=error, data={"restarted": len(done), "seconds": round(time.monotonic() - began_at, 1)})

    def _report(self, done: Sequence[str], workers: Sequence[str], began_at: float) -> None:
        elapsed_s = time.monotonic() - began_at
        self._log.info("rolling_restart", done=len(done), total=len(workers), elapsed_s=round(elapsed_s, 1))


def in_rounds(connections: Sequence[Sequence[str]]) -> list[str]:
    """Return the workers of all connections: the first of each, then the second of each."""
    rounds = max((len(workers) for workers in connections), default=0)
    return [workers[turn] for turn in range(rounds) for workers in connections if turn < len(workers)]
