"""Services: supervised processes beside the feed, such as the one that serves metrics.

A service is started like any other child: own session, heartbeat, stop ladder, restart policy. It starts once the
engine serves. Nothing waits for it, and its death concerns nobody but itself; only an essential one counts for the
state of the whole and the exit code. What it needs of the run it asks for as any operator would.

To add one: a start target (an ``async def run(context: ChildContext) -> int``), settings as a struct, and its entry in
`services_of`.
"""

from __future__ import annotations

from typing import Literal

import msgspec
from msgspec import Struct

from foxtrot_protocol.spec import AlertSettings, BundleSettings, MetricsSettings, RecorderSettings
from foxtrot_supervisor.config.schema import FoxtrotConfig, RecorderConfig
from foxtrot_supervisor.core.records import ChildPlan
from foxtrot_supervisor.core.targets import Targets

__all__ = ["ALERTS", "BUNDLES", "METRICS", "RECORDER", "Service", "services_of"]

ALERTS = "alerts"
BUNDLES = "bundles"
METRICS = "metrics"
RECORDER = "recorder"

_MIB, _DAY_S = 1024 * 1024, 86400.0

_START_TIER = 2
"""That of the workers: once the engine serves."""

_STOP_LAST_TIER = -1
"""Below that of every other child."""


class Service(Struct, frozen=True, kw_only=True):
    """One service of a configuration."""

    name: str
    """Without a point, so that no worker has it."""
    target: str
    """Start target as text."""
    settings: bytes
    """Settings as msgpack; nothing secret."""
    essential: bool = False
    stops: Literal["first", "last"] = "last"
    """"first": with the workers; "last": after everything else."""

    def plan(self, fingerprint: str) -> ChildPlan:
        """Return the plan of the child; `fingerprint`: of its specification."""
        return ChildPlan(
            name=self.name,
            tier=_START_TIER,
            stop_tier=None if self.stops == "first" else _STOP_LAST_TIER,
            restart="permanent",
            essential=self.essential,
            kind="service",
            fingerprint=fingerprint,
        )


def services_of(config: FoxtrotConfig, targets: Targets) -> list[Service]:
    """Return the services that `config` asks for."""
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
    if config.supervisor.bundles:
        directory = config.supervisor.bundles_directory or ""
        kept = BundleSettings(directory=directory, bundles=config.supervisor.bundles)
        services.append(Service(name=BUNDLES, target=targets.bundles, settings=msgspec.msgpack.encode(kept)))
    return services


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
