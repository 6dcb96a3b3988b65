"""Events that a handler was never given are part of how a run ends, whichever way it ends."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from foxtrot_protocol.events import EVENT_MARKET_TRADE
from foxtrot_supervisor import Supervisor
from foxtrot_supervisor.config.schema import ConnectionConfig, EngineConfig, FoxtrotConfig
from foxtrot_supervisor.core.targets import Targets
from tests.support.supervisor_process import SupervisorProcess, quick
from tests.support.waiting import wait_until

pytestmark = pytest.mark.timeout(60)

LIMIT_S = 20.0

HANDLERS = """
import os, time

def never_return(engine):
    engine.register("eMarketTrade.", lambda event: time.sleep(1000))

def give_up(engine):
    engine.register("eMarketTrade.", lambda event: os._exit(78))
"""


def supervisor_with(folder: Path, handler: str, **more: Any) -> SupervisorProcess:
    (folder / "unhandled_handlers.py").write_text(HANDLERS)
    sim = ConnectionConfig(name="sim", exchange="sim", channels=["trade"], symbols=["BTCUSDT"])
    config = FoxtrotConfig(
        supervisor=quick(hung_s=20.0, late_s=10.0),
        engine=EngineConfig(handlers=[f"unhandled_handlers:{handler}"]),
        connections=[sim],
    )
    return SupervisorProcess(folder, config=config, targets=Targets(), import_path=str(folder), **more)


def committed(supervisor: SupervisorProcess, events: int) -> int:
    """Wait for so many committed events of sim.a that nobody has handled; how many there are by then."""

    def look() -> int:
        worker = supervisor.child("sim.a")
        return int(worker.get("committed_total") or 0) - int(worker.get("applied_total") or 0)

    wait_until(lambda: look() >= events, LIMIT_S, "events that nobody handles")
    return look()


def check_account(supervisor: SupervisorProcess, audit: dict[str, Any], at_least: int) -> None:
    (ring,) = audit["unhandled"]
    assert (ring["worker"], ring["incarnation"]) == ("sim.a", 1)
    assert ring["events"] >= at_least
    assert not audit["clean"]
    (line,) = supervisor.events("events_left")
    assert (line["worker"], int(line["events"])) == ("sim.a", ring["events"])


def test_a_handler_that_never_returns_and_a_stop(tmp_path: Path) -> None:
    with supervisor_with(tmp_path, "never_return") as supervisor:
        events = committed(supervisor, 20)
        answer = supervisor.stop()
        assert answer["exit_code"] == 4
        check_account(supervisor, answer["audit"], events)
        (stopped,) = supervisor.events("stopped")
        assert (stopped["exit_code"], stopped["audit"]) == (4, answer["audit"])


def test_a_second_stop_signal(tmp_path: Path) -> None:
    with supervisor_with(tmp_path, "never_return") as supervisor:
        events = committed(supervisor, 20)
        supervisor.interrupt()
        wait_until(lambda: supervisor.events("signal_received"), LIMIT_S, "the first signal")
        supervisor.interrupt()
        assert supervisor.wait(LIMIT_S) == 4
        check_account(supervisor, supervisor.events("stopped")[0]["audit"], events)


def test_an_engine_that_is_fatal_at_the_end(tmp_path: Path) -> None:
    with supervisor_with(tmp_path, "give_up") as supervisor:
        supervisor.wait_state("engine", "FATAL", LIMIT_S)
        events = committed(supervisor, 20)
        answer = supervisor.stop()
        assert answer["exit_code"] == 5
        check_account(supervisor, answer["audit"], events)


def test_an_application_whose_handler_does_not_return(tmp_path: Path) -> None:
    document = {
        "supervisor": {"hung_s": 20.0, "late_s": 10.0, "stop_ask_s": 1.0},
        "connections": [{"name": "sim", "exchange": "sim", "channels": ["trade"], "symbols": ["BTCUSDT"]}],
    }
    release = threading.Event()
    supervisor = Supervisor(document, run_dir=tmp_path / "run").start()
    try:
        supervisor.event_engine.register(EVENT_MARKET_TRADE, lambda _: release.wait(LIMIT_S))

        def left() -> int:
            (worker,) = supervisor.status()["workers"]
            return int(worker["committed_total"] or 0) - int(worker["applied_total"] or 0)

        wait_until(lambda: left() >= 20, LIMIT_S, "events that nobody handles")
        report = supervisor.stop(3.0)
    finally:
        release.set()
    assert not report.clean
    (ring,) = report.unhandled
    assert ring["worker"] == "sim.a"
    assert ring["events"] >= 20
    assert report.as_dict()["unhandled"] == report.unhandled
