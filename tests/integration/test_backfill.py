"""A single connection whose worker is killed under load: afterwards the handler has had every trade there was.

The judge is the simulated exchange: its identifiers count without a hole, and its ledger knows what nobody was sent.

The long form, some minutes: ``FOXTROT_SLOW=yes .venv/bin/python -m pytest tests/integration/test_backfill.py -k long``
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import pytest

from foxtrot_workers.simulator.market.market import MarketOptions
from foxtrot_workers.simulator.server.faults import Fault
from foxtrot_workers.simulator.server.server import SimulatedExchange
from tests.support.delivery_run import DeliveryRun
from tests.support.waiting import wait_until

pytestmark = pytest.mark.timeout(110)

SYMBOL = "BTCUSDT"
NAME = "btcusdt.a"
STREAM = "btcusdt@trade"
RATE_PER_S = 2000.0
LIMIT_S = 30.0

Body = Callable[[DeliveryRun, SimulatedExchange], None]


async def run_healing(folder: Path, body: Body, redundancy: Literal[1, 2] = 1) -> None:
    """`body` does the damage; then everything must be healed, and everything said of it be true."""
    history = MarketOptions(history_max=200_000)  # on a busy machine a hole may have to wait for a while
    async with SimulatedExchange([SYMBOL], rate_per_s=RATE_PER_S, market_options=history) as sim:

        def whole() -> None:
            with DeliveryRun(folder, sim, [SYMBOL], backfill=True, redundancy=redundancy) as run:
                run.more(SYMBOL, 100)
                body(run, sim)
                run.more(SYMBOL, 100)
                healed(run)
                finish(run)
                check(run, sim)

        await asyncio.to_thread(whole)


def figures(run: DeliveryRun) -> dict[str, Any]:
    found: dict[str, Any] = run.supervisor.status()["backfills"][0]
    return found


def healed(run: DeliveryRun) -> dict[str, Any]:
    """Wait until nothing waits to be fetched."""

    def look() -> dict[str, Any]:
        found = figures(run)
        told = found["holes_total"] >= max(1, len(run.gaps()))
        return found if told and not found["waiting"] and not found["in_hand"] else {}

    found: dict[str, Any] = wait_until(look, LIMIT_S, "every hole to be filled")
    return found


def finish(run: DeliveryRun) -> None:
    """Nothing new from here on, and all that is there is handled."""
    for name in run.workers:
        run.kill(name, signal.SIGSTOP)
    for name in run.workers:
        run.settled(name)


def numbers(gaps: Sequence[Sequence[str]]) -> list[int]:
    """All identifiers in these bounds."""
    return [number for _, first, last in gaps for number in range(int(first), int(last) + 1)]


def check(run: DeliveryRun, sim: SimulatedExchange) -> None:
    seen: set[int] = set()
    handled = []
    for each in run.handled(SYMBOL):
        assert each.trade_id not in seen or each.redelivered, "nothing twice, but what an engine had in hand"
        if each.trade_id not in seen:
            seen.add(each.trade_id)
            handled.append(each)
    got = [each.trade_id for each in handled]
    first, last = min(got), max(got)
    assert set(got) == set(range(first, last + 1)), "nothing is missing"
    made = sim.ledger.made_range(STREAM)
    assert made is not None
    assert made[0] <= first
    assert last <= made[1]
    live = [each.trade_id for each in handled if not each.backfilled]
    assert live == sorted(live), "the live stream in order"
    assert set(live) <= sim.ledger.sent_to_any(STREAM), "what nobody was sent is marked"
    fetched = {each.trade_id for each in handled if each.backfilled}
    announced, filled = numbers(run.gaps()), numbers(run.gaps(filled=True))
    assert len(announced) == len(set(announced)), "each hole is announced once"
    assert set(announced) == fetched, "no more and no less was announced than was missing"
    assert sorted(filled) == sorted(announced), "and all of it was called filled, once"
    unheard = sim.ledger.unheard(STREAM)
    missed = {n for each in unheard for n in range(max(each.first_id, first), min(each.last_id, last) + 1)}
    assert missed, "nothing was missed: nothing was shown"
    assert missed <= fetched
    ended = figures(run)
    assert (ended["filled_total"], ended["given_up_total"]) == (ended["holes_total"], 0)
    assert all(run.supervisor.child(name)["lost_total"] == 0 for name in run.workers)
    for event in ("account_violated", "batches_lost", "message_rejected", "hole_stays"):
        assert run.supervisor.events(event) == []


async def test_after_many_deaths_nothing_is_missing(tmp_path: Path) -> None:
    def kill_again_and_again(run: DeliveryRun, sim: SimulatedExchange) -> None:
        for number in range(6):
            pid = run.kill(NAME)
            run.replaced(NAME, pid)
            run.more(SYMBOL, 20 if number % 2 else 300)  # now and then before the hole is filled

    await run_healing(tmp_path, kill_again_and_again)


async def test_twins_that_die_together_leave_nothing_missing(tmp_path: Path) -> None:
    def kill_both(run: DeliveryRun, sim: SimulatedExchange) -> None:
        for _ in range(3):
            pids = {name: run.kill(name) for name in run.workers}
            for name, pid in pids.items():
                run.replaced(name, pid)
            run.more(SYMBOL, 200)

    await run_healing(tmp_path, kill_both, redundancy=2)


async def test_an_exchange_that_refuses_for_a_while_only_delays_it(tmp_path: Path) -> None:
    def refuse(run: DeliveryRun, sim: SimulatedExchange) -> None:
        sim.inject(
            Fault(kind="rest_refuse", topic="historicalTrades", status=503),
            Fault(kind="rest_refuse", topic="historicalTrades", status=429, retry_after_s=1.0),
            Fault(kind="rest_refuse", topic="historicalTrades", status=418, retry_after_s=1.0),
        )
        run.replaced(NAME, run.kill(NAME))
        ended = healed(run)
        assert ended["attempts_total"] == ended["holes_total"] + 3

    await run_healing(tmp_path, refuse)


async def test_a_worker_that_dies_while_it_fills_a_hole_leaves_it_to_the_next(tmp_path: Path) -> None:
    def kill_both(run: DeliveryRun, sim: SimulatedExchange) -> None:
        sim.inject(Fault(kind="rest_stall", topic="historicalTrades", duration_s=2.0, count=2))
        run.replaced(NAME, run.kill(NAME))
        wait_until(lambda: figures(run)["in_hand"], LIMIT_S, "a hole in hand")
        run.replaced("engine", run.kill("engine"))
        wait_until(lambda: figures(run)["in_hand"], LIMIT_S, "a hole in hand, still or again")
        run.replaced(NAME, run.kill(NAME))

    await run_healing(tmp_path, kill_both)


@pytest.mark.skipif(os.environ.get("FOXTROT_SLOW") != "yes", reason='slow; FOXTROT_SLOW is not "yes"')
@pytest.mark.timeout(1200)
@pytest.mark.parametrize(("redundancy", "kills"), [(1, 200), (2, 100)])
async def test_a_long_campaign_leaves_nothing_missing(tmp_path: Path, redundancy: Literal[1, 2], kills: int) -> None:
    """Kills at random moments, the exchange refusing now and then, the engine dying now and then."""
    chance = random.Random(7)

    def kill_and_refuse(run: DeliveryRun, sim: SimulatedExchange) -> None:
        for _ in range(kills):
            pids = {name: run.kill(name) for name in run.workers}
            for name, pid in pids.items():
                run.replaced(name, pid)
            run.more(SYMBOL, chance.choice([1, 20, 100, 300]))
            if chance.random() < 0.2:
                status = chance.choice([503, 429])
                sim.inject(Fault(kind="rest_refuse", topic="historicalTrades", status=status, retry_after_s=1.0))
            if chance.random() < 0.1:
                run.replaced("engine", run.kill("engine"))

    await run_healing(tmp_path, kill_and_refuse, redundancy=redundancy)
