"""What a new instrument list changes of sharded connections. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from msgspec import Struct, structs

from foxtrot_protocol.instruments import Instrument
from foxtrot_supervisor.config.schema import FoxtrotConfig
from foxtrot_supervisor.config.shards import Placements, Shard, is_part, placed, selected, shards_at, with_shards
from foxtrot_supervisor.markets.placement import place
from foxtrot_supervisor.markets.selection import is_pattern

__all__ = ["DELISTED_SHARE_MAX", "Refreshed", "has_pattern", "refreshed", "sharded"]

DELISTED_SHARE_MAX: Final = 0.5
"""A list without more than this share of a connection's symbols is taken for a mistake of the exchange."""


class Refreshed(Struct, frozen=True):
    """What follows from new lists; all by the name of the sharded connection.

    `config`: with other symbols. `listed` and `delisted`: the symbols that come and go. `refused`: why a list is not
    used.
    """

    config: FoxtrotConfig
    listed: dict[str, list[str]]
    delisted: dict[str, list[str]]
    refused: dict[str, str]


def sharded(config: FoxtrotConfig) -> dict[str, Shard]:
    """Return one shard of each sharded connection."""
    return {each.shard_of: each for each in config.connections if isinstance(each, Shard)}


def has_pattern(shard: Shard) -> bool:
    """Whether the instrument list decides what the connection subscribes."""
    return any(map(is_pattern, shard.entries))


def refreshed(config: FoxtrotConfig, present: Placements, lists: Mapping[str, Sequence[Instrument]]) -> Refreshed:
    """Return what `lists` change.

    Args:
        config: in force.
        present: the shards with the symbols that are subscribed (`shards.placements_of`).
        lists: instruments by the name of the sharded connection; others stay as they are.
    """
    result = Refreshed(config, {}, {}, {})
    for name, shard in sharded(config).items():
        if name not in lists:
            continue
        before = {symbol for each in config.connections if is_part(each, name) for symbol in each.symbols}
        held = [symbol for part in present[name] for symbol in part.symbols]
        known = {each.symbol for each in lists[name] if each.status != "ended"}
        wanted = selected(shard.entries, lists[name], held, shard.symbol_case).symbols
        chosen = set(wanted)
        gone = [each for each in held if each not in chosen and (each in before or each not in known)]
        if not wanted or len(gone) > DELISTED_SHARE_MAX * len(held):
            result.refused[name] = f"the list ends {len(gone)} of {len(held)} symbols: not believed"
            continue
        new = [each for each in wanted if each not in before]
        if not new and not gone:
            continue
        try:
            shards = shards_at(shard, present[name], place(wanted, placed(present[name]), shard.symbols_max))
        except ValueError as error:
            result.refused[name] = str(error)
            continue
        others = {each.name for each in config.connections if not is_part(each, name)}
        clash = [each.name for each in shards if each.name in others]
        if clash:
            result.refused[name] = f"{clash[0]} is the name of another connection"
            continue
        config = with_shards(config, {name: shards})
        result.listed[name], result.delisted[name] = new, gone
    return structs.replace(result, config=config)
