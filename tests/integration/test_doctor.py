"""What is wrong with a real run: nothing, then a handler that fails, then a worker that is given up."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.command_line import Run, run_program
from tests.support.waiting import wait_until

CONFIG = """
[supervisor]
run_dir = "RUN_DIR"
restart_intensity = 0
[engine]
handlers = ["mine:setup"]
[[connections]]
name = "one"
exchange = "sim"
channels = ["trade"]
symbols = ["BTCUSDT"]
essential = false
"""

HANDLER = """
from pathlib import Path

class Strategy:
    def __init__(self, engine):
        engine.register("eMarketTrade.", self.on_trade)

    def on_trade(self, event):
        if Path("fail").exists():
            raise RuntimeError("as asked")

def setup(engine):
    return Strategy(engine)
"""


LEAKING = """
import threading, time
from pathlib import Path

files = []

def reconnect():
    while not Path("enough").exists():
        time.sleep(0.1)

def leak(event):
    if Path("enough").exists() or len(files) > 200:
        return
    threading.Thread(target=reconnect, name=f"reconnect-{len(files)}").start()
    files.append(open("never-closed", "a"))

def setup(engine):
    engine.register("eTimer", leak)
"""


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    (tmp_path / "mine.py").write_text(HANDLER)
    run = Run(tmp_path, CONFIG)
    yield run
    run.close()


def report(run: Run) -> tuple[int, dict[str, Any]]:
    result = run_program("doctor", "--json", "--run-dir", run.run_dir)
    return result.returncode, json.loads(result.stdout)


def test_findings_of_a_healthy_run_a_failing_handler_and_a_fatal_worker(run: Run, tmp_path: Path) -> None:
    run.running()
    code, healthy = report(run)
    assert healthy["findings"] == []
    assert (code, healthy["healthy"]) == (0, True)
    assert healthy["disk_free_bytes"] > 0
    assert healthy["open_files_max"][str(healthy["status"]["supervisor"]["pid"])] >= 64

    (tmp_path / "fail").touch()

    def failing() -> bool:
        code, found = report(run)
        return code == 0 and any(
            each["where"] == "handler mine.Strategy.on_trade" and each["severity"] == "watch"
            for each in found["findings"]
        )

    wait_until(failing, 15, "the handler that fails to be told")

    os.kill(healthy["status"]["workers"][0]["pid"], signal.SIGKILL)
    wait_until(lambda: report(run)[0] == 8, 15, "the worker to be given up")
    text = run_program("doctor", "--run-dir", run.run_dir)
    assert text.returncode == 8
    assert "BAD one.a: is FATAL" in text.stdout
    assert "mine.Strategy.on_trade for eMarketTrade." in text.stdout
    assert run.stop() == 0


@pytest.mark.skipif(os.environ.get("FOXTROT_SLOW") != "yes", reason="slow; FOXTROT_SLOW is not yes")
def test_a_handler_that_leaks_threads_and_files_is_named(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(LEAKING)
    run = Run(tmp_path, CONFIG.replace("[engine]", "[engine]\nleak_sample_s = 0.25"))
    try:
        run.running()
        wait_until(lambda: report(run)[0] == 8, 60, "the leaks to be found")
        wait_until(lambda: len(report(run)[1]["status"]["engine"]["leaks"]) >= 2, 60, "both of them")
        text = run_program("doctor", "--run-dir", run.run_dir).stdout
        assert "BAD engine: threads growing" in text
        assert "more threads that run mine.reconnect, among them reconnect-" in text
        assert f"more descriptors of {tmp_path / 'never-closed'}" in text
        (tmp_path / "enough").touch()
        assert run.stop() == 0
    finally:
        run.close()


def test_without_a_run_it_says_where_it_looked(tmp_path: Path) -> None:
    result = run_program("doctor", "--run-dir", tmp_path)
    assert result.returncode == 3
    assert str(tmp_path) in result.stderr
