"""The nodes of a cluster as one node sees them, and where a shard should go (pure)."""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from collections.abc import Collection, Iterator, Mapping
from itertools import chain, islice
from zlib import crc32

from foxtrot_supervisor.cluster.model import Desired, NodeInfo
from foxtrot_supervisor.cluster.names import split_shard_id
from foxtrot_supervisor.cluster.placement import Place, closeness, has_room, twin_of
from foxtrot_supervisor.cluster.shares import Limit, Shares

__all__ = ["Board"]


class Board:
    """The nodes as they have announced themselves, in order of load."""

    def __init__(self) -> None:
        self.nodes: dict[str, NodeInfo] = {}
        self.shares = Shares()
        self._holders: dict[str, str] = {}
        """Node by shard."""
        self._order: list[tuple[float, str]] = []
        """Load and name of each node, the least loaded first."""

    def update(self, node: NodeInfo) -> None:
        """Note what a node has announced, or what is known of it since."""
        before = self.nodes.get(node.node)
        if before is None:
            insort(self._order, _load(node))
        else:
            if before.held != node.held:
                self._forget_holdings(before, but=set(node.held))
            if _load(before) != _load(node):
                del self._order[bisect_left(self._order, _load(before))]
                insort(self._order, _load(node))
        self.nodes[node.node] = node
        self._holders.update(dict.fromkeys(node.held, node.node))
        self.shares.update(node.node, 0 if node.draining else node.capacity, len(node.held))

    def remove(self, name: str) -> None:
        """Forget a node."""
        node = self.nodes.pop(name, None)
        if node is not None:
            self._forget_holdings(node)
            del self._order[bisect_left(self._order, _load(node))]
            self.shares.update(name, 0, 0)

    def holder(self, shard: str) -> NodeInfo | None:
        """Return the node that has announced to hold `shard`."""
        return self.nodes.get(self._holders.get(shard, ""))

    def ranked(
        self,
        desired: Desired,
        first: str = "",
        *,
        twin: Place | None = None,
        limit: Limit = "room",
        gentle: bool = False,
        but: Collection[str] = (),
        count: int = 3,
    ) -> list[str]:
        """Return the nodes that should hold a shard, the best first, at most `count`.

        Args:
            desired: the shard.
            first: a node that is preferred to others with a lower load, but not to others further from the twin.
            twin: where the other side is, if that is known better than by announcements.
            limit: only nodes that hold less than this. Below ``room`` only those apart from the twin; `first` too.
            gentle: the shard comes only to even out the load. Below ``room`` the nodes then take turns, by a hash of
                the shard: all would prefer the least loaded, which takes so much and no more (`pace`).
            but: nodes that have refused, or that hand it over.
            count: most names that are returned.
        """
        twin = twin or self.holder(twin_of(desired.shard))
        groups: tuple[list[str], list[str], list[str]] = ([], [], [])
        for name in self._candidates(first, limit, crc32(desired.shard.encode()) if gentle else 0):
            node = self.nodes[name]
            if name in but or not has_room(node, desired):
                continue
            near = closeness(node, twin)
            if not near or limit == "room":
                groups[near].append(name)
            if len(groups[0]) >= count:
                break
        return [*groups[0], *groups[1], *groups[2]][:count]

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
                best = self.ranked(desired[shard], but=(name,), count=1)
                if best and closeness(self.nodes[best[0]], twin) < present:
                    found.append(shard)
        return found

    def to_release(self, name: str, desired: Mapping[str, Desired], count: int) -> dict[str, bool]:
        """Return at most `count` shards of a node that others lack, and can take without coming closer to their twin.

        With each: whether only a node may take it that holds less than its exact share rounded down (`Limit`). What a
        node has beyond its exact share by less than one would move for nothing to a node that rounds up in its place.
        """
        found: dict[str, bool] = {}
        node = self.nodes[name]
        for shard in sorted(node.held) if count > 0 else ():
            beyond = self.shares.beyond(name, len(node.held) - len(found))
            limit: Limit = "floor" if beyond < 1 else "share"
            if beyond <= 0 or len(found) >= count or not self.shares.below(limit):
                break
            best = self.ranked(desired[shard], limit=limit, but=(name,), count=1) if shard in desired else []
            twin = self.holder(twin_of(shard))
            if best and closeness(self.nodes[best[0]], twin) <= closeness(node, twin):
                found[shard] = limit == "floor"
        return found

    def _candidates(self, first: str, limit: Limit, turn: int) -> Iterator[str]:
        """Yield the nodes that hold less than `limit`: `first`, then the least loaded, or from number `turn` on."""
        if first in self.nodes and (limit == "room" or len(self.nodes[first].held) < self.shares.bound(first, limit)):
            yield first
        order = self._order if limit == "room" else self.shares.below(limit)
        start = turn % len(order) if order and limit != "room" else 0
        for _, name in chain(islice(order, start, None), islice(order, start)):
            if name != first:
                yield name

    def _forget_holdings(self, node: NodeInfo, but: Collection[str] = ()) -> None:
        for shard in node.held:
            if shard not in but and self._holders.get(shard) == node.node:
                del self._holders[shard]


def _load(node: NodeInfo) -> tuple[float, str]:
    return len(node.held) / node.capacity if node.capacity else math.inf, node.node
