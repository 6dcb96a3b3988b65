"""Follows the holders of shards, for an engine."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from foxtrot_supervisor.cluster.fences import Fences
from foxtrot_supervisor.cluster.model import Holder, decode
from foxtrot_supervisor.cluster.names import EVENTS, HOLDERS
from foxtrot_supervisor.cluster.nats_client import NATS_ERRORS, Client

__all__ = ["RETRY_S", "watch_holders"]

RETRY_S = 2.0
"""Interval of attempts to watch: there may be no nodes yet."""


async def watch_holders(client: Client, fences: Fences, holders: dict[str, Holder]) -> None:
    """Give every entry to `fences`, and keep `holders` as the bucket is, until cancelled."""
    while True:
        try:
            await _watch(client, fences, holders)
        except NATS_ERRORS:
            await asyncio.sleep(RETRY_S)


async def _watch(client: Client, fences: Fences, holders: dict[str, Holder]) -> None:
    js: Any = client.jetstream()
    bucket = await js.key_value(HOLDERS)
    watcher = await bucket.watchall()
    try:
        async for entry in watcher:
            if entry is None:
                continue  # everything that stood there has come
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
    finally:
        await watcher.stop()
