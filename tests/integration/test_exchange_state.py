"""An exchange whose clock is off, and one in maintenance, with real processes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from foxtrot_supervisor.config.schema import ConnectionConfig, FoxtrotConfig
from foxtrot_supervisor.core.targets import Targets
from foxtrot_workers.simulator.server.faults import Fault
from foxtrot_workers.simulator.server.server import SimulatedExchange
from tests.support.supervisor_process import SupervisorProcess, quick
from tests.support.waiting import wait_until

LIMIT_S = 60.0


async def played(sim: SimulatedExchange, folder: Path, play: Callable[[SupervisorProcess], None], **more: Any) -> None:
    supervision = quick(start_method="auto", hung_s=20.0, late_s=10.0, stop_ask_s=10.0)

    def run() -> None:
        connection = ConnectionConfig(
            name="one",
            exchange="binance",
            channels=["trade", "quote"],
            symbols=["BTCUSDT"],
            url=sim.url,
            rest_url=sim.rest_url,
            **more,
        )
        config = FoxtrotConfig(supervisor=supervision, connections=[connection])
        with SupervisorProcess(folder, config=config, targets=Targets()) as supervisor:
            supervisor.wait_running(LIMIT_S)
            play(supervisor)
            supervisor.stop()

    async with sim:
        await asyncio.to_thread(run)


@pytest.mark.cases(played=1)
@pytest.mark.parametrize(("ahead_s", "where"), [(2.0, "behind"), (-2.0, "ahead of")])
async def test_a_clock_that_is_off_is_shown(tmp_path: Path, ahead_s: float, where: str) -> None:
    def play(supervisor: SupervisorProcess) -> None:
        def clock() -> dict[str, Any]:
            (found,) = supervisor.status()["clocks"] or [{}]
            return found if found.get("source") == "rest" else {}

        found: dict[str, Any] = wait_until(clock, LIMIT_S, "the offset by REST")
        assert abs(found["offset_ms"] + ahead_s * 1e3) <= found["error_ms"] + 2.0
        (worker,) = supervisor.status()["workers"]
        assert worker["clock"] == {key: found[key] for key in ("offset_ms", "error_ms", "source")}
        (line,) = wait_until(lambda: supervisor.events("clock_off"), LIMIT_S, "the warning")
        assert where in line["reason"]

    await played(SimulatedExchange(rate_per_s=100.0, clock_ahead_s=ahead_s), tmp_path, play)


async def test_a_connection_waits_for_the_end_of_a_maintenance(tmp_path: Path) -> None:
    sim = SimulatedExchange(rate_per_s=100.0)
    loop = asyncio.get_running_loop()

    def states(supervisor: SupervisorProcess) -> set[tuple[str, str]]:
        (worker,) = supervisor.status()["workers"]
        return {(topic["state"], topic["reason"]) for topic in worker["topics"]}

    def play(supervisor: SupervisorProcess) -> None:
        pid = supervisor.child("one.a")["pid"]
        loop.call_soon_threadsafe(sim.inject, Fault(kind="maintenance", reason="new engine"))
        waiting = {("maintenance", "maintenance: new engine")}
        wait_until(lambda: states(supervisor) == waiting, LIMIT_S, "the maintenance")
        loop.call_soon_threadsafe(sim.faults.clear)
        wait_until(lambda: states(supervisor) == {("flowing", "")}, LIMIT_S, "data")
        assert supervisor.child("one.a")["pid"] == pid

    await played(sim, tmp_path, play, stale_after_s=2.0)


async def test_a_refused_connection_names_the_maintenance(tmp_path: Path) -> None:
    sim = SimulatedExchange(rate_per_s=100.0)
    loop = asyncio.get_running_loop()

    def play(supervisor: SupervisorProcess) -> None:
        def begin() -> None:
            sim.inject(Fault(kind="maintenance", reason="new engine"), Fault(kind="refuse", status=503, count=1000))
            sim.inject(Fault(kind="abort"))

        loop.call_soon_threadsafe(begin)
        worker = wait_until(
            lambda: found if "maintenance" in (found := supervisor.child("one.a"))["cause"] else {},
            LIMIT_S,
            "the cause",
        )
        assert worker["state"] == "BACKOFF"
        assert worker["cause"].startswith("maintenance: new engine (")
        assert worker["retry_in_s"] > 30.0

    await played(sim, tmp_path, play)
