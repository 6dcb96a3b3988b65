"""An instrument list for the supervisor: one at a time, into a file of this user, or the reason."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import msgspec
import pytest

from foxtrot_protocol.commands import Done, FetchList
from foxtrot_protocol.instruments import Instrument, Listing
from foxtrot_workers.exchanges.binance.adapter import Binance
from foxtrot_workers.feed import list_fetch
from foxtrot_workers.feed.list_fetch import ListFetch
from foxtrot_workers.feed.rate_limit import RateLimitExhausted


class World:
    """A worker whose exchange answers `listing`."""

    class spec:  # noqa: N801 - as the context calls it
        name = "w.a"
        incarnation = 3

    def __init__(self) -> None:
        self.said: list[Done] = []
        self.listing = Listing(instruments=[Instrument(symbol="AUSDT", instrument="A-USDT")])
        self.weights: list[int] = []
        self.exhausted = False
        self.fetch = ListFetch(self, Binance(), self, rest_url="http://r", ca_file=None, proxy=None)  # type: ignore[arg-type]

    def send(self, message: Done) -> None:
        self.said.append(message)

    async def acquire(self, weight: int) -> None:
        self.weights.append(weight)
        if self.exhausted:
            raise RateLimitExhausted("spent", 9.0)

    async def pages(self, adapter: Any, rest_url: str, ca_file: None, proxy: None, acquire: Any) -> Listing:
        await acquire()
        return self.listing

    async def answer(self, command: FetchList) -> str:
        self.fetch.start(command)
        assert self.fetch._task is not None
        await self.fetch._task
        return self.said[-1].error


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    world = World()
    monkeypatch.setattr(list_fetch, "fetch_list", world.pages)
    return world


async def test_a_list_is_written_for_this_user_only(world: World, tmp_path: Path) -> None:
    path = tmp_path / "list.json"
    assert await world.answer(FetchList(7, str(path))) == ""
    assert msgspec.json.decode(path.read_bytes(), type=Listing) == world.listing
    assert os.stat(path).st_mode & 0o777 == 0o600
    assert (world.said, world.weights) == ([Done("w.a", 3, 7, "")], [Binance.limits.instruments_weight])
    assert "exists" in await world.answer(FetchList(8, str(path)))


async def test_without_a_list_the_reason_is_reported(world: World, tmp_path: Path) -> None:
    world.listing = Listing(error="HTTP 503")
    assert await world.answer(FetchList(1, str(tmp_path / "f"))) == "HTTP 503"
    world.exhausted = True
    assert await world.answer(FetchList(2, str(tmp_path / "f"))) == "spent"
    assert os.listdir(tmp_path) == []


async def test_one_list_at_a_time(world: World, tmp_path: Path) -> None:
    await world.fetch.close()
    world.fetch.start(FetchList(1, str(tmp_path / "f")))
    world.fetch.start(FetchList(2, str(tmp_path / "g")))
    assert [(each.request_id, each.error) for each in world.said] == [(2, "a list is being fetched")]
    await world.fetch.close()
    await asyncio.sleep(0)
    assert len(world.said) == 1
