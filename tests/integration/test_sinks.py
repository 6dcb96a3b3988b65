"""Sinks with real processes that are killed under load: rows = the exchange's ledger, no double, no hole.

The judges: the simulated exchange's ledger, what the handlers of the engine were given, and a sink that writes each
row with one system call.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from foxtrot_protocol.control import ReloadRequest
from foxtrot_supervisor.config.schema import RingConfig, SinkConfig
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
        pytest.param(
            [SINK, "btcusdt.a", SINK, SINK, "btcusdt.b", SINK, "engine", SINK] * 2,
            marks=[pytest.mark.variant, pytest.mark.timeout(300)],
        ),
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


@pytest.mark.parametrize("behaviour", ["hang", pytest.param("block", marks=pytest.mark.variant)])
def test_a_store_that_does_not_answer_changes_nothing_for_the_feed(tmp_path: Path, behaviour: str) -> None:
    def scene(run: DeliveryRun, sim: SimulatedExchange, tape: Tape) -> None:
        tape.more(20)
        tape.behave(behaviour)
        before = run.supervisor.child("btcusdt.a")
        run.more(SYMBOLS[0], 1500)
        after = run.supervisor.child("btcusdt.a")
        assert (after["pid"], after["dropped_total"]) == (before["pid"], 0)
        if behaviour == "hang":  # else no heartbeat comes that could tell
            assert run.supervisor.child(SINK)["counts"]["pending_rows"] > 100
        tape.behave("")
        pid = run.kill(SINK)  # its call would not end for an hour
        run.replaced(SINK, pid)
        tape.more(1000)
        stopped(run)
        check_numbers(tape)
        check_equals_handlers(run, tape)
        assert tape.gaps() == []

    play(tmp_path, scene)


def test_a_client_that_forgets_a_cancellation_does_not_hold_up_the_stop(tmp_path: Path) -> None:
    """As `asyncio.wait_for` of Python 3.11 does now and then."""

    def scene(run: DeliveryRun, sim: SimulatedExchange, tape: Tape) -> None:
        tape.more(20)
        tape.behave("forget")
        run.more(SYMBOLS[0], 100)
        stopped(run)
        check_equals_handlers(run, tape)

    play(tmp_path, scene)


def test_an_overtaken_sink_announces_exactly_what_it_has_missed(tmp_path: Path) -> None:
    """Its process stands still while the worker overwrites the ring."""

    def scene(run: DeliveryRun, sim: SimulatedExchange, tape: Tape) -> None:
        tape.more(20)
        run.kill(SINK, signal.SIGSTOP)
        run.committed_more("btcusdt.a", 15_000)
        run.kill(SINK, signal.SIGCONT)
        wait_until(tape.gaps, LIMIT_S, "a gap")
        tape.more(20)
        stopped(run)
        check_numbers(tape)
        trades = tape.trades()
        [hole] = [n for n in range(1, len(trades)) if trades[n] != trades[n - 1] + 1]
        lost, identifiers = tape.gaps()
        missed = trades[hole] - trades[hole - 1] - 1
        assert "were overwritten before this sink had read them" in lost
        counted = int(lost.partition("read them: ")[2].split()[0])
        assert missed <= counted <= missed + 5  # states of topics are events too
        assert f" {trades[hole - 1] + 1} {trades[hole] - 1} " in identifiers
        assert [each.trade_id for each in run.handled(SYMBOLS[0])] == [*range(trades[0], trades[-1] + 1)]

    play(tmp_path, scene, rate_per_s=LOAD_PER_S, ring=RingConfig(size_mib=1), supervisor={"hung_s": 60.0})


def test_what_a_run_could_not_deliver_is_reported_and_delivered_by_the_next_one(tmp_path: Path) -> None:
    def first(run: DeliveryRun, sim: SimulatedExchange, tape: Tape) -> None:
        tape.more(20)
        tape.behave("away")
        run.more(SYMBOLS[0], 300)
        problem = wait_until(lambda: run.supervisor.child(SINK)["problem"], LIMIT_S, "the problem")
        assert "the store is away" in problem
        outcome = stopped(run)
        assert outcome["exit_code"] == 4
        [left] = outcome["audit"]["unhandled"]
        assert (left["worker"], left["events"] >= 250) == (SINK, True)
        assert outcome["audit"]["files"] == []
        assert len(tape.rows()) + left["events"] >= len(run.handled(SYMBOLS[0]))
        assert run.supervisor.events("events_left")[0]["events"] == left["events"]

    def second(run: DeliveryRun, sim: SimulatedExchange, tape: Tape) -> None:
        before = len(tape.rows())
        tape.behave("")
        tape.more(600)
        stopped(run)
        check_numbers(tape)
        assert len(tape.rows()) > before
        handled = [each.trade_id for each in run.handled(SYMBOLS[0])]  # of both runs
        assert sorted(set(handled)) == sorted(set(tape.trades()))

    play(tmp_path, first, stop_ask_s=8.0)
    play(tmp_path, second)


@pytest.mark.variant  # of the test above, whose parts are in test_intake
def test_what_a_full_spool_had_no_room_for_at_the_end_is_a_gap_in_it(tmp_path: Path) -> None:
    def first(run: DeliveryRun, sim: SimulatedExchange, tape: Tape) -> None:
        tape.more(20)
        tape.behave("away")
        wait_until(lambda: "the spool is full" in run.supervisor.child(SINK)["problem"], LIMIT_S, "a full spool")
        run.more(SYMBOLS[0], 500)
        outcome = stopped(run)
        assert outcome["exit_code"] == 4
        [left] = outcome["audit"]["unhandled"]
        assert left["events"] > 500
        assert outcome["audit"]["files"] == []

    def second(run: DeliveryRun, sim: SimulatedExchange, tape: Tape) -> None:
        tape.behave("")
        wait_until(tape.gaps, LIMIT_S, "the gap")
        tape.more(100)
        stopped(run)
        check_numbers(tape)
        [gap] = [each for each in tape.gaps() if "found no room" in each and "None" not in each]
        count, (first_id, last_id) = int(gap.split()[0]), map(int, gap.split()[-3:-1])
        assert last_id - first_id + 1 == count > 500
        handled = {each.trade_id for each in run.handled(SYMBOLS[0])}  # of both runs
        assert handled - set(tape.trades()) == set(range(first_id, last_id + 1))

    play(tmp_path, first, rate_per_s=LOAD_PER_S * 2, tape={"spool_mib": 1}, stop_ask_s=8.0)
    play(tmp_path, second)


def test_what_a_killed_supervisor_left_in_rings_is_delivered_by_the_next_run(tmp_path: Path) -> None:
    def first(run: DeliveryRun, sim: SimulatedExchange, tape: Tape) -> None:
        tape.more(20)
        run.kill(SINK, signal.SIGSTOP)  # what comes from now on is in rings only
        run.more(SYMBOLS[0], 200)
        os.kill(run.supervisor.pid, signal.SIGKILL)
        run.supervisor.wait()

    def second(run: DeliveryRun, sim: SimulatedExchange, tape: Tape) -> None:
        before = len({each.trade_id for each in run.handled(SYMBOLS[0])})
        assert len(tape.trades()) <= before
        assert run.supervisor.events("sink_rings_kept")
        tape.more(200)
        stopped(run)
        check_numbers(tape)
        assert tape.gaps() == []
        assert set(tape.trades()) >= {each.trade_id for each in run.handled(SYMBOLS[0])}  # of both runs

    play(tmp_path, first, supervisor={"hung_s": 60.0})
    play(tmp_path, second)


def test_a_reload_adds_and_removes_a_sink_and_replaces_no_worker(tmp_path: Path) -> None:
    def scene(run: DeliveryRun, sim: SimulatedExchange, tape: Tape) -> None:
        tape.more(20)
        worker = run.supervisor.child("btcusdt.a")["pid"]
        added = Tape(tmp_path / "added")
        both = [tape.config, msgspec.structs.replace(added.config, name="added")]
        run.supervisor.configure(msgspec.structs.replace(run.config, sinks=both))
        assert run.supervisor.ask(ReloadRequest()).error == ""
        run.supervisor.wait_state("sink-added", "RUNNING", LIMIT_S)
        added.more(100)
        pid = run.kill("btcusdt.a")  # its successor links its ring for both
        run.replaced("btcusdt.a", pid)
        assert pid == worker
        added.more(100)
        run.supervisor.configure(msgspec.structs.replace(run.config, sinks=[both[1]]))
        assert run.supervisor.ask(ReloadRequest()).error == ""
        assert run.supervisor.child(SINK) == {}
        tape_rows = len(tape.rows())
        added.more(100)
        stopped(run)
        check_numbers(tape)
        check_numbers(added)
        assert len(tape.rows()) == tape_rows
        trades = added.trades()
        assert [n for n in trades if n > trades[0]] == [
            each.trade_id for each in run.handled(SYMBOLS[0]) if each.trade_id > trades[0]
        ]

    play(tmp_path, scene)


def test_a_sink_whose_process_dies_again_and_again_ends_alone(tmp_path: Path) -> None:
    def scene(run: DeliveryRun, sim: SimulatedExchange, tape: Tape) -> None:
        tape.behave("exit")
        run.supervisor.wait_state(SINK, "FATAL", LIMIT_S)
        assert run.supervisor.status()["supervisor"]["state"] == "running"
        run.more(SYMBOLS[0], 100)
        outcome = run.supervisor.stop(timeout_s=60.0)
        assert outcome["exit_code"] == 4  # what it was to get was given to nobody
        assert outcome["audit"]["unhandled"][0]["worker"] == SINK
        assert outcome["audit"]["files"] == []

    play(tmp_path, scene, supervisor={"restart_intensity": 2})
