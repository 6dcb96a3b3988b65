"""Runs a program with one of our gateways in a process of its own, and checks what it leaves."""

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
    """`program`, a module of tests.support, with a gateway on the simulated exchange; killed when the context ends.

    `platform`, the setting and `end` ("close" or "stay") are its arguments; `python_path` is searched for modules too.
    """

    def __init__(
        self,
        folder: Path,
        platform: str,
        end: str,
        *,
        program: str = "vnpy_program",
        python_path: tuple[Path, ...] = (),
        **setting: Any,
    ) -> None:
        self.run_dir = folder / "run"
        self.errors = folder / "errors.txt"
        (folder / "home").mkdir()
        whole = {"exchange": "sim", "run_dir": str(self.run_dir), "close_s": 20.0, **setting}
        with self.errors.open("wb") as errors:
            self.process = subprocess.Popen(
                [sys.executable, "-m", f"tests.support.{program}", platform, json.dumps(whole), end],
                # vn.py and Foxtrot keep their files in HOME, and change into it
                cwd=folder / "home",
                env={
                    **os.environ,
                    "HOME": str(folder / "home"),
                    "PYTHONPATH": os.pathsep.join(map(str, (ROOT, *python_path))),
                },
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
        """Return the living descendants of the program."""
        with contextlib.suppress(psutil.NoSuchProcess):
            return list(psutil.Process(self.process.pid).children(recursive=True))
        return []

    def told(self) -> dict[str, Any]:
        """Return the next JSON object that the program prints."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.startswith("{"):  # the platforms log to stdout too
                return dict(json.loads(line))
        raise AssertionError(self.errors.read_text()[-5000:])

    def kill(self) -> None:
        """SIGKILL the program, as a machine short of memory would, and wait until its descendants are gone."""
        started = self.processes()
        self.process.kill()
        self.process.wait(10)
        wait_until(
            lambda: not [p for p in started if p.is_running() and p.status() != psutil.STATUS_ZOMBIE],
            20,
            f"everything to be gone: {started}",
        )
