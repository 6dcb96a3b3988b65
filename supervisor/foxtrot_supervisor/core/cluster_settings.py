"""Settings of the processes that connect a run to a cluster."""

from __future__ import annotations

from msgspec import Struct

from foxtrot_supervisor.config.cluster import ClusterConfig

__all__ = ["ForwarderSettings", "LandingSettings", "plain"]


class ForwarderSettings(Struct, frozen=True, kw_only=True):
    """Settings of the child that publishes a node's events."""

    data_endpoint: str
    cluster: ClusterConfig


class LandingSettings(Struct, frozen=True, kw_only=True):
    """Settings of the service that brings the cluster's events to an engine."""

    data_endpoint: str
    cluster: ClusterConfig
    engine: str
    """Name of the engine: engines of one name continue each other, engines of different names each get everything."""
    from_start: bool = False
    """Whether an engine of a new name gets what the stream holds already."""


def plain(cluster: ClusterConfig) -> ClusterConfig:
    """Return what every process of a cluster needs of the settings of one role."""
    return ClusterConfig(**{key: getattr(cluster, key) for key in ClusterConfig.__struct_fields__})
