"""Names of a cluster: streams, buckets and subjects in NATS, shards and the parts that nodes have of them (pure).

A connection with redundancy 1 is one shard, ``btc.a``; with redundancy 2 it is two, ``btc.a`` and ``btc.b``. A node
runs a shard as one local connection, whose name holds everything that tells it from its predecessors:
``btc_a0_5`` is connection ``btc``, part ``a0`` (side ``a``, slot 0), epoch 5.
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct

__all__ = [
    "CHANGED",
    "CLUSTER",
    "CONSUMER",
    "DESIRED",
    "EPOCH_STEP",
    "EVENTS",
    "HOLDERS",
    "NODES",
    "SETTINGS",
    "SHARDS",
    "LocalName",
    "cluster_incarnation",
    "event_subject",
    "local_name",
    "node_subject",
    "parse_local",
    "part_of",
    "shard_id",
    "shard_sides",
    "shard_subject",
    "split_shard_id",
]

DESIRED: Final = "foxtrot_desired"
"""Bucket: the connection table of each shard."""
HOLDERS: Final = "foxtrot_holders"
"""Bucket: who holds each shard (`model.Holder`)."""
NODES: Final = "foxtrot_nodes"
"""Bucket: the nodes (`model.NodeInfo`)."""
CLUSTER: Final = "foxtrot_cluster"
"""Bucket: what holds for all nodes, under the key `SETTINGS`."""
SETTINGS: Final = "settings"

SHARDS: Final = "FOXTROT_SHARDS"
"""Work queue: one message for each shard."""
CONSUMER: Final = "nodes"
"""Durable consumer of the work queue, which all nodes share."""
EVENTS: Final = "FOXTROT_EVENTS"
"""Stream of batches."""

CHANGED: Final = "foxtrot.changed"
"""Subject: the desired shards have changed."""

EPOCH_STEP: Final = 1_000_000
"""Incarnations of one epoch."""

_SIDES = ("a", "b")


class LocalName(Struct, frozen=True):
    """What the name of a local connection, or of its worker, says."""

    connection: str
    part: str
    epoch: int

    @property
    def shard(self) -> str:
        """The shard."""
        return shard_id(self.connection, self.part[0])


def shard_id(connection: str, side: str) -> str:
    """Return the shard of one side of a connection."""
    return f"{connection}.{side}"


def split_shard_id(shard: str) -> tuple[str, str]:
    """Return connection and side of a shard; raises ValueError for what is no shard."""
    connection, _, side = shard.rpartition(".")
    if not connection or side not in _SIDES:
        raise ValueError(f'"{shard}" is no shard: NAME.a or NAME.b is expected')
    return connection, side


def shard_sides(connection: str, redundancy: int) -> list[str]:
    """Return the shards of a connection."""
    return [shard_id(connection, side) for side in _SIDES[:redundancy]]


def shard_subject(shard: str) -> str:
    """Return the subject of a shard's message in the work queue."""
    return f"foxtrot.shards.{shard}"


def node_subject(node: str, verb: str) -> str:
    """Return the subject of requests to a node: ``claim``, ``offer``, ``drain``, ``fenced``."""
    return f"foxtrot.node.{node}.{verb}"


def part_of(side: str, slot: int) -> str:
    """Return the part: side and slot. The slot changes with each holder, since two may serve during a hand-over."""
    return f"{side}{slot}"


def local_name(connection: str, part: str, epoch: int) -> str:
    """Return the name of a shard's connection on the node that holds it since `epoch`."""
    return f"{connection}_{part}_{epoch}"


def parse_local(name: str) -> LocalName:
    """Return what the name of a local connection or worker says; raises ValueError for any other name."""
    connection, part, epoch = name.partition(".")[0].rsplit("_", 2)
    if not connection or len(part) != 2 or part[0] not in _SIDES or not part[1].isdecimal() or not epoch.isdecimal():
        raise ValueError(f'"{name}" is no connection of a cluster')
    return LocalName(connection, part, int(epoch))


def cluster_incarnation(worker: str, incarnation: int) -> int:
    """Return the incarnation of a local worker as the engine counts it; later epochs have higher ones."""
    return parse_local(worker).epoch * EPOCH_STEP + incarnation


def event_subject(connection: str, side: str) -> str:
    """Return the subject of batches; `side` as in the ring: ``a0.a``."""
    return f"events.{connection}.{side}"
