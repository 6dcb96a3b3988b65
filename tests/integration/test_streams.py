"""Streams that block, break or are full under a whole run: it supervises, feeds, answers and stops as ever."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import signal
import subprocess
import termios
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.command_line import PROGRAM, run_program
from tests.support.waiting import wait_until

LIMIT_S = 40.0

CONFIG = """
[supervisor]
run_dir = "RUN_DIR"
backoff_s = 0.1
[engine]
handlers = ["printing:setup"]
[[connections]]
name = "sim"
exchange = "sim"
channels = ["trade"]
symbols = ["BTCUSDT"]
"""

HANDLER = """
import sys
def setup(engine):
    def show(event):
        print("trade", event.data.price, "x" * 2000)
        print("trade", event.data.price, file=sys.stderr)
    engine.register("eMarketTrade.", show)
"""


class Started:
    """`start` with the given streams; killed at the end, whatever happened."""

    def __init__(self, folder: Path, *arguments: str, **streams: Any) -> None:
        self.run_dir = folder / "run"
        (folder / "printing.py").write_text(HANDLER)
        (folder / "foxtrot.toml").write_text(CONFIG.replace("RUN_DIR", str(self.run_dir)))
        self.process = subprocess.Popen([str(PROGRAM), "start", *arguments], cwd=folder, **streams)

    def status(self) -> dict[str, Any]:
        answer = run_program("status", "--json", "--run-dir", self.run_dir)
        return dict(json.loads(answer.stdout)) if answer.returncode == 0 else {}

    def serving(self, before: dict[str, Any] | None = None) -> dict[str, Any]:
        """The status once events flow; if given, to other processes than `before`."""

        def look() -> dict[str, Any]:
            assert self.process.poll() is None
            status = self.status()
            if not status or not status["workers"] or (status["engine"]["events_total"] or 0) < 50:
                return {}
            children = [status["engine"], *status["workers"]]
            if any(child["state"] != "RUNNING" for child in children):
                return {}
            if before is not None and set(pids(status)) & set(pids(before)):
                return {}
            return status

        return dict(wait_until(look, LIMIT_S, "events to flow"))

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()  # the guard ends its children
                self.process.wait()


def pids(status: dict[str, Any]) -> list[int]:
    return [child["pid"] for child in (status["engine"], *status["workers"])]


@pytest.fixture
def opened() -> Iterator[list[int]]:
    """Descriptors to close at the end."""
    descriptors: list[int] = []
    yield descriptors
    for descriptor in descriptors:
        os.close(descriptor)


def streams(kind: str, opened: list[int]) -> dict[str, Any]:
    """Standard output and error of each kind."""
    if kind == "full":
        opened.append(os.open("/dev/full", os.O_WRONLY))
        return {"stdout": opened[-1], "stderr": opened[-1]}
    reader, writer = os.pipe()
    opened.append(writer)
    if kind == "broken":
        os.close(reader)
    else:
        opened.append(reader)
        fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)  # soon full
    return {"stdout": writer, "stderr": writer}


@pytest.mark.cases(played=1)
@pytest.mark.parametrize("kind", ["unread", "broken", "full"])
def test_a_run_whose_output_nobody_takes_goes_on(kind: str, tmp_path: Path, opened: list[int]) -> None:
    started = Started(tmp_path, "--log-format", "json", **streams(kind, opened))
    try:
        before = started.serving()
        for pid in pids(before):
            os.kill(pid, signal.SIGKILL)
        after = started.serving(before)
        if kind != "unread":  # there the queue takes them
            assert after["supervisor"]["log_dropped_total"] > 0
        started.process.send_signal(signal.SIGTERM)
        assert started.process.wait(LIMIT_S) == 0
    finally:
        started.close()
    assert not started.run_dir.exists()


def test_a_live_view_on_a_stopped_terminal_goes_on_and_a_closed_terminal_stops_the_run(
    tmp_path: Path, opened: list[int]
) -> None:
    ours, theirs = pty.openpty()

    def own_terminal() -> None:
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    started = Started(
        tmp_path, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True, preexec_fn=own_terminal
    )
    os.close(theirs)
    try:
        before = started.serving()
        termios.tcflow(ours, termios.TCOOFF)  # never read any more, too
        os.kill(before["workers"][0]["pid"], signal.SIGKILL)
        wait_until(lambda: started.serving()["workers"][0]["pid"] != before["workers"][0]["pid"], LIMIT_S, "a new one")
        os.close(ours)
        assert started.process.wait(LIMIT_S) == 0
    finally:
        started.close()
    assert not started.run_dir.exists()


def test_commands_survive_readers_that_have_gone_and_keep_their_exit_codes(tmp_path: Path, opened: list[int]) -> None:
    def run(*arguments: object, **streams: Any) -> int:
        return subprocess.run([str(PROGRAM), *map(str, arguments)], cwd=tmp_path, timeout=LIMIT_S, **streams).returncode

    log = (tmp_path / "log").open("w")
    started = Started(tmp_path, "--log-format", "json", stdout=log, stderr=log)
    log.close()
    try:
        started.serving()
        place = ("--run-dir", started.run_dir)
        with open("/dev/full", "w") as full:
            assert run("status", *place, stdout=full, stderr=subprocess.DEVNULL) == 1
            assert run("status", "--json", "--run-dir", tmp_path, stdout=full, stderr=full) == 3
        broken = streams("broken", opened)
        assert run("status", *place, **broken) == 0
        assert run("events", *place, **broken) == 0
        assert run("top", *place, **broken) == 0
        assert run("--help", **broken) == 0
        assert run("check", "-c", tmp_path / "none.toml", **broken) == 78
        # the exit code of a stop reports its outcome even if the output is not read to the end
        assert run("stop", *place, **broken) == 0
        assert started.process.wait(LIMIT_S) == 0
    finally:
        started.close()
