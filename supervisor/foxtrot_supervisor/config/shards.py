"""Connections that need more than one worker: their symbols are resolved and placed on shards. Pure.

A connection is sharded if its symbols are patterns, more than one socket may hold, or more than ``shard_symbols``. Each
shard becomes a connection of its own, ``NAME-1``, ``NAME-2``, …, with its own workers.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TypeAlias

from msgspec import Struct, structs

from foxtrot_protocol.instruments import Instrument
from foxtrot_supervisor.config.problems import ConfigInvalid, Problem
from foxtrot_supervisor.config.schema import ConnectionConfig, ExchangeInfo, FoxtrotConfig
from foxtrot_supervisor.markets.placement import Placement, place
from foxtrot_supervisor.markets.selection import Selection, is_pattern, select

__all__ = [
    "SYMBOLS_MAX",
    "Expansion",
    "Placements",
    "Shard",
    "expanded",
    "is_sharded",
    "logical_name",
    "needs_list",
    "placements_of",
    "selected",
    "symbols_max",
]

Placements: TypeAlias = Mapping[str, Placement]
"""Symbols by the number of their shard, by the name of the sharded connection."""

SYMBOLS_MAX = 10_000
"""Symbols of one worker where neither the exchange nor the configuration sets a limit."""


class Shard(ConnectionConfig, frozen=True, kw_only=True):
    """A part of the connection `shard_of`, with room for `symbols_max` symbols; never in a file.

    `entries`: what the file says in place of `symbols`. `symbol_case`: how the exchange writes symbols
    (`foxtrot_protocol.symbols.SymbolCase`).
    """

    shard_of: str
    entries: list[str]
    symbols_max: int
    symbol_case: str


class Expansion(Struct, frozen=True):
    """`config`: with shards in place of sharded connections. `placements`: by the name of each of these."""

    config: FoxtrotConfig
    placements: dict[str, dict[int, list[str]]]


def logical_name(connection: ConnectionConfig) -> str:
    """Return the name in the file: of a shard, that of the connection it is a part of."""
    return connection.shard_of if isinstance(connection, Shard) else connection.name


def placements_of(config: FoxtrotConfig, held: Callable[[str], Sequence[str]]) -> dict[str, dict[int, list[str]]]:
    """Return where the symbols of sharded connections are.

    `held`: returns the symbols that a shard is subscribed to; an operator may have added some.
    """
    found: defaultdict[str, dict[int, list[str]]] = defaultdict(dict)
    for each in config.connections:
        if isinstance(each, Shard):
            found[each.shard_of][int(each.name.rpartition("-")[2])] = list(
                dict.fromkeys([*each.symbols, *held(each.name)])
            )
    return dict(found)


def selected(entries: Sequence[str], instruments: Sequence[Instrument], held: Collection[str], case: str) -> Selection:
    """Return what `entries` select, as `selection.select`; symbols in `held` stay selected while they are halted."""
    kept = set(held)
    present = [
        structs.replace(each, status="trading") if each.symbol in kept and each.status != "ended" else each
        for each in instruments
    ]
    return select(entries, present, case)


def needs_list(connection: ConnectionConfig, info: ExchangeInfo) -> bool:
    """Whether the symbols can only be resolved with the exchange's instrument list.

    A name with a dash is an instrument where the exchange has no dashes in its symbols.
    """
    return any(is_pattern(entry) or ("-" in entry and not info.symbols_have_dashes) for entry in connection.symbols)


def symbols_max(connection: ConnectionConfig, info: ExchangeInfo) -> int:
    """Return how many symbols one worker of `connection` may hold; at least 1."""
    limits = [limit for limit in (connection.shard_symbols, info.symbols_max) if limit]
    if info.topics_max:
        limits.append(info.topics_max // max(1, len(connection.channels)))
    return max(1, min(limits, default=SYMBOLS_MAX))


def is_sharded(connection: ConnectionConfig, info: ExchangeInfo) -> bool:
    """Whether `connection` becomes shards."""
    return any(map(is_pattern, connection.symbols)) or len(connection.symbols) > symbols_max(connection, info)


def expanded(
    config: FoxtrotConfig,
    exchanges: Mapping[str, ExchangeInfo],
    lists: Mapping[str, Sequence[Instrument]],
    present: Placements,
    source: str = "",
) -> Expansion:
    """Resolve the symbols of every connection and place those of sharded ones.

    Args:
        config: as checked.
        exchanges: by name.
        lists: instruments by the name of the connection, for those that `needs_list`; it may lack others.
        present: placement so far, by the name of the connection.
        source: names the file in errors.

    Raises `ConfigInvalid` for symbols that are unknown, patterns that match nothing, and names that clash.
    """
    problems: list[Problem] = []
    connections: list[ConnectionConfig] = []
    placements: dict[str, dict[int, list[str]]] = {}
    for index, connection in enumerate(config.connections):
        key = f"connections[{index}].symbols"
        info = exchanges.get(connection.exchange, ExchangeInfo())
        held = [symbol for placed in present.get(connection.name, {}).values() for symbol in placed]
        symbols = _resolved(connection, info, lists, held, key, problems)
        if not is_sharded(connection, info):
            connections.append(structs.replace(connection, symbols=symbols))
            continue
        room = symbols_max(connection, info)
        try:
            shards = place(symbols, present.get(connection.name, {}), room)
        except ValueError as error:
            problems.append(Problem(key, str(error)))
            continue
        placements[connection.name] = shards
        connections += [_shard(connection, number, placed, room, info.symbol_case) for number, placed in shards.items()]
    names = [connection.name for connection in connections]
    twice = sorted(name for name, count in Counter(names).items() if count > 1)
    problems += [
        Problem("connections", f'"{name}" is the name of a connection and of a part of another one') for name in twice
    ]
    if problems:
        raise ConfigInvalid(source, problems)
    return Expansion(structs.replace(config, connections=connections), placements)


def _resolved(
    connection: ConnectionConfig,
    info: ExchangeInfo,
    lists: Mapping[str, Sequence[Instrument]],
    held: Sequence[str],
    key: str,
    problems: list[Problem],
) -> list[str]:
    instruments = lists.get(connection.name)
    if instruments is None:
        return list(connection.symbols)
    selection = selected(connection.symbols, instruments, held, info.symbol_case)
    problems += [Problem(key, f'"{each.entry}" {each.reason}') for each in selection.unmatched]
    if not selection.symbols and not selection.unmatched:
        problems.append(Problem(key, "selects nothing: everything is excluded"))
    return selection.symbols


def _shard(connection: ConnectionConfig, number: int, symbols: list[str], room: int, case: str) -> Shard:
    values = {**structs.asdict(connection), "name": f"{connection.name}-{number}", "symbols": symbols}
    return Shard(
        **values, shard_of=connection.name, entries=list(connection.symbols), symbols_max=room, symbol_case=case
    )
