"""What this machine is as a node: its name, and how many shards it may hold."""

from __future__ import annotations

import os
import re
import socket

from msgspec import structs

from foxtrot_supervisor.cluster.placement import capacity_of
from foxtrot_supervisor.config.cluster import NODE_CHARACTERS_MAX, ClusterConfig, NodeCluster

__all__ = ["node_of"]


def node_of(cluster: ClusterConfig, exchanges: list[str]) -> NodeCluster:
    """Return `cluster` with what is not configured taken from this machine; `exchanges`: those that can be used."""
    host = re.sub(r"[^A-Za-z0-9_-]+", "-", socket.gethostname())[:NODE_CHARACTERS_MAX] or "node"
    values = {key: getattr(cluster, key) for key in ClusterConfig.__struct_fields__}
    node = NodeCluster(**values, exchanges=exchanges)
    return structs.replace(
        node,
        node=cluster.node or host,
        host=cluster.host or host,
        capacity=_capacity() if cluster.capacity is None else cluster.capacity,
    )


def _capacity() -> int:
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return capacity_of(len(os.sched_getaffinity(0)), memory)
