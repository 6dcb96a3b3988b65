"""The full-screen view on a real terminal (tmux), of a real run: incidents, the end of the view, the end of the run."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from foxtrot_protocol.control import StatusRequest
from foxtrot_supervisor.client.control_client import ControlClient
from tests.support.command_line import PROGRAM
from tests.support.supervisor_process import SupervisorProcess
from tests.support.waiting import wait_until

pytestmark = [
    pytest.mark.skipif(shutil.which("tmux") is None, reason="needs tmux"),
    pytest.mark.usefixtures("textual"),
]

LIMIT_S = 60.0
SEEN_S = 2.0
"""Within this time an incident must be on the screen."""


@pytest.fixture
def textual() -> None:
    pytest.importorskip("textual")


class Tmux:
    """A shell on a terminal of its own."""

    def __init__(self, folder: Path) -> None:
        self._socket = str(folder / "tmux")
        # bash is interactive: Ctrl-C must not end it
        self._call("-f", os.devnull, "new-session", "-d", "-x", "150", "-y", "40", "-s", "t", "bash --norc --noprofile")

    def type(self, *keys: str) -> None:
        """Press keys, by tmux's names."""
        self._call("send-keys", "-t", "t", *keys)

    def screen(self) -> str:
        """Return what the terminal shows."""
        return self._call("capture-pane", "-p", "-t", "t")

    def wait(self, text: str | Callable[[str], object], what: str = "") -> None:
        """Wait until the terminal shows `text`."""
        check = (lambda shown: text in shown) if isinstance(text, str) else text
        try:
            wait_until(lambda: check(self.screen()), LIMIT_S, what or str(text))
        except AssertionError:
            raise AssertionError(f"not on the screen: {what or text}\n{self.screen()}") from None

    def close(self) -> None:
        """End the terminal and all that runs on it."""
        subprocess.run(["tmux", "-S", self._socket, "kill-server"], capture_output=True, timeout=LIMIT_S, check=False)

    def _call(self, *words: str) -> str:
        environ = {**os.environ, "PS1": "$ ", "TERM": "xterm-256color"}
        command = ["tmux", "-S", self._socket, *words]
        return subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S, check=True, env=environ).stdout


@pytest.fixture
def tmux(tmp_path: Path) -> Iterator[Tmux]:
    opened = Tmux(tmp_path)
    yield opened
    opened.close()


def pid_of(run_dir: Path, worker: str) -> int:
    with ControlClient(str(run_dir)) as client:
        workers = client.request(StatusRequest(fresh=True), LIMIT_S).data["workers"]
    return int(next(each["pid"] for each in workers if each["name"] == worker))


def test_top_shows_a_kill_and_leaves_the_terminal_whole(tmux: Tmux, tmp_path: Path) -> None:
    with SupervisorProcess(tmp_path) as supervisor:
        supervisor.wait_running()
        tmux.type(f"{PROGRAM} top --run-dir {supervisor.run_dir}; echo code=$?", "Enter")
        tmux.wait("1/1 workers serve")
        os.kill(pid_of(supervisor.run_dir, "one.a"), signal.SIGKILL)
        killed_at = time.monotonic()
        tmux.wait("killed by SIGKILL")
        assert time.monotonic() - killed_at < SEEN_S
        tmux.type("q")
        tmux.wait("code=0")
        tmux.type("stty -a", "Enter")
        tmux.wait(lambda shown: re.search(r"[^-]icanon", shown) and "workers serve" not in shown, "the modes of before")
        tmux.type(f"clear; {PROGRAM} top --run-dir {supervisor.run_dir}; echo code=$?", "Enter")
        tmux.wait("1/1 workers serve")
        (view,) = [each for each in psutil.process_iter(["cmdline", "ppid"]) if is_view(each, supervisor.run_dir)]
        view.kill()
        tmux.wait("code=")
        tmux.type("stty -a", "Enter")
        tmux.wait(lambda shown: re.search(r"[^-]icanon", shown) and "workers serve" not in shown, "the modes of before")


def test_a_start_that_fails_says_why(tmux: Tmux, tmp_path: Path) -> None:
    with SupervisorProcess(tmp_path) as supervisor:
        supervisor.wait_running()
        tmux.type(f"{PROGRAM} start --run-dir {supervisor.run_dir}; echo code=$?", "Enter")
        tmux.wait("code=75")
        assert "is already running" in tmux.screen()
        tmux.type("stty -a", "Enter")
        tmux.wait(lambda shown: re.search(r"[^-]icanon", shown), "the modes of before")


def is_view(process: psutil.Process, run_dir: Path) -> bool:
    """Whether it is the process that draws: the child of the one that was started."""
    words = process.info["cmdline"] or []
    if str(run_dir) not in words or "top" not in words:
        return False
    parent = process.parent()
    return parent is not None and parent.cmdline() == words


def view_of_start(folder: Path) -> psutil.Process:
    """Return the process that draws: the child of the keeper, which has left the supervisor's tree."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):  # others come and go
            words, parent = process.cmdline(), process.parent()
            if words[-1:] == ["start"] and process.cwd() == str(folder) and parent is not None:
                found += [process] if parent.cmdline() == words else []
    (view,) = found
    return view


CONFIG = """
[supervisor]
run_dir = "{run_dir}"
[engine]
handlers = ["printing:setup"]
[[connections]]
name = "sim"
exchange = "sim"
channels = ["trade", "quote"]
symbols = ["BTCUSDT"]
"""

PRINTING = """
class Printing:
    def __init__(self, engine):
        self.count = 0
        engine.register("eMarketTrade.", self.on_trade)

    def on_trade(self, event):
        self.count += 1
        print("trade number", self.count, flush=True)

    def close(self):
        print("closed in order", flush=True)


def setup(engine):
    return Printing(engine)
"""


@pytest.mark.cases(played=1)
@pytest.mark.parametrize("view_dies", [False, True])
def test_start_shows_itself_and_ctrl_c_ends_it(tmux: Tmux, tmp_path: Path, view_dies: bool) -> None:
    """Prints of handlers do not tear the screen, and are on the terminal afterwards."""
    run_dir = tmp_path / "run"
    (tmp_path / "foxtrot.toml").write_text(CONFIG.format(run_dir=run_dir))
    (tmp_path / "printing.py").write_text(PRINTING)
    tmux.type(f"cd {tmp_path}; {PROGRAM} start; echo code=$?", "Enter")
    tmux.wait(lambda shown: "trade number" in shown and "1/1 workers serve" in shown and "market BTCUSDT.SIM" in shown)
    if view_dies:
        view_of_start(tmp_path).kill()
        tmux.wait("the view has ended (-9), the run goes on")
        tmux.wait("trade number")
    tmux.type("C-c")
    tmux.wait("code=0")
    shown = tmux.screen()
    assert "closed in order" in shown
    assert "stopped, exit code 0" in shown
    assert "workers serve" not in shown
    assert not run_dir.exists()
