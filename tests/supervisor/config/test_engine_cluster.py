"""The configuration of an engine of a cluster: the file's, without its connections."""

from __future__ import annotations

import pytest

from foxtrot_supervisor.config.cluster import ClusterConfig, EngineCluster
from foxtrot_supervisor.config.engine_cluster import engine_of
from foxtrot_supervisor.config.problems import ConfigInvalid
from foxtrot_supervisor.config.schema import ConnectionConfig, EngineConfig, FoxtrotConfig

SERVERS = ["nats://127.0.0.1:4222"]


def test_connections_go_and_the_rest_stays() -> None:
    config = FoxtrotConfig(
        engine=EngineConfig(numbers="decimal"),
        connections=[ConnectionConfig(name="a", exchange="okx", channels=["trade"], symbols=["X"])],
    )
    made = engine_of(config, ClusterConfig(servers=SERVERS, replicas=3), "risk", from_start=True, source="x")
    assert made.connections == []
    assert (made.engine.numbers, made.engine.transport) == ("decimal", "ring")
    assert made.cluster == EngineCluster(servers=SERVERS, replicas=3, engine="risk", from_start=True)


def test_every_mistake_is_named() -> None:
    with pytest.raises(ConfigInvalid) as raised:
        engine_of(FoxtrotConfig(), ClusterConfig(), "a b", from_start=False, source="x.toml")
    assert "servers" in str(raised.value)
    assert "name of the engine" in str(raised.value)
    with pytest.raises(ConfigInvalid, match="plain text"):
        engine_of(FoxtrotConfig(), ClusterConfig(servers=["nats://db.example:4222"]), "a", from_start=False, source="x")
