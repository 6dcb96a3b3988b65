"""Split of a shard in two: configurations before, between and after. Pure.

The new shard begins with every second symbol of the old one, which keeps all. Once the new one brings them, the old one
lets go of them. Until then the split can be withdrawn, with nothing lost.
"""

from __future__ import annotations

from collections.abc import Container

from msgspec import Struct, structs

from foxtrot_supervisor.config.schema import FoxtrotConfig
from foxtrot_supervisor.config.shards import Shard, is_part, merged_as, placed, placements_of, with_shards
from foxtrot_supervisor.markets.placement import split

__all__ = ["SplitPlan", "completed", "plan_split", "withdrawn"]


class SplitPlan(Struct, frozen=True):
    """`shard` gives `symbols` to the new shard `into`, both parts of `connection`. `config`: with both."""

    connection: str
    shard: str
    into: str
    symbols: list[str]
    config: FoxtrotConfig


def plan_split(config: FoxtrotConfig, name: str, held: Container[str]) -> SplitPlan:
    """Return how the shard `name` is split; raises ValueError with the reason why it cannot be.

    Args:
        config: in force.
        name: a shard, or a connection that has one only.
        held: symbols that the shard is subscribed to. Symbols that an operator has added or removed stay with it.
    """
    old = _shard(config, name)
    shards = placements_of(config, lambda _: ())[old.shard_of]
    candidates = [symbol for symbol in old.symbols if symbol in held]
    if len(candidates) < 2:
        raise ValueError(f"{old.name} has {len(candidates)} symbol(s): there is nothing to split")
    placement = split({**placed(shards), old.number: candidates}, old.number)
    number = next(each for each in placement if each not in placed(shards))
    into = f"{old.shard_of}-{number}"
    if any(each.name == into for each in config.connections):
        raise ValueError(f"{into} is the name of another connection")
    new = structs.replace(old, name=into, symbols=placement[number], merged_as=merged_as(old))
    return SplitPlan(old.shard_of, old.name, into, placement[number], _with(config, old.shard_of, [*shards, new]))


def completed(config: FoxtrotConfig, plan: SplitPlan) -> FoxtrotConfig:
    """Return `config`, which is in force, with the old shard without the symbols of the new one."""
    moved = set(plan.symbols)
    shards = [
        structs.replace(each, symbols=[symbol for symbol in each.symbols if symbol not in moved])
        if each.name == plan.shard
        else each
        for each in placements_of(config, lambda _: ()).get(plan.connection, ())
    ]
    return _with(config, plan.connection, shards)


def withdrawn(config: FoxtrotConfig, plan: SplitPlan) -> FoxtrotConfig:
    """Return `config`, which is in force, without the new shard."""
    shards = placements_of(config, lambda _: ()).get(plan.connection, ())
    return _with(config, plan.connection, [each for each in shards if each.name != plan.into])


def _with(config: FoxtrotConfig, connection: str, shards: list[Shard]) -> FoxtrotConfig:
    return with_shards(config, {connection: sorted(shards, key=lambda shard: shard.number)})


def _shard(config: FoxtrotConfig, name: str) -> Shard:
    named = [each for each in config.connections if each.name == name or is_part(each, name)]
    if not named:
        raise ValueError(f"there is no connection called {name!r}")
    if len(named) > 1:
        raise ValueError(f"{name} has several shards: name one of {', '.join(each.name for each in named)}")
    shard = named[0]
    if not isinstance(shard, Shard):
        raise ValueError(f"{name} is not spread over shards: give it `shard_symbols`, or patterns, then reload")
    return shard
