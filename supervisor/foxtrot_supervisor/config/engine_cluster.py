"""The configuration of an engine whose workers are on the nodes of a cluster."""

from __future__ import annotations

import msgspec

from foxtrot_supervisor.config.cluster import ClusterConfig, EngineCluster, cluster_problems, name_reason
from foxtrot_supervisor.config.problems import ConfigInvalid, Problem
from foxtrot_supervisor.config.schema import FoxtrotConfig

__all__ = ["engine_of"]


def engine_of(
    config: FoxtrotConfig, cluster: ClusterConfig, name: str, *, from_start: bool, source: str
) -> FoxtrotConfig:
    """Return `config` without connections, for an engine of this name; raises `ConfigInvalid`.

    `source`: names the configuration in messages.
    """
    values = {key: getattr(cluster, key) for key in ClusterConfig.__struct_fields__}
    problems = [Problem(f"cluster.{key}", reason) for key, reason in cluster_problems(values)]
    if not cluster.servers:
        problems.append(Problem("cluster.servers", "is missing: an engine of a cluster needs an address of NATS"))
    if (reason := name_reason(name)) is not None:
        problems.append(Problem("name of the engine", reason))
    if problems:
        raise ConfigInvalid(source, problems)
    return msgspec.structs.replace(
        config,
        connections=[],
        engine=msgspec.structs.replace(config.engine, transport="ring"),
        cluster=EngineCluster(**values, engine=name, from_start=from_start),
    )
