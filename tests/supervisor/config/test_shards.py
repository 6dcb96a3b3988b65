"""Connections with patterns, or with more symbols than one socket holds, become shards."""

from __future__ import annotations

import pytest
from msgspec import structs

from foxtrot_protocol.instruments import Instrument
from foxtrot_supervisor.config.problems import ConfigInvalid
from foxtrot_supervisor.config.schema import ConnectionConfig, ExchangeInfo, FoxtrotConfig
from foxtrot_supervisor.config.shards import (
    SYMBOLS_MAX,
    Placements,
    Shard,
    expanded,
    is_part,
    is_sharded,
    logical_name,
    merged_as,
    needs_list,
    placements_of,
    settled,
    symbols_max,
    with_shards,
    without_shards,
)

EXCHANGES = {
    "binance": ExchangeInfo(
        exchange="BINANCE", channels=["trade", "book"], topics_max=6, symbol_case="upper", symbols_have_dashes=False
    ),
    "okx": ExchangeInfo(exchange="OKX", channels=["trade"]),
}
LIST = [Instrument(symbol=f"{base}USDT", instrument=f"{base}-USDT", kind="spot") for base in "ABCDEFG"]


def connection(*symbols: str, name: str = "all", exchange: str = "binance") -> ConnectionConfig:
    return ConnectionConfig(name=name, exchange=exchange, channels=["trade", "book"], symbols=list(symbols))


def expansion(*connections: ConnectionConfig, present: Placements | None = None) -> FoxtrotConfig:
    return expanded(FoxtrotConfig(connections=list(connections)), EXCHANGES, {"all": LIST}, present or {})


def shards_of(*connections: ConnectionConfig, present: Placements | None = None) -> dict[str, list[str]]:
    return {each.name: each.symbols for each in expansion(*connections, present=present).connections}


def shard(number: int, *symbols: str, **more: str) -> Shard:
    pattern = expansion(connection("*")).connections[0]
    assert isinstance(pattern, Shard)
    return structs.replace(pattern, name=f"all-{number}", symbols=list(symbols), **more)


def test_a_pattern_is_spread_over_as_many_shards_as_the_exchange_needs() -> None:
    assert shards_of(connection("*-USDT")) == {
        "all-1": ["AUSDT", "DUSDT", "GUSDT"],
        "all-2": ["BUSDT", "EUSDT"],
        "all-3": ["CUSDT", "FUSDT"],
    }


def test_a_few_symbols_are_one_connection_under_its_own_name() -> None:
    assert shards_of(connection("AUSDT", "B-USDT")) == {"all": ["AUSDT", "BUSDT"]}
    assert shards_of(connection("A-USDT", exchange="okx", name="okx")) == {"okx": ["A-USDT"]}


def test_symbols_that_are_named_need_no_list_to_be_spread() -> None:
    named = connection(*[f"S{number}" for number in range(4)], name="named")
    assert not needs_list(named, EXCHANGES["binance"])
    assert shards_of(named) == {"named-1": ["S0", "S2"], "named-2": ["S1", "S3"]}


def test_shard_symbols_limits_a_worker() -> None:
    few = structs.replace(connection("AUSDT", "BUSDT"), shard_symbols=1)
    assert is_sharded(few, EXCHANGES["binance"])
    assert shards_of(few) == {"all-1": ["AUSDT"], "all-2": ["BUSDT"]}
    assert symbols_max(connection("A", exchange="okx"), EXCHANGES["okx"]) == SYMBOLS_MAX
    assert symbols_max(connection("A"), structs.replace(EXCHANGES["binance"], symbols_max=2)) == 2
    assert symbols_max(connection("A"), structs.replace(EXCHANGES["binance"], topics_max=1)) == 1


def test_shards_know_what_they_are_part_of() -> None:
    config = expansion(connection("*"), connection("A", exchange="okx", name="okx"))
    first, last = config.connections[0], config.connections[-1]
    assert isinstance(first, Shard)
    assert (first.shard_of, first.symbols_max, first.symbol_case) == ("all", 3, "upper")
    assert [logical_name(first), logical_name(last)] == ["all", "okx"]
    shards = placements_of(config, lambda _: ())["all"]
    assert [(each.number, merged_as(each)) for each in shards] == [(1, "all-1"), (2, "all-2"), (3, "all-3")]
    assert merged_as(last) == "okx"
    assert [is_part(each, "all") for each in config.connections] == [True, True, True, False]


def test_symbols_keep_their_shard_and_shards_their_streams() -> None:
    present = {"all": [shard(1, "AUSDT"), shard(4, "BUSDT", "GONE", merged_as="all-1")]}
    config = expansion(connection("A*", "B*", "C*"), present=present)
    assert {each.name: each.symbols for each in config.connections} == {
        "all-1": ["AUSDT", "CUSDT"],
        "all-4": ["BUSDT"],
    }
    assert [merged_as(each) for each in config.connections] == ["all-1", "all-1"]


def test_the_file_s_connections_and_the_shards_make_the_configuration_again() -> None:
    config = expansion(connection("*", "!A*"), connection("B-USDT", name="one"), connection("C*", name="few"))
    whole = without_shards(config)
    assert [(type(each), each.name, each.symbols) for each in whole.connections] == [
        (ConnectionConfig, "all", ["*", "!A*"]),
        (ConnectionConfig, "one", ["B-USDT"]),
        (ConnectionConfig, "few", ["C*"]),
    ]
    placements = placements_of(config, lambda _: ())
    assert with_shards(whole, placements) == config
    assert with_shards(config, placements) == config
    assert with_shards(whole, {}) == whole


def test_an_unfinished_split_is_taken_back() -> None:
    assert settled([]) == []
    begun = [shard(1, "AUSDT", "BUSDT"), shard(3, "BUSDT", merged_as="all-1"), shard(5, "CUSDT", merged_as="all-1")]
    assert settled(begun) == [begun[0], begun[2]]
    changed = [structs.replace(begun[0], held=["BUSDT", "X"]), structs.replace(begun[1], held=["BUSDT", "Y"])]
    assert [(each.symbols, each.held) for each in settled(changed)] == [
        (["AUSDT", "BUSDT"], ["BUSDT", "X"]),
        ([], ["Y"]),
    ]


@pytest.mark.parametrize(
    ("connections", "problem"),
    [
        ([connection("A-USDT", "Z-USDT")], '"Z-USDT" is not listed (nearest: '),
        ([connection("Z*")], '"Z*" matches no instrument that is traded'),
        ([connection("A*", "!A*")], "selects nothing: everything is excluded"),
        ([connection("*"), connection("X", name="all-2")], '"all-2" is the name of a connection and of a part of'),
        (
            [structs.replace(connection(*[f"S{number}" for number in range(600)]), shard_symbols=1)],
            "more than 500 shards would be needed",
        ),
    ],
)
def test_mistakes_name_the_file_and_the_key(connections: list[ConnectionConfig], problem: str) -> None:
    lists = {} if len(connections[0].symbols) > 2 else {"all": LIST}
    with pytest.raises(ConfigInvalid) as invalid:
        expanded(FoxtrotConfig(connections=connections), EXCHANGES, lists, {}, "f.toml")
    assert str(invalid.value).startswith("f.toml: connections")
    assert problem in str(invalid.value)
