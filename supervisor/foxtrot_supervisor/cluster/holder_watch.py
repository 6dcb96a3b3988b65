"""Follows the holders of shards and the announcements of nodes, for an engine."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from typing import Any

from foxtrot_supervisor.cluster.fences import Fences
from foxtrot_supervisor.cluster.model import Holder, NodeInfo, decode
from foxtrot_supervisor.cluster.names import EVENTS, HOLDERS, NODES
from foxtrot_supervisor.cluster.nats_client import NATS_ERRORS, Client
from foxtrot_supervisor.cluster.remote_workers import RemoteWorkers

__all__ = ["RETRY_S", "watch_holders", "watch_nodes"]

RETRY_S = 2.0
"""Interval of attempts to watch: there may be no nodes yet."""


async def watch_holders(client: Client, fences: Fences, holders: dict[str, Holder]) -> None:
    """Give every entry to `fences`, and keep `holders` as the bucket is, until cancelled."""
    await _again(lambda: _watch_holders(client, fences, holders))


async def watch_nodes(client: Client, remote: RemoteWorkers) -> None:
    """Give the announcements of nodes to `remote`, until cancelled."""
    await _again(lambda: _watch_nodes(client, remote))


async def _again(watch: Callable[[], Awaitable[None]]) -> None:
    while True:
        try:
            await watch()
        except NATS_ERRORS:
            await asyncio.sleep(RETRY_S)


async def _watch_holders(client: Client, fences: Fences, holders: dict[str, Holder]) -> None:
    js: Any = client.jetstream()
    async with aclosing(_entries(js, HOLDERS)) as entries:
        async for entry in entries:
            if entry is None:
                continue
            if not entry.value:
                holders.pop(entry.key, None)  # it was removed
                continue
            try:
                holder = decode(entry.value, Holder)
            except ValueError:
                continue  # of another version
            holders[entry.key] = holder
            if fences.is_news(holder):
                info = await js.stream_info(EVENTS)
                fences.add(holder, int(info.state.last_seq), time.monotonic())


async def _watch_nodes(client: Client, remote: RemoteWorkers) -> None:
    remote.nodes_from(time.monotonic())
    is_present = False
    async with aclosing(_entries(client.jetstream(), NODES)) as entries:
        async for entry in entries:
            if entry is None:
                is_present = True
                continue
            if not entry.value:
                remote.node_removed(entry.key)
                continue
            try:
                node = decode(entry.value, NodeInfo)
            except ValueError:
                continue  # of another version
            # when an entry that stood there was written is not known here: the clocks may differ
            remote.node_announced(node, time.monotonic() if is_present else None)


async def _entries(js: Any, bucket: str) -> AsyncGenerator[Any, None]:
    """Yield the entries of a bucket: those that stand there, None, then each change."""
    watcher = await (await js.key_value(bucket)).watchall()
    try:
        async for entry in watcher:
            yield entry
    finally:
        await watcher.stop()
