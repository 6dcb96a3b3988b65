"""What follows from the configuration in force."""

from __future__ import annotations

from msgspec import structs

from foxtrot_supervisor.config.schema import ConnectionConfig, EngineConfig, FoxtrotConfig, SupervisorConfig
from foxtrot_supervisor.config.shards import Placements, Shard
from foxtrot_supervisor.core.child_specs import ChildSpecs, Surroundings
from foxtrot_supervisor.core.targets import Targets
from foxtrot_supervisor.runtime.active_config import ActiveConfig
from foxtrot_supervisor.runtime.strays import STRAYS_S

AROUND = Surroundings(
    run_id="run",
    run_dir="/run/foxtrot",
    parent_pid=1,
    import_path="",
    log_level="info",
    log_format="json",
    nursery_possible=False,
    embedded=False,
)
LIMITS = SupervisorConfig(heartbeat_s=0.5, hello_s=1.0, ready_s=2.0, stop_ask_s=4.0, stop_term_s=8.0, stop_kill_s=16.0)


def active(*connections: ConnectionConfig) -> ActiveConfig:
    config = FoxtrotConfig(supervisor=LIMITS, engine=EngineConfig(handlers_s=32.0), connections=list(connections))
    return ActiveConfig(config, ChildSpecs(config, AROUND, Targets()))


def connection(name: str, *, backfill: bool = True) -> ConnectionConfig:
    return ConnectionConfig(
        name=name, exchange="sim", symbols=["BTC"], channels=["trades"], redundancy=2, backfill=backfill
    )


def test_limits_add_up_the_steps() -> None:
    one = active(connection("one"))
    assert one.heartbeat_s == 0.5
    assert one.start_limit_s == 1.0 + 2.0 + 32.0
    assert one.stop_limit_s == 4.0 + 8.0 + 16.0 + STRAYS_S
    assert one.restart_limit_s == 4.0 + 8.0 + 16.0 + 1.0 + 2.0


def test_workers_are_found_by_their_name_and_by_their_connection() -> None:
    two = active(connection("one"), connection("two"))
    assert two.workers_of("one") == ["one.a", "one.b"]
    assert two.workers_of("two.b") == ["two.b"]
    assert two.workers_of("three") == []


def test_what_shards_hold_is_kept_whenever_it_changes() -> None:
    kept: list[Placements] = []
    base = {key: getattr(connection("all-1"), key) for key in ConnectionConfig.__struct_fields__}
    shard = Shard(**base, shard_of="all", entries=["*"], symbols_max=9, symbol_case="exact")
    config = FoxtrotConfig(connections=[shard, connection("one")])
    now = ActiveConfig(config, ChildSpecs(config, AROUND, Targets()), kept.append)
    now.symbols_changed("all-1.a", ["ETH"], added=True)
    now.symbols_changed("all-1.a", ["BTC"], added=False)
    now.symbols_changed("all-1.b", ["BTC"], added=False)
    assert [each["all"][0].held for each in kept] == [["BTC", "ETH"], ["ETH", "BTC"], ["ETH"]]
    assert kept[-1]["all"][0].symbols == ["BTC"]
    assert now.placements()["all"][0].symbols == ["BTC", "ETH"]

    following = structs.replace(config, connections=kept[-1]["all"])
    later = ActiveConfig(following, ChildSpecs(following, AROUND, Targets()))
    assert later.specs.symbols("all-1.a") == ["ETH"]
    now.adopt(following, later.specs)
    assert kept[-1] == {"all": following.connections}


def test_another_configuration_replaces_the_whole() -> None:
    first, second = active(connection("one")), active(connection("two"), connection("three", backfill=False))
    first.adopt(second.config, second.specs)
    assert first.workers_of("one") == []
    assert first.connections_with_backfill == ["two"]
