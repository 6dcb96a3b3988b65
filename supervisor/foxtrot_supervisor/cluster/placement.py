"""Which node holds which shard (pure).

Each node decides with its own view of the others, which lags behind by an announcement: the node that receives a shard
from the work queue keeps it or offers it to a node that suits better. Three rules: the sides of a twin are on different
hosts, and then on different addresses, while there are others with room; the load is even, in proportion to the
capacities; what is placed well stays.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final, Protocol

from foxtrot_supervisor.cluster.model import Desired, NodeInfo
from foxtrot_supervisor.cluster.names import shard_id, split_shard_id

__all__ = [
    "MEMORY_PER_SHARD",
    "REBALANCE_S",
    "SHARDS_PER_CORE",
    "Board",
    "Place",
    "accepts",
    "capacity_of",
    "closeness",
    "floors",
    "has_room",
    "quotas",
    "release_count",
    "twin_of",
]

SHARDS_PER_CORE: Final = 10
"""Shards that one processor core carries: a busy connection needs a tenth of a core."""

MEMORY_PER_SHARD: Final = 128 * 1024 * 1024
"""Bytes of memory for one shard: a worker, its spare during a rotation, its ring."""

REBALANCE_S: Final = 60.0
"""Seconds in which a node that has more than its share hands the surplus over."""


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


def quotas(nodes: Iterable[NodeInfo], shards: int) -> dict[str, int]:
    """Return how many of `shards` each node should hold, in proportion to the capacities.

    Of the nodes whose share is no whole number, one that holds more keeps one more: nothing is moved for nothing.
    A node that is being drained should hold none.
    """
    present, shards, capacity = _level(nodes, shards)
    result = floors(present, shards)
    rests = {node.node: shards * node.capacity % capacity for node in present}
    rounded = [node for node in present if rests[node.node]]
    rounded.sort(key=lambda node: (len(node.held) <= result[node.node], -rests[node.node], node.node))
    for node in rounded[: shards - sum(result.values())]:
        result[node.node] += 1
    return result


def floors(nodes: Iterable[NodeInfo], shards: int) -> dict[str, int]:
    """Return the exact share of each node in `shards`, rounded down.

    A shard that a node has beyond its exact share, but by less than one, may go only to a node that holds less than
    this: from one that rounds up to one that rounds down it would move for nothing.
    """
    present, shards, capacity = _level(nodes, shards)
    return {node.node: shards * node.capacity // capacity for node in present}


def release_count(surplus: int, elapsed_s: float) -> int:
    """Return how many of `surplus` shards to hand over, `elapsed_s` seconds after the last time."""
    return 0 if surplus <= 0 else min(surplus, math.ceil(surplus * elapsed_s / REBALANCE_S))


def accepts(node: NodeInfo, desired: Desired, quota: int, *, forced: bool) -> bool:
    """Return whether a node takes a shard that another one offers.

    Announcements lag behind, so that many may offer to one that was empty a moment ago: beyond its even share (`quota`)
    it takes only what has no other place (`forced`).
    """
    return has_room(node, desired) and (forced or len(node.held) < quota)


class Place(Protocol):
    """Where a shard is: a node, or the entry of a holder."""

    @property
    def host(self) -> str: ...
    @property
    def addresses(self) -> list[str]: ...


class Board:
    """The nodes as they have announced themselves, in order of load."""

    def __init__(self) -> None:
        self.nodes: dict[str, NodeInfo] = {}
        self.shards = 0
        """Number of shards in the cluster."""
        self._holders: dict[str, str] = {}
        """Node by shard."""
        self._order: list[tuple[float, str, int]] = []
        """Heap of load, name and version; entries of other versions are outdated."""
        self._versions: dict[str, int] = {}
        self._version = 0

    def update(self, node: NodeInfo) -> None:
        """Note what a node has announced, or what is known of it since."""
        before = self.nodes.get(node.node)
        if before is not None:
            self._forget_holdings(before)
        self.nodes[node.node] = node
        for shard in node.held:
            self._holders[shard] = node.node
        self._version += 1
        self._versions[node.node] = self._version
        heapq.heappush(self._order, (_load(node), node.node, self._version))

    def remove(self, name: str) -> None:
        """Forget a node."""
        node = self.nodes.pop(name, None)
        if node is not None:
            self._forget_holdings(node)
            del self._versions[name]

    def holder(self, shard: str) -> NodeInfo | None:
        """Return the node that has announced to hold `shard`."""
        return self.nodes.get(self._holders.get(shard, ""))

    def quota(self, name: str) -> int:
        """Return the even share of a node."""
        return self.shares().get(name, 0)

    def shares(self) -> dict[str, int]:
        """Return the even share of each node."""
        return quotas(self.nodes.values(), self.shards)

    def bounds(self, *, lacking: bool) -> dict[str, int]:
        """Return how many shards each node may reach by offers; `lacking`: those that round down or lack more."""
        return floors(self.nodes.values(), self.shards) if lacking else self.shares()

    def ranked(
        self,
        desired: Desired,
        first: str = "",
        *,
        twin: Place | None = None,
        below: Mapping[str, int] | None = None,
        but: Collection[str] = (),
        limit: int = 3,
    ) -> list[str]:
        """Return the nodes that should hold a shard, the best first, at most `limit`.

        Args:
            desired: the shard.
            first: a node that is preferred to others with a lower load, but not to others further from the twin.
            twin: where the other side is, if that is known better than by announcements.
            below: only nodes that hold less than this, and are apart from the twin; `first` too.
            but: nodes that have refused, or that hand it over.
            limit: most names that are returned.
        """
        twin = twin or self.holder(twin_of(desired.shard))
        apart: list[str] = []
        same_address: list[str] = []
        same_host: list[str] = []
        popped: list[tuple[float, str, int]] = []

        def group_of(node: NodeInfo) -> list[str] | None:
            if node.node in but or not has_room(node, desired):
                return None
            near = closeness(node, twin)
            if below is not None and (near or len(node.held) >= below.get(node.node, 0)):
                return None
            return (apart, same_address, same_host)[near]

        while self._order and len(apart) < limit:
            entry = heapq.heappop(self._order)
            _, name, version = entry
            if self._versions.get(name) != version:
                continue
            popped.append(entry)
            group = group_of(self.nodes[name])
            if group is not None:
                group.append(name)
        for entry in popped:
            heapq.heappush(self._order, entry)
        group = group_of(self.nodes[first]) if first in self.nodes else None
        if group is not None:
            group[:] = [first, *(name for name in group if name != first)]
        return [*apart, *same_address, *same_host][:limit]

    def misplaced(self, name: str, desired: Mapping[str, Desired]) -> list[str]:
        """Return the shards of a node that are too close to their twin and could be elsewhere.

        Of both sides only side b gives way, so that they do not change places. `desired`: the shards of the node.
        """
        node = self.nodes.get(name)
        found = []
        for shard in node.held if node is not None else ():
            twin = self.holder(twin_of(shard))
            if node is None or twin is None or split_shard_id(shard)[1] != "b" or shard not in desired:
                continue
            present = closeness(node, twin)
            if present:
                best = self.ranked(desired[shard], but=(name,), limit=1)
                if best and closeness(self.nodes[best[0]], twin) < present:
                    found.append(shard)
        return found

    def to_release(self, name: str, desired: Mapping[str, Desired], count: int) -> dict[str, bool]:
        """Return at most `count` shards of a node that others lack, and can take without coming closer to their twin.

        With each: whether only a node may take it that holds less than its exact share rounded down (`floors`).
        """
        found: dict[str, bool] = {}
        if count <= 0:
            return found
        node, bounds = self.nodes[name], {lacking: self.bounds(lacking=lacking) for lacking in (False, True)}
        present, shards, capacity = _level(self.nodes.values(), self.shards)
        # looked at once, not for each shard: mostly nobody lacks one
        wanted = {key: any(len(each.held) < below[each.node] for each in present) for key, below in bounds.items()}
        for shard in sorted(node.held):
            kept = len(node.held) - len(found)
            if len(found) >= count or kept * capacity <= shards * node.capacity:
                break
            lacking = (kept - 1) * capacity < shards * node.capacity
            if not wanted[lacking]:
                break
            below = bounds[lacking]
            best = self.ranked(desired[shard], below=below, but=(name,), limit=1) if shard in desired else []
            twin = self.holder(twin_of(shard))
            if best and closeness(self.nodes[best[0]], twin) <= closeness(node, twin):
                found[shard] = lacking
        return found

    def _forget_holdings(self, node: NodeInfo) -> None:
        for shard in node.held:
            if self._holders.get(shard) == node.node:
                del self._holders[shard]


def closeness(node: Place, twin: Place | None) -> int:
    """Return 2 on the host of the twin, 1 at its address, else 0."""
    if twin is None:
        return 0
    if node.host == twin.host:
        return 2
    return int(bool(_common(node.addresses, twin.addresses)))


def _common(some: Sequence[str], others: Sequence[str]) -> set[str]:
    return set(some) & set(others)


def _level(nodes: Iterable[NodeInfo], shards: int) -> tuple[list[NodeInfo], int, int]:
    """Return the nodes that should hold shards, how many shards they can hold, and their capacity."""
    present = [node for node in nodes if not node.draining and node.capacity]
    capacity = sum(node.capacity for node in present)
    return present, min(shards, capacity), capacity


def _load(node: NodeInfo) -> float:
    return len(node.held) / node.capacity if node.capacity else math.inf
