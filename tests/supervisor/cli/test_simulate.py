"""The command `simulate`: serves until it is ended, reports errors."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from tests.support.called_commands import Run


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_simulate_serves_until_a_signal_ends_it(ending: signal.Signals) -> None:
    program = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "from foxtrot_supervisor.cli.main import main; main()",
            "simulate",
            "--json",
            "--symbols",
            "BTCUSDT",
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    with program:
        assert program.stdout is not None
        assert program.stderr is not None
        report = json.loads(program.stdout.readline())
        answer = urllib.request.urlopen(f"{report['rest_url']}/api/v3/depth?symbol=BTCUSDT&limit=5", timeout=10)
        with answer:
            assert len(json.load(answer)["bids"]) == 5
        program.send_signal(ending)
        assert program.wait(10) == 0
        assert program.stderr.read() == b""


def test_simulate_reports_errors(run: Run, tmp_path: Path) -> None:
    assert run("simulate", "--exchange", "mars") == 2
    assert "'mars' is not one of" in run.err
    assert run("simulate", "--recording", str(tmp_path / "absent.jsonl")) in (2, 3)
    assert "absent.jsonl" in run.err
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert run("simulate", "--port", str(taken.getsockname()[1])) == 3
    assert "in use" in run.err
