"""Connections with patterns, or with more symbols than one socket holds, become shards."""

from __future__ import annotations

import pytest
from msgspec import structs

from foxtrot_protocol.instruments import Instrument
from foxtrot_supervisor.config.problems import ConfigInvalid
from foxtrot_supervisor.config.schema import ConnectionConfig, ExchangeInfo, FoxtrotConfig
from foxtrot_supervisor.config.shards import (
    SYMBOLS_MAX,
    Shard,
    expanded,
    is_sharded,
    logical_name,
    needs_list,
    symbols_max,
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


def shards_of(
    *connections: ConnectionConfig, present: dict[str, dict[int, list[str]]] | None = None
) -> dict[str, list[str]]:
    config = FoxtrotConfig(connections=list(connections))
    expansion = expanded(config, EXCHANGES, {"all": LIST}, present or {})
    return {each.name: each.symbols for each in expansion.config.connections}


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
    config = FoxtrotConfig(connections=[connection("*"), connection("A", exchange="okx", name="okx")])
    expansion = expanded(config, EXCHANGES, {"all": LIST}, {})
    first, last = expansion.config.connections[0], expansion.config.connections[-1]
    assert isinstance(first, Shard)
    assert (first.shard_of, first.symbols_max, first.symbol_case) == ("all", 3, "upper")
    assert [logical_name(first), logical_name(last)] == ["all", "okx"]
    assert sorted(expansion.placements["all"]) == [1, 2, 3]


def test_symbols_keep_their_shard() -> None:
    present = {"all": {1: ["AUSDT"], 4: ["BUSDT", "GONE"]}}
    assert shards_of(connection("A*", "B*", "C*"), present=present) == {"all-1": ["AUSDT", "CUSDT"], "all-4": ["BUSDT"]}


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
