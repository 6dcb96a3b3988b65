"""Loads the client library of a store: an extra, and only for the process that uses it."""

from __future__ import annotations

import asyncio
import importlib
from importlib.util import find_spec
from types import ModuleType

from foxtrot_supervisor.sinks.sink import SinkMisconfigured

__all__ = ["is_installed", "load_library"]


def is_installed(module: str) -> bool:
    """Return whether a library is there, without importing it."""
    return find_spec(module) is not None


async def load_library(module: str, needs: str) -> ModuleType:
    """Import `module` in a thread: on a busy machine that takes seconds, in which the process must not seem hung.

    Raises `SinkMisconfigured` with the text `needs` if it cannot be imported.
    """
    try:
        return await asyncio.to_thread(importlib.import_module, module)
    except ImportError as error:
        raise SinkMisconfigured(f"{needs} ({error})") from None
