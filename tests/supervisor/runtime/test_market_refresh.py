"""When lists are read again, and what is reported where they cannot be used; test_shards has the whole way."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec import structs

from foxtrot_protocol.instruments import Instrument, Listing
from foxtrot_supervisor.config.schema import ConnectionConfig, ExchangeInfo, FoxtrotConfig, SupervisorConfig
from foxtrot_supervisor.config.shards import expanded
from foxtrot_supervisor.core.child_specs import ChildSpecs, Surroundings
from foxtrot_supervisor.core.lifecycle import State
from foxtrot_supervisor.core.records import ChildPlan, ChildRecord
from foxtrot_supervisor.core.targets import Targets
from foxtrot_supervisor.runtime import market_refresh
from foxtrot_supervisor.runtime.active_config import ActiveConfig
from foxtrot_supervisor.runtime.market_refresh import MarketRefresh
from foxtrot_supervisor.runtime.timers import Timers
from tests.support.waiting import wait_until_async

EXCHANGES = {"binance": ExchangeInfo(exchange="BINANCE", channels=["trade"], topics_max=2, symbol_case="upper")}
AROUND = Surroundings(run_id="r", run_dir="/r", parent_pid=1, import_path="", log_level="info", log_format="json")


def instruments(bases: str) -> list[Instrument]:
    return [Instrument(symbol=f"{base}USDT", instrument=f"{base}-USDT") for base in bases]


class World:
    """A run whose workers write `listing`, and what it is asked for."""

    def __init__(self, folder: Path) -> None:
        connection = ConnectionConfig(name="all", exchange="binance", channels=["trade"], symbols=["*"])
        config = FoxtrotConfig(connections=[connection], supervisor=SupervisorConfig(markets_refresh_s=0.01))
        config = expanded(config, EXCHANGES, {"all": instruments("ABC")}, {})
        self.active = ActiveConfig(config, ChildSpecs(config, AROUND, Targets()))
        self.state = State.RUNNING
        self.bases, self.error = "ABCD", ""
        self.content: bytes | None = None
        self.fetched = 0
        self.ended: list[tuple[str, list[str]]] = []
        self.is_under_way = False
        self.refusal = "a reload is under way"
        self.refused = ""
        self.timers = Timers()
        self.refresh = MarketRefresh(
            self.active,
            lambda name: ChildRecord(plan=ChildPlan(name=name, tier=2), state=self.state, incarnation=1),
            self,  # type: ignore[arg-type]
            self,  # type: ignore[arg-type]
            self,  # type: ignore[arg-type]
            str(folder),
            self.timers,
            self,  # type: ignore[arg-type]
        )

    async def fetch_list(self, name: str, path: str, limit_s: float) -> str:
        self.fetched += 1
        if not self.error:
            content = msgspec.json.encode(Listing(instruments=instruments(self.bases)))
            with open(path, "wb") as file:  # noqa: ASYNC230 - a few bytes
                file.write(self.content or content)
        return self.error

    async def change(self, name: str, symbols: list[str], *, added: bool, delisted: bool) -> list[str]:
        assert delisted
        assert not added
        self.ended.append((name, symbols))
        return symbols

    def figures(self, connection: str) -> dict[str, Any]:
        return {"splits_total": 2}

    def put_in_force(self, config: FoxtrotConfig) -> str | None:
        if not self.refused:
            self.active.adopt(config, self.active.specs.succeeded_by(config))
        return self.refused or None

    def info(self, event: str, **fields: Any) -> None: ...
    def warning(self, event: str, **fields: Any) -> None: ...

    def all(self) -> dict[str, Any]:
        return dict(self.refresh.figures()["all"])


@pytest.fixture
async def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(market_refresh, "RETRY_S", 0.01)
    (tmp_path / "run").mkdir(mode=0o700)
    world = World(tmp_path / "run")
    yield world
    world.refresh.close()
    world.timers.close()
    await asyncio.sleep(0)
    assert os.listdir(tmp_path / "run") == []


async def test_listings_and_delistings_are_put_in_force_and_shown(world: World) -> None:
    assert world.all()["refreshed_at"] is None
    world.bases = "BCD"
    world.refresh.adopted({})
    await wait_until_async(lambda: world.all()["delisted_total"], what="the refresh")
    figures = world.all()
    assert (figures["symbols"], figures["listed"], figures["delisted"]) == (3, ["DUSDT"], ["AUSDT"])
    assert figures["refreshed_at"] > 0
    assert world.ended == [("all-1.a", ["AUSDT"]), ("all-1.b", ["AUSDT"])]


@pytest.mark.parametrize(
    ("setting", "value", "error"),
    [
        ("error", "HTTP 503", "HTTP 503"),
        ("content", b"<html>", "the list cannot be read: JSON is malformed"),
        ("state", State.BACKOFF, "no worker runs"),
        ("bases", "A", "the list ends 2 of 3 symbols: not believed"),
        ("is_under_way", True, "a reload is under way"),
        ("refused", "stopping", "stopping"),
    ],
)
async def test_a_list_that_cannot_be_used_changes_nothing_and_is_fetched_again(
    world: World, setting: str, value: Any, error: str
) -> None:
    setattr(world, setting, value)
    world.refresh.start()
    await wait_until_async(lambda: world.all()["error"].startswith(error), what="the reason")
    assert (world.all()["symbols"], world.ended) == (3, [])
    setattr(world, setting, getattr(World, setting, "") if setting != "state" else State.RUNNING)
    world.bases, world.is_under_way, world.content = "ABCD", False, None
    await wait_until_async(lambda: world.all()["listed_total"] == 1, what="the next refresh")
    assert world.all()["error"] == ""


async def test_zero_is_never(world: World) -> None:
    config = world.active.config
    supervisor = structs.replace(config.supervisor, markets_refresh_s=0.0)
    world.active.adopt(structs.replace(config, supervisor=supervisor), world.active.specs)
    world.refresh.start()
    await asyncio.sleep(0.05)
    assert world.fetched == 0
