"""Supervises processes, hosts the EventEngine. Public names are re-exported here, each loaded at its first use.

Lazily, since a spawned child imports this package before it knows what it is to run: whatever is loaded
here would cost every worker time and memory.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from foxtrot_supervisor.runner import Runner as Runner
    from foxtrot_supervisor.runner import run_supervisor as run_supervisor

_HOMES = {
    "Runner": "foxtrot_supervisor.runner",
    "run_supervisor": "foxtrot_supervisor.runner",
}

__all__ = ["Runner", "run_supervisor"]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
