"""From the configuration to plans and specifications."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from foxtrot_protocol.spec import (
    EngineSettings,
    FeedSettings,
    NurserySettings,
    ResourceLimits,
    SimulatorSettings,
    decode_settings,
    decode_spec,
    encode_spec,
)
from foxtrot_supervisor.config.cluster import NodeCluster
from foxtrot_supervisor.config.placed import Placed
from foxtrot_supervisor.config.schema import (
    ConnectionConfig,
    EngineConfig,
    FoxtrotConfig,
    RingConfig,
    SinkConfig,
    SupervisorConfig,
)
from foxtrot_supervisor.config.shards import Shard
from foxtrot_supervisor.core.child_specs import ChildSpecs, Surroundings, SymbolChange
from foxtrot_supervisor.core.targets import ENGINE, ENGINE_MODULES, ENGINE_NURSERY, NURSERY, SIMULATOR, Targets

AROUND = Surroundings(
    run_id="r", run_dir="/run/x", parent_pid=42, import_path="/home", log_level="info", log_format="json"
)


def connection(name: str, **more: Any) -> ConnectionConfig:
    return ConnectionConfig(**{"name": name, "exchange": "okx", "channels": ["trade"], "symbols": ["X"], **more})


def specs(*connections: ConnectionConfig, **more: Any) -> ChildSpecs:
    return ChildSpecs(FoxtrotConfig(connections=list(connections), **more), AROUND, Targets())


def feed(children: ChildSpecs, name: str, incarnation: int = 1) -> FeedSettings:
    return decode_settings(children.spec(name, incarnation).settings, FeedSettings)


def test_plans_without_a_simulated_exchange() -> None:
    children = specs(
        connection("one", redundancy=2, stale_after_s=30.0),
        connection("two", restart="temporary", essential=False),
        connection("three", exchange="sim", url="ws://elsewhere"),
        supervisor=SupervisorConfig(restart="transient"),
    )
    plans = {plan.name: plan for plan in children.plans()}
    assert list(plans) == [ENGINE, "one.a", "one.b", "two.a", "three.a"]
    assert [plan.tier for plan in plans.values()] == [1, 2, 2, 2, 2]
    assert [plan.restart for plan in plans.values()] == ["transient"] * 3 + ["temporary", "transient"]
    assert not plans["two.a"].essential
    assert plans["one.a"].stale_after_s == 70.0
    assert plans["two.a"].stale_after_s is None
    assert (children.places["one.b"].connection.name, children.places["one.b"].side) == ("one", "b")


def test_the_template_of_a_node_has_everything_and_stays_whatever_is_assigned() -> None:
    """One that is replaced with the first shard, or that lacks what workers import, costs a takeover seconds."""
    possible = msgspec.structs.replace(AROUND, nursery_possible=True)
    cluster = NodeCluster(servers=["nats://127.0.0.1"], exchanges=["okx", "sim"])
    seen = set()
    for given in ([], [connection("one")], [connection("one"), connection("two", exchange="sim", url="ws://there")]):
        children = ChildSpecs(FoxtrotConfig(connections=given, cluster=cluster), possible, Targets())
        seen |= {plan.fingerprint for plan in children.plans() if plan.name == NURSERY}
        settings = decode_settings(children.spec(NURSERY, 1).settings, NurserySettings)
        assert (settings.exchanges, settings.clients) == (["okx", "sim"], ["picows"])
    assert len(seen) == 1


def test_a_template_of_the_engine_is_planned_last_where_it_is_wanted() -> None:
    possible = msgspec.structs.replace(AROUND, nursery_possible=True)
    engine = EngineConfig(handlers=["mine:setup", "mine:more", "other.part:Setup"], preload=True)
    config = FoxtrotConfig(connections=[connection("a")], engine=engine)
    children = ChildSpecs(config, possible, Targets(boot="test:boot"))
    plans = {plan.name: plan for plan in children.plans()}
    plan = plans[ENGINE_NURSERY]
    assert (plan.tier, plan.essential, plan.kind) == (max(each.tier for each in plans.values()), False, "nursery")
    assert children.first_target(ENGINE_NURSERY) == Targets().nursery
    assert decode_settings(children.spec(ENGINE_NURSERY, 1).settings, NurserySettings) == NurserySettings(
        socket_path="/run/x/engine-nursery.sock",
        boot="test:boot",
        modules=[*ENGINE_MODULES, "mine", "other.part"],
        import_path="/home",
    )
    assert children.limits(ENGINE_NURSERY) == ResourceLimits()
    assert (children.nursery_of(ENGINE), children.nursery_of("a.a")) == (ENGINE_NURSERY, NURSERY)
    assert children.nursery_of(SIMULATOR) is None
    assert children.nurseries == [NURSERY, ENGINE_NURSERY]
    changed = msgspec.structs.replace(config, engine=msgspec.structs.replace(engine, handlers=["mine:setup"]))
    fingerprints = {each.name: each.fingerprint for each in ChildSpecs(changed, possible, Targets()).plans()}
    assert fingerprints[ENGINE_NURSERY] != plan.fingerprint
    embedded = msgspec.structs.replace(possible, embedded=True)
    for around, given in ((embedded, config), (AROUND, config), (possible, FoxtrotConfig())):
        without = ChildSpecs(given, around, Targets())
        assert ENGINE_NURSERY not in [each.name for each in without.plans()]
        assert without.nursery_of(ENGINE) is None


def test_a_nursery_is_planned_where_it_is_possible_and_wanted() -> None:
    possible = msgspec.structs.replace(AROUND, nursery_possible=True)
    config = FoxtrotConfig(connections=[connection("a"), connection("b", exchange="binance")])
    targets = Targets(boot="test:boot")
    children = ChildSpecs(config, possible, targets)
    plans = {plan.name: plan for plan in children.plans()}
    assert list(plans) == [ENGINE, NURSERY, "a.a", "b.a"]
    assert (plans[NURSERY].tier, plans[NURSERY].essential, plans[NURSERY].kind) == (1, False, "nursery")
    assert (children.first_target(NURSERY), children.first_target("a.a")) == (targets.nursery, "test:boot")
    spec = children.spec(NURSERY, 3)
    assert decode_settings(spec.settings, NurserySettings) == NurserySettings(
        socket_path="/run/x/nursery.sock", boot="test:boot", exchanges=["binance", "okx"], clients=["picows"]
    )
    spawning = FoxtrotConfig(connections=[connection("a")], supervisor=SupervisorConfig(start_method="spawn"))
    assert NURSERY not in [plan.name for plan in ChildSpecs(spawning, possible, Targets()).plans()]
    with pytest.raises(KeyError):
        ChildSpecs(spawning, possible, Targets()).spec(NURSERY, 1)


def test_simulated_exchange_is_started_first_and_told_to_its_workers() -> None:
    children = specs(
        connection("a", exchange="sim", symbols=["X", "Y"], essential=False),
        connection("b", exchange="sim", symbols=["Y", "Z"], essential=False),
        connection("c"),
    )
    first = children.plans()[0]
    assert (first.name, first.tier, first.kind, first.essential) == (SIMULATOR, 0, "simulator", False)
    made = children.spec(SIMULATOR, 1)
    assert made.target == Targets().simulator
    assert decode_settings(made.settings, SimulatorSettings).symbols == ["X", "Y", "Z"]
    assert decode_settings(made.settings, SimulatorSettings).port == 0
    assert feed(children, "a.a").url is None
    children.simulator_serves({"url": "ws://127.0.0.1:1234", "rest_url": "http://127.0.0.1:1234"})
    assert (feed(children, "a.a").url, feed(children, "a.a").rest_url) == (
        "ws://127.0.0.1:1234",
        "http://127.0.0.1:1234",
    )
    assert feed(children, "c.a").url is None
    again = decode_settings(children.spec(SIMULATOR, 2).settings, SimulatorSettings)
    assert (again.port, again.rest_port) == (1234, 1234)  # its workers find it where it was


def test_specification_of_a_worker() -> None:
    children = specs(
        connection("one", url="wss://u", rest_url="https://r", client="websockets", ca_file="/ca", proxy="p"),
        ring=RingConfig(size_mib=2, full_wait_s=9.0),
        supervisor=SupervisorConfig(heartbeat_s=0.5),
    )
    made = children.spec("one.a", 7)
    assert decode_spec(encode_spec(made)) == made
    assert (made.name, made.kind, made.incarnation, made.target) == ("one.a", "connection", 7, Targets().connection)
    assert (made.run_id, made.run_dir, made.parent_pid, made.heartbeat_s) == ("r", "/run/x", 42, 0.5)
    assert (made.control_endpoint, made.log_level, made.log_format) == ("ipc:///run/x/control.ipc", "info", "json")
    settings = feed(children, "one.a")
    assert (settings.connection, settings.side, settings.exchange) == ("one", "a", "okx")
    assert (settings.url, settings.rest_url, settings.client) == ("wss://u", "https://r", "websockets")
    assert (settings.ca_file, settings.proxy) == ("/ca", "p")
    assert (settings.ring_bytes, settings.full_wait_s) == (2 * 1024 * 1024, 9.0)
    assert settings.data_endpoint == "ipc:///run/x/data.ipc"


def test_specification_of_the_engine() -> None:
    children = specs(
        connection("one"),
        engine=EngineConfig(
            handlers=["m:f"],
            numbers="text",
            queue_limit=5,
            never_drop_limit=6,
            put_wait_s=0.5,
            block=["eTick."],
            conflate=["eMine."],
            never_drop=["eFill."],
            slow_handler_ms=1.0,
            suspend_after=7,
        ),
    )
    settings = decode_settings(children.spec(ENGINE, 1).settings, EngineSettings)
    assert settings == EngineSettings(
        data_endpoint="ipc:///run/x/data.ipc",
        tap_path="/run/x/events.sock",
        handlers=["m:f"],
        import_path="/home",
        numbers="text",
        queue_limit=5,
        never_drop_limit=6,
        put_wait_s=0.5,
        block=["eTick."],
        conflate=["eMine."],
        never_drop=["eFill."],
        slow_handler_ms=1.0,
        suspend_after=7,
        handlers_s=120.0,
        ticks="change",
        tick_interval_s=0.5,
        bars_from_trades=[],
        leak_sample_s=5.0,
        book_updates="snapshot",
        idle="sleep",
        spin_us=1000.0,
    )
    assert children.first_target(ENGINE) == Targets().boot


def test_limits_of_each_kind() -> None:
    config = SupervisorConfig(worker_memory_mib=256, engine_memory_mib=512, open_files=100, core_dumps=True)
    possible = msgspec.structs.replace(AROUND, nursery_possible=True)
    children = ChildSpecs(
        FoxtrotConfig(connections=[connection("one", exchange="sim")], supervisor=config), possible, Targets()
    )
    limited = {name: children.spec(name, 1).limits for name in ("one.a", ENGINE, SIMULATOR, NURSERY)}
    assert limited == {
        "one.a": ResourceLimits(memory_mib=256, open_files=100, core_dumps=True),
        ENGINE: ResourceLimits(memory_mib=512, open_files=100, core_dumps=True),
        SIMULATOR: ResourceLimits(open_files=100, core_dumps=True),
        NURSERY: ResourceLimits(core_dumps=True),
    }
    assert specs(connection("one")).spec("one.a", 1).limits == ResourceLimits()


def test_changed_subscriptions_outlive_the_incarnation() -> None:
    children = specs(connection("one", redundancy=2))
    children.subscribed("one.a", ["Y", "Y", "X"])
    assert feed(children, "one.a", 2).symbols == ["X", "Y"]
    assert feed(children, "one.b", 2).symbols == ["X"]
    children.unsubscribed("one.a", ["X", "nothing"])
    assert children.symbols("one.a") == ["Y"]


def test_changes_in_operation_are_told_apart_from_the_configuration() -> None:
    children = specs(connection("one", symbols=["X", "Y"]))
    assert children.changes_in_operation("one.a") == SymbolChange([], [])
    assert children.changes_in_operation("engine") == SymbolChange([], [])
    children.subscribed("one.a", ["Z"])
    children.unsubscribed("one.a", ["X"])
    assert children.changes_in_operation("one.b") == SymbolChange(["Z"], ["X"])
    saved = children.succeeded_by(FoxtrotConfig(connections=[connection("one", symbols=["Y", "Z"])]))
    assert saved.symbols("one.a") == ["Y", "Z"]
    assert saved.changes_in_operation("one.a") == SymbolChange([], []), "the file says so now"


def test_unknown_name() -> None:
    with pytest.raises(KeyError):
        specs(connection("one")).spec("two.a", 1)
    with pytest.raises(KeyError):
        specs(connection("one")).spec(SIMULATOR, 1)


def fingerprints(children: ChildSpecs) -> dict[str, str]:
    return {plan.name: plan.fingerprint for plan in children.plans()}


def changed(before: ChildSpecs, after: ChildSpecs) -> set[str]:
    """Who has another fingerprint."""
    old, new = fingerprints(before), fingerprints(after)
    return {name for name in new if name in old and old[name] != new[name]}


POSSIBLE = msgspec.structs.replace(AROUND, nursery_possible=True)
BASE = FoxtrotConfig(connections=[connection("one", redundancy=2), connection("sim", exchange="sim", symbols=["X"])])


@pytest.mark.parametrize(
    ("more", "restarted"),
    [
        ({}, set()),
        ({"supervisor": SupervisorConfig(stop_ask_s=1.0, restart="transient", hung_s=7.0, core_dumps=False)}, set()),
        ({"supervisor": SupervisorConfig(worker_memory_mib=200)}, {"one.a", "one.b", "sim.a"}),
        ({"supervisor": SupervisorConfig(heartbeat_s=0.5)}, {"one.a", "one.b", "sim.a", ENGINE, SIMULATOR, NURSERY}),
        ({"engine": EngineConfig(handlers=["m:f"])}, {ENGINE}),
        ({"ring": RingConfig(size_mib=8)}, {"one.a", "one.b", "sim.a"}),
        ({"connections": [BASE.connections[0]]}, {NURSERY}),
        ({"connections": [connection("one", redundancy=1), BASE.connections[1]]}, set()),
        ({"connections": [connection("one", redundancy=2, symbols=["Y"]), BASE.connections[1]]}, {"one.a", "one.b"}),
        (
            {"connections": [connection("one", restart="temporary", essential=False), BASE.connections[1]]},
            set(),
        ),
        (
            {"connections": [BASE.connections[0], connection("sim", exchange="sim", symbols=["Y"])]},
            {"sim.a", SIMULATOR},
        ),
    ],
)
def test_only_another_specification_needs_another_process(more: dict[str, Any], restarted: set[str]) -> None:
    before = ChildSpecs(BASE, POSSIBLE, Targets())
    after = before.succeeded_by(msgspec.structs.replace(BASE, **more))
    assert changed(before, after) == restarted


def test_what_is_found_or_changed_in_operation_is_no_change_of_the_configuration() -> None:
    children = ChildSpecs(BASE, POSSIBLE, Targets())
    before = fingerprints(children)
    children.simulator_serves({"url": "ws://127.0.0.1:1", "rest_url": "http://127.0.0.1:1"})
    children.subscribed("one.a", ["Z"])
    assert fingerprints(children) == before


def test_twins() -> None:
    twins = {plan.name: plan.twin for plan in ChildSpecs(BASE, AROUND, Targets()).plans()}
    assert twins == {SIMULATOR: None, ENGINE: None, "one.a": "one.b", "one.b": "one.a", "sim.a": None}


def test_the_second_of_twins_is_rotated_earlier_once() -> None:
    children = ChildSpecs(BASE, AROUND, Targets())
    shares = {
        (name, incarnation): feed(children, name, incarnation).rotate_share
        for name in ("one.a", "one.b", "sim.a", "sim.b")
        for incarnation in (1, 2)
    }
    assert {place for place, share in shares.items() if share < 1.0} == {("one.b", 1)}


def test_a_connection_of_one_side_has_the_other_as_its_spare() -> None:
    plans = {plan.name: plan for plan in ChildSpecs(BASE, AROUND, Targets()).plans()}
    spare = plans["sim.a"].spare
    assert spare is not None
    assert (spare.name, spare.spare, spare.twin) == ("sim.b", None, None)
    assert spare.fingerprint != plans["sim.a"].fingerprint
    assert plans["one.a"].spare is plans["one.b"].spare is None


def test_both_sides_of_one_connection_have_the_same_subscriptions() -> None:
    children = ChildSpecs(BASE, AROUND, Targets())
    children.subscribed("sim.a", ["Z"])
    assert feed(children, "sim.b").symbols == feed(children, "sim.a").symbols
    assert "Z" in children.symbols("sim.b")
    children.unsubscribed("sim.b", ["Z"])
    assert "Z" not in children.symbols("sim.a")
    children.subscribed("one.a", ["Z"])
    assert "Z" not in children.symbols("one.b"), "twins have their own"
    assert children.symbols("engine") == []


def test_the_sides_are_spread_over_the_addresses_and_go_on_from_one_that_fails() -> None:
    urls = {"url": "ws://127.0.0.1:1", "more_urls": ["ws://127.0.0.1:2", "ws://127.0.0.1:3"]}
    children = specs(connection("one", **urls, redundancy=2), connection("two", **urls))
    fingerprint = fingerprints(children)

    def port(name: str) -> str:
        return str(feed(children, name).url)[-1]

    assert (port("one.a"), port("one.b"), port("two.a"), port("two.b")) == ("1", "2", "1", "2")
    children.try_another_address("one.b")
    children.try_another_address("engine")
    assert (port("one.a"), port("one.b")) == ("1", "3")
    children.try_another_address("one.b")
    assert port("one.b") == "1"
    assert fingerprints(children) == fingerprint, "not the configuration's doing"
    after = children.succeeded_by(FoxtrotConfig(connections=[connection("one", **urls, redundancy=2)]))
    assert str(feed(after, "one.b").url)[-1] == "1", "a reload does not send it back"


def test_a_successor_keeps_what_is_known_and_forgets_what_has_gone() -> None:
    before = ChildSpecs(BASE, AROUND, Targets())
    before.simulator_serves({"url": "ws://127.0.0.1:1234", "rest_url": "http://127.0.0.1:1234"})
    before.subscribed("one.a", ["Z"])
    before.subscribed("sim.a", ["Z"])
    edited = [connection("one", redundancy=1), connection("sim", exchange="sim", symbols=["W"])]
    after = before.succeeded_by(msgspec.structs.replace(BASE, connections=edited))
    assert feed(after, "sim.a").url == "ws://127.0.0.1:1234"
    assert feed(after, "one.a").symbols == ["X", "Z"]  # its symbols in the file are the same
    assert feed(after, "sim.a").symbols == ["W", "Z"]  # these are not: what was subscribed in operation stays
    assert after.changes_in_operation("sim.a") == SymbolChange(["Z"], [])
    assert after.changes_in_operation("one.a") == SymbolChange(["Z"], [])
    assert after.succeeded_by(msgspec.structs.replace(BASE, connections=edited)).symbols("sim.a") == ["W", "Z"]
    assert "one.b" not in fingerprints(after)
    gone = before.succeeded_by(msgspec.structs.replace(BASE, connections=edited[1:]))
    assert {"one.a", "one.b"} <= set(gone.places)  # on their way out, and shown
    assert not {"one.a", "one.b"} & set(fingerprints(gone))
    gone.forget({"one.b"})
    assert set(gone.places) == {"one.b", "sim.a", "sim.b"}
    gone.forget({})
    assert set(gone.places) == {"sim.a", "sim.b"}


def test_symbols_of_a_shard_are_changed_on_its_connection() -> None:
    def shard(*symbols: str, entries: str = "*") -> Shard:
        base = msgspec.structs.asdict(connection("all-1", symbols=list(symbols)))
        return Shard(**base, shard_of="all", entries=[entries], symbols_max=9, symbol_case="upper")

    before = specs(shard("A", "B"))
    before.subscribed("all-1.a", ["X"])
    before.unsubscribed("all-1.a", ["B"])
    after = before.succeeded_by(FoxtrotConfig(connections=[shard("B", "C")]))
    assert fingerprints(after) == fingerprints(before)
    assert feed(after, "all-1.a").symbols == ["C", "X"]
    assert after.changes_since(before)["all-1.a"] == SymbolChange(["C"], ["A"])
    assert after.changes_since(after) == {}
    other = before.succeeded_by(FoxtrotConfig(connections=[shard("B", "C", entries="B*")]))
    assert feed(other, "all-1.a").symbols == ["B", "C"], "the file says something else now"
    assert specs(connection("one", symbols=["A"])).changes_since(specs(connection("one"))) == {}


def test_parts_of_a_split_shard_are_merged_as_sides_of_the_first() -> None:
    base = msgspec.structs.asdict(connection("all-500"))
    shard = Shard(**base, shard_of="all", entries=["*"], symbols_max=9, symbol_case="upper", merged_as="all-1")
    own = msgspec.structs.replace(shard, name="all-1", merged_as="", held=["X"])
    children = specs(shard, own)
    assert [(feed(children, name).connection, feed(children, name).side) for name in ("all-1.a", "all-500.b")] == [
        ("all-1", "a"),
        ("all-1", "500.b"),
    ]
    assert feed(children, "all-1.a").symbols == ["X"]


def test_one_side_on_a_node_is_merged_under_the_name_of_the_connection() -> None:
    """The part of the cluster tells it from the same side on the node that had it before."""
    base = {**msgspec.structs.asdict(connection("btc_a0_5")), "redundancy": 1}
    children = specs(Placed(**base, merged_as="btc", part="a0"))
    settings = feed(children, "btc_a0_5.a")
    assert (settings.connection, settings.side) == ("btc", "a0.a")


def test_the_sinks_of_a_configuration_and_of_a_connection() -> None:
    both = [SinkConfig(name="tape", kind="k"), SinkConfig(name="some", kind="k", connections=["two"])]
    config = FoxtrotConfig(connections=[connection("one"), connection("two")], sinks=both)
    children = ChildSpecs(config, AROUND, Targets())
    assert children.sinks == ["tape", "some"]
    assert [children.sinks_of(each) for each in config.connections] == [["tape"], ["tape", "some"]]


def test_a_worker_comes_with_its_connections_first_symbol() -> None:
    children = specs(connection("one", symbols=[]), connection("two"), connection("three", exchange="sim", symbols=[]))
    assert [plan.name for plan in children.plans()] == [ENGINE, "two.a"]
    after = children.succeeded_by(FoxtrotConfig(connections=[connection("one"), connection("two")]))
    assert [plan.name for plan in after.plans()] == [ENGINE, "one.a", "two.a"]


def test_the_engine_of_an_application_is_not_ours() -> None:
    config = FoxtrotConfig(connections=[connection("a")])
    embedded = ChildSpecs(config, msgspec.structs.replace(AROUND, embedded=True), Targets())
    assert [plan.ours for plan in embedded.plans()] == [False, True]
    assert all(plan.ours for plan in specs(connection("a")).plans())
