"""Which node holds which shard (pure).

Each node decides with its own view of the others, which lags behind by an announcement: the node that receives a shard
from the work queue keeps it or offers it to a node that suits better. Three rules: the sides of a twin are on different
hosts, and then on different addresses, while there are others with room; the load is even, in proportion to the
capacities; what is placed well stays.
"""

from __future__ import annotations

from typing import Final, Protocol

from foxtrot_supervisor.cluster.model import Desired, NodeInfo
from foxtrot_supervisor.cluster.names import shard_id, split_shard_id

__all__ = [
    "MEMORY_PER_SHARD",
    "SHARDS_PER_CORE",
    "Place",
    "accepts",
    "capacity_of",
    "closeness",
    "has_room",
    "twin_of",
]

SHARDS_PER_CORE: Final = 10
"""Shards that one processor core carries: a busy connection needs a tenth of a core."""

MEMORY_PER_SHARD: Final = 128 * 1024 * 1024
"""Bytes of memory for one shard: a worker, its spare during a rotation, its ring."""


def capacity_of(cores: int, memory_bytes: int) -> int:
    """Return how many shards a machine may hold; at least 1."""
    return max(1, min(cores * SHARDS_PER_CORE, memory_bytes // MEMORY_PER_SHARD))


def twin_of(shard: str) -> str:
    """Return the shard of the other side, whether or not there is one."""
    connection, side = split_shard_id(shard)
    return shard_id(connection, "b" if side == "a" else "a")


def has_room(node: NodeInfo, desired: Desired) -> bool:
    """Return whether `node` may take one more shard such as this."""
    if node.draining or len(node.held) >= node.capacity or desired.exchange not in node.exchanges:
        return False
    if not desired.connections_max:
        return True
    # twins and parts count alike: the exchange sees connections of one address
    return node.by_exchange.get(desired.exchange, 0) < desired.connections_max * max(1, len(node.addresses))


def accepts(node: NodeInfo, desired: Desired, bound: int) -> bool:
    """Return whether a node takes a shard that another one offers; `bound`: how many it may hold (`shares.Limit`).

    Announcements lag behind, so that many may offer to one that was empty a moment ago.
    """
    return has_room(node, desired) and len(node.held) < bound


class Place(Protocol):
    """Where a shard is: a node, or the entry of a holder."""

    @property
    def host(self) -> str: ...
    @property
    def addresses(self) -> list[str]: ...


def closeness(node: Place, twin: Place | None) -> int:
    """Return 2 on the host of the twin, 1 at its address, else 0."""
    if twin is None:
        return 0
    if node.host == twin.host:
        return 2
    return int(not set(node.addresses).isdisjoint(twin.addresses))
