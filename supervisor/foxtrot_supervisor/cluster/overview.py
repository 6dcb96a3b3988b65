"""The state of a cluster, as its buckets and streams show it (pure)."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from foxtrot_supervisor.cluster.failures import describe
from foxtrot_supervisor.cluster.model import Desired, Holder, NodeInfo

__all__ = ["NodeRow", "Overview", "ShardRow", "lines_of", "overview_of"]


class NodeRow(Struct, frozen=True):
    """One node."""

    node: str
    host: str
    addresses: list[str]
    state: str
    """``ready``, ``draining`` or ``away``."""
    shards: int
    capacity: int
    seen_s: float
    """Seconds since its last announcement."""


class ShardRow(Struct, frozen=True):
    """One shard."""

    shard: str
    state: str
    """``serving``, ``starting``, ``leaving``, or ``waiting`` for a node."""
    node: str
    host: str
    token: int
    workers: dict[str, int]
    problem: str = ""


class Overview(Struct, frozen=True):
    """Everything that ``cluster status`` shows."""

    nodes: list[NodeRow]
    shards: list[ShardRow]
    waiting: int
    """Shards in the work queue that no node has taken."""
    lag: dict[str, int]
    """By engine: batches that it has not taken yet."""


def overview_of(
    nodes: Mapping[str, tuple[NodeInfo, float]],
    desired: Mapping[str, Desired],
    holders: Mapping[str, Holder],
    now: float,
    waiting: int,
    lag: Mapping[str, int],
) -> Overview:
    """Return the state, from what stands in the buckets."""
    rows = []
    for _, (node, at) in sorted(nodes.items()):
        seen_s = max(0.0, now - at)
        state = "away" if seen_s > node.away_after_s else "draining" if node.draining else "ready"
        rows.append(
            NodeRow(node.node, node.host, node.addresses, state, len(node.held), node.capacity, round(seen_s, 1))
        )
    return Overview(
        nodes=rows,
        shards=[_shard_row(each, holders, now) for _, each in sorted(desired.items())],
        waiting=waiting,
        lag=dict(lag),
    )


def _shard_row(desired: Desired, holders: Mapping[str, Holder], now: float) -> ShardRow:
    shard = desired.shard
    holder = holders.get(shard)
    if holder is None:
        return ShardRow(shard, "waiting", "", "", 0, {})
    failed = describe(holder.failed, desired.table, now)
    if holder.state == "gone":
        return ShardRow(shard, "waiting", "", "", holder.token, {}, failed)
    connection, _, side = shard.rpartition(".")
    twin = holders.get(f"{connection}.{'b' if side == 'a' else 'a'}")
    problem = failed
    if twin is not None and twin.state != "gone" and twin.host == holder.host:
        problem = "; ".join(part for part in ("both sides on one host", failed) if part)
    return ShardRow(shard, holder.state, holder.node, holder.host, holder.token, dict(holder.workers), problem)


def lines_of(state: Overview) -> list[str]:
    """Return the lines for people."""
    lines = _table(
        ["node", "state", "shards", "host", "addresses", "seen"],
        [
            [
                row.node,
                row.state,
                f"{row.shards}/{row.capacity}",
                row.host,
                ", ".join(row.addresses) or "-",
                f"{row.seen_s:.1f} s ago",
            ]
            for row in state.nodes
        ],
    )
    lines += [
        "",
        *_table(
            ["shard", "state", "node", "token", "workers", ""],
            [
                [
                    row.shard,
                    row.state,
                    row.node or "-",
                    str(row.token),
                    ", ".join(f"{name}/{incarnation}" for name, incarnation in row.workers.items()) or "-",
                    row.problem,
                ]
                for row in state.shards
            ],
        ),
    ]
    serving = sum(row.state == "serving" for row in state.shards)
    lines += ["", f"{serving} of {len(state.shards)} shards serve, {state.waiting} wait in the queue"]
    return lines + [f"engine {name}: {count} batches behind" for name, count in sorted(state.lag.items())]


def _table(head: list[str], rows: list[list[str]]) -> list[str]:
    widths = [max(len(row[index]) for row in [head, *rows]) for index in range(len(head))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in [head, *rows]
    ]
