"""Whatever others' code raises in a child ends it at once, with its own exit code and a cause that says where."""

from __future__ import annotations

import contextlib
import json
import time
from pathlib import Path
from typing import Any

import pytest

from foxtrot_protocol.exit_codes import SupervisorExit
from foxtrot_supervisor.chaos.harness.faulty_exchanges import FAULTS, install_faulty_exchanges
from tests.support.command_line import Run, Simulated
from tests.support.waiting import wait_until

LIMIT_S = 100.0

WORKERS = """
[supervisor]
run_dir = "RUN_DIR"
hung_s = 10.0
restart_intensity = 2
backoff_s = 0.05
[[connections]]
name = "healthy"
exchange = "sim"
channels = ["trade"]
symbols = ["BTCUSDT"]
"""

FAULTY = """
[[connections]]
name = "{name}"
exchange = "faulty_{name}"
channels = ["trade"]
symbols = ["BTCUSDT"]
url = "{url}"
rest_url = "{rest_url}"
essential = false
{more}
"""

EXIT_CODES = {"exits": 7}


def state_of(run: Run, name: str) -> dict[str, Any]:
    status = run.status()
    if status is None:
        return {}
    found: list[dict[str, Any]] = [w for w in status["workers"] if w["connection"] == name]
    return found[0] if found else {}


def log_lines(run: Run, event: str) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in run.err.read_text().splitlines() if line.startswith("{")]
    return [line for line in lines if line["event"] == event]


def test_an_adapter_that_crashes_is_fatal_within_seconds_and_named_with_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = install_faulty_exchanges(tmp_path / "installed")
    monkeypatch.setenv("PYTHONPATH", str(folder))
    clients = ["picows", "websockets"]
    with contextlib.closing(Simulated(tmp_path, "--symbols", "BTCUSDT", "--exchange", "binance")) as simulated:
        configuration = WORKERS + "".join(
            FAULTY.format(
                name=name,
                url=simulated.url,
                rest_url=simulated.rest_url,
                more=f'client = "{clients[number % 2]}"',
            )
            for number, name in enumerate(FAULTS)
        )
        with contextlib.closing(Run(tmp_path, configuration)) as run:
            wait_until(
                lambda: all(state_of(run, name).get("state") == "FATAL" for name in FAULTS), LIMIT_S, "all FATAL"
            )
            for name, (_, begin) in FAULTS.items():
                last = state_of(run, name)["last_exit"]
                assert last["code"] == EXIT_CODES.get(name, 1), (name, last)
                assert last["signal"] is None
                assert begin in last["cause"], (name, last)
                assert "faulty_exchanges.py:" in last["cause"], (name, last)
            assert state_of(run, "healthy")["state"] == "RUNNING"
            crashes = log_lines(run, "child_crashed")
            assert {line["worker"] for line in crashes} == {f"{name}.a" for name in FAULTS}
            assert all("Traceback" in line["trace"] for line in crashes)
            told = time.monotonic()
            assert run.stop() == SupervisorExit.CLEAN
            assert time.monotonic() - told < 10.0
            assert not run.run_dir.exists()


@pytest.fixture
def handler(tmp_path: Path) -> Path:
    return tmp_path / "my_handler.py"


@pytest.mark.cases(played=1)
@pytest.mark.parametrize(
    ("code", "cause"),
    [
        ("def setup(engine):\n    raise KeyError('symbol')\n", "KeyError: 'symbol' ("),
        ("import sys\nsys.exit('no licence')\n", "sys.exit(no licence) was called ("),
        (
            "import argparse\ndef setup(engine):\n    p = argparse.ArgumentParser()\n"
            "    p.add_argument('--key', required=True)\n    p.parse_args([])\n",
            "sys.exit(2) was called (",
        ),
        ("def setup(engine)\n    pass\n", "SyntaxError: "),
    ],
)
def test_a_handler_that_cannot_be_set_up_ends_the_start_at_once_with_its_name_and_place(
    tmp_path: Path, handler: Path, code: str, cause: str
) -> None:
    handler.write_text(code)
    started = time.monotonic()
    with contextlib.closing(start_with_handler(tmp_path)) as run:
        assert run.ends() == SupervisorExit.START_FAILED
        assert time.monotonic() - started < 20.0
        [fatal] = [line for line in log_lines(run, "worker_state") if line["state"] == "FATAL"]
        assert fatal["worker"] == "engine"
        assert fatal["exit_code"] == 78
        assert "handler 'my_handler:setup'" in fatal["cause"]
        assert cause in fatal["cause"]
        assert f"{handler}:" in fatal["cause"]
        assert not run.run_dir.exists()


def test_a_set_up_that_takes_too_long_is_ended_with_the_line_where_it_stands(tmp_path: Path, handler: Path) -> None:
    handler.write_text("import time\ndef wait():\n    time.sleep(3600)\ndef setup(engine):\n    wait()\n")
    with contextlib.closing(start_with_handler(tmp_path, "handlers_s = 0.5", restart_intensity=1)) as run:
        assert run.ends() == SupervisorExit.START_FAILED
        [fatal] = [line for line in log_lines(run, "worker_state") if line["state"] == "FATAL"]
        assert "handler 'my_handler:setup' was not set up within handlers_s = 0.5 s" in fatal["cause"]
        assert f"it stands at {handler}:3 in wait" in fatal["cause"]
        assert "time.sleep(3600)" in log_lines(run, "child_crashed")[0]["trace"]


def test_a_slow_set_up_within_its_limit_is_waited_for_beyond_ready_s(tmp_path: Path, handler: Path) -> None:
    handler.write_text("import time\ndef setup(engine):\n    time.sleep(2.0)\n")
    with contextlib.closing(start_with_handler(tmp_path, ready_s=0.5)) as run:

        def engine() -> Any:
            status = run.status()
            return status and status["engine"]["state"] == "RUNNING" and status["engine"]

        assert wait_until(engine, LIMIT_S, "the engine")["restarts_total"] == 0
        assert run.stop() == SupervisorExit.CLEAN


def test_a_handler_that_ends_the_process_itself_is_named(tmp_path: Path, handler: Path) -> None:
    handler.write_text("import os\ndef setup(engine):\n    os._exit(3)\n")
    with contextlib.closing(start_with_handler(tmp_path, restart_intensity=1)) as run:
        assert run.ends() == SupervisorExit.START_FAILED
        [fatal] = [line for line in log_lines(run, "worker_state") if line["state"] == "FATAL"]
        assert "died while setting up handler 'my_handler:setup' (exit code 3)" in fatal["cause"]


def test_a_strategys_own_thread_and_callback_may_fail_and_are_logged(tmp_path: Path, handler: Path) -> None:
    handler.write_text(
        "import asyncio, threading\n"
        "def work():\n    raise ValueError('thread at fault')\n"
        "def later():\n    raise ValueError('callback at fault')\n"
        "def setup(engine):\n"
        "    threading.Thread(target=work).start()\n"
        "    asyncio.get_running_loop().call_later(0.2, later)\n"
    )
    with contextlib.closing(start_with_handler(tmp_path)) as run:
        run.running()
        wait_until(lambda: log_lines(run, "callback_failed"), LIMIT_S, "the callback's failure")
        assert "thread at fault" in log_lines(run, "thread_failed")[0]["reason"]
        assert f"{handler}:3" in log_lines(run, "thread_failed")[0]["reason"]
        assert run.running()["engine"]["restarts_total"] == 0
        assert run.stop() == SupervisorExit.CLEAN


def start_with_handler(folder: Path, engine: str = "", **supervisor: float) -> Run:
    settings = "\n".join(f"{key} = {value}" for key, value in supervisor.items())
    return Run(
        folder,
        f'[supervisor]\nrun_dir = "RUN_DIR"\nbackoff_s = 0.05\n{settings}\n'
        f'[engine]\nhandlers = ["my_handler:setup"]\n{engine}\n'
        '[[connections]]\nname = "one"\nexchange = "sim"\nchannels = ["trade"]\nsymbols = ["BTCUSDT"]\n',
    )
