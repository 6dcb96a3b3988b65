"""Two sides of a connection, with real processes: started apart, rotated without a break, never both away.

And what the exchange allows one address, shared by all its workers.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from foxtrot_protocol.control import ReloadRequest, RestartRequest
from foxtrot_supervisor.config.schema import ConnectionConfig, FoxtrotConfig
from foxtrot_supervisor.core.targets import Targets
from foxtrot_workers.simulator.server.faults import Fault
from foxtrot_workers.simulator.server.server import SimulatedExchange
from tests.support.delivery_run import DeliveryRun
from tests.support.supervisor_process import SupervisorProcess, quick
from tests.support.waiting import wait_until

pytestmark = pytest.mark.timeout(110)

LIMIT_S = 30.0
RATE_PER_S = 300.0
PATIENT = {"hung_s": 20.0, "late_s": 10.0, "stop_ask_s": 10.0, "start_method": "auto"}
"""Deadlines that a busy machine does not miss."""


class Watch:
    """Looks at `status` again and again, from a thread of its own: which workers serve at each moment."""

    def __init__(self, supervisor: SupervisorProcess) -> None:
        self._supervisor = supervisor
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look)
        self.serving: list[set[str]] = []
        self.pids: defaultdict[str, set[int]] = defaultdict(set)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._over.wait(0.01):
            workers = self._supervisor.status().get("workers", [])
            running = [worker for worker in workers if worker["state"] == "RUNNING"]
            self.serving.append({worker["name"] for worker in running})
            for worker in running:
                self.pids[worker["name"]].add(worker["pid"])


def start(folder: Path, *connections: ConnectionConfig, **supervisor: Any) -> SupervisorProcess:
    config = FoxtrotConfig(supervisor=quick(**{**PATIENT, **supervisor}), connections=list(connections))
    return SupervisorProcess(folder, config=config, targets=Targets(), reloads=True)


def connection(sim: SimulatedExchange, name: str = "one", **more: Any) -> ConnectionConfig:
    values: dict[str, Any] = {"exchange": "binance", "channels": ["trade"], "symbols": ["BTCUSDT"], **more}
    return ConnectionConfig(name=name, url=sim.url, rest_url=sim.rest_url, **values)


async def played(rate_per_s: float, play: Callable[[SimulatedExchange], None]) -> None:
    """Plays in a thread while the exchange runs in the loop."""
    async with SimulatedExchange(["BTCUSDT", "ETHUSDT"], rate_per_s=rate_per_s) as sim:
        await asyncio.to_thread(play, sim)


def inject(sim: SimulatedExchange, loop: asyncio.AbstractEventLoop, fault: Fault) -> None:
    async def arm() -> None:
        sim.inject(fault)

    asyncio.run_coroutine_threadsafe(arm(), loop).result(LIMIT_S)


def only(supervisor: SupervisorProcess, name: str) -> dict[str, Any]:
    """The connection's worker, once it is this one alone."""

    def look() -> dict[str, Any]:
        workers = supervisor.status().get("workers", [])
        return workers[0] if [(w["name"], w["state"]) for w in workers] == [(name, "RUNNING")] else {}

    found: dict[str, Any] = wait_until(look, LIMIT_S, f"{name} alone")
    return found


async def test_a_single_connection_is_rotated_without_a_break(tmp_path: Path) -> None:
    """There and back; a handler misses nothing and gets nothing twice."""

    def play(sim: SimulatedExchange) -> None:
        run = DeliveryRun(tmp_path, sim, ["BTCUSDT"], rotate_after_s=2.0)
        with run, Watch(run.supervisor) as watch:
            first = run.supervisor.child("btcusdt.a")
            second = only(run.supervisor, "btcusdt.b")
            assert second["pid"] != first["pid"]
            assert (second["rotations_total"], second["restarts_total"]) == (1, 0)
            third = only(run.supervisor, "btcusdt.a")
            assert (third["incarnation"], third["rotations_total"]) == (2, 2)
            assert third["pid"] not in (first["pid"], second["pid"])
            run.more("BTCUSDT", 100)
            seen = [trade.trade_id for trade in run.handled("BTCUSDT")]
            assert seen == list(range(seen[0], seen[0] + len(seen)))
            assert run.gaps() == []
            run.supervisor.stop()
        assert {"btcusdt.a", "btcusdt.b"} in watch.serving, "make before break"
        assert set() not in watch.serving[:-1][: watch.serving.index({"btcusdt.b"})]

    await played(RATE_PER_S, play)


async def test_a_reload_of_twenty_connections_with_one_changed_touches_one(tmp_path: Path) -> None:
    """The changed one is made before it is broken; the exchange's identifiers show that nothing is lost or doubled."""
    symbols = [f"S{number}USDT" for number in range(20)]

    def play(sim: SimulatedExchange) -> None:
        with DeliveryRun(tmp_path, sim, symbols) as run:
            before = {worker["name"]: worker["pid"] for worker in run.supervisor.status()["workers"]}
            changed = run.config.connections[7]
            edited = [*run.config.connections]
            edited[7] = msgspec.structs.replace(changed, rotate_after_s=3600.0)
            run.supervisor.configure(msgspec.structs.replace(run.config, connections=edited))
            with Watch(run.supervisor) as watch:
                reply = run.supervisor.ask(ReloadRequest(), timeout_s=60.0)
            assert (reply.error, reply.data["restarted"]) == ("", [f"{changed.name}.a"])
            after = {worker["name"]: worker["pid"] for worker in run.supervisor.status()["workers"]}
            assert set(after) == (set(before) - {f"{changed.name}.a"}) | {f"{changed.name}.b"}
            assert {name: pid for name, pid in after.items() if name in before}.items() <= before.items()
            assert all(serving & {f"{changed.name}.a", f"{changed.name}.b"} for serving in watch.serving)
            for symbol in (symbols[7], symbols[8]):
                run.more(symbol, 20)
                seen = [trade.trade_id for trade in run.handled(symbol)]
                assert seen == list(range(seen[0], seen[0] + len(seen)))
            assert run.gaps() == []
            run.supervisor.configure({"zzz": 1})
            assert "zzz" in run.supervisor.ask(ReloadRequest(), timeout_s=60.0).error
            assert {worker["name"]: worker["pid"] for worker in run.supervisor.status()["workers"]} == after
            run.supervisor.stop()

    async with SimulatedExchange(symbols, rate_per_s=200.0) as sim:
        await asyncio.to_thread(play, sim)


async def test_an_announced_shutdown_rotates_before_the_exchange_closes(tmp_path: Path) -> None:
    loop = asyncio.get_running_loop()

    def play(sim: SimulatedExchange) -> None:
        with start(tmp_path, connection(sim)) as supervisor:
            supervisor.wait_running()
            with Watch(supervisor) as watch:
                inject(sim, loop, Fault(kind="shutdown", connection=0, duration_s=20.0))
                worker = only(supervisor, "one.b")
            assert set() not in watch.serving
            assert worker["rotations_total"] == 1
            (gone,) = supervisor.events("worker_state", worker="one.a", state="STOPPED")
            assert gone["exit_code"] == 0, "it was stopped in order, the exchange had not closed it"
            assert supervisor.events("rotation_wanted")

            # the configuration knows nothing of sides: it finds the connection where it is
            data = supervisor.ask(ReloadRequest()).data
            assert (data["added"], data["removed"], data["restarted"]) == ([], [], [])
            assert "one.b" in data["kept"]
            more = connection(sim, symbols=["BTCUSDT", "ETHUSDT"])
            supervisor.configure(FoxtrotConfig(supervisor=quick(**PATIENT), connections=[more]))
            assert supervisor.ask(ReloadRequest(), 60.0).data["restarted"] == ["one.b"]
            again = only(supervisor, "one.a")  # the new side serves before the old one stops
            assert (again["incarnation"], again["pid"] != worker["pid"]) == (2, True)
            supervisor.stop()

    await played(RATE_PER_S, play)


async def test_a_spare_that_cannot_connect_leaves_the_old_side_where_it_is(tmp_path: Path) -> None:
    """And is tried again; a stop in the middle of it starts nothing."""
    loop = asyncio.get_running_loop()

    def play(sim: SimulatedExchange) -> None:
        with start(tmp_path, connection(sim, rotate_after_s=1.0)) as supervisor:
            first = supervisor.wait_state("one.a", "RUNNING")
            inject(sim, loop, Fault(kind="refuse", count=1000, status=503))
            with Watch(supervisor) as watch:
                wait_until(
                    lambda: len(supervisor.events("worker_state", worker="one.b", state="STARTING")) >= 3,
                    LIMIT_S,
                    "three attempts",
                )
            assert all("one.a" in serving for serving in watch.serving)
            assert watch.pids == {"one.a": {first["pid"]}}
            assert supervisor.child("one.a")["rotation"] in ("wanted", "going")
            supervisor.stop()
            begun = supervisor.events("worker_state", state="STARTING")
            stopping = supervisor.events("worker_state", worker="one.a", state="STOPPING")
            assert all(line["timestamp"] <= stopping[0]["timestamp"] for line in begun)

    await played(RATE_PER_S, play)


async def test_twins_start_apart_and_are_rotated_one_at_a_time(tmp_path: Path) -> None:
    def play(sim: SimulatedExchange) -> None:
        with start(tmp_path, connection(sim, redundancy=2, rotate_after_s=2.0)) as supervisor:
            supervisor.wait_running()
            with Watch(supervisor) as watch:
                wait_until(
                    lambda: [len(watch.pids[name]) >= 2 for name in ("one.a", "one.b")] == [True, True],
                    LIMIT_S,
                    "both to be rotated",
                )
            assert set() not in watch.serving
            assert all(worker["rotations_total"] for worker in supervisor.status()["workers"])
            states = [(line["worker"], line["state"]) for line in supervisor.events("worker_state")]
            assert states.index(("one.a", "RUNNING")) < states.index(("one.b", "STARTING")), "apart"
            assert [w["restarts_total"] for w in supervisor.status()["workers"]] == [0, 0]
            supervisor.stop()

    await played(RATE_PER_S, play)


async def test_an_operator_restarts_twins_one_after_the_other(tmp_path: Path) -> None:
    def play(sim: SimulatedExchange) -> None:
        with start(tmp_path, connection(sim, redundancy=2)) as supervisor:
            before = {worker["name"]: worker["pid"] for worker in supervisor.wait_running()["workers"]}
            wait_until(lambda: all(w["frames_total"] for w in supervisor.status()["workers"]), LIMIT_S, "data of both")
            with Watch(supervisor) as watch:
                reply = supervisor.ask(RestartRequest("one"), 60.0)
            assert reply.error == ""
            assert [worker["worker"] for worker in reply.data["workers"]] == ["one.a", "one.b"]
            assert set() not in watch.serving
            after = {worker["name"]: worker["pid"] for worker in supervisor.status()["workers"]}
            assert not set(before.values()) & set(after.values())
            supervisor.stop()

    await played(RATE_PER_S, play)


async def test_what_the_exchange_refuses_one_worker_holds_for_all_of_its_address(tmp_path: Path) -> None:
    """429 at a handshake and at a REST request: the other worker, which was refused nothing, waits as long."""
    loop = asyncio.get_running_loop()

    def account(supervisor: SupervisorProcess, kind: str) -> dict[str, Any]:
        found = [account for account in supervisor.status()["budgets"] if account["kind"] == kind]
        return found[0] if found else {}

    def play(sim: SimulatedExchange) -> None:
        book = {"channels": ["trade", "book"]}
        sides = [connection(sim, "one", **book), connection(sim, "two", symbols=["ETHUSDT"], **book)]
        with start(tmp_path, *sides) as supervisor:
            pids = {worker["name"]: worker["pid"] for worker in supervisor.wait_running()["workers"]}
            inject(sim, loop, Fault(kind="refuse", count=1, status=429, retry_after_s=2))
            os.kill(pids["one.a"], signal.SIGKILL)
            closed = wait_until(lambda: account(supervisor, "connect").get("closed_s"), LIMIT_S, "the closure")
            closed_at = time.monotonic()
            os.kill(pids["two.a"], signal.SIGKILL)
            wait_until(lambda: account(supervisor, "connect")["waiting"] >= 1, closed, "the other to wait")
            supervisor.wait_state("two.a", "RUNNING", LIMIT_S, incarnation=2)
            assert time.monotonic() - closed_at >= closed - 0.1
            supervisor.wait_state("one.a", "RUNNING", LIMIT_S)
            assert account(supervisor, "connect")["closings_total"] == 1, "nobody asked it again too soon"

            pids = {worker["name"]: worker["pid"] for worker in supervisor.status()["workers"]}
            inject(sim, loop, Fault(kind="rest_refuse", count=1, status=429, retry_after_s=2, topic="depth"))
            os.kill(pids["one.a"], signal.SIGKILL)
            closed = wait_until(lambda: account(supervisor, "rest").get("closed_s"), LIMIT_S, "the closure of REST")
            os.kill(pids["two.a"], signal.SIGKILL)
            wait_until(lambda: account(supervisor, "rest")["waiting"] >= 1, closed, "the other to wait for REST")
            wait_until(lambda: account(supervisor, "rest")["waiting"] == 0, LIMIT_S, "its turn")
            assert account(supervisor, "rest")["closings_total"] == 1
            assert supervisor.child("two.a")["budget_waits_total"] >= 1
            supervisor.stop()

    await played(RATE_PER_S, play)


async def test_a_worker_goes_on_to_the_next_address_when_one_does_not_serve(tmp_path: Path) -> None:
    def play(sim: SimulatedExchange) -> None:
        dead = "ws://127.0.0.1:9"
        one = ConnectionConfig(
            name="one",
            exchange="binance",
            channels=["trade"],
            symbols=["BTCUSDT"],
            url=dead,
            more_urls=[sim.url],
            rest_url=sim.rest_url,
            redundancy=2,
        )
        with start(tmp_path, one) as supervisor:
            workers = supervisor.wait_running(LIMIT_S)["workers"]
            assert [worker["state"] for worker in workers] == ["RUNNING", "RUNNING"]
            assert workers[0]["restarts_total"] >= 1, "side a began with the one that is not there"
            assert workers[1]["restarts_total"] == 0
            supervisor.stop()

    await played(RATE_PER_S, play)


async def test_what_the_old_side_left_in_its_ring_is_read_by_an_engine_that_never_knew_it(tmp_path: Path) -> None:
    """The engine stands still during a rotation and is killed after it: the next one finds a ring without a worker."""
    loop = asyncio.get_running_loop()

    def play(sim: SimulatedExchange) -> None:
        with DeliveryRun(tmp_path, sim, ["BTCUSDT"]) as run:
            run.more("BTCUSDT", 10)
            pid = run.kill("engine", signal.SIGSTOP)
            inject(sim, loop, Fault(kind="shutdown", connection=0, duration_s=60.0))
            only(run.supervisor, "btcusdt.b")
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            run.replaced("engine", pid)
            run.more("BTCUSDT", 200)
            wait_until(
                lambda: not list(run.supervisor.run_dir.glob("ring-btcusdt.a-1")), LIMIT_S, "the ring to be done"
            )
            seen = [trade.trade_id for trade in run.handled("BTCUSDT") if not trade.redelivered]
            assert seen == list(range(seen[0], seen[0] + len(seen)))
            assert run.gaps() == []
            run.supervisor.stop()

    await played(RATE_PER_S, play)
