"""Mishaps of group A: others' code crashes, in adapters and handlers."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from typing import Any, Final

from foxtrot_protocol.exit_codes import SupervisorExit
from foxtrot_supervisor.chaos.harness.faulty_exchanges import FAULTS, install_faulty_exchanges
from foxtrot_supervisor.chaos.harness.place import LIMIT_S, Place, at, sim
from foxtrot_supervisor.system import procfs

__all__ = ["SCENARIOS"]

_EXIT_CODES = {"exits": 7}
"""Exit codes of faulty adapters that are not 1."""

_AT_ONCE_S = 10.0
"""Time from the start to its failure where nothing is worth another attempt."""


def adapter_crashes(place: Place) -> None:
    """Every adapter of `faulty_exchanges` beside a healthy one."""
    folder = install_faulty_exchanges(place.folder / "installed")
    server = place.exchange()
    connections = [
        at(server, name=name, exchange=f"faulty_{name}", essential=False, client=("picows", "websockets")[number % 2])
        for number, name in enumerate(FAULTS)
    ]
    run = place.start(
        sim("healthy"),
        *connections,
        supervisor={"restart_intensity": 2, "backoff_s": 0.05},
        env={**os.environ, "PYTHONPATH": f"{folder}:{os.environ.get('PYTHONPATH', '')}"},
    )

    def workers() -> dict[str, dict[str, Any]]:
        return {worker["connection"]: worker for worker in place.status(run).get("workers", [])}

    def all_fatal() -> bool:
        found = workers()
        return bool(found) and all(found[name]["state"] == "FATAL" for name in FAULTS)

    place.wait(all_fatal, 3 * LIMIT_S, "every faulty worker to be FATAL")
    for name, (_, beginning) in FAULTS.items():
        last = workers()[name]["last_exit"]
        place.expect(last["code"] == _EXIT_CODES.get(name, 1), f"{name}: its own exit code, not {last['code']}")
        place.expect(beginning in last["cause"], f"{name}: the exception is the cause, not {last['cause']}")
        place.expect("faulty_exchanges.py:" in last["cause"], f"{name}: file and line are in {last['cause']}")
    place.expect(workers()["healthy"]["state"] == "RUNNING", "the healthy worker goes on")
    traced = {line["worker"] for line in run.log.lines("child_crashed") if "Traceback" in line["trace"]}
    place.expect(traced == {f"{name}.a" for name in FAULTS}, "each stack is in the log")
    place.stop(run)


def _failing_handler(
    text: str, *causes: str, at_once: bool = True, engine: dict[str, object] | None = None
) -> Callable[[Place], None]:
    def play(place: Place) -> None:
        started_at = time.monotonic()
        supervisor = {} if at_once else {"restart_intensity": 1}
        run = place.start(engine={**place.handler(text), **(engine or {})}, supervisor=supervisor)
        place.ends(run, SupervisorExit.START_FAILED)
        took_s = time.monotonic() - started_at
        if at_once:
            place.expect(took_s < _AT_ONCE_S * place.patience, f"it ends at once, not after {took_s:.1f} s")
        fatal = [line for line in run.log.lines("worker_state", state="FATAL") if line["worker"] == "engine"]
        place.expect(len(fatal) == 1, "the engine is FATAL once")
        for cause in causes:
            found = fatal[0]["cause"] if fatal else ""
            wanted = cause.replace("FOLDER", str(place.folder))
            place.expect(wanted in found, f"{wanted!r} is in the cause: {found!r}")

    return play


def alert_command_fails(place: Place) -> None:
    """One run whose alert command is first missing, then fails, hangs, and works at last."""
    command, called = place.folder / "alert", place.folder / "called"
    run = place.start(alerts={"command": str(command), "deadline_s": 1.0, "calls_per_minute": 600})
    before = place.serving(run)

    def counts(name: str) -> int:
        services = place.status(run).get("services") or [{"counts": {}}]
        return int(services[0]["counts"].get(name, 0))

    def kill_a_worker(counted: str) -> str:
        nonlocal before
        known = counts(counted)
        os.kill(before["workers"][0]["pid"], signal.SIGKILL)
        place.wait(lambda: counts(counted) > known, LIMIT_S, f"{counted} to rise")
        before = place.serving(run)
        return str(before["services"][0]["problem"])

    for text, reason in (
        ("", "cannot be started"),
        ("#!/bin/sh\necho no network; exit 3\n", "exit code 3: no network"),
        ("#!/bin/sh\nsleep 1000 &\nsleep 1000\n", "did not end within 1 s"),
    ):
        if text:
            command.write_text(text)
            command.chmod(0o700)
        problem = kill_a_worker("failures_total")
        place.expect(reason in problem, f"the status says {reason!r}, not {problem!r}")
    place.wait(lambda: not counts("calls_total") or not _sleepers(run.process.pid), LIMIT_S, "the hung command to go")
    command.write_text(f"#!/bin/sh\ncat >> {called}\n")
    kill_a_worker("calls_total")
    place.wait(lambda: called.exists() and "SIGKILL" in called.read_text(), LIMIT_S, "the call")
    place.flows_on(run)
    place.stop(run)


def _sleepers(supervisor: int) -> list[int]:
    """Processes below the supervisor that only sleep."""
    below = procfs.with_descendants([supervisor])
    return [facts.pid for facts in below if facts.name == "sleep" and not facts.zombie]


SCENARIOS: Final[dict[str, Callable[[Place], None]]] = {
    "adapter_crashes": adapter_crashes,
    "handler_raises": _failing_handler(
        "def setup(engine):\n    raise KeyError('symbol')\n",
        "handler 'my_handler:setup'",
        "KeyError: 'symbol' (FOLDER/my_handler.py:2",
    ),
    "handler_exits": _failing_handler(
        "import sys\nsys.exit('no licence')\n",
        "handler 'my_handler:setup'",
        "sys.exit(no licence) was called (FOLDER/my_handler.py:2",
    ),
    "handler_parses_arguments": _failing_handler(
        "import argparse\ndef setup(engine):\n    p = argparse.ArgumentParser()\n"
        "    p.add_argument('--key', required=True)\n    p.parse_args([])\n",
        "handler 'my_handler:setup'",
        "sys.exit(2) was called (",
        "FOLDER/my_handler.py:5",
    ),
    "handler_is_no_python": _failing_handler(
        "def setup(engine)\n    pass\n", "handler 'my_handler:setup'", "SyntaxError: ", "FOLDER/my_handler.py:1"
    ),
    "handler_is_slow": _failing_handler(
        "import time\ndef wait():\n    time.sleep(3600)\ndef setup(engine):\n    wait()\n",
        "handler 'my_handler:setup' was not set up within handlers_s = 0.5 s",
        "FOLDER/my_handler.py:3 in wait",
        at_once=False,
        engine={"handlers_s": 0.5},
    ),
    "alert_command_fails": alert_command_fails,
    "handler_ends_process": _failing_handler(
        "import os\ndef setup(engine):\n    os._exit(3)\n",
        "died while setting up handler 'my_handler:setup' (exit code 3)",
        at_once=False,
    ),
}
