"""The workers of a cluster as the host of an engine sees them (pure).

Who holds a shard, and which workers live there, stands in the entries of the holders. These do not change when a node
is cut off or dies, so a state holds only while the node announces itself. What has come of each worker is known from
the lanes in which its batches land.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from msgspec import Struct

from foxtrot_protocol.commands import RemoteWorker
from foxtrot_supervisor.cluster.model import Holder, NodeInfo
from foxtrot_supervisor.cluster.names import parse_local, shard_id, split_shard_id
from foxtrot_supervisor.cluster.wire_names import engine_incarnation, engine_worker

__all__ = ["SHOWN_MAX", "Landed", "RemoteWorkers"]

SHOWN_MAX: Final = 1000
"""Workers in one heartbeat."""

AWAY_AFTER_S: Final = 3.0
"""After the watch began, or NATS answers again, how long a node may be missing among the announcements."""

Key = tuple[str, int]


class Landed(Struct, frozen=True):
    """What an engine has handled of one incarnation of a worker."""

    events: int
    closing: bool
    """Nothing more comes of it."""


class _Flow(Struct):
    events: int
    at: float
    """When the number of events was last seen to change."""
    counted_at: float
    per_s: float = 0.0


class _Node(Struct):
    info: NodeInfo
    heard_at: float | None
    """When it last announced itself; None: not since this watch began."""


class RemoteWorkers:
    """Makes the rows; times are seconds on the monotonic clock. Rates are those between two calls of `rows`."""

    def __init__(self) -> None:
        self.holders: dict[str, Holder] = {}
        """Latest entry by shard."""
        self._flows: dict[Key, _Flow] = {}
        self._nodes: dict[str, _Node] = {}
        self._nodes_from: float | None = None
        self._connected_from: float | None = None

    def nodes_from(self, now: float) -> None:
        """Announcements of nodes are followed from now on."""
        self._nodes_from = now

    def node_announced(self, node: NodeInfo, now: float | None) -> None:
        """Note an announcement; `now`: None if it was made at an unknown time."""
        before = self._nodes.get(node.node)
        if now is None and before is not None and before.info.instance == node.instance:
            now = before.heard_at
        self._nodes[node.node] = _Node(node, now)

    def node_removed(self, name: str) -> None:
        """Note that a node has ended."""
        self._nodes.pop(name, None)

    def rows(self, landed: Mapping[Key, Landed], now: float, *, connected: bool) -> list[RemoteWorker]:
        """Return the living workers of all holders, and what is still landed of others; at most `SHOWN_MAX`.

        `connected`: whether NATS answers; else nothing is known of the workers' state.
        """
        if not connected:
            self._connected_from = None
        elif self._connected_from is None:
            self._connected_from = now
        self._flows = {key: self._flow(key, each.events, now) for key, each in landed.items()}
        rows: list[RemoteWorker] = []
        for shard in sorted(self.holders):
            if len(rows) >= SHOWN_MAX:
                return rows[:SHOWN_MAX]
            rows += self._of_shard(shard, now)
        shown = {(row.worker, row.incarnation) for row in rows}
        left = sorted(landed.keys() - shown)[: max(0, SHOWN_MAX - len(rows))]
        rows += [self._row(key, "", "", "", "ended" if landed[key].closing else "unknown", now) for key in left]
        return rows

    def _of_shard(self, shard: str, now: float) -> Iterator[RemoteWorker]:
        holder = self.holders[shard]
        if holder.state == "gone":
            return
        state = self._state(holder, now)
        for local, incarnation in sorted(holder.workers.items()):
            try:
                name = parse_local(local)
            except ValueError:
                continue  # of another version
            side = f"{name.part}.{local.rpartition('.')[2]}"
            key = engine_worker(name.connection, side, local), engine_incarnation(local, incarnation)
            yield self._row(key, shard, holder.node, holder.host, state, now)
        if not holder.workers:
            connection, _ = split_shard_id(shard)
            key = engine_worker(connection, f"{holder.part}.a", shard_id(connection, holder.part)), 0
            yield self._row(key, shard, holder.node, holder.host, state, now)

    def _state(self, holder: Holder, now: float) -> str:
        """Return the state of a shard, as far as its node can be heard: an entry outlives the node that wrote it."""
        if self._connected_from is None or self._nodes_from is None:
            return "unknown"
        node = self._nodes.get(holder.node)
        since = max(self._connected_from, self._nodes_from)
        if node is None or node.info.instance != holder.instance:
            # it has ended, or runs as another run; or its announcement has not come yet
            return "away" if now - since > AWAY_AFTER_S else "unknown"
        heard = node.heard_at is not None and node.heard_at >= since
        if now - (node.heard_at if heard and node.heard_at is not None else since) > node.info.away_after_s:
            return "away"
        return holder.state if heard else "unknown"

    def _row(self, key: Key, shard: str, node: str, host: str, state: str, now: float) -> RemoteWorker:
        flow = self._flows.get(key)
        return RemoteWorker(
            worker=key[0],
            incarnation=key[1],
            shard=shard,
            node=node,
            host=host,
            state=state,
            events_total=0 if flow is None else flow.events,
            events_per_s=0.0 if flow is None else round(flow.per_s, 1),
            quiet_s=None if flow is None or not flow.events else round(now - flow.at, 1),
        )

    def _flow(self, key: Key, events: int, now: float) -> _Flow:
        before = self._flows.get(key)
        if before is None:
            return _Flow(events, now, now)
        elapsed_s = now - before.counted_at
        per_s = (events - before.events) / elapsed_s if elapsed_s > 0 else before.per_s
        return _Flow(events, now if events != before.events else before.at, now, per_s)
