"""The short form of `chaos --mishaps` on real processes; the whole suite is the command's own work.

Each mishap is a test of its own, so that a broken one is named. Limits are stretched: see tests/integration/test_chaos.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from foxtrot_supervisor.chaos.rules.mishaps import MISHAPS
from tests.support.command_line import PROGRAM

PATIENCE = "4"
LIMIT_S = 170.0

QUICK = [mishap for mishap in MISHAPS if mishap.quick]
PLAYED = ("output_unread", "handler_raises")
"""The others are variants, since the integration tests of their subject play them in part."""

pytestmark = pytest.mark.timeout(180)


def play(folder: Path, *words: object) -> tuple[int, dict[str, Any]]:
    done = subprocess.run(
        [str(PROGRAM), "chaos", "--mishaps", "--json", "--patience", PATIENCE, *map(str, words)],
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
        env={**os.environ, "TMPDIR": str(folder)},
    )
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


@pytest.mark.parametrize(
    "name",
    [pytest.param(mishap.name, marks=() if mishap.name in PLAYED else pytest.mark.variant) for mishap in QUICK],
)
def test_a_quick_mishap(name: str, tmp_path: Path) -> None:
    code, report = play(tmp_path, "--only", name)
    (row,) = report["mishaps"]
    assert row["broken"] == []
    assert (code, report["held"]) == (0, True)
    assert list(tmp_path.iterdir()) == []


def test_a_broken_promise_is_reported_with_its_logs(tmp_path: Path) -> None:
    """A supervisor that cannot run: structlog cannot be imported."""
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "structlog.py").write_text("raise RuntimeError('no structlog today')\n")
    done = subprocess.run(
        [str(PROGRAM), "chaos", "--mishaps", "--json", "--only", "signals_blocked"],
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
        env={**os.environ, "TMPDIR": str(tmp_path), "PYTHONPATH": str(broken)},
    )
    assert done.returncode == 1, done.stderr
    report = json.loads(done.stdout)
    (row,) = report["mishaps"]
    assert (report["held"], row["verdict"]) == (False, "broken")
    assert "the supervisor ended with exit code" in row["broken"][0]
    (log,) = Path(report["logs"]).glob("*/run-1.log")
    assert "no structlog today" in log.read_text()
