"""Time and state of a simulated exchange, over REST."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, cast

import pytest

from foxtrot_workers.adapter.adapter import Adapter
from foxtrot_workers.exchanges.binance.adapter import Binance
from foxtrot_workers.exchanges.bybit.adapter import Bybit
from foxtrot_workers.exchanges.kraken.adapter import Kraken
from foxtrot_workers.exchanges.okx.adapter import Okx
from foxtrot_workers.feed import system_requests
from foxtrot_workers.feed.system_requests import SystemRequests
from foxtrot_workers.http.client import HttpClient
from foxtrot_workers.simulator.server.faults import Fault
from foxtrot_workers.simulator.server.server import SimulatedExchange
from foxtrot_workers.simulator.venues.options import ExchangeName
from tests.support.waiting import wait_until_async

VENUES: list[tuple[type[Adapter], ExchangeName]] = [
    (Binance, "binance"),
    (Okx, "okx"),
    (Bybit, "bybit"),
    (Kraken, "kraken"),
]


class NoLimit:
    """Counts what was spent."""

    def __init__(self) -> None:
        self.spent = 0

    async def acquire(self, weight: int = 1) -> None:
        self.spent += weight


@pytest.fixture
def limit() -> NoLimit:
    return NoLimit()


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(system_requests, "CLOCK_FIRST_S", 0.0)


@pytest.fixture
async def ask(limit: NoLimit) -> AsyncIterator[Any]:
    made: list[SystemRequests] = []

    def make(adapter: Adapter, url: str) -> SystemRequests:
        made.append(SystemRequests(adapter, cast(Any, limit), lambda: HttpClient(url, None, None)))
        return made[-1]

    yield make
    for each in made:
        await each.close()


@pytest.mark.parametrize("ahead_s", [2.0, -2.0])
@pytest.mark.parametrize(("adapter", "name"), VENUES[:3])
async def test_the_offset_of_a_clock(
    adapter: type[Adapter], name: ExchangeName, ahead_s: float, ask: Any, limit: NoLimit
) -> None:
    async with SimulatedExchange(exchange=name, clock_ahead_s=ahead_s) as sim:
        requests = ask(adapter(), sim.rest_url)
        requests.start_clock()
        await wait_until_async(lambda: requests.offset is not None, 20.0, "the offset")
        assert abs(requests.offset.offset_ns / 1e9 + ahead_s) <= requests.offset.error_ns / 1e9 + 0.002
        assert limit.spent == 3
        await requests.close()


@pytest.mark.parametrize(("adapter", "name"), VENUES)
async def test_maintenance(adapter: type[Adapter], name: ExchangeName, ask: Any) -> None:
    async with SimulatedExchange(exchange=name) as sim:
        requests = ask(adapter(), sim.rest_url)
        assert await requests.maintenance() == ""
        sim.inject(Fault(kind="maintenance", reason="new engine"))
        assert await requests.maintenance() == ("maintenance" if name == "kraken" else "new engine")
        answers: list[str] = []
        requests.ask_maintenance(answers.append)
        await wait_until_async(lambda: bool(answers), 20.0, "the answer")
        sim.faults.clear()
        assert await requests.maintenance() == ""
        sim.inject(Fault(kind="rest_body", count=1))
        assert await requests.maintenance() == "", "a captive portal says nothing"


async def test_who_cannot_be_asked(ask: Any) -> None:
    nobody = ask(Binance(), "http://127.0.0.1:9")
    assert await nobody.maintenance() == ""
    nobody.start_clock()
    kraken = ask(Kraken(), "http://127.0.0.1:9")
    kraken.start_clock()
    await nobody.close()
    assert (nobody.offset, kraken.offset) == (None, None)
