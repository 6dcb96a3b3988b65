"""What a new instrument list changes: listings, delistings, halts, lists that cannot be true."""

from __future__ import annotations

import pytest
from msgspec import structs

from foxtrot_protocol.instruments import Instrument
from foxtrot_supervisor.config.refreshed import Refreshed, has_pattern, refreshed, sharded
from foxtrot_supervisor.config.schema import ConnectionConfig, ExchangeInfo, FoxtrotConfig
from foxtrot_supervisor.config.shards import expanded, placements_of
from foxtrot_supervisor.markets import placement

EXCHANGES = {"binance": ExchangeInfo(exchange="BINANCE", channels=["trade"], topics_max=2, symbol_case="upper")}


def listing(bases: str, **status: str) -> list[Instrument]:
    return [
        structs.replace(
            Instrument(symbol=f"{base}USDT", instrument=f"{base}-USDT"),
            status=status.get(base, "trading"),  # type: ignore[arg-type]
        )
        for base in bases
    ]


def configured(*entries: str, bases: str = "ABC", names: tuple[str, ...] = ()) -> FoxtrotConfig:
    connections = [ConnectionConfig(name="all", exchange="binance", channels=["trade"], symbols=list(entries))]
    connections += [
        ConnectionConfig(name=name, exchange="binance", channels=["trade"], symbols=["ZUSDT"]) for name in names
    ]
    return expanded(FoxtrotConfig(connections=connections), EXCHANGES, {"all": listing(bases)}, {})


def after(config: FoxtrotConfig, instruments: list[Instrument], **held: list[str]) -> Refreshed:
    present = placements_of(config, lambda name: held.get(name.replace("-", "_"), []))
    return refreshed(config, present, {"all": instruments})


def shards(config: FoxtrotConfig) -> dict[str, list[str]]:
    return {each.name: each.symbols for each in config.connections}


def test_a_listing_fills_a_shard_and_a_delisting_moves_nothing() -> None:
    config = configured("*-USDT")
    assert shards(config) == {"all-1": ["AUSDT", "CUSDT"], "all-2": ["BUSDT"]}
    result = after(config, listing("BCD"))
    assert shards(result.config) == {"all-1": ["CUSDT", "DUSDT"], "all-2": ["BUSDT"]}
    assert (result.listed, result.delisted, result.refused) == ({"all": ["DUSDT"]}, {"all": ["AUSDT"]}, {})


def test_shards_come_and_go_where_the_others_stand() -> None:
    config = configured("*-USDT", names=("last",))
    assert list(shards(after(config, listing("ABCDE")).config)) == ["all-1", "all-2", "all-3", "last"]
    assert shards(after(config, listing("AC")).config) == {"all-1": ["AUSDT", "CUSDT"], "last": ["ZUSDT"]}


def test_what_is_halted_stays_and_what_has_ended_goes() -> None:
    config = configured("*-USDT")
    assert after(config, listing("ABC", A="halted")) == Refreshed(config, {}, {}, {})
    assert after(config, listing("ABC", A="ended")).delisted == {"all": ["AUSDT"]}
    assert after(config, listing("ABCD", D="halted")).listed == {}


def test_symbols_of_operators_stay_until_they_are_delisted() -> None:
    config = configured("*-USDT", "!X*")
    held = {"all_2": ["XUSDT"]}
    assert after(config, listing("ABCX"), **held) == Refreshed(config, {}, {}, {})
    assert after(config, listing("ABC"), **held).delisted == {"all": ["XUSDT"]}


def test_a_list_that_ends_most_symbols_is_not_believed() -> None:
    result = after(configured("*-USDT"), listing("A"))
    assert result.refused == {"all": "the list ends 2 of 3 symbols: not believed"}
    assert "not believed" in after(configured("A*"), listing("B")).refused["all"]


def test_a_part_cannot_take_the_name_of_another_connection() -> None:
    result = after(configured("*-USDT", names=("all-3",)), listing("ABCDE"))
    assert result.refused == {"all": "all-3 is the name of another connection"}
    assert result.listed == {}


def test_a_list_that_needs_too_many_shards_is_refused_and_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(placement, "SHARDS_MAX", 2)
    config = configured("*-USDT")
    assert after(config, listing("ABCD")).refused == {}
    result = after(config, listing("ABCDE"))
    assert result == Refreshed(config, {}, {}, {"all": "more than 2 shards would be needed"})


def test_only_patterns_follow_the_list() -> None:
    named = configured("AUSDT", "BUSDT", "CUSDT")
    assert [has_pattern(sharded(each)["all"]) for each in (named, configured("*"))] == [False, True]
    present = placements_of(named, lambda name: [])
    assert refreshed(named, present, {}) == Refreshed(named, {}, {}, {})
