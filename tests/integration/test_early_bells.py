"""Early bells of a real run: the engine wakes for each worker's exchange, after a kill of either too."""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from foxtrot_protocol.control import StatusRequest
from foxtrot_supervisor.client.control_client import ControlClient, NotRunning
from tests.support.command_line import LIMIT_S, Run
from tests.support.waiting import wait_until

CONFIGURATION = """
[supervisor]
run_dir = "RUN_DIR"
heartbeat_s = 0.1
[engine]
transport = "TRANSPORT"
[[connections]]
name = "CLIENT"
exchange = "sim"
channels = ["trade"]
symbols = ["BTCUSDT"]
client = "CLIENT"
"""


def status_of(run: Run) -> dict[str, Any] | None:
    """The run's status if the worker and its engine serve."""
    try:
        with ControlClient(str(run.run_dir), LIMIT_S) as client:
            status: dict[str, Any] = client.request(StatusRequest(fresh=True), LIMIT_S).data
    except (NotRunning, OSError):
        return None
    both = [status["engine"], *status["workers"]]
    return status if len(both) == 2 and all(each["state"] == "RUNNING" for each in both) else None


def wait_for_bells(run: Run, *but: int) -> list[int]:
    """Wait until the engine has woken early, and handled events, a few times; pids of engine and worker, not `but`."""

    def serves() -> dict[str, Any] | None:
        status = status_of(run)
        if status is None or {status["engine"]["pid"], status["workers"][0]["pid"]} & set(but):
            return None
        return status

    before = wait_until(serves, LIMIT_S, "engine and worker")

    def rung() -> bool:
        now = status_of(run)
        keys = "early_bells_total", "events_total"
        return now is not None and all(now["engine"][key] > before["engine"][key] + 3 for key in keys)

    wait_until(rung, LIMIT_S, "bells")
    return [before["engine"]["pid"], before["workers"][0]["pid"]]


@pytest.mark.parametrize(
    ("transport", "client"),
    [
        ("ring", "picows"),
        pytest.param("zeromq", "picows", marks=pytest.mark.variant),
        pytest.param("zeromq", "websockets", marks=pytest.mark.variant),
    ],
)
def test_the_engine_wakes_early_also_after_a_kill_of_either(tmp_path: Path, transport: str, client: str) -> None:
    configuration = CONFIGURATION.replace("TRANSPORT", transport).replace("CLIENT", client)
    with contextlib.closing(Run(tmp_path, configuration)) as run:
        killed: list[int] = []
        for place in (0, 1):
            victim = wait_for_bells(run, *killed)[place]
            os.kill(victim, signal.SIGKILL)
            killed.append(victim)
        wait_for_bells(run, *killed)
        status = status_of(run)
        assert status is not None
        assert status["engine"]["account_violations_total"] == 0
        assert status["engine"]["early_bells_vain_total"] <= status["engine"]["early_bells_total"]
        assert run.stop() == 0
