"""The program as a user runs it: commands, their output, their exit codes."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil

from tests.support.waiting import wait_until

__all__ = ["PROGRAM", "Background", "Run", "Simulated", "run_program"]

PROGRAM = Path(sys.executable).with_name("foxtrot-supervisor")
LIMIT_S = 30.0


def run_program(
    *arguments: object, cwd: Path | None = None, limit_s: float = LIMIT_S
) -> subprocess.CompletedProcess[str]:
    """Run one command to its end."""
    return subprocess.run(
        [str(PROGRAM), *map(str, arguments)], capture_output=True, text=True, cwd=cwd, timeout=limit_s, check=False
    )


class Background:
    """A command that runs while the test goes on; its output goes to files in `folder`."""

    def __init__(self, folder: Path, name: str, *arguments: object) -> None:
        self.out = folder / f"{name}.out"
        self.err = folder / f"{name}.err"
        with self.out.open("w") as out, self.err.open("w") as err:
            self.process = subprocess.Popen(
                [str(PROGRAM), *map(str, arguments)], stdout=out, stderr=err, cwd=folder, start_new_session=True
            )

    def ends(self, limit_s: float = LIMIT_S) -> int:
        """Its exit code; fails if it does not end in time."""
        return self.process.wait(limit_s)

    def interrupt(self) -> None:
        """Ctrl-C."""
        self.process.send_signal(signal.SIGINT)

    def close(self) -> None:
        """End it: SIGTERM, then SIGKILL."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


class Simulated(Background):
    """`simulate` with these options; `url` and `rest_url` once it listens."""

    def __init__(self, folder: Path, *arguments: object) -> None:
        super().__init__(folder, "simulate", "simulate", "--json", *arguments)
        told = wait_until(lambda: self.out.read_text().strip(), LIMIT_S, "the simulated exchange")
        announced = json.loads(told.splitlines()[0])
        self.url = str(announced["url"])
        self.rest_url = str(announced["rest_url"])


class Run(Background):
    """`start` with a configuration file made of these lines."""

    def __init__(self, folder: Path, configuration: str, *arguments: object) -> None:
        self.folder = folder
        self.run_dir = folder / "run"
        self.config = folder / "foxtrot.toml"
        self.config.write_text(configuration.replace("RUN_DIR", str(self.run_dir)))
        super().__init__(folder, "start", "start", "-c", self.config, "--log-format", "json", *arguments)

    def status(self) -> dict[str, Any] | None:
        """`status --json`, None while there is no run."""
        answer = run_program("status", "--json", "--run-dir", self.run_dir)
        return dict(json.loads(answer.stdout)) if answer.returncode == 0 else None

    def running(self) -> dict[str, Any]:
        """Wait until every worker is RUNNING; the status then."""

        def look() -> dict[str, Any] | None:
            assert self.process.poll() is None, self.err.read_text()
            status = self.status()
            if status and all(worker["state"] == "RUNNING" for worker in status["workers"]):
                return status
            return None

        return dict(wait_until(look, LIMIT_S, "every worker RUNNING"))

    def descendants(self) -> list[psutil.Process]:
        """Every process below the supervisor."""
        return list(psutil.Process(self.process.pid).children(recursive=True))

    def stop(self) -> int:
        """Ctrl-C; the exit code."""
        self.interrupt()
        return self.ends()
