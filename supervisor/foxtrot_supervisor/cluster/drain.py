"""Draining a node: it hands its shards over, each once its successor serves."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import nats.errors

from foxtrot_supervisor.cluster import names
from foxtrot_supervisor.cluster.connection import ANSWER_S
from foxtrot_supervisor.cluster.model import Holder, NodeRequest, encode
from foxtrot_supervisor.cluster.store import Store

if TYPE_CHECKING:
    from nats.aio.client import Client

__all__ = ["drained", "left_on", "request_drain"]

POLL_S: Final = 0.5
"""Interval at which the holders are read."""


async def request_drain(client: Client, node: str, *, on: bool) -> bool:
    """Have a node begin or end to drain; return whether it answers."""
    try:
        await client.request(names.node_subject(node, "drain"), encode(NodeRequest(on=on)), timeout=ANSWER_S)
    except (nats.errors.NoRespondersError, TimeoutError):
        return False
    return True


def left_on(node: str, holders: dict[str, Holder]) -> list[str]:
    """Return the shards that a node still runs: its own, and those whose successor does not serve yet."""
    return sorted(
        shard
        for shard, holder in holders.items()
        if (holder.node == node and holder.state != "gone")
        or (holder.previous is not None and holder.previous.node == node)
    )


async def drained(store: Store, node: str, wait_s: float, show: Callable[[str], None] | None) -> list[str]:
    """Wait until a node runs no shard; return what is left after `wait_s` seconds. `show`: gets the progress."""
    deadline, shown = time.monotonic() + wait_s, -1
    while True:
        desired = await store.all_desired()
        left = [shard for shard in left_on(node, await store.all_holders()) if shard in desired]
        if show is not None and len(left) != shown:
            shown = len(left)
            show(f"{node}: {shown} shard(s) left")
        if not left or time.monotonic() >= deadline:
            return left
        await asyncio.sleep(POLL_S)
