"""Nodes and shards as the cluster's buckets have them, for tests of the rules."""

from __future__ import annotations

from collections.abc import Sequence

from foxtrot_supervisor.cluster.model import Desired, NodeInfo

__all__ = ["desired", "node"]


def node(
    name: str,
    *held: str,
    host: str = "",
    capacity: int = 10,
    addresses: Sequence[str] = (),
    exchanges: Sequence[str] = ("sim",),
    draining: bool = False,
    by_exchange: int = 0,
) -> NodeInfo:
    return NodeInfo(
        node=name,
        instance=f"i-{name}",
        host=host or name,
        addresses=list(addresses),
        capacity=capacity,
        held=list(held),
        exchanges=list(exchanges),
        by_exchange={"sim": by_exchange or len(held)},
        draining=draining,
    )


def desired(shard: str, connections_max: int = 0) -> Desired:
    connection, _, side = shard.rpartition(".")
    return Desired(
        shard=shard, connection=connection, side=side, exchange="sim", table={}, connections_max=connections_max
    )
