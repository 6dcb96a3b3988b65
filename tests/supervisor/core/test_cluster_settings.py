"""What the supervisor starts beside, or in place of, the engine for a cluster."""

from __future__ import annotations

from foxtrot_protocol.endpoints import data_endpoint
from foxtrot_protocol.spec import decode_settings
from foxtrot_supervisor.config.cluster import ClusterConfig, EngineCluster, NodeCluster
from foxtrot_supervisor.config.schema import EngineConfig, FoxtrotConfig
from foxtrot_supervisor.core.child_specs import ChildSpecs, Surroundings
from foxtrot_supervisor.core.cluster_settings import ForwarderSettings, LandingSettings, plain
from foxtrot_supervisor.core.services import LANDING
from foxtrot_supervisor.core.targets import ENGINE, ENGINE_NURSERY, Targets

AROUND = Surroundings(
    run_id="r",
    run_dir="/x",
    parent_pid=1,
    import_path="",
    log_level="info",
    log_format="json",
    nursery_possible=True,
)
RING = EngineConfig(transport="ring", preload=True)
SERVERS = ["nats://127.0.0.1:4222"]


def test_a_node_has_a_forwarder_in_the_place_of_the_engine() -> None:
    config = FoxtrotConfig(engine=RING, cluster=NodeCluster(servers=SERVERS, exchanges=["sim"]))
    specs = ChildSpecs(config, AROUND, Targets())
    spec = specs.spec(ENGINE, 1)
    assert (spec.target, spec.kind) == (Targets().forwarder, "engine")
    settings = decode_settings(spec.settings, ForwarderSettings)
    assert settings == ForwarderSettings(
        data_endpoint=data_endpoint("/x", "ring"), cluster=ClusterConfig(servers=SERVERS)
    )
    assert ENGINE_NURSERY not in [plan.name for plan in specs.plans()], "there is no engine to be copied"
    assert LANDING not in [plan.name for plan in specs.plans()]


def test_an_engine_of_a_cluster_has_a_landing_that_stops_before_it() -> None:
    cluster = EngineCluster(servers=SERVERS, engine="risk", from_start=True)
    specs = ChildSpecs(FoxtrotConfig(engine=RING, cluster=cluster), AROUND, Targets())
    assert specs.spec(ENGINE, 1).target == Targets().engine
    spec = specs.spec(LANDING, 1)
    settings = decode_settings(spec.settings, LandingSettings)
    assert (settings.engine, settings.from_start, settings.cluster) == ("risk", True, ClusterConfig(servers=SERVERS))
    plan = next(plan for plan in specs.plans() if plan.name == LANDING)
    engine = next(plan for plan in specs.plans() if plan.name == ENGINE)
    assert plan.stop_tier is None
    assert plan.tier > engine.tier


def test_without_a_cluster_there_is_neither() -> None:
    specs = ChildSpecs(FoxtrotConfig(engine=RING, cluster=ClusterConfig(servers=SERVERS)), AROUND, Targets())
    assert specs.spec(ENGINE, 1).target == Targets().engine
    assert LANDING not in [plan.name for plan in specs.plans()]


def test_only_what_every_process_needs_crosses() -> None:
    assert type(plain(NodeCluster(servers=SERVERS, exchanges=["sim"]))) is ClusterConfig
