"""Catalog of installed exchanges: the adapters named by entry points in the group ``foxtrot.exchanges``.

``python -m foxtrot_workers.adapter.catalog`` prints it as one JSON object. A process that checks a configuration runs
this program and so never imports exchange code.
"""

from __future__ import annotations

import functools
import inspect
import json
import os
import sys
from collections.abc import Sequence
from importlib.metadata import EntryPoint, entry_points
from typing import Any, NoReturn

from foxtrot_protocol.crash_report import cause_of
from foxtrot_workers.adapter.adapter import Adapter

__all__ = ["GROUP", "UnknownExchange", "adapter_class", "describe", "main", "names"]

GROUP = "foxtrot.exchanges"


class UnknownExchange(ValueError):
    """No adapter of that name is installed."""

    def __init__(self, name: str) -> None:
        super().__init__(f"unknown exchange {name!r}; installed are: {', '.join(names()) or 'none'}")
        self.name = name


def names() -> list[str]:
    """Return the sorted names of all installed exchanges, whether they can be loaded or not."""
    return sorted(_entry_points())


def adapter_class(name: str) -> type[Adapter]:
    """Load the adapter class of exchange `name`.

    Raises `UnknownExchange` if none of that name is installed, ImportError if it cannot be loaded or is no adapter.
    """
    entry_point = _entry_points().get(name)
    if entry_point is None:
        raise UnknownExchange(name)
    try:
        loaded = entry_point.load()
    except (Exception, SystemExit, KeyboardInterrupt) as error:  # a third party's module may raise anything
        raise ImportError(f"exchange {name!r} ({entry_point.value}): {cause_of(error)}") from error
    if not (inspect.isclass(loaded) and issubclass(loaded, Adapter)) or inspect.isabstract(loaded):
        raise ImportError(f"exchange {name!r}: {entry_point.value} is not an Adapter class")
    return loaded


def describe(*wanted: str) -> dict[str, dict[str, Any]]:
    """Return the facts a configuration check needs, of each exchange or of `wanted` only.

    ``error`` is "" for a usable exchange.
    """
    return {name: _describe(name) for name in wanted or names()}


def main(*arguments: str) -> None:
    """Print the catalog of all exchanges, or of those named as arguments, on stdout as one line of JSON.

    ``--names`` prints a list of names only and imports no adapter.
    """
    sys.stdout.write(_answer(arguments))


def _answer(arguments: Sequence[str]) -> str:
    return json.dumps(names() if "--names" in arguments else describe(*arguments)) + "\n"


def _run_as_program() -> NoReturn:
    """Print the catalog and exit, ignoring threads that an adapter has started; output of adapters goes to stderr."""
    output = os.dup(1)
    os.dup2(2, 1)
    answer = _answer(sys.argv[1:])
    with os.fdopen(output, "w") as stdout:
        stdout.write(answer)
    os._exit(0)


@functools.cache  # scanning all installed packages takes tens of milliseconds, and memory, at a worker's start
def _entry_points() -> dict[str, EntryPoint]:
    return {entry_point.name: entry_point for entry_point in entry_points(group=GROUP)}


def _describe(name: str) -> dict[str, Any]:
    try:
        adapter = adapter_class(name)
        facts = adapter.facts
        return {
            "exchange": str(adapter.exchange),
            "channels": sorted(map(str, adapter.channels)),
            "topics_max": int(adapter.limits.topics_max),
            "connections_max": int(adapter.limits.connects.limit),
            "symbols_have_dashes": bool(adapter.symbols_have_dashes),
            "url": str(adapter.url),
            "rest_url": str(adapter.rest_url),
            "symbol_case": str(adapter.symbol_case),
            "lifetime_s": adapter.limits.lifetime_s,
            "absent": {} if facts is None else {str(channel): str(reason) for channel, reason in facts.absent.items()},
            "testnet_url": "" if facts is None else str(facts.testnet_url),
            "testnet_rest_url": "" if facts is None else str(facts.testnet_rest_url),
            "error": str(adapter.closed),
        }
    except Exception as error:  # attributes of a third party's class may have any type
        return {"exchange": "", "channels": [], "topics_max": 0, "error": str(error)}


if __name__ == "__main__":
    _run_as_program()
