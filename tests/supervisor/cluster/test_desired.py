"""Shards of a configuration, and what an apply changes."""

from __future__ import annotations

import pytest

from foxtrot_supervisor.cluster import desired
from foxtrot_supervisor.config.problems import ConfigInvalid
from foxtrot_supervisor.config.schema import ConnectionConfig, ExchangeInfo, FoxtrotConfig
from foxtrot_supervisor.config.shards import expanded

INFO = {"sim": ExchangeInfo(exchange="sim", channels=["trade"], connections_max=7)}


def connection(name: str, *symbols: str, redundancy: int = 1, shard_symbols: int | None = None) -> ConnectionConfig:
    return ConnectionConfig(
        name=name,
        exchange="sim",
        channels=["trade"],
        symbols=list(symbols) or ["X"],
        url="ws://127.0.0.1:1",
        redundancy=redundancy,
        shard_symbols=shard_symbols,
    )


def config(*connections: ConnectionConfig) -> FoxtrotConfig:
    return FoxtrotConfig(connections=list(connections))


def test_each_side_is_a_shard_with_the_keys_that_are_configured() -> None:
    shards = desired.desired_of(config(connection("one"), connection("two", redundancy=2)), INFO)
    assert list(shards) == ["one.a", "two.a", "two.b"]
    table = {"exchange": "sim", "channels": ["trade"], "symbols": ["X"], "url": "ws://127.0.0.1:1"}
    assert shards["two.b"].table == table
    assert (shards["two.b"].connection, shards["two.b"].side, shards["two.b"].connections_max) == ("two", "b", 7)


def test_the_embedded_exchange_is_refused_since_each_node_would_have_another_market() -> None:
    own = ConnectionConfig(name="s", exchange="sim", channels=["trade"], symbols=["X"])
    with pytest.raises(ConfigInvalid, match="foxtrot-supervisor simulate"):
        desired.desired_of(config(own), INFO, "f.toml")


def test_a_plan_names_what_differs() -> None:
    before = desired.desired_of(config(connection("a"), connection("b"), connection("c")), INFO)
    after = desired.desired_of(config(connection("b"), connection("c", "Y"), connection("d")), INFO)
    plan = desired.plan(before, after)
    assert (plan.added, plan.removed, plan.kept, plan.changed) == (["d.a"], ["a.a"], ["b.a"], {"c.a": ["symbols"]})
    assert desired.describe(plan) == ["  + d.a", "  ~ c.a: symbols", "  - a.a", "  1 shard(s) as they are"]
    assert not plan.is_empty
    assert desired.plan(before, before).is_empty


def test_other_limits_of_the_exchange_are_a_difference() -> None:
    before = desired.desired_of(config(connection("a")), INFO)
    after = desired.desired_of(config(connection("a")), {})
    assert desired.plan(before, after).changed == {"a.a": ["connections_max"]}


def test_symbols_stay_in_their_part_when_a_file_is_applied_again() -> None:
    first = config(connection("m", "A", "B", "C", "D", shard_symbols=2), connection("m-x"))
    shards = desired.desired_of(expanded(first, INFO, {}, {}), INFO)
    before = {shard: each.table["symbols"] for shard, each in shards.items()}
    second = config(connection("m", "Z", "D", "C", "B", shard_symbols=2), connection("m-x"))
    present = desired.present_of(second, shards)
    assert list(present) == ["m"]
    again = desired.desired_of(expanded(second, INFO, {}, present), INFO)
    assert set(before["m-2.a"]) == set(again["m-2.a"].table["symbols"])
    assert again["m-1.a"].table["symbols"] == ["C", "Z"]
