"""A number of slots that are given to the waiting request of the lowest rank."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

from foxtrot_workers.feed.snapshot_order import Rank

__all__ = ["RankedSlots"]


class RankedSlots:
    """At most `count` holders at a time; `rank` is asked for the key of each waiting one whenever a slot is free."""

    def __init__(self, count: int, rank: Callable[[str], Rank]) -> None:
        self._free = count
        self._rank = rank
        self._waiting: dict[asyncio.Future[None], str] = {}

    @contextlib.asynccontextmanager
    async def held(self, key: str) -> AsyncIterator[None]:
        """Hold a slot; among equal ranks the order of arrival holds."""
        await self._acquire(key)
        try:
            yield
        finally:
            self._release()

    async def _acquire(self, key: str) -> None:
        if self._free:
            self._free -= 1
            return
        granted: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[granted] = key
        try:
            await granted
        except asyncio.CancelledError:
            if granted.done() and not granted.cancelled():
                self._release()  # it was granted in the same turn
            raise
        finally:
            self._waiting.pop(granted, None)

    def _release(self) -> None:
        waiting = [granted for granted in self._waiting if not granted.done()]
        if waiting:
            min(waiting, key=lambda granted: self._rank(self._waiting[granted])).set_result(None)
        else:
            self._free += 1
