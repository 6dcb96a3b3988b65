"""Which list resolves the symbols: a young one, a fetched one, an old one where the exchange does not answer."""

from __future__ import annotations

import time
from pathlib import Path

import msgspec
import pytest

from foxtrot_protocol.instruments import Instrument
from foxtrot_supervisor.config import markets
from foxtrot_supervisor.config.markets import FRESH_S, Markets
from foxtrot_supervisor.config.problems import ConfigInvalid
from foxtrot_supervisor.config.schema import ConnectionConfig, ExchangeInfo, FoxtrotConfig
from foxtrot_supervisor.markets.market_list import ListSource, ListUnavailable, MarketList

EXCHANGES = {
    "binance": ExchangeInfo(exchange="BINANCE", channels=["trade"], symbol_case="upper", symbols_have_dashes=False),
    "sim": ExchangeInfo(exchange="SIM", channels=["trade"], symbol_case="upper"),
}


def config(*symbols: str, exchange: str = "binance") -> FoxtrotConfig:
    connection = ConnectionConfig(name="all", exchange=exchange, channels=["trade"], symbols=list(symbols))
    return FoxtrotConfig(connections=[connection])


class World:
    """An exchange's list, and what people are told."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.said: list[str] = []
        self.asked: list[ListSource] = []
        self.bases = "AB"
        self.problem = ""
        self.markets = Markets(str(folder), self.said.append)

    def fetch(self, source: ListSource, directory: str, now: float) -> MarketList:
        self.asked.append(source)
        if self.problem:
            raise ListUnavailable(self.problem)
        return self.listed(now)

    def listed(self, at: float) -> MarketList:
        instruments = [Instrument(symbol=f"{base}USDT", instrument=f"{base}-USDT") for base in self.bases]
        return MarketList(exchange="binance", fetched_at=at, instruments=instruments)

    def keep(self, age_s: float) -> None:
        (self.folder / "markets-binance.json").write_bytes(msgspec.json.encode(self.listed(time.time() - age_s)))

    def shards(self, *symbols: str, online: bool = True) -> dict[str, list[str]]:
        resolved = self.markets.resolve(config(*symbols), EXCHANGES, "f.toml", online=online)
        return {each.name: each.symbols for each in resolved.connections}


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    world = World(tmp_path)
    monkeypatch.setattr(markets, "fetch", world.fetch)
    return world


def test_the_exchange_is_asked_where_no_young_list_is_kept(world: World) -> None:
    assert world.shards("*") == {"all-1": ["AUSDT", "BUSDT"]}
    assert world.said == ["binance: fetching the list of instruments", "all: 2 symbols on 1 worker(s)"]
    world.keep(60.0)
    assert world.shards("*") == {"all-1": ["AUSDT", "BUSDT"]}
    assert len(world.asked) == 1
    world.keep(2 * FRESH_S)
    world.shards("*")
    assert len(world.asked) == 2


def test_an_old_list_is_used_where_the_exchange_does_not_answer(world: World) -> None:
    world.keep(3 * FRESH_S)
    world.problem = "no route to host"
    assert world.shards("a-usdt".upper()) == {"all": ["AUSDT"]}
    assert "binance: the list of instruments is 3 h old: no route to host" in world.said


def test_without_any_list_a_start_says_why(world: World) -> None:
    world.problem = "no route to host"
    with pytest.raises(ListUnavailable) as failure:
        world.shards("*")
    assert str(failure.value) == (
        "f.toml: connections[0].symbols: cannot be resolved without the list of instruments: no route to host"
    )


def test_a_reload_asks_nobody_and_moves_no_symbol(world: World) -> None:
    with pytest.raises(ConfigInvalid, match="`foxtrot-supervisor markets binance` fetches it"):
        world.shards("*", online=False)
    world.keep(3 * FRESH_S)
    assert world.shards("A*", online=False) == {"all-1": ["AUSDT"]}
    assert world.shards("A*", "B*", online=False) == {"all-1": ["AUSDT", "BUSDT"]}
    assert world.asked == []


def test_symbols_need_no_list(world: World) -> None:
    assert world.shards("AUSDT") == {"all": ["AUSDT"]}
    assert world.asked == []


def test_the_embedded_exchange_has_no_list_yet(world: World) -> None:
    with pytest.raises(ListUnavailable, match="name the symbols"):
        world.markets.resolve(config("*", exchange="sim"), EXCHANGES, online=True)


def test_one_list_serves_several_connections(world: World) -> None:
    both = FoxtrotConfig(
        connections=[
            ConnectionConfig(name=name, exchange="binance", channels=["trade"], symbols=["*"]) for name in "ab"
        ]
    )
    assert len(world.markets.resolve(both, EXCHANGES, online=True).connections) == 2
    assert len(world.asked) == 1
