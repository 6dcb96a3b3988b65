"""Decisions that a client's lapse keeps alive end with the node (test_cluster drives the others, with real servers)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any, cast

from foxtrot_supervisor.cluster.deliveries import Deliveries
from foxtrot_supervisor.cluster.lease import Leases
from foxtrot_supervisor.cluster.shards import Identity
from tests.support.twin_world import Silent

LIMIT_S = 20.0


class _Client:
    """Remembers what is subscribed to."""

    def __init__(self) -> None:
        self.callbacks: dict[str, Callable[[Any], Awaitable[None]]] = {}

    def new_inbox(self) -> str:
        return "inbox"

    async def subscribe(self, subject: str, cb: Callable[[Any], Awaitable[None]]) -> None:
        self.callbacks[subject] = cb


class _Store:
    """Buckets of a server that does not answer; the client forgets one cancellation, as if an answer had come."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.forgotten = 0

    async def desired(self, shard: str) -> object:
        await self._hang()
        return object()

    async def holder(self, shard: str) -> object:
        await self._hang()
        raise AssertionError("nothing answers")

    async def _hang(self) -> None:
        self.asked.set()
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            if self.forgotten:
                raise
            self.forgotten += 1


async def test_a_decision_whose_cancellation_is_forgotten_does_not_hold_up_the_release_of_shards() -> None:
    client, store = _Client(), _Store()
    me = Identity("node-1", "run-1", "host", [])
    deliveries = Deliveries(
        cast(Any, client),
        cast(Any, store),
        Leases(10.0, 5.0, 0.0),
        cast(Any, None),
        cast(Any, None),
        me,
        lambda: False,
        Silent(),
    )
    await deliveries.start()
    metadata = SimpleNamespace(num_delivered=1)
    message = SimpleNamespace(headers=None, data=b'{"shard": "a", "base": 0}', metadata=metadata, reply="ack")
    await client.callbacks["inbox"](message)
    async with asyncio.timeout(LIMIT_S):
        await store.asked.wait()
        await deliveries.close()
    assert store.forgotten == 1
