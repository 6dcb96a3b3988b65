"""The shards of a configuration, and how they differ from those that the cluster has (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Struct

from foxtrot_supervisor.cluster.model import Desired
from foxtrot_supervisor.cluster.names import shard_sides, split_shard_id
from foxtrot_supervisor.config.problems import ConfigInvalid, Problem
from foxtrot_supervisor.config.schema import ConnectionConfig, ExchangeInfo, FoxtrotConfig
from foxtrot_supervisor.config.setting import keys_of
from foxtrot_supervisor.config.shards import Shard
from foxtrot_supervisor.config.values import EMBEDDED_EXCHANGE

__all__ = ["Plan", "describe", "desired_of", "plan", "present_of"]


class Plan(Struct, frozen=True):
    """Names of shards: what an apply adds, changes, removes and leaves."""

    added: list[str]
    changed: dict[str, list[str]]
    """With the keys of the connection table that differ."""
    removed: list[str]
    kept: list[str]

    @property
    def is_empty(self) -> bool:
        """Whether nothing differs."""
        return not (self.added or self.changed or self.removed)


def desired_of(config: FoxtrotConfig, exchanges: Mapping[str, ExchangeInfo], source: str = "") -> dict[str, Desired]:
    """Return the shards of a configuration whose symbols are resolved (`config.markets`).

    Raises `ConfigInvalid` for a connection that a node cannot have.
    """
    problems = [
        Problem(
            "connections",
            f'"{each.name}": each supervisor would have a simulated exchange of its own; run `foxtrot-supervisor '
            "simulate`, and name its address as url",
        )
        for each in config.connections
        if each.exchange == EMBEDDED_EXCHANGE and each.url is None
    ]
    if problems:
        raise ConfigInvalid(source, problems)
    shards = {}
    for connection in config.connections:
        table = _table(connection)
        for shard in shard_sides(connection.name, connection.redundancy):
            shards[shard] = Desired(
                shard=shard,
                connection=connection.name,
                side=split_shard_id(shard)[1],
                exchange=connection.exchange,
                table=table,
                connections_max=exchanges.get(connection.exchange, ExchangeInfo()).connections_max,
            )
    return shards


def _table(connection: ConnectionConfig) -> dict[str, Any]:
    """Return the keys that differ from their defaults, as they would stand in a file; symbols as resolved."""
    fields = {name: key.default for name, key in keys_of(ConnectionConfig).items()}
    values = {key: getattr(connection, key) for key in fields if key not in ("name", "redundancy", "shard_symbols")}
    return {key: msgspec.to_builtins(value) for key, value in values.items() if value != fields[key]}


def plan(before: Mapping[str, Desired], after: Mapping[str, Desired]) -> Plan:
    """Return what makes `after` of `before`."""
    both = [shard for shard in after if shard in before]
    changed = {shard: keys for shard in both if (keys := _differences(before[shard], after[shard]))}
    return Plan(
        added=[shard for shard in after if shard not in before],
        changed=changed,
        removed=[shard for shard in before if shard not in after],
        kept=[shard for shard in both if shard not in changed],
    )


def _differences(before: Desired, after: Desired) -> list[str]:
    keys = [
        key for key in dict.fromkeys((*before.table, *after.table)) if before.table.get(key) != after.table.get(key)
    ]
    fields = ("connection", "exchange", "connections_max")
    return keys + [key for key in fields if key not in keys and getattr(before, key) != getattr(after, key)]


def describe(differences: Plan) -> list[str]:
    """Return a line for each shard that differs, and one for the others."""
    lines = [f"  + {shard}" for shard in differences.added]
    lines += [f"  ~ {shard}: {', '.join(keys)}" for shard, keys in differences.changed.items()]
    lines += [f"  - {shard}" for shard in differences.removed]
    return [*lines, f"  {len(differences.kept)} shard(s) as they are"]


def present_of(config: FoxtrotConfig, desired: Mapping[str, Desired]) -> dict[str, list[Shard]]:
    """Return the numbered parts that connections of `config` have in the cluster: their symbols stay where they are."""
    found: dict[str, list[Shard]] = {}
    for connection in config.connections:
        prefix = f"{connection.name}-"
        parts = {
            name: each.table.get("symbols", [])
            for each in desired.values()
            if (name := each.connection).startswith(prefix) and name.removeprefix(prefix).isdecimal()
        }
        if parts:
            values = {key: getattr(connection, key) for key in ConnectionConfig.__struct_fields__}
            found[connection.name] = [
                Shard(
                    **{**values, "name": name, "symbols": list(symbols)},
                    shard_of=connection.name,
                    entries=list(connection.symbols),
                    symbols_max=1,
                    symbol_case="exact",
                )
                for name, symbols in parts.items()
            ]
    return found
