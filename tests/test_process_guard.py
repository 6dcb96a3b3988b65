"""A test run that is killed leaves no processes behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from tests.support.process_guard import VARIABLE, marked
from tests.support.sources import ROOT
from tests.support.waiting import wait_until

LIMIT_S = 40.0

KILLED_RUN = """
import os, time
from pathlib import Path
from tests.support.command_line import Run

CONFIGURATION = '''
[supervisor]
run_dir = "RUN_DIR"
[[connections]]
name = "one"
exchange = "sim"
channels = ["trade"]
symbols = ["BTCUSDT"]
'''

def test_something_that_is_killed():
    folder = Path(__file__).parent
    run = Run(folder, CONFIGURATION)
    run.running()
    (folder / "pids").write_text(" ".join(map(str, [run.process.pid, *(each.pid for each in run.descendants())])))
    time.sleep(3600)
"""


def test_a_killed_test_run_leaves_no_processes(tmp_path: Path) -> None:
    (tmp_path / "test_killed.py").write_text(KILLED_RUN)
    mark = "a" * 32
    inherited = os.environ[VARIABLE]
    command = [sys.executable, "-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider", "-p", "tests.conftest"]
    run = subprocess.Popen(
        [*command, f"--rootdir={ROOT}", f"--confcutdir={tmp_path}", str(tmp_path / "test_killed.py")],
        env={**os.environ, VARIABLE: f"{inherited}:{mark}", "PYTHONPATH": str(ROOT)},
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
    )
    try:
        told = tmp_path / "pids"
        wait_until(lambda: told.exists() and told.read_text(), LIMIT_S, "a supervisor below the test run")
        pids = set(map(int, told.read_text().split()))
        assert len(pids) >= 4, "supervisor, simulator, engine, worker"
        assert pids <= set(marked(mark))
        run.send_signal(signal.SIGKILL)
        run.wait()
        wait_until(lambda: not marked(mark), LIMIT_S, "the end of everything that it had started")
    finally:
        run.kill()
        run.wait()
