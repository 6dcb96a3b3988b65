"""`start` shows a live table on a terminal and log lines elsewhere."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path
from typing import Literal

import pytest

from foxtrot_supervisor.cli.start_display import display

STATUS = {"supervisor": {"uptime_s": 60.0}, "engine": {"recent": ["trade BTCUSDT.SIM buy 1 at 100"]}}

PROGRAM = """
import sys
from foxtrot_protocol import standard_streams
from foxtrot_supervisor.cli.start_display import display
with display("plain", "info", "") as (log_format, show):
    show({"workers": [{"name": "sim.a", "state": "RUNNING"}]})
assert standard_streams.flush(20.0)
open(sys.argv[1], "w").write(log_format)
"""
"""What the command `start` does: the display queues its output, and `main` flushes the queue before it exits."""


@pytest.mark.parametrize(("wanted", "got"), [("auto", "console"), ("console", "console"), ("json", "json")])
def test_without_a_terminal_events_are_logged(
    capfd: pytest.CaptureFixture[str], wanted: Literal["auto", "console", "json"], got: str
) -> None:
    with display(wanted, "info", "") as (log_format, show):
        assert log_format == got
        show(STATUS)
    out, err = capfd.readouterr()
    assert out == ""
    summary, event = err.splitlines()
    assert "summary" in summary
    assert "trade BTCUSDT.SIM buy 1 at 100" in event
    if wanted == "json":
        assert json.loads(event)["line"] == "trade BTCUSDT.SIM buy 1 at 100"


def test_at_level_warning_there_are_no_summaries(capfd: pytest.CaptureFixture[str]) -> None:
    with display("json", "warning", "") as (_, show):
        show(STATUS)
    assert capfd.readouterr() == ("", "")


def test_on_a_terminal_the_table_is_shown(tmp_path: Path) -> None:
    controller, terminal = pty.openpty()
    try:
        program = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(tmp_path / "format")],
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
            env={**os.environ, "TERM": "xterm", "COLUMNS": "120"},
        )
    finally:
        os.close(terminal)
    shown = b""
    with open(controller, "rb", buffering=0) as screen:
        try:
            while chunk := screen.read(4096):
                shown += chunk
        except OSError:  # a terminal whose other end is closed: EIO
            pass
    assert program.wait(20) == 0
    assert b"sim.a" in shown
    assert (tmp_path / "format").read_text() == "link"
