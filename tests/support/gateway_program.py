"""Runs `vnpy_program` in a process of its own, and looks at what is left of it."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil

from tests.support.sources import ROOT
from tests.support.waiting import wait_until


class GatewayProgram(contextlib.AbstractContextManager["GatewayProgram"]):
    """The program on `platform` with a gateway on the simulated exchange; killed at the end, whatever happened."""

    def __init__(self, folder: Path, platform: str, end: str, **setting: Any) -> None:
        self.run_dir = folder / "run"
        self.errors = folder / "errors.txt"
        (folder / "home").mkdir()
        whole = {"exchange": "sim", "run_dir": str(self.run_dir), "close_s": 20.0, **setting}
        with self.errors.open("wb") as errors:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.support.vnpy_program", platform, json.dumps(whole), end],
                cwd=ROOT,
                # vn.py keeps its files there, and works there
                env={**os.environ, "HOME": str(folder / "home"), "PYTHONPATH": str(ROOT)},
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                start_new_session=True,
            )

    def __exit__(self, *_: object) -> None:
        left = self.processes()
        self.process.kill()
        self.process.wait(10)
        if self.process.stdout is not None:
            self.process.stdout.close()
        for process in left:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()

    def processes(self) -> list[psutil.Process]:
        """All that the program has started, and that lives."""
        with contextlib.suppress(psutil.NoSuchProcess):
            return list(psutil.Process(self.process.pid).children(recursive=True))
        return []

    def told(self) -> dict[str, Any]:
        """The next that it tells."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.startswith("{"):  # vn.py logs to stdout
                return dict(json.loads(line))
        raise AssertionError(self.errors.read_text()[-5000:])

    def kill(self) -> None:
        """As a machine short of memory would."""
        started = self.processes()
        self.process.kill()
        self.process.wait(10)
        wait_until(
            lambda: not [p for p in started if p.is_running() and p.status() != psutil.STATUS_ZOMBIE],
            20,
            f"everything to be gone: {started}",
        )
