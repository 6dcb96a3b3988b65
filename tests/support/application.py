"""Applications that use the supervisor as a library, each a script in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any

import msgspec

from foxtrot_supervisor.core.targets import Targets
from foxtrot_supervisor.runtime.processes.survivors import RUN_ID_VARIABLE
from foxtrot_supervisor.system import procfs
from tests.support.children import BOOT, target
from tests.support.sources import ROOT

__all__ = ["TEST_TARGETS", "Application", "config", "processes_under"]

TEST_TARGETS = Targets(boot=BOOT, simulator=target("simulator"), connection=target("steady"))
"""Start targets of test children, which start faster than workers."""

_PRELUDE = """
import json, os, sys, threading, time, signal
import msgspec
from foxtrot_supervisor import *
from tests.support.application import TEST_TARGETS, config
def tell(**facts):
    print(json.dumps(facts), flush=True)
RUN = sys.argv[1]
"""


def config(**more: Any) -> dict[str, Any]:
    """Return a configuration of one connection with short deadlines; `more` is merged into ``[supervisor]``."""
    supervisor = {
        "start_method": "spawn",
        "heartbeat_s": 0.1,
        "stop_ask_s": 2.0,
        "stop_term_s": 1.0,
        "stop_kill_s": 2.0,
        "shutdown_s": 10.0,
        "backoff_s": 0.1,
        "backoff_max_s": 0.5,
        "hung_s": 5.0,
        **more,
    }
    connection = {
        "name": "one",
        "exchange": "sim",
        "channels": ["trade"],
        "symbols": ["BTCUSDT"],
        "url": "ws://127.0.0.1:1",
    }
    return {"supervisor": supervisor, "connections": [connection]}


def processes_under(run_dir: Path) -> list[str]:
    """Return the living processes of the run in this directory, as text."""
    found = []
    for facts in procfs.processes():
        try:
            environ = Path(f"/proc/{facts.pid}/environ").read_bytes()
            command = Path(f"/proc/{facts.pid}/cmdline").read_bytes()
        except OSError:
            continue
        of_ours = f"{RUN_ID_VARIABLE}=".encode() in environ and f"APPLICATION_TEST={run_dir}".encode() in environ
        if of_ours and not facts.zombie:
            found.append(f"{facts.pid} {command[:80]!r}")
    return found


class Application:
    """Runs `script` (``RUN`` is its run directory, ``tell(...)`` prints a JSON line) until it ends or is killed."""

    def __init__(self, folder: Path, script: str) -> None:
        self.run_dir = folder / "run"
        self._errors = (folder / "stderr").open("wb+")
        self.process = subprocess.Popen(
            [sys.executable, "-c", _PRELUDE + script, str(self.run_dir)],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT), "APPLICATION_TEST": str(self.run_dir)},
            stdout=subprocess.PIPE,
            stderr=self._errors,
        )

    def __enter__(self) -> Application:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.kill()
        self.process.wait(10)
        assert self.process.stdout is not None
        self.process.stdout.close()
        if kind is not None:
            sys.stderr.write(self.errors())
        self._errors.close()

    def errors(self) -> str:
        """Return what it wrote to stderr."""
        self._errors.seek(0)
        return self._errors.read().decode(errors="replace")

    def heard(self) -> dict[str, Any]:
        """Return its next JSON line; {} at its end."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        return {} if not line else msgspec.json.decode(line, type=dict[str, Any])

    def wait_gone(self, limit_s: float) -> None:
        """Wait until all its processes and its run directory are gone."""
        deadline = time.monotonic() + limit_s
        while left := [*processes_under(self.run_dir), *map(str, self.run_dir.parent.glob("run*"))]:
            assert time.monotonic() < deadline, f"left after {limit_s:g} s: {left}"
            time.sleep(0.02)
