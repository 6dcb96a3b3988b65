"""Services: supervised processes beside the feed, such as the one that serves metrics.

A service is started like any other child: own session, heartbeat, stop ladder, restart policy. It starts once the
engine serves. Nothing waits for it, and its death concerns nobody but itself; only an essential one counts for the
state of the whole and the exit code. What it needs of the run it asks for as any operator would.

To add one: a start target (an ``async def run(context: ChildContext) -> int``), settings as a struct, and its entry in
`services_of`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec
from msgspec import Struct

from foxtrot_protocol import endpoints
from foxtrot_protocol.spec import AlertSettings, BundleSettings, MetricsSettings, RecorderSettings, SinkSettings
from foxtrot_supervisor.config.cluster import EngineCluster, NodeCluster
from foxtrot_supervisor.config.schema import FoxtrotConfig, RecorderConfig, SinkConfig
from foxtrot_supervisor.core.cluster_settings import LandingSettings, plain
from foxtrot_supervisor.core.records import ChildPlan
from foxtrot_supervisor.core.targets import Targets

__all__ = [
    "AGENT",
    "ALERTS",
    "BUNDLES",
    "LANDING",
    "METRICS",
    "RECORDER",
    "SINK_PREFIX",
    "Service",
    "services_of",
    "sink_of",
]

AGENT = "agent"
ALERTS = "alerts"
BUNDLES = "bundles"
LANDING = "landing"
METRICS = "metrics"
RECORDER = "recorder"

_MIB, _DAY_S = 1024 * 1024, 86400.0

SINK_PREFIX = "sink-"
"""Before the name of a sink in the name of its process."""

_START_TIER = 2
"""That of the workers: once the engine serves."""

_STOP_TIERS: Mapping[str, int | None] = {"first": None, "after engine": 0, "last": -1}
"""Tiers stop from the highest to the lowest: workers have 2, the engine 1, the simulated exchange 0."""


class Service(Struct, frozen=True, kw_only=True):
    """One service of a configuration."""

    name: str
    """Without a point, so that no worker has it."""
    target: str
    """Start target as text."""
    settings: bytes
    """Settings as msgpack; nothing secret."""
    essential: bool = False
    stops: Literal["first", "after engine", "last"] = "last"
    """"first": with the workers; "after engine": once all of what workers and engine do is done; "last": after
    everything else."""

    def plan(self, fingerprint: str) -> ChildPlan:
        """Return the plan of the child; `fingerprint`: of its specification."""
        return ChildPlan(
            name=self.name,
            tier=_START_TIER,
            stop_tier=_STOP_TIERS[self.stops],
            restart="permanent",
            essential=self.essential,
            kind="service",
            fingerprint=fingerprint,
        )


def sink_of(name: str) -> str | None:
    """Return the name of the sink whose process has this name; None for any other process."""
    return name.removeprefix(SINK_PREFIX) if name.startswith(SINK_PREFIX) and "." not in name else None


def services_of(config: FoxtrotConfig, targets: Targets, run_dir: str) -> list[Service]:
    """Return the services that `config` asks for, of a run in `run_dir`."""
    services = []
    metrics = config.metrics
    if metrics.listen is not None:
        settings = MetricsSettings(listen=metrics.listen, token_file=metrics.token_file, insecure=metrics.insecure)
        services.append(Service(name=METRICS, target=targets.metrics, settings=msgspec.msgpack.encode(settings)))
    alerts = config.alerts
    if alerts.command is not None or alerts.webhook_file is not None:
        called = AlertSettings(
            command=alerts.command,
            shell=alerts.shell,
            webhook_file=alerts.webhook_file,
            deadline_s=alerts.deadline_s,
            calls_per_minute=alerts.calls_per_minute,
        )
        services.append(Service(name=ALERTS, target=targets.alerts, settings=msgspec.msgpack.encode(called)))
    if any(connection.record == "raw" for connection in config.connections):
        packed = msgspec.msgpack.encode(_recorder_settings(config.recorder))
        services.append(Service(name=RECORDER, target=targets.recorder, settings=packed))
    cluster = config.cluster
    if isinstance(cluster, EngineCluster):
        landing = LandingSettings(
            data_endpoint=endpoints.data_endpoint(run_dir, config.engine.transport),
            cluster=plain(cluster),
            engine=cluster.engine,
            from_start=cluster.from_start,
        )
        services.append(
            # stops while the engine still reads what was landed
            Service(name=LANDING, target=targets.landing, settings=msgspec.msgpack.encode(landing), stops="first")
        )
    if isinstance(cluster, NodeCluster):
        node = msgspec.msgpack.encode(cluster)  # names files, and holds nothing of them
        services.append(Service(name=AGENT, target=targets.agent, settings=node, essential=True, stops="first"))
    services += [_sink_service(sink, targets) for sink in config.sinks]
    if config.supervisor.bundles:
        directory = config.supervisor.bundles_directory or ""
        kept = BundleSettings(directory=directory, bundles=config.supervisor.bundles)
        services.append(Service(name=BUNDLES, target=targets.bundles, settings=msgspec.msgpack.encode(kept)))
    return services


def _sink_service(sink: SinkConfig, targets: Targets) -> Service:
    handed = SinkSettings(
        name=sink.name,
        kind=sink.kind,
        options=sink.options,
        spool_bytes=sink.spool_mib * _MIB,
        spool_directory=sink.spool_directory,
        batch_rows=sink.batch_rows,
    )
    name, settings = f"{SINK_PREFIX}{sink.name}", msgspec.msgpack.encode(handed)
    return Service(name=name, target=targets.sink, settings=settings, stops="after engine")


def _recorder_settings(recorder: RecorderConfig) -> RecorderSettings:
    assert recorder.directory is not None, "checked"
    return RecorderSettings(
        directory=recorder.directory,
        segment_bytes=recorder.segment_mib * _MIB,
        segment_s=recorder.segment_s,
        bytes_max=None if recorder.max_gib is None else int(recorder.max_gib * 1024 * _MIB),
        keep_s=None if recorder.keep_days is None else recorder.keep_days * _DAY_S,
        level=recorder.level,
    )
