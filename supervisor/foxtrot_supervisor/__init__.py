"""Supervises processes, hosts the EventEngine. Public names are re-exported here, each loaded at its first use.

Lazily, since a spawned child imports this package before it knows what it is to run: whatever is loaded
here would cost every worker time and memory.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from foxtrot_supervisor.config import ConfigInvalid as ConfigInvalid
    from foxtrot_supervisor.embedding_errors import EmbeddingError as EmbeddingError
    from foxtrot_supervisor.embedding_errors import NotReady as NotReady
    from foxtrot_supervisor.embedding_errors import RequestFailed as RequestFailed
    from foxtrot_supervisor.embedding_errors import SupervisorFailed as SupervisorFailed
    from foxtrot_supervisor.end_report import EndReport as EndReport
    from foxtrot_supervisor.engine_process import HandlerProblem as HandlerProblem
    from foxtrot_supervisor.event_engine import Event as Event
    from foxtrot_supervisor.event_engine import EventEngine as EventEngine
    from foxtrot_supervisor.foxtrot_adapter import SupervisedAdapter as SupervisedAdapter
    from foxtrot_supervisor.leak_monitor import LeakMonitor as LeakMonitor
    from foxtrot_supervisor.main_engine import MainEngine as MainEngine
    from foxtrot_supervisor.run_dir import AlreadyRunning as AlreadyRunning
    from foxtrot_supervisor.run_dir import RunDirRefused as RunDirRefused
    from foxtrot_supervisor.runner import Runner as Runner
    from foxtrot_supervisor.runner import run_supervisor as run_supervisor
    from foxtrot_supervisor.settings import FoxtrotConfig as FoxtrotConfig
    from foxtrot_supervisor.supervisor import Supervisor as Supervisor

_HOMES = {
    "AlreadyRunning": "foxtrot_supervisor.run_dir",
    "ConfigInvalid": "foxtrot_supervisor.config",
    "EmbeddingError": "foxtrot_supervisor.embedding_errors",
    "Event": "foxtrot_supervisor.event_engine",
    "EventEngine": "foxtrot_supervisor.event_engine",
    "FoxtrotConfig": "foxtrot_supervisor.settings",
    "HandlerProblem": "foxtrot_supervisor.engine_process",
    "LeakMonitor": "foxtrot_supervisor.leak_monitor",
    "MainEngine": "foxtrot_supervisor.main_engine",
    "NotReady": "foxtrot_supervisor.embedding_errors",
    "RequestFailed": "foxtrot_supervisor.embedding_errors",
    "RunDirRefused": "foxtrot_supervisor.run_dir",
    "Runner": "foxtrot_supervisor.runner",
    "EndReport": "foxtrot_supervisor.end_report",
    "SupervisedAdapter": "foxtrot_supervisor.foxtrot_adapter",
    "Supervisor": "foxtrot_supervisor.supervisor",
    "SupervisorFailed": "foxtrot_supervisor.embedding_errors",
    "run_supervisor": "foxtrot_supervisor.runner",
}

__all__ = [
    "AlreadyRunning",
    "ConfigInvalid",
    "EmbeddingError",
    "EndReport",
    "Event",
    "EventEngine",
    "FoxtrotConfig",
    "HandlerProblem",
    "LeakMonitor",
    "MainEngine",
    "NotReady",
    "RequestFailed",
    "RunDirRefused",
    "Runner",
    "SupervisedAdapter",
    "Supervisor",
    "SupervisorFailed",
    "run_supervisor",
]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
