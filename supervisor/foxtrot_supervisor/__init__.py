"""Supervisor for exchange connections in processes of their own, and the EventEngine that handles their events.

Public names are loaded at their first use: every spawned child imports this package before it knows what it will run,
so that eager imports would cost each worker time and memory. Nothing else is imported here either: until the program's
entry point is reached, Ctrl-C prints a traceback.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:  # as type checkers understand it, without importing typing
    from typing import Any

    from foxtrot_supervisor.client.attached import AttachedRun as AttachedRun
    from foxtrot_supervisor.client.attached import attach as attach
    from foxtrot_supervisor.client.event_buffer import StreamOverflow as StreamOverflow
    from foxtrot_supervisor.client.frames import FramesUnavailable as FramesUnavailable
    from foxtrot_supervisor.config.problems import ConfigInvalid as ConfigInvalid
    from foxtrot_supervisor.config.schema import FoxtrotConfig as FoxtrotConfig
    from foxtrot_supervisor.embedding.end_report import EndReport as EndReport
    from foxtrot_supervisor.embedding.errors import EmbeddingError as EmbeddingError
    from foxtrot_supervisor.embedding.errors import NotReady as NotReady
    from foxtrot_supervisor.embedding.errors import RequestFailed as RequestFailed
    from foxtrot_supervisor.embedding.errors import SupervisorFailed as SupervisorFailed
    from foxtrot_supervisor.embedding.supervisor import Supervisor as Supervisor
    from foxtrot_supervisor.engine.bus.event_engine import Event as Event
    from foxtrot_supervisor.engine.bus.event_engine import EventEngine as EventEngine
    from foxtrot_supervisor.engine.leaks.monitor import LeakMonitor as LeakMonitor
    from foxtrot_supervisor.engine.process import HandlerProblem as HandlerProblem
    from foxtrot_supervisor.gateways.foxtrot_adapter import SupervisedAdapter as SupervisedAdapter
    from foxtrot_supervisor.gateways.main_engine import MainEngine as MainEngine
    from foxtrot_supervisor.runtime.main import run_supervisor as run_supervisor
    from foxtrot_supervisor.runtime.run_dir import AlreadyRunning as AlreadyRunning
    from foxtrot_supervisor.runtime.run_dir import RunDirRefused as RunDirRefused
    from foxtrot_supervisor.runtime.runner import Runner as Runner

_MODULES = {
    "AttachedRun": "foxtrot_supervisor.client.attached",
    "FramesUnavailable": "foxtrot_supervisor.client.frames",
    "StreamOverflow": "foxtrot_supervisor.client.event_buffer",
    "attach": "foxtrot_supervisor.client.attached",
    "AlreadyRunning": "foxtrot_supervisor.runtime.run_dir",
    "ConfigInvalid": "foxtrot_supervisor.config.problems",
    "EmbeddingError": "foxtrot_supervisor.embedding.errors",
    "Event": "foxtrot_supervisor.engine.bus.event_engine",
    "EventEngine": "foxtrot_supervisor.engine.bus.event_engine",
    "FoxtrotConfig": "foxtrot_supervisor.config.schema",
    "HandlerProblem": "foxtrot_supervisor.engine.process",
    "LeakMonitor": "foxtrot_supervisor.engine.leaks.monitor",
    "MainEngine": "foxtrot_supervisor.gateways.main_engine",
    "NotReady": "foxtrot_supervisor.embedding.errors",
    "RequestFailed": "foxtrot_supervisor.embedding.errors",
    "RunDirRefused": "foxtrot_supervisor.runtime.run_dir",
    "Runner": "foxtrot_supervisor.runtime.runner",
    "EndReport": "foxtrot_supervisor.embedding.end_report",
    "SupervisedAdapter": "foxtrot_supervisor.gateways.foxtrot_adapter",
    "Supervisor": "foxtrot_supervisor.embedding.supervisor",
    "SupervisorFailed": "foxtrot_supervisor.embedding.errors",
    "run_supervisor": "foxtrot_supervisor.runtime.main",
}

__all__ = [
    "AlreadyRunning",
    "AttachedRun",
    "ConfigInvalid",
    "EmbeddingError",
    "EndReport",
    "Event",
    "EventEngine",
    "FoxtrotConfig",
    "FramesUnavailable",
    "HandlerProblem",
    "LeakMonitor",
    "MainEngine",
    "NotReady",
    "RequestFailed",
    "RunDirRefused",
    "Runner",
    "StreamOverflow",
    "SupervisedAdapter",
    "Supervisor",
    "SupervisorFailed",
    "attach",
    "run_supervisor",
]


def __getattr__(name: str) -> Any:
    module = _MODULES.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    value = getattr(importlib.import_module(module), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
