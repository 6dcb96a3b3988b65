"""This node among the others: what it announces, and what the others have announced."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from foxtrot_supervisor.cluster import names
from foxtrot_supervisor.cluster.board import Board
from foxtrot_supervisor.cluster.lease import Leases
from foxtrot_supervisor.cluster.model import NodeInfo, decode
from foxtrot_supervisor.cluster.shards import Identity
from foxtrot_supervisor.cluster.store import Store
from foxtrot_supervisor.config.cluster import NodeCluster

if TYPE_CHECKING:
    from nats.aio.client import Client

__all__ = ["Membership", "announce_s"]

NODES_PER_SECOND: Final = 50
"""Announcements that each node receives in a second."""


def announce_s(nodes: int) -> float:
    """Return the interval of announcements: each node hears all others, so that more nodes announce less often."""
    return max(1.0, nodes / NODES_PER_SECOND)


class Membership:
    """Keeps the board of all nodes, this one included.

    Args:
        client: the connection.
        store: buckets.
        leases: the shards of this node.
        me: this node.
        cluster: its settings.
        draining: whether it takes no further shards.
    """

    def __init__(
        self,
        client: Client,
        store: Store,
        leases: Leases,
        me: Identity,
        cluster: NodeCluster,
        draining: Callable[[], bool],
    ) -> None:
        self._client = client
        self._store = store
        self._leases = leases
        self._me = me
        self._cluster = cluster
        self._draining = draining
        self._seen: dict[str, float] = {}
        self.board = Board()

    async def start(self) -> None:
        """Read the other nodes, then follow them."""
        await self._client.subscribe(f"$KV.{names.NODES}.*", cb=self._on_announcement)
        now = time.time()
        for node, at in (await self._store.all_nodes()).values():
            if now - at < node.away_after_s and node.node != self._me.node:
                self._see(node)
        self.refresh()

    def refresh(self) -> NodeInfo:
        """Put this node as it is now on the board."""
        held = [shard for shard, each in self._leases.shards.items() if each.leaving_since is None]
        by_exchange: dict[str, int] = {}
        for each in self._leases.shards.values():
            by_exchange[each.desired.exchange] = by_exchange.get(each.desired.exchange, 0) + 1
        node = NodeInfo(
            node=self._me.node,
            instance=self._me.instance,
            host=self._me.host,
            addresses=self._me.addresses,
            capacity=self._cluster.capacity or 0,
            held=held,
            exchanges=self._cluster.exchanges,
            by_exchange=by_exchange,
            draining=self._draining(),
            every_s=announce_s(len(self.board.nodes)),
        )
        self.board.update(node)
        return node

    def forget_silent(self) -> None:
        """Take nodes off the board that have not announced themselves."""
        now = time.monotonic()
        for name, at in list(self._seen.items()):
            node = self.board.nodes.get(name)
            if node is None or now - at > node.away_after_s:
                self.away(name)

    def away(self, name: str) -> None:
        """Note that a node does not answer; its next announcement brings it back."""
        if name != self._me.node:
            self._seen.pop(name, None)
            self.board.remove(name)

    async def announce(self) -> None:
        """Write what this node is, for the others and for operators."""
        await self._store.announce(self.refresh())

    def _see(self, node: NodeInfo) -> None:
        self._seen[node.node] = time.monotonic()
        self.board.update(node)

    async def _on_announcement(self, message: Any) -> None:
        name = message.subject.rpartition(".")[2]
        if name == self._me.node:
            return
        try:
            self._see(decode(message.data, NodeInfo))
        except ValueError:  # it has been removed
            self.away(name)
