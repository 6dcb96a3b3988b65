"""Configurations before, between and after the split of a shard."""

from __future__ import annotations

import pytest
from msgspec import structs

from foxtrot_supervisor.config.schema import ConnectionConfig, FoxtrotConfig
from foxtrot_supervisor.config.shards import Shard, merged_as
from foxtrot_supervisor.config.splits import SplitPlan, completed, plan_split, withdrawn
from foxtrot_supervisor.markets.placement import SHARDS_MAX


def shard(number: int, *symbols: str, of: str = "all") -> Shard:
    return Shard(
        name=f"{of}-{number}",
        exchange="binance",
        channels=["trade"],
        symbols=list(symbols),
        shard_of=of,
        entries=["*"],
        symbols_max=9,
        symbol_case="upper",
    )


OTHER = ConnectionConfig(name="one", exchange="okx", channels=["trade"], symbols=["X"])
CONFIG = FoxtrotConfig(connections=[shard(1, "A", "B", "C", "D", "E"), shard(3, "F", "G"), OTHER])


def symbols(config: FoxtrotConfig) -> dict[str, list[str]]:
    return {each.name: each.symbols for each in config.connections}


def split(config: FoxtrotConfig, name: str, held: str) -> SplitPlan:
    return plan_split(config, name, list(held))


def test_the_new_shard_brings_half_before_the_old_one_lets_go() -> None:
    plan = split(CONFIG, "all-1", "ABCDE")
    assert (plan.connection, plan.shard, plan.into, plan.symbols) == ("all", "all-1", "all-2", ["B", "D"])
    assert symbols(plan.config) == {
        "all-1": ["A", "B", "C", "D", "E"],
        "all-2": ["B", "D"],
        "all-3": ["F", "G"],
        "one": ["X"],
    }
    assert [merged_as(each) for each in plan.config.connections] == ["all-1", "all-1", "all-3", "one"]
    assert symbols(completed(plan.config, plan))["all-1"] == ["A", "C", "E"]
    assert withdrawn(plan.config, plan) == CONFIG

    again = split(completed(plan.config, plan), "all-2", "BD")
    assert merged_as(next(each for each in again.config.connections if each.name == "all-4")) == "all-1"


def test_symbols_that_operators_have_changed_stay() -> None:
    assert split(CONFIG, "all-1", "ACEX").symbols == ["C"]
    gone = FoxtrotConfig(connections=[OTHER])
    plan = split(CONFIG, "all-1", "AB")
    assert (completed(gone, plan), withdrawn(gone, plan)) == (gone, gone)


def test_a_connection_with_one_shard_may_be_named() -> None:
    assert split(FoxtrotConfig(connections=[shard(1, "A", "B")]), "all", "AB").shard == "all-1"


@pytest.mark.parametrize(
    ("config", "name", "reason"),
    [
        (CONFIG, "none", "there is no connection called 'none'"),
        (CONFIG, "all", "all has several shards: name one of all-1, all-3"),
        (CONFIG, "one", "one is not spread over shards"),
        (CONFIG, "all-3", "all-3 has 1 symbol"),
        (
            FoxtrotConfig(connections=[shard(1, "A", "B"), structs.replace(OTHER, name="all-2")]),
            "all-1",
            "all-2 is the name of another connection",
        ),
        (
            FoxtrotConfig(connections=[shard(number, "A", "B") for number in range(1, SHARDS_MAX + 1)]),
            "all-1",
            f"more than {SHARDS_MAX} shards",
        ),
    ],
)
def test_what_cannot_be_split_is_refused_with_the_reason(config: FoxtrotConfig, name: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        split(config, name, "ABF")
