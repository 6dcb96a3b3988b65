"""What may be absent, is absent: everything works, or says what is missing."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest

from foxtrot_protocol.exit_codes import SupervisorExit
from tests.support.command_line import Run, Simulated

CONFIGURATION = """
[supervisor]
run_dir = "RUN_DIR"
[[connections]]
name = "one"
exchange = "sim"
channels = ["trade"]
symbols = ["BTCUSDT"]
"""


def test_everything_runs_without_uvloop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    absent = tmp_path / "absent"
    absent.mkdir()
    (absent / "uvloop.py").write_text("raise ImportError('not installed')\n")
    monkeypatch.setenv("PYTHONPATH", str(absent))
    with contextlib.closing(Simulated(tmp_path)) as simulated, contextlib.closing(Run(tmp_path, CONFIGURATION)) as run:
        run.running()
        assert run.stop() == SupervisorExit.CLEAN
        simulated.interrupt()
        assert simulated.ends() == SupervisorExit.CLEAN
