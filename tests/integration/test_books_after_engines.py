"""Books after the death of engines: handlers know them again soon, and what they know is the exchange's book.

The judge is a client of the simulated exchange of its own, which keeps the book by the documented rules and remembers
what it looked like at each update; the handler keeps one as `docs/events.md` says and writes down what it looks like.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import pytest
from websockets.asyncio.client import connect

from foxtrot_supervisor.config.schema import ConnectionConfig, EngineConfig, FoxtrotConfig
from foxtrot_supervisor.core.targets import Targets
from foxtrot_workers.simulator.server.server import SimulatedExchange
from tests.support.sim_client import FoldedBook, fetch_json
from tests.support.supervisor_process import SupervisorProcess, quick
from tests.support.waiting import wait_until

pytestmark = pytest.mark.timeout(110)

SYMBOLS = ["BTCUSDT", "ETHUSDT"]
TOP = 5
KILLS = 3
LIMIT_S = 20.0

HANDLER = """
import json
import os

from foxtrot_protocol.events import BookSnapshot
from foxtrot_protocol.order_book import OrderBook

class Books:
    def __init__(self, engine):
        self.fd = os.open({path!r}, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        self.books = {{}}
        self.levels = None
        engine.register("eBook.", self.on_book)
        engine.register("eGap.", self.on_gap)
        engine.register("eTick.", self.on_tick)

    def on_book(self, event):
        data = event.data
        book = self.books.setdefault(data.symbol, OrderBook())
        whole = isinstance(data, BookSnapshot)
        change = book.snapshot if whole else book.apply
        change(data.bids, data.asks)
        self.write("book", data.symbol, int(data.last_id), whole, book.best_bids({top}), book.best_asks({top}))

    def on_tick(self, event):
        tick = event.data
        self.write("tick", tick.symbol, all(getattr(tick, f"bid_price_{{n}}") for n in range(1, 6)))

    def on_gap(self, event):
        gap = event.data
        self.write("gap", gap.symbol, int(gap.first_id), int(gap.last_id), gap.filled)

    def write(self, *fields):
        os.write(self.fd, json.dumps([os.getpid(), *fields]).encode() + b"\\n")

    def close(self):
        os.close(self.fd)
"""


class Witness:
    """The exchange's own books: their best levels by the identifier of the update that made them so."""

    def __init__(self, sim: SimulatedExchange) -> None:
        self._sim = sim
        self.tops: dict[str, dict[int, list[list[list[float]]]]] = {symbol: {} for symbol in SYMBOLS}
        self.ready = asyncio.Event()

    async def watch(self) -> None:
        """Until cancelled."""
        streams = "/".join(f"{symbol.lower()}@depth@100ms" for symbol in SYMBOLS)
        async with connect(f"{self._sim.url}/stream?streams={streams}", proxy=None) as stream:
            snapshots = {
                symbol: FoldedBook(await fetch_json(f"{self._sim.rest_url}/api/v3/depth?symbol={symbol}&limit=5000"))
                for symbol in SYMBOLS
            }
            self.ready.set()
            async for frame in stream:
                delta = json.loads(frame)["data"]
                book = snapshots[delta["s"]]
                book.update(delta)
                self.tops[delta["s"]][book.last_id] = [_numbers(side[:TOP]) for side in book.picture()]


def _numbers(levels: list[Any]) -> list[list[float]]:
    return [[float(price), float(size)] for price, size in levels]


class Run:
    """A supervisor with one connection for books of both symbols."""

    def __init__(self, folder: Path, sim: SimulatedExchange, redundancy: Literal[1, 2]) -> None:
        self.path = folder / "written"
        (folder / "book_handler.py").write_text(HANDLER.format(path=str(self.path), top=TOP))
        config = FoxtrotConfig(
            supervisor=quick(start_method="auto", hung_s=20.0, late_s=10.0, restart_intensity=1000, backoff_s=0.01),
            engine=EngineConfig(handlers=["book_handler:Books"]),
            connections=[
                ConnectionConfig(
                    name="books",
                    exchange="binance",
                    channels=["trade", "book"],
                    symbols=SYMBOLS,
                    url=sim.url,
                    rest_url=sim.rest_url,
                    redundancy=redundancy,
                )
            ],
        )
        self.workers = ["books.a", "books.b"][:redundancy]
        self.supervisor = SupervisorProcess(folder, config=config, targets=Targets(), import_path=str(folder))

    def rows(self, kind: str, engine: int | None = None) -> Iterator[list[Any]]:
        """What handlers wrote, of one engine or all: the engine's pid, then the fields."""
        for line in self.path.read_text().splitlines() if self.path.exists() else ():
            row = json.loads(line)
            if row[1] == kind and engine in (None, row[0]):
                yield [row[0], *row[2:]]

    def engine(self) -> int:
        return int(self.supervisor.child("engine")["pid"] or 0)

    def known(self, engine: int, updates: int) -> bool:
        """So many updates of each book, and a full tick of each, have come from this engine."""
        books = [row[1] for row in self.rows("book", engine)]
        ticks = [row[1] for row in self.rows("tick", engine) if row[2]]
        return all(books.count(symbol) > updates and symbol in ticks for symbol in SYMBOLS)

    def kill_engines(self) -> None:
        """Each soon after its handlers have known the books, the first few without waiting for that."""
        before = {name: self.supervisor.child(name) for name in self.workers}
        wait_until(lambda: self.known(self.engine(), 10), LIMIT_S, "the books")
        for number in range(KILLS):
            pid = self.engine()
            os.kill(pid, signal.SIGKILL)
            wait_until(lambda: self.engine() not in (0, pid), LIMIT_S, "the next engine")  # noqa: B023
            if number:
                wait_until(lambda: self.known(self.engine(), 10), LIMIT_S, "the books again")
        for name, child in before.items():
            after = self.supervisor.child(name)
            assert (after["pid"], after["incarnation"]) == (child["pid"], child["incarnation"]), "undisturbed"


def check_gaps(run: Run) -> None:
    """Updates that were not handed over are announced and called filled by the snapshot; nothing else is missing."""
    found = [(row[1], row[2], row[3], row[4]) for row in run.rows("gap")]
    announced = [row[:3] for row in found if not row[3]]
    assert announced == [row[:3] for row in found if row[3]], "the snapshot fills each"
    given = {(row[1], row[2]) for row in run.rows("book")}
    for symbol, first, last in announced:
        assert first <= last
        assert not any(name == symbol and first <= number < last for name, number in given), "exact bounds"


def check(run: Run, witness: Witness) -> None:
    check_gaps(run)
    engines = dict.fromkeys(row[0] for row in run.rows("book"))
    assert len(engines) >= KILLS
    compared = 0
    for engine in engines:
        last: dict[str, int] = {}
        for _, symbol, last_id, whole, bids, asks in run.rows("book", engine):
            assert whole or symbol in last, "a book begins with its snapshot"
            assert last_id >= last.get(symbol, 0), "in order"
            last[symbol] = last_id
            truth = witness.tops[symbol].get(last_id)
            if truth is not None:
                assert [_numbers(bids), _numbers(asks)] == truth, (engine, symbol, last_id)
                compared += 1
    assert compared > 50
    for event in ("account_violated", "batches_lost", "message_rejected", "resync_refused", "frame_rejected"):
        assert run.supervisor.events(event) == []


@pytest.mark.cases(played=1)
@pytest.mark.parametrize("redundancy", [1, 2])
async def test_a_new_engine_knows_the_books_soon_and_right(tmp_path: Path, redundancy: Literal[1, 2]) -> None:
    async with SimulatedExchange(SYMBOLS, rate_per_s=600.0) as sim:
        witness = Witness(sim)
        watching = asyncio.create_task(witness.watch())
        await asyncio.wait_for(witness.ready.wait(), LIMIT_S)

        def live() -> Run:
            run = Run(tmp_path, sim, redundancy)
            with run.supervisor:
                run.supervisor.wait_running()
                run.kill_engines()
            return run

        run = await asyncio.to_thread(live)
        assert not watching.done(), "the judge follows the books itself"
        watching.cancel()
        check(run, witness)
