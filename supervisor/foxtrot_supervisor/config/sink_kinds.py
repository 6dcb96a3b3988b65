"""Checks the keys that kinds of sinks define, in a separate process.

The supervisor never imports a sink, so that a broken one, or its store's library, cannot harm it.
``python -m foxtrot_supervisor.sinks.option_check`` does it.
"""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from foxtrot_supervisor.config.schema import SinkCheck
from foxtrot_supervisor.system.interpreter import python_command

__all__ = ["CHECK_S", "check_options"]

CHECK_S = 30.0
"""Longest check in seconds; it imports the kinds that are named, also those of third parties."""

_MODULE = "foxtrot_supervisor.sinks.option_check"


def check_options(
    tables: Sequence[tuple[str, Mapping[str, Any]]], folder: str, *, module: str = _MODULE, timeout_s: float = CHECK_S
) -> list[SinkCheck]:
    """Return what each kind says of its own keys; `tables`: kind and keys of each sink, `folder`: of relative paths."""
    try:
        done = subprocess.run(
            python_command("-m", module, folder),
            input=msgspec.json.encode(list(tables)),
            capture_output=True,
            timeout=timeout_s,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return _failed(tables, f"checking it took more than {timeout_s:g} s")
    except OSError as error:
        return _failed(tables, f"it cannot be checked: {error}")
    if done.returncode == 0:
        try:
            checks = msgspec.json.decode(done.stdout, type=list[SinkCheck])
        except (ValueError, RecursionError) as error:
            return _failed(tables, f"its check cannot be read: {error}")
        if len(checks) == len(tables):
            return checks
    last = done.stderr.decode(errors="replace").strip().splitlines()[-1:] or ["no message"]
    return _failed(tables, f"its check ended with {done.returncode}: {last[0]}")


def _failed(tables: Sequence[tuple[str, Mapping[str, Any]]], reason: str) -> list[SinkCheck]:
    return [SinkCheck(problems=[("kind", f'"{kind}": {reason}')]) for kind, _ in tables]
