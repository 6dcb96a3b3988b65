"""What is promised about delivery, with real processes that are killed and stopped under load.

The judges: the simulated exchange's ledger (what each connection was sent), the ring's own marks (what the worker had
committed), and a handler that writes down each trade.
"""

from __future__ import annotations

import asyncio
import random
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import pytest

from foxtrot_protocol.control import RestartRequest, StopWorkersRequest
from foxtrot_protocol.endpoints import Transport
from foxtrot_supervisor.config.schema import RingConfig
from foxtrot_workers.simulator.server.server import SimulatedExchange
from tests.support.delivery_run import DeliveryRun, Handled
from tests.support.waiting import wait_until

pytestmark = pytest.mark.timeout(110)

SYMBOLS = ["BTCUSDT", "ETHUSDT"]
RATE_PER_S = 3000.0
LIMIT_S = 20.0

OVER_BOTH = pytest.mark.parametrize(
    "transport", ["zeromq", *(pytest.param(name, marks=pytest.mark.variant) for name in get_args(Transport)[1:])]
)


def check_worker_kills(run: DeliveryRun, sim: SimulatedExchange, ended: dict[str, Any]) -> None:
    """Everything committed was handled, once, in order: of each connection a beginning of what it was sent."""
    for name, symbol in run.workers.items():
        got = [each.trade_id for each in run.handled(symbol)]
        assert got == sorted(set(got)), f"{symbol}: in order, nothing twice"
        stream = f"{symbol.lower()}@trade"
        heard = [sim.ledger.sent(record.number, stream) for record in sim.ledger.connections()]
        left, pieces = set(got), 0
        for sent in filter(None, heard):
            mine = [trade_id for trade_id in sent if trade_id in left]
            assert mine == sent[: len(mine)], f"{symbol}: no hole in what a connection brought"
            left.difference_update(mine)
            pieces += 1
        assert not left, "nothing but what was sent"
        assert pieces > 1
        worker = ended[name]
        assert worker["committed_total"] == worker["applied_total"], "all that the worker had parsed"
        assert worker["applied_total"] >= len(got), "over all incarnations"
        assert (worker["lost_total"], worker["redelivered_total"]) == (0, 0)
    assert run.supervisor.events("account_violated") == []
    for event in ("batches_lost", "message_rejected", "ring_unreadable"):
        assert run.supervisor.events(event) == []


def kill_workers(run: DeliveryRun, seed: int, kills: int, *, engine_stopped: bool = False) -> dict[str, Any]:
    """SIGKILL workers in turn, each at a random moment of its load; the workers' status when all is quiet."""
    chance = random.Random(seed)
    names = list(run.workers)
    for number in range(kills):
        name = names[number % len(names)]
        run.more(run.workers[name], chance.randrange(1, 200))
        if engine_stopped:
            engine = run.kill("engine", signal.SIGSTOP)
            run.committed_more(name, 3000)  # more than ZeroMQ or the doorbell holds
        pid = run.kill(name)
        run.replaced(name, pid)
        if engine_stopped:
            run.kill("engine", signal.SIGCONT)
            assert engine == run.supervisor.child("engine")["pid"]
    return finish(run)


def finish(run: DeliveryRun) -> dict[str, Any]:
    """Stop the workers where they are: then status tells final figures."""
    for symbol in run.workers.values():
        run.more(symbol, 10)
    ended = {}
    for name in run.workers:
        pid = run.kill(name, signal.SIGSTOP)  # nothing new from here on
        ended[name] = run.settled(name)
        assert ended[name]["pid"] == pid
    return ended


async def run_worker_kills(folder: Path, kills: int, **options: Any) -> None:
    engine_stopped = bool(options.pop("engine_stopped", False))
    async with SimulatedExchange(SYMBOLS, rate_per_s=RATE_PER_S) as sim:

        def body() -> None:
            with DeliveryRun(folder, sim, SYMBOLS, **options) as run:
                ended = kill_workers(run, seed=4, kills=kills, engine_stopped=engine_stopped)
                check_worker_kills(run, sim, ended)

        await asyncio.to_thread(body)


@OVER_BOTH
async def test_twenty_killed_workers_lose_nothing_that_they_had_parsed(tmp_path: Path, transport: Transport) -> None:
    await run_worker_kills(tmp_path, kills=20, transport=transport)


@OVER_BOTH
async def test_workers_killed_while_the_engine_stands_still_lose_nothing(tmp_path: Path, transport: Transport) -> None:
    await run_worker_kills(tmp_path, kills=2, engine_stopped=True, transport=transport)


async def test_without_the_ring_the_same_test_fails(tmp_path: Path) -> None:
    # an engine that cannot read rings believes no batch: it loses some, or none arrives any more
    with pytest.raises(AssertionError, match=r"all that the worker had parsed|rings to be empty|no hole|more of"):
        await run_worker_kills(
            tmp_path,
            kills=1,
            engine_stopped=True,
            engine="tests.support.broken_delivery:without_ring",
            settle_s=3.0,
        )


def check_engine_kills(run: DeliveryRun, sim: SimulatedExchange, ended: dict[str, Any], kills: int) -> None:
    """Nothing lost; what came again is marked, and there is at most one marked batch for each kill."""
    for name, symbol in run.workers.items():
        handled = run.handled(symbol)
        first: dict[int, Handled] = {}
        order = []
        for each in handled:
            if each.trade_id in first:
                assert each.redelivered, f"{symbol} {each.trade_id} came again unmarked"
                assert each.engine != first[each.trade_id].engine, "again from another engine only"
            else:
                first[each.trade_id] = each
                order.append(each.trade_id)
        (sent,) = [
            ids
            for record in sim.ledger.connections()
            if (ids := sim.ledger.sent(record.number, f"{symbol.lower()}@trade"))
        ]
        assert order == sent[: len(order)], f"{symbol}: no hole, in order"
        worker = ended[name]
        assert worker["committed_total"] == worker["applied_total"] > len(order) // 2
        assert worker["lost_total"] == 0
    marked = {
        (symbol, each.engine, each.publish_ns)
        for symbol in run.workers.values()
        for each in run.handled(symbol)
        if each.redelivered
    }
    assert len(marked) <= kills, "at most one batch for each kill"


async def run_engine_kills(folder: Path, kills: int, **options: Any) -> None:
    async with SimulatedExchange(SYMBOLS, rate_per_s=RATE_PER_S / 2) as sim:

        def body() -> None:
            with DeliveryRun(folder, sim, SYMBOLS, nap=(7, 0.001), **options) as run:
                chance = random.Random(5)
                before = {name: run.supervisor.child(name) for name in run.workers}
                for _ in range(kills):
                    run.more(SYMBOLS[0], chance.randrange(1, 200))
                    pid = run.kill("engine")
                    run.replaced("engine", pid)
                for symbol in SYMBOLS:
                    run.more(symbol, 10)
                ended = finish(run)
                for name, worker in ended.items():
                    assert (worker["pid"], worker["incarnation"]) == (before[name]["pid"], 1), "undisturbed"
                check_engine_kills(run, sim, ended, kills)

        await asyncio.to_thread(body)


@OVER_BOTH
async def test_ten_killed_engines_lose_nothing_and_give_again_one_marked_batch_at_most(
    tmp_path: Path, transport: Transport
) -> None:
    await run_engine_kills(tmp_path, kills=10, transport=transport)


async def test_with_an_early_tail_the_same_test_fails(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="no hole"):
        await run_engine_kills(tmp_path, kills=4, engine="tests.support.broken_delivery:early_tail")


async def test_a_worker_that_dies_while_there_is_no_engine_is_replayed_by_the_next(tmp_path: Path) -> None:
    async with SimulatedExchange(SYMBOLS, rate_per_s=RATE_PER_S) as sim:

        def body() -> None:
            with DeliveryRun(tmp_path, sim, SYMBOLS) as run:
                name = next(iter(run.workers))
                run.more(SYMBOLS[0], 50)
                engine, worker = run.kill("engine", signal.SIGSTOP), run.kill(name, signal.SIGSTOP)
                run.kill("engine"), run.kill(name)
                run.replaced("engine", engine)
                run.replaced(name, worker)
                ended = finish(run)
                assert ended[name]["committed_total"] == ended[name]["applied_total"]
                for number, symbol in enumerate(SYMBOLS):
                    ids = [each.trade_id for each in run.handled(symbol) if not each.redelivered]
                    assert ids == sorted(set(ids)), number
                assert list(run.supervisor.run_dir.glob(f"ring-{name}-1")) == [], "drained, then removed"

        await asyncio.to_thread(body)


@pytest.mark.parametrize(
    ("ring", "exact"), [(RingConfig(size_mib=4), False), (RingConfig(size_mib=1, full_wait_s=0.2), True)]
)
async def test_an_engine_that_stands_still_loses_nothing_or_it_is_announced_exactly(
    tmp_path: Path, ring: RingConfig, exact: bool
) -> None:
    async with SimulatedExchange(["BTCUSDT"], rate_per_s=0.0 if exact else 8000.0) as sim:

        def body() -> None:
            with DeliveryRun(tmp_path, sim, ["BTCUSDT"], ring=ring) as run:
                run.more("BTCUSDT", 100)
                run.kill("engine", signal.SIGSTOP)
                seen = wait_until(
                    lambda: (child := run.supervisor.child("btcusdt.a"))["rss_bytes"] and child, LIMIT_S, "a heartbeat"
                )
                wait_until(
                    lambda: (
                        run.supervisor.child("btcusdt.a")["dropped_total"] > 1000
                        if exact
                        else run.supervisor.child("btcusdt.a")["committed_total"] > seen["committed_total"] + 12_000
                    ),
                    LIMIT_S,
                    "the load of a stopped engine",
                )
                grown = run.supervisor.child("btcusdt.a")["rss_bytes"] - seen["rss_bytes"]
                assert grown < (ring.size_mib + 12) * 1024 * 1024, "memory is bounded by the ring"
                run.kill("engine", signal.SIGCONT)
                if exact:
                    wait_until(run.gaps, LIMIT_S, "the gap")
                ended = finish(run)["btcusdt.a"]
                assert ended["committed_total"] == ended["applied_total"]
                got = [each.trade_id for each in run.handled("BTCUSDT")]
                assert got == sorted(set(got))
                missing = set(range(got[0], got[-1] + 1)) - set(got)
                announced = {n for _, first, last in run.gaps() for n in range(int(first), int(last) + 1)}
                assert missing == {n for n in announced if n < got[-1]}, "announced exactly"
                assert bool(missing) == exact

        await asyncio.to_thread(body)


# ---- twins


def check_twins(run: DeliveryRun, ended: dict[str, Any], *, holes: bool = False) -> None:
    """Each trade once and in order; what is missing is what was announced, to the last one."""
    for symbol in set(run.workers.values()):
        handled = run.handled(symbol)
        first: dict[int, Handled] = {}
        for each in handled:
            assert each.trade_id not in first or each.redelivered, f"{symbol} {each.trade_id} came twice, unmarked"
            first.setdefault(each.trade_id, each)
        order = list(first)
        assert order == sorted(order), f"{symbol}: in order"
        missing = set(range(order[0], order[-1] + 1)) - set(order)
        announced = [
            number for name, begin, end in run.gaps() if name == symbol for number in range(int(begin), int(end) + 1)
        ]
        assert len(announced) == len(set(announced)), "announced once"
        assert missing == set(announced), f"{symbol}: announced exactly"
        assert bool(missing) == holes
    for name, worker in ended.items():
        accounted = sum(worker[f"{part}_total"] for part in ("applied", "deduplicated", "superseded", "lost"))
        assert worker["committed_total"] == accounted, name
        assert worker["lost_total"] == 0
        # a side that is always first has no copies, one that is always second has nothing else
        assert worker["wins_total"] + worker["deduplicated_total"] > 0
    for part in ("wins_total", "deduplicated_total"):
        assert sum(worker[part] for worker in ended.values()) > 0
    for event in ("account_violated", "batches_lost", "message_rejected", "ring_unreadable", "positions_damaged"):
        assert run.supervisor.events(event) == []


async def run_twins(folder: Path, body: Callable[[DeliveryRun], None], *, holes: bool = False, **options: Any) -> None:
    async with SimulatedExchange(["BTCUSDT"], rate_per_s=RATE_PER_S / 2) as sim:

        def live() -> None:
            with DeliveryRun(folder, sim, ["BTCUSDT"], redundancy=2, **options) as run:
                body(run)
                check_twins(run, finish(run), holes=holes)

        await asyncio.to_thread(live)


def kill_twins_in_turn(run: DeliveryRun, kills: int = 12) -> None:
    chance = random.Random(6)
    for number in range(kills):
        name = list(run.workers)[number % 2]
        run.more("BTCUSDT", chance.randrange(1, 200))
        run.replaced(name, run.kill(name))


def kill_engines(run: DeliveryRun) -> None:
    chance = random.Random(7)
    before = {name: run.supervisor.child(name)["pid"] for name in run.workers}
    for _ in range(4):
        run.more("BTCUSDT", chance.randrange(1, 200))
        run.replaced("engine", run.kill("engine"))
    run.more("BTCUSDT", 50)
    assert before == {name: run.supervisor.child(name)["pid"] for name in run.workers}, "undisturbed"


async def test_twins_killed_in_turn_lose_nothing_and_give_nothing_twice(tmp_path: Path) -> None:
    await run_twins(tmp_path, kill_twins_in_turn)


async def test_a_twin_that_an_operator_stops_and_restarts_loses_nothing(tmp_path: Path) -> None:
    def stop_one(run: DeliveryRun) -> None:
        name = list(run.workers)[1]
        run.more("BTCUSDT", 100)
        reply = run.supervisor.ask(StopWorkersRequest([name]))
        assert (reply.error, reply.data["workers"][0]["rung"]) == ("", "ask")
        run.more("BTCUSDT", 100)
        stopped = run.supervisor.child(name)
        assert (stopped["state"], stopped["desired"], stopped["ring_used_bytes"]) == ("STOPPED", "STOPPED", 0)
        assert run.supervisor.ask(RestartRequest(name)).error == ""
        run.more("BTCUSDT", 100)

    await run_twins(tmp_path, stop_one)


async def test_what_both_killed_twins_missed_is_announced_exactly(tmp_path: Path) -> None:
    def kill_both(run: DeliveryRun) -> None:
        for _ in range(3):
            run.more("BTCUSDT", 100)
            for name, pid in [(name, run.kill(name)) for name in run.workers]:
                run.replaced(name, pid)

    await run_twins(tmp_path, kill_both, holes=True)


async def test_killed_engines_know_the_copies_of_what_those_before_have_handled(tmp_path: Path) -> None:
    # a handler that is slow at times: rings hold copies of what was handled
    await run_twins(tmp_path, kill_engines, nap=(7, 0.001))


async def test_without_deduplication_the_same_test_fails(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="came twice"):
        await run_twins(
            tmp_path,
            lambda run: kill_twins_in_turn(run, kills=1),
            engine="tests.support.broken_delivery:without_deduplication",
        )
