"""The live view of a run, as JSON, into a pipe and on a terminal."""

from __future__ import annotations

import json
import os
import pty
import select
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.command_line import PROGRAM, run_program
from tests.support.supervisor_process import SupervisorProcess

LIMIT_S = 20.0


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[SupervisorProcess]:
    with SupervisorProcess(tmp_path) as running:
        running.wait_running()
        yield running


def test_json_prints_one_status_per_line(supervisor: SupervisorProcess) -> None:
    started = time.monotonic()
    result = run_program("top", "--json", "--count", 3, "--interval", 0.3, "--run-dir", supervisor.run_dir)
    assert result.returncode == 0
    looks = [json.loads(line) for line in result.stdout.splitlines()]
    assert [look["supervisor"]["pid"] for look in looks] == [supervisor.pid] * 3
    uptimes = [look["supervisor"]["uptime_s"] for look in looks]
    assert 0.5 < uptimes[2] - uptimes[0] < time.monotonic() - started
    assert supervisor.stop()["exit_code"] == 0


def test_a_pipe_gets_tables(supervisor: SupervisorProcess) -> None:
    result = run_program("top", "--count", 2, "--interval", 0.1, "--run-dir", supervisor.run_dir)
    assert result.returncode == 0
    assert result.stdout.count("one.a") == 2
    assert "\x1b" not in result.stdout


class Terminal:
    """`top` on a terminal of its own."""

    def __init__(self, supervisor: SupervisorProcess) -> None:
        self._master, slave = pty.openpty()
        self.process = subprocess.Popen(
            [str(PROGRAM), "top", "--plain", "--interval", "0.1", "--run-dir", str(supervisor.run_dir)],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env={**os.environ, "TERM": "xterm", "COLUMNS": "140"},
            start_new_session=True,
        )
        os.close(slave)
        self.seen = b""

    def read_until(self, what: bytes, times: int = 1) -> None:
        deadline = time.monotonic() + LIMIT_S
        while self.seen.count(what) < times:
            assert time.monotonic() < deadline, self.seen[-3000:]
            if select.select([self._master], [], [], 0.1)[0]:
                self.seen += os.read(self._master, 65536)

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._master)


@pytest.fixture
def interruptible() -> Iterator[None]:
    """A shell's background job ignores SIGINT, and all that it starts inherits that: so may these tests."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def terminal(interruptible: None, supervisor: SupervisorProcess) -> Iterator[Terminal]:
    opened = Terminal(supervisor)
    yield opened
    opened.close()


def test_on_a_terminal_top_redraws_until_ctrl_c(terminal: Terminal) -> None:
    terminal.read_until(b"one.a", times=3)
    assert b"\x1b[" in terminal.seen  # the cursor goes back
    terminal.process.send_signal(signal.SIGINT)
    assert terminal.process.wait(LIMIT_S) == 0


def test_top_ends_with_the_run(supervisor: SupervisorProcess, terminal: Terminal) -> None:
    terminal.read_until(b"one.a")
    supervisor.stop()
    terminal.read_until(b"the run has ended")
    assert terminal.process.wait(LIMIT_S) == 0


def test_without_a_run_it_says_where_it_looked(tmp_path: Path) -> None:
    result = run_program("top", "--run-dir", tmp_path / "nothing")
    assert result.returncode == 3
    assert str(tmp_path / "nothing") in result.stderr


def test_top_ends_quietly_when_its_reader_closes_the_pipe(supervisor: SupervisorProcess) -> None:
    command = f"{PROGRAM} top --json --interval 0.1 --run-dir {supervisor.run_dir} | head -1"
    result = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command}"], capture_output=True, timeout=LIMIT_S, check=True
    )
    assert len(result.stdout.splitlines()) == 1
    assert result.stderr == b""
