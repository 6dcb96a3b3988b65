"""Checks the keys that kinds of sinks define: a program for the process that reads a configuration.

``python -m foxtrot_supervisor.sinks.option_check FOLDER`` reads ``[[kind, {key: value}], ...]`` from its standard input
and prints a `SinkCheck` for each. Output of a sink's module goes to stderr.
"""

from __future__ import annotations

import os
import sys
import typing
from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Struct

from foxtrot_protocol.crash_report import cause_of
from foxtrot_supervisor.config.schema import SinkCheck
from foxtrot_supervisor.config.section import read_section
from foxtrot_supervisor.config.setting import Setting
from foxtrot_supervisor.sinks.catalog import UnknownSink, sink_kind

__all__ = ["PATH_ENDINGS", "check", "main"]

PATH_ENDINGS = ("_file", "_directory")
"""Keys that end so, and ``directory``, are paths: relative ones are relative to the folder of the configuration."""


def check(kind: str, table: Mapping[str, Any], folder: str) -> SinkCheck:
    """Return the problems of one table's own keys, or the complete options."""
    try:
        loaded = sink_kind(kind)
    except (UnknownSink, ImportError) as error:
        return SinkCheck(problems=[("kind", str(error))])
    values = {key: _absolute(key, value, folder) for key, value in table.items()}
    problems: list[tuple[str, str]] = []
    if _is_declared(loaded.settings):
        values, found = read_section(loaded.settings, values, "")
        problems = [(problem.key, problem.reason) for problem in found]
        missing = [
            field.name
            for field in msgspec.structs.fields(loaded.settings)
            if field.required and field.name not in table
        ]
        problems += [(name, "is missing") for name in missing]
    if not problems:
        try:
            settings = msgspec.convert(values, loaded.settings)
            problems = [(str(key), str(reason)) for key, reason in loaded.problems(settings)]
        except msgspec.ValidationError as error:
            reason, _, place = str(error).partition(" - at `$.")
            problems = [(place.rstrip("`") or "kind", reason)]
        except Exception as error:  # a third party's check may raise anything
            problems = [("kind", f"its check failed: {cause_of(error)}")]
        else:
            return SinkCheck(problems, msgspec.to_builtins(settings))
    return SinkCheck(problems)


def main() -> None:
    """Read tables from stdin and print the checks."""
    output = os.dup(1)
    os.dup2(2, 1)
    folder = sys.argv[1]
    tables = msgspec.json.decode(sys.stdin.buffer.read(), type=list[tuple[str, dict[str, Any]]])
    answer = msgspec.json.encode([check(kind, table, folder) for kind, table in tables])
    with os.fdopen(output, "wb") as stdout:
        stdout.write(answer)
    os._exit(0)  # whatever threads a sink's module has started


def _absolute(key: str, value: Any, folder: str) -> Any:
    is_path = key == "directory" or key.endswith(PATH_ENDINGS)
    return os.path.normpath(os.path.join(folder, value)) if is_path and isinstance(value, str) and value else value


def _is_declared(settings: type[Struct]) -> bool:
    """Whether each field has a `Setting`."""
    hints = typing.get_type_hints(settings, include_extras=True).values()
    return all(any(isinstance(each, Setting) for each in getattr(hint, "__metadata__", ())) for hint in hints)


if __name__ == "__main__":
    main()
