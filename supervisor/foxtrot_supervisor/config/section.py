"""Reads one table of a configuration: types and ranges of its keys as their `Setting` declares them. Pure."""

from __future__ import annotations

import typing
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from foxtrot_supervisor.config.problems import Problem
from foxtrot_supervisor.config.setting import keys_of
from foxtrot_supervisor.config.values import closest, expected, fits, found, key_text

__all__ = ["read_section", "unknown_keys"]


def read_section(kind: type[Struct], table: Mapping[str, Any], path: str) -> tuple[dict[str, Any], list[Problem]]:
    """Return the values of `table` that have the declared type and range, and the problems of the others.

    `kind`: declares the keys. `path`: of the table, for the problems; "" for keys without a table.
    """
    keys = keys_of(kind)
    prefix = f"{path}." if path else ""
    problems = unknown_keys(table, list(keys), prefix)
    good = {}
    for name, key in keys.items():
        if name not in table:
            continue
        value = table[name]
        if not fits(key.hint, value):
            reason: str | None = f"must be {expected(key.hint)}, not {_misfit(key.hint, value)}"
        else:
            reason = key.setting.range.reason(value) if key.setting.range is not None else None
        if reason is None:
            good[name] = float(value) if key.hint is float else value
        else:
            problems.append(Problem(f"{prefix}{name}", reason))
    return good, problems


def unknown_keys(table: Mapping[str, object], known: Sequence[str], prefix: str) -> list[Problem]:
    """Return a problem for each key of `table` that is not `known`."""
    return [
        Problem(f"{prefix}{key_text(key)}", f"is not a known key{closest(key, known)}")
        for key in table
        if key not in known
    ]


def _misfit(hint: Any, value: object) -> str:
    if typing.get_origin(hint) is list and isinstance(value, list):
        index, element = next((i, e) for i, e in enumerate(value) if not isinstance(e, str))
        return f"{found(element)} (element {index})"
    return found(value)
