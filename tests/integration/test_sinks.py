"""Sinks with real processes that are killed under load: rows = the exchange's ledger, no double, no hole.

The judges: the simulated exchange's ledger, what the handlers of the engine were given, and a sink that writes each
row with one system call.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from foxtrot_supervisor.config.schema import SinkConfig
from foxtrot_workers.simulator.server.server import SimulatedExchange
from tests.support.delivery_run import DeliveryRun
from tests.support.file_sink import SunkRow, sunk_rows
from tests.support.waiting import wait_until

pytestmark = pytest.mark.timeout(110)

SYMBOLS = ["BTCUSDT"]
RATE_PER_S = 300.0
"""In the default run; the campaign has `LOAD_PER_S`."""

LOAD_PER_S = 2000.0
LIMIT_S = 20.0
SINK = "sink-tape"


class Tape:
    """The folder of a file sink, and its configuration."""

    def __init__(self, folder: Path, **more: Any) -> None:
        self.folder = folder
        folder.mkdir(exist_ok=True)
        more = {"spool_directory": str(folder / "spool"), **more}
        self.config = SinkConfig(name="tape", kind="file", options={"folder": str(folder)}, **more)

    def behave(self, behaviour: str) -> None:
        (self.folder / "behaviour.new").write_text(behaviour)
        os.rename(self.folder / "behaviour.new", self.folder / "behaviour")

    def rows(self) -> list[SunkRow]:
        return sunk_rows(self.folder)

    def trades(self) -> list[int]:
        return [int(row.identifier) for row in self.rows() if row.kind == "trade"]

    def gaps(self) -> list[str]:
        return [row.content for row in self.rows() if row.kind == "gap"]

    def more(self, count: int) -> None:
        before = len(self.rows())
        wait_until(lambda: len(self.rows()) >= before + count, LIMIT_S, f"{count} more rows")


def play(folder: Path, scene: Callable[[DeliveryRun, SimulatedExchange, Tape], None], **options: Any) -> None:
    """Run `scene` in a thread while the simulated exchange runs in the loop."""
    tape_options = options.pop("tape", {})

    async def main() -> None:
        async with SimulatedExchange(SYMBOLS, rate_per_s=options.pop("rate_per_s", RATE_PER_S)) as sim:

            def body() -> None:
                tape = Tape(folder / "tape", **tape_options)
                with DeliveryRun(folder, sim, SYMBOLS, sinks=[tape.config], **options) as run:
                    scene(run, sim, tape)

            await asyncio.to_thread(body)

    asyncio.run(main())


def check_numbers(tape: Tape) -> None:
    """Every row has a number and a key of its own, and none is missing."""
    rows = tape.rows()
    numbers = [row.number for row in rows]
    assert numbers == [*range(numbers[0], numbers[0] + len(numbers))]
    assert len({row.key for row in rows}) == len(rows)


def check_equals_handlers(run: DeliveryRun, tape: Tape) -> None:
    """The sink has exactly the trades that the handlers were given, in their order."""
    handled = [each.trade_id for each in run.handled(SYMBOLS[0])]
    assert tape.trades() == list(dict.fromkeys(handled))


def kill_some(run: DeliveryRun, tape: Tape, kills: list[str], seed: int) -> None:
    chance = random.Random(seed)
    for name in kills:
        tape.more(chance.randrange(20, 400))
        pid = run.kill(name)
        run.replaced(name, pid)


def stopped(run: DeliveryRun) -> dict[str, Any]:
    outcome = run.supervisor.stop(timeout_s=60.0)
    assert not list(run.supervisor.run_dir.glob("**/ring-*"))
    return outcome


@pytest.mark.parametrize(
    "kills",
    [
        [SINK, "btcusdt.a", SINK, "engine", SINK],
        pytest.param([SINK, "btcusdt.a", SINK, SINK, "btcusdt.b", SINK, "engine", SINK] * 5, marks=pytest.mark.variant),
    ],
    ids=["few", "many"],
)
def test_killed_under_load_it_has_each_event_of_twins_once(tmp_path: Path, kills: list[str]) -> None:
    rate_per_s = LOAD_PER_S if len(kills) > 10 else RATE_PER_S

    def scene(run: DeliveryRun, sim: SimulatedExchange, tape: Tape) -> None:
        kill_some(run, tape, kills, seed=7)
        tape.more(100)
        outcome = stopped(run)
        assert (outcome["exit_code"], outcome["audit"]["clean"]) == (0, True)
        check_numbers(tape)
        assert tape.gaps() == []
        check_equals_handlers(run, tape)
        trades = tape.trades()
        assert trades == [*range(trades[0], trades[-1] + 1)]  # the ledger's numbers have no hole
        sent: set[int] = set()
        for record in sim.ledger.connections():
            sent.update(sim.ledger.sent(record.number, "btcusdt@trade"))
        assert sent.issuperset(trades)

    play(tmp_path, scene, redundancy=2, rate_per_s=rate_per_s)
