"""Services: planned from the configuration; the feed neither waits for them nor falls with them."""

from __future__ import annotations

import pytest
from msgspec import structs

from foxtrot_protocol.exit_codes import SupervisorExit
from foxtrot_protocol.spec import (
    AlertSettings,
    BundleSettings,
    FeedSettings,
    MetricsSettings,
    RecorderSettings,
    ResourceLimits,
    SinkSettings,
    decode_settings,
)
from foxtrot_supervisor.config.schema import (
    AlertsConfig,
    ConnectionConfig,
    FoxtrotConfig,
    MetricsConfig,
    RecorderConfig,
    SinkConfig,
    SupervisorConfig,
)
from foxtrot_supervisor.core.child_specs import BUNDLE_FRAMES_BYTES, ChildSpecs, Surroundings
from foxtrot_supervisor.core.core import Core
from foxtrot_supervisor.core.effects import Ask, Effect, Finish, Spawn
from foxtrot_supervisor.core.inputs import (
    Exited,
    HelloReceived,
    Input,
    ReadyReceived,
    Spawned,
    StartRequested,
    StopRequested,
    Tick,
)
from foxtrot_supervisor.core.lifecycle import State
from foxtrot_supervisor.core.records import ChildPlan
from foxtrot_supervisor.core.services import ALERTS, BUNDLES, METRICS, RECORDER, Service, services_of, sink_of
from foxtrot_supervisor.core.targets import ENGINE, Targets

AROUND = Surroundings(run_id="r", run_dir="/x", parent_pid=1, import_path="", log_level="info", log_format="json")
LISTEN = FoxtrotConfig(
    connections=[ConnectionConfig(name="a", exchange="okx", channels=["trade"], symbols=["X"])],
    metrics=MetricsConfig(listen="127.0.0.1:0"),
)


def test_no_service_without_its_key() -> None:
    assert services_of(FoxtrotConfig(), Targets(), "/x") == []


def test_metrics_are_planned_and_specified() -> None:
    specs = ChildSpecs(LISTEN, AROUND, Targets(metrics="m:run"))
    plan = specs.plans()[-1]
    assert (plan.name, plan.kind, plan.essential, plan.stop_tier) == (METRICS, "service", False, -1)
    spec = specs.spec(METRICS, 3)
    assert (spec.target, spec.kind, specs.first_target(METRICS)) == ("m:run", "service", Targets().boot)
    assert decode_settings(spec.settings, MetricsSettings) == MetricsSettings(listen="127.0.0.1:0")
    assert specs.limits(METRICS) == ResourceLimits()
    assert specs.nursery_of(METRICS) is None
    changed = ChildSpecs(
        FoxtrotConfig(connections=LISTEN.connections, metrics=MetricsConfig(listen="127.0.0.1:1")), AROUND, Targets()
    )
    assert changed.plans()[-1].fingerprint != plan.fingerprint
    with pytest.raises(KeyError):
        ChildSpecs(FoxtrotConfig(), AROUND, Targets()).spec(METRICS, 1)


def test_the_service_of_alerts_gets_what_is_to_be_called_and_how_often() -> None:
    called = AlertsConfig(command="tell it", deadline_s=3.0, calls_per_minute=9)
    (service,) = services_of(FoxtrotConfig(alerts=called), Targets(alerts="m:run"), "/x")
    assert (service.name, service.target, service.stops, service.essential) == (ALERTS, "m:run", "last", False)
    expected = AlertSettings(command="tell it", deadline_s=3.0, calls_per_minute=9)
    assert decode_settings(service.settings, AlertSettings) == expected
    by_file = AlertsConfig(webhook_file="/etc/hook")
    (service,) = services_of(FoxtrotConfig(alerts=by_file), Targets(), "/x")
    settings = decode_settings(service.settings, AlertSettings)
    assert (settings.command, settings.webhook_file) == (None, "/etc/hook"), "the secret stays in its file"
    assert services_of(FoxtrotConfig(alerts=AlertsConfig(calls_per_minute=9)), Targets(), "/x") == []


@pytest.mark.parametrize(
    ("process", "sink"), [("sink-tape", "tape"), ("tape", None), ("sink-tape.a", None), ("engine", None)]
)
def test_processes_of_sinks_are_known_by_their_names(process: str, sink: str | None) -> None:
    """A connection may be called sink-tape: its workers have a point in their names."""
    assert sink_of(process) == sink


def test_a_recorder_runs_where_a_connection_is_recorded() -> None:
    recorder = RecorderConfig(directory="/r", segment_mib=2, max_gib=1.5, keep_days=2, level=5)
    recorded = structs.replace(LISTEN.connections[0], name="r", record="raw")
    config = FoxtrotConfig(connections=[*LISTEN.connections, recorded], recorder=recorder)
    assert services_of(structs.replace(config, connections=LISTEN.connections), Targets(), "/x") == []
    (service,) = services_of(config, Targets(), "/x")
    assert (service.name, service.stops, service.essential) == (RECORDER, "last", False)
    assert decode_settings(service.settings, RecorderSettings) == RecorderSettings(
        directory="/r",
        segment_bytes=2 * 1024 * 1024,
        segment_s=3600.0,
        bytes_max=3 * 512 * 1024 * 1024,
        keep_s=172800.0,
        level=5,
    )
    (service,) = services_of(structs.replace(config, recorder=RecorderConfig(directory="/r")), Targets(), "/x")
    unlimited = decode_settings(service.settings, RecorderSettings)
    assert (unlimited.bytes_max, unlimited.keep_s) == (None, None)
    specs = ChildSpecs(config, AROUND, Targets())
    feeds = [decode_settings(specs.spec(name, 1).settings, FeedSettings) for name in ("a.a", "r.a", "r.b")]
    assert [(feed.frames_ring_bytes, feed.recorded) for feed in feeds] == [
        (0, False),
        (32 * 1024 * 1024, True),
        (32 * 1024 * 1024, True),
    ]


def test_bundles_are_made_where_they_are_asked_for() -> None:
    recorded = structs.replace(LISTEN.connections[0], name="r", record="raw")
    config = FoxtrotConfig(
        connections=[*LISTEN.connections, recorded],
        supervisor=SupervisorConfig(bundles=7, bundles_directory="/b"),
        recorder=RecorderConfig(directory="/r"),
    )
    service = {each.name: each for each in services_of(config, Targets(), "/x")}[BUNDLES]
    assert (service.stops, service.essential) == ("last", False)
    assert decode_settings(service.settings, BundleSettings) == BundleSettings(directory="/b", bundles=7)
    specs = ChildSpecs(config, AROUND, Targets())
    feeds = [decode_settings(specs.spec(name, 1).settings, FeedSettings) for name in ("a.a", "r.a")]
    assert [(feed.frames_ring_bytes, feed.recorded) for feed in feeds] == [
        (BUNDLE_FRAMES_BYTES, False),
        (32 * 1024 * 1024, True),
    ]


def test_the_death_of_a_service_that_a_reload_has_removed_can_be_explained() -> None:
    without = FoxtrotConfig(connections=LISTEN.connections)
    specs = ChildSpecs(LISTEN, AROUND, Targets()).succeeded_by(without)
    assert METRICS not in [plan.name for plan in specs.plans()]
    assert specs.limits(METRICS) == ResourceLimits()  # the report of its death asks for its limit


class Run:
    """A core with an engine, a worker and a service."""

    def __init__(self, *, essential: bool = False, stops: str = "last") -> None:
        service = Service(name="s", target="m:f", settings=b"", essential=essential, stops=stops)  # type: ignore[arg-type]
        plans = [
            ChildPlan(name=ENGINE, tier=1, kind="engine"),
            ChildPlan(name="w.a", tier=2),
            service.plan("f"),
            ChildPlan(name="late", tier=3, kind="nursery", essential=False),
        ]
        self.core = Core(plans, SupervisorConfig(restart_intensity=0), lambda: 0.5)
        self.now = 100.0

    def give(self, *inputs: Input) -> list[Effect]:
        return [effect for each in inputs for effect in self.core.handle(each, self.now)]

    def serve(self, name: str) -> list[Effect]:
        return self.give(Spawned(name, 1, 7), HelloReceived(name, 1), ReadyReceived(name, 1))

    def started(self) -> None:
        self.give(StartRequested())
        for name in (ENGINE, "w.a", "s", "late"):
            self.serve(name)


def spawned(effects: list[Effect]) -> list[str]:
    return [effect.name for effect in effects if isinstance(effect, Spawn)]


def asked(effects: list[Effect]) -> list[str]:
    return [effect.name for effect in effects if isinstance(effect, Ask)]


def test_it_starts_after_the_engine_and_nothing_waits_for_it() -> None:
    run = Run()
    assert spawned(run.give(StartRequested())) == [ENGINE]
    assert spawned(run.serve(ENGINE)) == ["w.a", "s"]
    # the worker serves, the service does not: the next tier starts all the same
    assert spawned(run.serve("w.a")) == ["late"]
    run.serve("late")
    assert run.core.state == "running"


def test_its_failure_is_none_of_the_start_or_the_whole() -> None:
    run = Run()
    run.give(StartRequested())
    run.serve(ENGINE)
    run.give(Spawned("s", 1, 9), Exited("s", 1, 78, None))
    assert run.core.records["s"].state is State.FATAL
    run.serve("w.a")
    run.serve("late")
    assert run.core.state == "running"
    effects = run.give(StopRequested("end"))
    assert asked(effects) == ["late"]


def test_an_essential_one_counts_for_the_whole_but_does_not_end_the_start() -> None:
    run = Run(essential=True)
    run.give(StartRequested())
    run.serve(ENGINE)
    run.give(Spawned("s", 1, 9), Exited("s", 1, 78, None))
    run.serve("w.a")
    run.serve("late")
    assert run.core.state == "degraded"
    run.give(StopRequested("end"))
    for name in ("late", "w.a", ENGINE):
        last = run.give(Exited(name, 1, 0, None))
    assert last[-1] == Finish(SupervisorExit.ESSENTIAL_FATAL)


@pytest.mark.parametrize(
    ("stops", "order"),
    [("last", [["late"], ["w.a"], [ENGINE], ["s"]]), ("first", [["late"], ["w.a", "s"], [ENGINE]])],
)
def test_it_stops_when_it_is_to(stops: str, order: list[list[str]]) -> None:
    run = Run(stops=stops)
    run.started()
    effects = run.give(StopRequested("end"))
    for names in order:
        assert asked(effects) == names
        effects = [effect for name in names for effect in run.give(Exited(name, 1, 0, None))]
    assert effects[-1] == Finish(SupervisorExit.CLEAN)


def test_a_slow_import_is_no_hang() -> None:
    run = Run()
    run.give(StartRequested())
    run.serve(ENGINE)
    run.give(Spawned("s", 1, 9), HelloReceived("s", 1))
    run.now += 20.0  # more than hung_s, less than ready_s
    for name in (ENGINE, "w.a"):
        run.give(ReadyReceived(name, 1))
    run.give(Tick())
    assert run.core.records["s"].state is State.CONNECTING


def test_sinks_stop_after_the_engine_and_no_worker_is_replaced_for_them() -> None:
    other = ConnectionConfig(name="b", exchange="okx", channels=["trade"], symbols=["X"])
    sinks = [
        SinkConfig(name="tape", kind="parquet", options={"directory": "/t"}, spool_mib=8),
        SinkConfig(name="tap", kind="zeromq", connections=["b"]),
    ]
    without = FoxtrotConfig(connections=[*LISTEN.connections, other])
    before, specs = (
        ChildSpecs(without, AROUND, Targets()),
        ChildSpecs(structs.replace(without, sinks=sinks), AROUND, Targets()),
    )
    plans = {plan.name: plan for plan in specs.plans()}
    tape = plans["sink-tape"]
    assert (tape.kind, tape.essential, tape.stop_tier) == ("service", False, 0)
    handed = decode_settings(specs.spec("sink-tape", 1).settings, SinkSettings)
    assert (handed.name, handed.kind, handed.options, handed.spool_bytes) == (
        "tape",
        "parquet",
        {"directory": "/t"},
        8 << 20,
    )
    feeds = [decode_settings(specs.spec(name, 1).settings, FeedSettings).sinks for name in ("a.a", "b.a")]
    assert feeds == [["tape"], ["tape", "tap"]]
    assert {plan.name: plan.fingerprint for plan in before.plans()}.items() <= {
        name: plan.fingerprint for name, plan in plans.items()
    }.items()
