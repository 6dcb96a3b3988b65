"""The commands against a real run: real processes, a real terminal, real signals."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.sources import ROOT
from tests.support.waiting import wait_until

COMMAND = [sys.executable, "-c", "from foxtrot_supervisor.cli.main import main; main()"]
START_S = 30.0
INSTALLED = ROOT / ".venv" / "foxtrot-start.stamp"


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder with a short path (sockets live in it), gone afterwards."""
    path = Path(tempfile.mkdtemp(prefix="fx"))
    yield path
    shutil.rmtree(path)


def environment(folder: Path) -> dict[str, str]:
    return {**os.environ, "HOME": str(folder), "XDG_RUNTIME_DIR": str(folder), "TERM": "xterm", "COLUMNS": "140"}


class Run:
    """A supervisor started in `folder`, and commands about it."""

    def __init__(self, folder: Path, *words: str) -> None:
        self._folder = folder
        self.log = folder / "log.txt"
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [*COMMAND, "start", *words], cwd=folder, env=environment(folder), stdout=log, stderr=log
            )

    def ask(self, *words: str, timeout_s: float = 30.0) -> tuple[int, str, str]:
        done = subprocess.run(
            [*COMMAND, *words],
            cwd=self._folder,
            env=environment(self._folder),
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
        return done.returncode, done.stdout, done.stderr

    def status(self) -> dict[str, Any]:
        code, out, err = self.ask("status", "--json")
        assert code == 0, err
        status: dict[str, Any] = json.loads(out)
        return status

    def events(self, *words: str) -> list[dict[str, Any]]:
        code, out, err = self.ask("events", "--wait", str(START_S), *words, timeout_s=60.0)
        assert code == 0, err
        return [json.loads(line) for line in out.splitlines()]


@pytest.fixture
def start(folder: Path) -> Iterator[Any]:
    runs: list[Run] = []

    def begin(*words: str) -> Run:
        runs.append(Run(folder, *words))
        return runs[-1]

    yield begin
    for run in runs:
        if run.process.poll() is None:
            run.process.send_signal(signal.SIGINT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                run.process.wait(30)
        if run.process.poll() is None:
            run.process.kill()
            run.process.wait()
        assert not (folder / "foxtrot").exists()


def test_from_start_to_stop(start: Any, folder: Path) -> None:
    (folder / "counting.py").write_text(
        "class Counter:\n"
        "    def __init__(self, engine):\n"
        "        self.seen = 0\n"
        "        engine.register('eMarketTrade.BTCUSDT.SIM', self.on_trade)\n"
        "    def on_trade(self, event):\n"
        "        assert event.data.symbol == 'BTCUSDT' and isinstance(event.data.price, float)\n"
        "        self.seen += 1\n"
        "    def close(self):\n"
        "        open('seen.txt', 'w').write(str(self.seen))\n"
        "def setup(engine):\n"
        "    return Counter(engine)\n"
    )
    (folder / "foxtrot.toml").write_text(
        '[engine]\nhandlers = ["counting:setup"]\n'
        '[[connections]]\nname = "sim"\nexchange = "sim"\n'
        'channels = ["trade", "book"]\nsymbols = ["BTCUSDT", "ETHUSDT"]\n'
    )
    run = start("--log-format", "json")
    trades = run.events("--type", "trade", "--symbol", "BTCUSDT.SIM", "--count", "3")
    assert [line["kind"] for line in trades] == ["trade"] * 3
    assert {line["instrument"] for line in trades} == {"BTC-USDT"}
    books = run.events("--type", "book", "--symbol", "ETHUSDT", "--depth", "2", "--count", "3")
    assert all(len(line["bids"]) == len(line["asks"]) == 2 for line in books)
    assert all(float(line["bids"][0][0]) < float(line["asks"][0][0]) for line in books)

    status = run.status()
    assert status["supervisor"]["pid"] == run.process.pid
    assert [worker["name"] for worker in status["workers"]] == ["sim.a"]
    assert "sim.a" in run.ask("status")[1]

    code, out, _ = run.ask("logs", "sim.a", "--json", "--level", "info")
    logged = [json.loads(line) for line in out.splitlines()]
    assert code == 0
    assert {(line["worker"], line["connection"], line["exchange"]) for line in logged} == {("sim.a", "sim", "sim")}
    assert {"supervisor", "sim.a"} <= {line["process"] for line in logged}, "what it wrote, and what is about it"

    assert run.ask("subscribe", "sim.a", "SOLUSDT")[0] == 0
    assert run.ask("unsubscribe", "sim.a", "ETHUSDT")[0] == 0
    assert run.ask("restart", "sim.a")[0] == 0
    worker = run.status()["workers"][0]
    assert (worker["incarnation"], worker["state"]) == (2, "RUNNING")
    topics = wait_until(lambda: run.status()["workers"][0]["topics"], 10, "topics of the new incarnation")
    assert {topic["topic"].split("@")[0] for topic in topics} == {"btcusdt", "solusdt"}

    code, _, err = run.ask("start")
    assert code == 75
    assert str(run.process.pid) in err
    code, out, _ = run.ask("stop", "--json")
    end = json.loads(out)
    assert (code, end["exit_code"], end["audit"]["clean"]) == (0, 0, True)
    assert {child["rung"] for child in end["children"]} == {"ask"}
    assert run.process.wait(10) == 0
    assert int((folder / "seen.txt").read_text()) >= 3
    assert run.ask("status")[0] == 3
    for line in run.log.read_text().splitlines():
        assert json.loads(line)["event"]


@pytest.mark.skipif(not INSTALLED.exists(), reason="scripts/start has not been run here: it would install first")
def test_the_start_script_shows_a_live_table_and_ctrl_c_ends_it(folder: Path) -> None:
    """Through bash and exec: the terminal's Ctrl-C reaches the supervisor, its exit status is the script's."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(folder)
        termios.tcsetwinsize(0, (45, 140))  # below 30 rows the full screen leaves the market out
        script = str(ROOT / "scripts" / "start")
        os.execve(script, [script], environment(folder))
    shown = bytearray()

    def look() -> bytes:
        with contextlib.suppress(OSError):  # the other end is closed
            while select.select([terminal], [], [], 0)[0]:
                shown.extend(os.read(terminal, 65536))
        return bytes(shown)

    def ended() -> bool:
        look()  # a terminal that nobody reads would hold it up
        return _ended(pid)

    try:
        # the table without textual, the full screen with it
        events = re.compile(rb"quote \w+\.SIM|market \w+\.SIM")
        wait_until(lambda: b"sim.a" in look() and events.search(shown), 60, "live events on the terminal")
        assert b"RUNNING" in shown
        os.write(terminal, b"\x03")
        asked = time.monotonic()
        wait_until(ended, 10, "the end")
        assert time.monotonic() - asked < 2.0
    finally:
        os.close(terminal)
        status = _reap(pid)
    assert os.waitstatus_to_exitcode(status) == 0
    assert b"Traceback" not in shown
    assert not (folder / "foxtrot").exists()


def _ended(pid: int) -> bool:
    """Whether the process has ended, without taking its status."""
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _reap(pid: int) -> int:
    if not _ended(pid):
        os.kill(pid, signal.SIGTERM)
    return os.waitpid(pid, 0)[1]
