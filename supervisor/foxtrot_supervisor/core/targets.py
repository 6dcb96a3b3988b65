"""What the children of a run are: reserved names, start targets, places of workers, settings of the engine."""

from __future__ import annotations

from msgspec import Struct

from foxtrot_protocol import endpoints
from foxtrot_protocol.spec import EngineSettings
from foxtrot_supervisor.config.schema import ConnectionConfig, EngineConfig

__all__ = [
    "ENGINE",
    "ENGINE_MODULES",
    "ENGINE_NURSERY",
    "NURSERIES",
    "NURSERY",
    "SIMULATOR",
    "Targets",
    "WorkerPlace",
    "engine_settings",
]

ENGINE = "engine"
SIMULATOR = "simulator"
NURSERY = "nursery"
ENGINE_NURSERY = "engine-nursery"
"""Template process of the engine (`[engine] preload`)."""
NURSERIES = (NURSERY, ENGINE_NURSERY)

ENGINE_MODULES = (
    "foxtrot_workers.child.main",
    "foxtrot_supervisor.engine.process",
    "concurrent.futures.thread",
    "uvloop",
)
"""Modules that every engine imports."""


class Targets(Struct, frozen=True, kw_only=True):
    """Start targets as text, ``module:function``; `boot` is called first, its specification names the inner target."""

    boot: str = "foxtrot_workers.child.boot:run"
    simulator: str = "foxtrot_workers.simulator.server.entry:run"
    engine: str = "foxtrot_supervisor.engine.process:run"
    forwarder: str = "foxtrot_supervisor.cluster.forwarder:run"
    """In the place of the engine on a node of a cluster."""
    landing: str = "foxtrot_supervisor.cluster.landing:run"
    """Beside an engine whose workers are elsewhere."""
    connection: str = "foxtrot_workers.feed.worker:run"
    nursery: str = "foxtrot_workers.child.nursery:run"
    """Boots itself, since it runs no event loop."""
    metrics: str = "foxtrot_supervisor.monitoring.metrics_service:run"
    alerts: str = "foxtrot_supervisor.monitoring.alert_service:run"
    bundles: str = "foxtrot_supervisor.bundles.service:run"
    recordings: str = "foxtrot_workers.rerun.sessions:open_sessions"
    """Opens recordings for a replay: ``(paths, exchange)`` to `foxtrot_protocol.recorded_steps.RecordedSteps`."""
    recorder: str = "foxtrot_supervisor.recording.service:run"
    agent: str = "foxtrot_supervisor.cluster.agent:run"
    sink: str = "foxtrot_supervisor.sinks.sink_process:run"


class WorkerPlace(Struct, frozen=True):
    """Connection and side of a worker."""

    connection: ConnectionConfig
    side: str


def engine_settings(engine: EngineConfig, run_dir: str, import_path: str) -> EngineSettings:
    """Return the settings of the engine, be it a process of its own or the embedding application.

    `import_path`: where handlers are imported from.
    """
    return EngineSettings(
        data_endpoint=endpoints.data_endpoint(run_dir, engine.transport),
        tap_path=endpoints.tap_path(run_dir),
        handlers=list(engine.handlers),
        import_path=import_path,
        handlers_s=engine.handlers_s,
        numbers=engine.numbers,
        queue_limit=engine.queue_limit,
        never_drop_limit=engine.never_drop_limit,
        put_wait_s=engine.put_wait_s,
        block=list(engine.block),
        conflate=list(engine.conflate),
        never_drop=list(engine.never_drop),
        slow_handler_ms=engine.slow_handler_ms,
        suspend_after=engine.suspend_after,
        ticks=engine.ticks,
        tick_interval_s=engine.tick_interval_s,
        bars_from_trades=list(engine.bars_from_trades),
        leak_sample_s=engine.leak_sample_s,
        book_updates=engine.book_updates,
        idle=engine.idle,
        spin_us=engine.spin_us,
    )
