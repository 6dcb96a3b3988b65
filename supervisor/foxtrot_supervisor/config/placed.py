"""A connection that a cluster has placed on this node."""

from __future__ import annotations

from foxtrot_supervisor.config.schema import ConnectionConfig

__all__ = ["Placed"]


class Placed(ConnectionConfig, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One side of a connection, under a name of its own on this node (`cluster.names.local_name`).

    `merged_as`: the connection as the engine merges it. `part`: the part of the cluster that this node has, which comes
    before the side of the worker in the ring: at most 5 characters.
    """

    merged_as: str
    part: str
