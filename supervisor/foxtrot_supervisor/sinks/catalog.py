"""Kinds of sinks: those built in, named by text, and those of the entry points ``foxtrot.sinks``.

Nothing is imported but the kind that is asked for.
"""

from __future__ import annotations

import importlib
import inspect
from importlib.metadata import EntryPoint, entry_points
from typing import Any, cast

from msgspec import Struct

from foxtrot_protocol.crash_report import cause_of
from foxtrot_supervisor.sinks.sink import SinkKind

__all__ = ["BUILT_IN", "GROUP", "UnknownSink", "kinds", "sink_kind"]

GROUP = "foxtrot.sinks"
"""Group of entry points; each names a class as `sink.SinkKind` describes."""

BUILT_IN: dict[str, str] = {
    "nats": "foxtrot_supervisor.sinks.nats.sink:NatsSink",
    "parquet": "foxtrot_supervisor.sinks.parquet:ParquetSink",
    "postgresql": "foxtrot_supervisor.sinks.postgresql.sink:PostgresqlSink",
    "redis": "foxtrot_supervisor.sinks.redis.sink:RedisSink",
    "zeromq": "foxtrot_supervisor.sinks.zeromq_tap:ZeromqTap",
}
"""Start target ``module:class`` of each kind that is built in."""

_METHODS = ("open", "write", "flush", "close", "counts", "problems")


class UnknownSink(ValueError):
    """No sink of that kind is installed."""

    def __init__(self, kind: str) -> None:
        super().__init__(f"unknown kind {kind!r}; installed are: {', '.join(kinds()) or 'none'}")


def kinds() -> list[str]:
    """Return the sorted names of all installed kinds, whether they can be loaded or not."""
    return sorted({*BUILT_IN, *_entry_points()})


def sink_kind(kind: str) -> SinkKind:
    """Load the class of sinks of this `kind`; an entry point does not replace a built-in kind.

    Raises `UnknownSink` if none is installed, ImportError if it cannot be loaded or is no such class.
    """
    target = BUILT_IN.get(kind)
    if target is None:
        entry_point = _entry_points().get(kind)
        if entry_point is None:
            raise UnknownSink(kind)
        target = entry_point.value
    module, _, name = target.partition(":")
    try:
        loaded = getattr(importlib.import_module(module.strip()), name.strip())
    except (Exception, SystemExit, KeyboardInterrupt) as error:  # a third party's module may raise anything
        raise ImportError(f"sink {kind!r} ({target}): {cause_of(error)}") from error
    if not _is_kind(loaded):
        raise ImportError(f"sink {kind!r}: {target} is not a class with settings, {', '.join(_METHODS)}")
    return cast(SinkKind, loaded)


def _entry_points() -> dict[str, EntryPoint]:
    return {entry_point.name: entry_point for entry_point in entry_points(group=GROUP)}


def _is_kind(loaded: Any) -> bool:
    if not inspect.isclass(loaded) or not all(callable(getattr(loaded, name, None)) for name in _METHODS):
        return False
    settings = getattr(loaded, "settings", None)
    return inspect.isclass(settings) and issubclass(settings, Struct)
