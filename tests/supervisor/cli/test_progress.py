"""A bar on a terminal, lines elsewhere, nothing where it is not wanted."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
import threading
from typing import Any

import pytest

from foxtrot_protocol.control import Request, RestartRequest, StatusRequest
from foxtrot_supervisor.cli import progress as module
from foxtrot_supervisor.cli.progress import ask_with_progress, progress, waited_for


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [100.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    return now


def test_elsewhere_lines_come_at_intervals(clock: list[float], capsys: pytest.CaptureFixture[str]) -> None:
    with progress("chaos", "steps") as report:
        report("step 1: held", 1, 10)
        clock[0] += module.LINE_S
        report(done=2, total=10)
        report(done=3, total=10)
        report("step 4: held", 4, 10)
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == ["step 1: held", "chaos: 2 of 10 steps  12/min  40s left, 10s so far", "step 4: held"]


def test_quiet(clock: list[float], capsys: pytest.CaptureFixture[str]) -> None:
    with progress("chaos", "steps", quiet=True) as report:
        clock[0] += 10 * module.LINE_S
        report("step 1: held", 1, 10)
    assert capsys.readouterr() == ("", "")


TERMINAL = """
import time
from foxtrot_supervisor.cli import progress
progress.FIRST_S = progress.FRAME_S = 0.0
with progress.progress("chaos", "steps") as report:
    for number in range(1, 4):
        report(f"step [bold]{number}[/nope]", number, 3)
print("end")
"""


def test_on_a_terminal_there_is_a_bar_below_the_lines(tmp_path: Any) -> None:
    controller, terminal = pty.openpty()
    environ = {**os.environ, "TERM": "xterm", "COLUMNS": "100"}
    with subprocess.Popen([sys.executable, "-c", TERMINAL], stderr=terminal, stdout=terminal, env=environ) as process:
        os.close(terminal)
        shown = b""
        while True:
            try:
                shown += os.read(controller, 65536)
            except OSError:  # its other end is closed
                break
        assert process.wait(20) == 0
    os.close(controller)
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown.decode())
    assert "step [bold]3[/nope]" in text
    assert "3 of 3 steps" in text
    assert "━" in text
    assert text.rstrip().endswith("end")


def test_work_is_waited_for_with_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_POLL_S", 0.01)
    looked = threading.Event()
    assert waited_for(lambda: looked.wait(20), looked.set) is True

    def fail() -> None:
        raise ValueError("of the work")

    with pytest.raises(ValueError, match="of the work"):
        waited_for(fail, lambda: None)


def test_a_long_request_shows_how_many_workers_serve(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(module, "_POLL_S", 0.01)
    monkeypatch.setattr(module, "LINE_S", 0.0)
    looked = threading.Event()

    def ask(place: str, request: Request, timeout_s: float | None) -> dict[str, Any]:
        if isinstance(request, StatusRequest):
            looked.set()
            return {"workers": [{"state": "RUNNING"}, {"state": "BACKOFF"}]}
        assert looked.wait(20)
        return {"worker": place}

    monkeypatch.setattr(module, "ask", ask)
    assert ask_with_progress("there", RestartRequest("a"), "restart") == {"worker": "there"}
    assert "restart: 1 of 2 workers serve, " in capsys.readouterr().err
