"""Connections that need more than one worker: their symbols are resolved and placed on shards. Pure.

A connection is sharded if its symbols are patterns, more than one socket may hold, or more than ``shard_symbols``. Each
shard becomes a connection of its own, ``NAME-1``, ``NAME-2``, …, with its own workers.

Shards that come from the split of one are merged by the engine as one connection (`Shard.merged_as`): while a symbol
changes from one to the other, both bring its streams.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TypeAlias

from msgspec import structs

from foxtrot_protocol.instruments import Instrument
from foxtrot_supervisor.config.placed import Placed
from foxtrot_supervisor.config.problems import ConfigInvalid, Problem
from foxtrot_supervisor.config.schema import ConnectionConfig, ExchangeInfo, FoxtrotConfig
from foxtrot_supervisor.markets.placement import Placement, place
from foxtrot_supervisor.markets.selection import Selection, is_pattern, select

__all__ = [
    "SYMBOLS_MAX",
    "Placements",
    "Shard",
    "expanded",
    "is_part",
    "is_sharded",
    "logical_name",
    "merged_as",
    "needs_list",
    "placed",
    "placements_of",
    "selected",
    "settled",
    "shards_at",
    "symbols_max",
    "with_shards",
    "without_shards",
]

SYMBOLS_MAX = 10_000
"""Symbols of one worker where neither the exchange nor the configuration sets a limit."""


class Shard(ConnectionConfig, frozen=True, kw_only=True):
    """A part of the connection `shard_of`, with room for `symbols_max` symbols; never in a file.

    `entries`: what the file says in place of `symbols`. `symbol_case`: how the exchange writes symbols
    (`foxtrot_protocol.symbols.SymbolCase`). `merged_as`: the shard whose streams it continues, since it was split from
    it; "": it has its own. `connections_max`: see `ExchangeInfo`. `held`: what is subscribed where operators have
    changed that; None: `symbols`.
    """

    shard_of: str
    entries: list[str]
    symbols_max: int
    symbol_case: str
    merged_as: str = ""
    connections_max: int = 0
    held: list[str] | None = None

    @property
    def number(self) -> int:
        """Number of the shard in its connection, from 1."""
        return int(self.name.rpartition("-")[2])


Placements: TypeAlias = Mapping[str, Sequence[Shard]]
"""The shards of each sharded connection, by its name."""


def logical_name(connection: ConnectionConfig) -> str:
    """Return the name in the file: of a shard, that of the connection it is a part of."""
    return connection.shard_of if isinstance(connection, Shard) else connection.name


def merged_as(connection: ConnectionConfig) -> str:
    """Return the name under which the engine merges the streams of this connection."""
    return (isinstance(connection, Shard | Placed) and connection.merged_as) or connection.name


def is_part(connection: ConnectionConfig, name: str) -> bool:
    """Whether `connection` is a shard of the connection `name`."""
    return isinstance(connection, Shard) and connection.shard_of == name


def placements_of(config: FoxtrotConfig, held: Callable[[str], Sequence[str]]) -> dict[str, list[Shard]]:
    """Return the sharded connections, with the symbols that are subscribed.

    `held`: returns the symbols that a shard is subscribed to; an operator may have added some.
    """
    found: defaultdict[str, list[Shard]] = defaultdict(list)
    for each in config.connections:
        if isinstance(each, Shard):
            symbols = list(dict.fromkeys([*each.symbols, *held(each.name)]))
            found[each.shard_of].append(structs.replace(each, symbols=symbols))
    return dict(found)


def placed(shards: Sequence[Shard]) -> dict[int, list[str]]:
    """Return the symbols of each shard by its number."""
    return {shard.number: list(shard.symbols) for shard in shards}


def shards_at(pattern: Shard, present: Sequence[Shard], placement: Placement) -> list[Shard]:
    """Return the shards of a placement.

    Args:
        pattern: a shard of the connection; all but its number, symbols and `merged_as` holds for each.
        present: the shards so far; one that stays continues its streams.
        placement: symbols by number.
    """
    continued = {shard.number: shard.merged_as for shard in present}
    return [
        structs.replace(
            pattern,
            name=f"{pattern.shard_of}-{number}",
            symbols=list(symbols),
            merged_as=continued.get(number, ""),
            held=None,
        )
        for number, symbols in placement.items()
    ]


def with_shards(config: FoxtrotConfig, shards: Placements) -> FoxtrotConfig:
    """Return `config` with these shards in place of their connection, or of what were its shards."""
    connections: list[ConnectionConfig] = []
    done: set[str] = set()
    for each in config.connections:
        name = logical_name(each)
        if name not in shards:
            connections.append(each)
        elif name not in done:
            done.add(name)
            connections += shards[name]
    return structs.replace(config, connections=connections)


def without_shards(config: FoxtrotConfig) -> FoxtrotConfig:
    """Return `config` with sharded connections as in the file, and the resolved symbols of the others."""
    connections: dict[str, ConnectionConfig] = {}
    for each in config.connections:
        if isinstance(each, Shard):
            values = {key: getattr(each, key) for key in ConnectionConfig.__struct_fields__}
            whole = ConnectionConfig(**{**values, "name": each.shard_of, "symbols": each.entries})
            connections.setdefault(each.shard_of, whole)
        else:
            connections[each.name] = each
    return structs.replace(config, connections=list(connections.values()))


def settled(shards: Sequence[Shard]) -> list[Shard]:
    """Return `shards` with each symbol once, on the first that has it: an unfinished split is taken back."""
    once: list[Shard] = []
    seen: set[str] = set()
    for shard in shards:
        symbols = [symbol for symbol in shard.symbols if symbol not in seen]
        held = None if shard.held is None else [symbol for symbol in shard.held if symbol not in seen]
        seen.update(symbols, held or ())
        if symbols or held:
            once.append(structs.replace(shard, symbols=symbols, held=held))
    return once


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
) -> FoxtrotConfig:
    """Resolve the symbols of every connection and place those of sharded ones.

    Args:
        config: as checked.
        exchanges: by name.
        lists: instruments by the name of the connection, for those that `needs_list`; it may lack others.
        present: the shards so far; their symbols stay where they are.
        source: names the file in errors.

    Returns the configuration with shards in place of sharded connections. Raises `ConfigInvalid` for symbols that are
    unknown, patterns that match nothing, and names that clash.
    """
    problems: list[Problem] = []
    connections: list[ConnectionConfig] = []
    for index, connection in enumerate(config.connections):
        key = f"connections[{index}].symbols"
        info = exchanges.get(connection.exchange, ExchangeInfo())
        before = present.get(connection.name, ())
        held = [symbol for shard in before for symbol in shard.symbols]
        symbols = _resolved(connection, info, lists, held, key, problems)
        if not is_sharded(connection, info):
            connections.append(structs.replace(connection, symbols=symbols))
            continue
        pattern = _pattern(connection, info)
        try:
            connections += shards_at(pattern, before, place(symbols, placed(before), pattern.symbols_max))
        except ValueError as error:
            problems.append(Problem(key, str(error)))
    names = [connection.name for connection in connections]
    twice = sorted(name for name, count in Counter(names).items() if count > 1)
    problems += [
        Problem("connections", f'"{name}" is the name of a connection and of a part of another one') for name in twice
    ]
    if problems:
        raise ConfigInvalid(source, problems)
    return structs.replace(config, connections=connections)


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


def _pattern(connection: ConnectionConfig, info: ExchangeInfo) -> Shard:
    return Shard(
        **structs.asdict(connection),
        shard_of=connection.name,
        entries=list(connection.symbols),
        symbols_max=symbols_max(connection, info),
        symbol_case=info.symbol_case,
        connections_max=info.connections_max,
    )
