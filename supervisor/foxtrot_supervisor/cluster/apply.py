"""Writes the desired shards into the cluster."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from foxtrot_supervisor.cluster import names
from foxtrot_supervisor.cluster.desired import Plan
from foxtrot_supervisor.cluster.model import Desired
from foxtrot_supervisor.cluster.store import NotPrepared, Store
from foxtrot_supervisor.cluster.streams import ensure_events
from foxtrot_supervisor.config.cluster import ClusterConfig

if TYPE_CHECKING:
    from nats.aio.client import Client

__all__ = ["applied", "present"]


async def present(store: Store) -> dict[str, Desired]:
    """Return the desired shards that the cluster has; none if nothing was applied yet."""
    try:
        await store.open()
    except NotPrepared:
        return {}
    return await store.all_desired()


async def applied(
    store: Store, client: Client, cluster: ClusterConfig, plan: Plan, desired: Mapping[str, Desired]
) -> None:
    """Put `plan` in force, and see that each shard has its message; repeating it mends what was interrupted."""
    await store.prepare(cluster, len(desired))
    await ensure_events(client, cluster)
    for shard in (*plan.added, *plan.changed):
        await store.put_desired(desired[shard])
    for shard in desired:
        holder, _ = await store.holder(shard)
        await store.enqueue(shard, 0 if holder is None else holder.token)
    for shard in plan.removed:
        await store.remove(shard)
    await client.publish(names.CHANGED, b"")
    await client.flush()
