"""How many shards each node should hold (pure).

The exact share of a node is in proportion to its capacity, and mostly no whole number: every node may hold its share
rounded down (its floor), and some hold one more. An update of one node costs little however many there are: only what
changes with it is computed.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from typing import Literal, TypeAlias

__all__ = ["Limit", "Shares", "limit_of"]

Limit: TypeAlias = Literal["room", "share", "floor"]
"""Up to where a node may be filled: its capacity; its even share; its exact share rounded down."""


def limit_of(*, lacking: bool, forced: bool) -> Limit:
    """Return up to where a node may be filled with a shard.

    `forced`: the shard has no other place. `lacking`: it is beyond its holder's exact share by less than one.
    """
    return "room" if forced else "floor" if lacking else "share"


class _Node:
    """A node that should hold shards."""

    __slots__ = ("capacity", "extra", "floor", "held", "name", "rest")

    def __init__(self, name: str, capacity: int, held: int) -> None:
        self.name = name
        self.capacity = capacity
        self.held = held
        self.floor = 0
        self.rest = 0
        """What the exact share has beyond the floor, in parts of the cluster's capacity."""
        self.extra = 0
        """1 if the share is rounded up."""

    @property
    def share(self) -> int:
        """The even share."""
        return self.floor + self.extra

    @property
    def load(self) -> tuple[float, str]:
        """Key of the order by load."""
        return self.held / self.capacity, self.name

    @property
    def claim(self) -> tuple[bool, int, str]:
        """Key of the order in which shares are rounded up: who holds one more keeps it, nothing moves for nothing."""
        return self.held <= self.floor, -self.rest, self.name


class Shares:
    """Even shares of all nodes, and the nodes that hold less."""

    def __init__(self) -> None:
        self._nodes: dict[str, _Node] = {}
        self._shards = 0
        self._stale = False
        """Whether the level has changed: a node came or went, or there are more or fewer shards."""
        self._capacity = 0
        self._placeable = 0
        """Shards that the nodes can hold together."""
        self._held = 0
        """Shards that the nodes hold."""
        self._extras = 0
        """Number of shares that are rounded up."""
        self._claims: list[tuple[bool, int, str]] = []
        """Nodes whose share is no whole number; of the first `_extras` it is rounded up."""
        self._below_share: list[tuple[float, str]] = []
        self._below_floor: list[tuple[float, str]] = []

    @property
    def shards(self) -> int:
        """Number of shards in the cluster."""
        return self._shards

    @shards.setter
    def shards(self, shards: int) -> None:
        self._stale |= shards != self._shards
        self._shards = shards

    def update(self, name: str, capacity: int, held: int) -> None:
        """Note what a node holds; `capacity` 0: it should hold nothing."""
        node = self._nodes.get(name)
        if node is None or node.capacity != capacity:
            self._stale |= node is not None or capacity > 0
            self._nodes.pop(name, None)
            if capacity > 0:
                self._nodes[name] = _Node(name, capacity, held)
        elif self._stale:
            node.held = held
        elif node.held != held:
            self._change(node, held)

    def bound(self, name: str, limit: Limit) -> int:
        """Return how many shards a node may hold; 0 if it should hold none."""
        self._refresh()
        node = self._nodes.get(name)
        if node is None:
            return 0
        return node.capacity if limit == "room" else node.share if limit == "share" else node.floor

    def beyond(self, name: str, shards: int) -> float:
        """Return by how much `shards` are more than the exact share of a node; negative: less."""
        self._refresh()
        node = self._nodes.get(name)
        if node is None:
            return shards
        return (shards * self._capacity - self._placeable * node.capacity) / self._capacity  # whole numbers stay exact

    @property
    def demand(self) -> float:
        """The even shares of all nodes that hold less, as a part of what the others hold beyond theirs."""
        lacking = [self._nodes[name] for _, name in self.below("share")]
        shares = sum(node.share for node in lacking)
        surplus = self._held - self._placeable + sum(node.share - node.held for node in lacking)
        return shares / surplus if surplus > 0 else 0.0

    def below(self, limit: Limit) -> list[tuple[float, str]]:
        """Return load and name of the nodes that hold less than their share, or floor, the least loaded first."""
        self._refresh()
        return self._below_floor if limit == "floor" else self._below_share

    def _refresh(self) -> None:
        if not self._stale:
            return
        self._stale = False
        nodes = self._nodes.values()
        self._capacity = sum(node.capacity for node in nodes)
        self._placeable = min(self._shards, self._capacity)
        self._held = sum(node.held for node in nodes)
        for node in nodes:
            node.floor, node.rest = divmod(self._placeable * node.capacity, self._capacity)
        self._extras = self._placeable - sum(node.floor for node in nodes)
        self._claims = sorted(node.claim for node in nodes if node.rest)
        favoured = {name for _, _, name in self._claims[: self._extras]}
        for node in nodes:
            node.extra = int(node.name in favoured)
        self._below_floor = sorted(node.load for node in nodes if node.held < node.floor)
        self._below_share = sorted(node.load for node in nodes if node.held < node.share)

    def _change(self, node: _Node, held: int) -> None:
        self._unlist(node)
        self._held += held - node.held
        before, node.held = node.claim, held
        if node.rest and node.claim != before:
            self._reorder(node, before)
        self._list(node)

    def _reorder(self, node: _Node, before: tuple[bool, int, str]) -> None:
        """Give a claim its new place; where the last share that is rounded up is another's, these two change places."""
        old = bisect_left(self._claims, before)
        del self._claims[old]
        new = bisect_left(self._claims, node.claim)
        self._claims.insert(new, node.claim)
        if (old < self._extras) != (new < self._extras):
            node.extra = int(new < self._extras)
            # now the first whose share is rounded down, or the last whose share is rounded up
            other = self._nodes[self._claims[self._extras if node.extra else self._extras - 1][2]]
            self._unlist(other)
            other.extra = 1 - node.extra
            self._list(other)

    def _list(self, node: _Node) -> None:
        if node.held < node.share:
            insort(self._below_share, node.load)
            if node.held < node.floor:
                insort(self._below_floor, node.load)

    def _unlist(self, node: _Node) -> None:
        if node.held < node.share:
            del self._below_share[bisect_left(self._below_share, node.load)]
            if node.held < node.floor:
                del self._below_floor[bisect_left(self._below_floor, node.load)]
