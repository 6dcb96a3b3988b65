"""What differs between two configurations, for people and programs. Pure.

Passwords in addresses are not shown.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from foxtrot_supervisor.config.schema import FoxtrotConfig
from foxtrot_supervisor.config.shards import without_shards

__all__ = ["Differences", "Setting", "differences"]

_PASSWORD = re.compile(r"://[^/@]*@")


class Setting(Struct, frozen=True):
    """A key that differs, with its values before and after; None where it is not set."""

    key: str
    before: Any
    after: Any


class Differences(Struct, frozen=True):
    """The differences.

    `settings`: of the tables that stand once, by their whole key (``engine.numbers``). `added`, `removed`: names of
    connections. `changed`: keys of each connection that differs, by its name; of lists, only what is new and what is
    gone.
    """

    settings: list[Setting]
    added: list[str]
    removed: list[str]
    changed: dict[str, list[Setting]]


def differences(before: FoxtrotConfig, after: FoxtrotConfig) -> Differences:
    """Return what differs; sharded connections are compared as they stand in the file."""
    before, after = without_shards(before), without_shards(after)
    old, new = _tables(before), _tables(after)
    settings = [
        each for table in dict.fromkeys((*old, *new)) for each in _between(old.get(table), new.get(table), f"{table}.")
    ]
    was = {connection.name: connection for connection in before.connections}
    now = {connection.name: connection for connection in after.connections}
    changed = {name: _between(was[name], now[name]) for name in now if name in was}
    return Differences(
        settings=settings,
        added=[name for name in now if name not in was],
        removed=[name for name in was if name not in now],
        changed={name: found for name, found in changed.items() if found},
    )


def _tables(config: FoxtrotConfig) -> dict[str, Any]:
    return {
        name: getattr(config, name) for name in config.__struct_fields__ if isinstance(getattr(config, name), Struct)
    }


def _between(before: Any, after: Any, prefix: str = "") -> list[Setting]:
    old = {} if before is None else _values(before)
    new = {} if after is None else _values(after)
    return [
        _setting(f"{prefix}{key}", old.get(key), new.get(key))
        for key in dict.fromkeys((*old, *new))
        if old.get(key) != new.get(key)
    ]


def _values(table: Struct) -> Mapping[str, Any]:
    return {key: msgspec.to_builtins(getattr(table, key)) for key in table.__struct_fields__}


def _setting(key: str, before: Any, after: Any) -> Setting:
    if _is_list(before) and _is_list(after) and set(before) != set(after):
        gone, new = [each for each in before if each not in after], [each for each in after if each not in before]
        return Setting(key, _shown(gone), _shown(new))
    return Setting(key, _shown(before), _shown(after))


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str) and all(isinstance(each, str) for each in value)


def _shown(value: Any) -> Any:
    if isinstance(value, str):
        return _PASSWORD.sub("://***@", value)
    return [_shown(each) for each in value] if isinstance(value, list | tuple) else value
