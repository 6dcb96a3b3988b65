"""A short, seeded form of `chaos` on real processes; the whole matrix is the command's own work.

Limits are stretched by `PATIENCE`: what is promised of an idle machine need not hold on one that runs tests.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.support.command_line import PROGRAM
from tests.support.sources import ROOT

PATIENCE = "6"
LIMIT_S = 110.0


def chaos(
    folder: Path, *words: object, program: Sequence[str] = (str(PROGRAM),), limit_s: float = LIMIT_S
) -> tuple[int, dict[str, Any]]:
    """Exit code and report; nothing may be left in the temporary folder when all promises held."""
    done = subprocess.run(
        [*program, "chaos", "--json", "--patience", PATIENCE, *map(str, words)],
        capture_output=True,
        text=True,
        timeout=limit_s,
        check=False,
        env={**os.environ, "TMPDIR": str(folder), "PYTHONPATH": str(ROOT)},
    )
    assert done.stdout, done.stderr
    report = json.loads(done.stdout)
    print(json.dumps(report, indent=1))
    return done.returncode, report


@pytest.mark.variant
def test_a_few_faults_in_a_few_phases(tmp_path: Path) -> None:
    faults, phases = "gil_held,grandchild,supervisor_sigkill", "starting,stopping"
    code, report = chaos(tmp_path, "--seed", 11, "--faults", faults, "--phases", phases)
    assert [step["broken"] for step in report["steps"]] == [[]] * 6
    assert code == 0
    assert report["held"] is True
    by_case = {(step["fault"], step["phase"]): step for step in report["steps"]}
    assert by_case["gil_held", "stopping"]["exit_code"] == 4
    assert by_case["gil_held", "starting"]["exit_code"] == 0
    assert by_case["grandchild", "starting"]["grandchild_ms"] > 0
    assert by_case["supervisor_sigkill", "starting"]["gone_ms"] > 0
    assert report["totals"]["orphans"] == 0
    assert report["totals"]["trades"]["duplicated"] == 0
    assert report["totals"]["trades"]["seen"] > 0
    assert list(tmp_path.iterdir()) == []


@pytest.mark.cases(played=1)
@pytest.mark.parametrize(("method", "kills", "supervisor_kills"), [("auto", 3, 1), ("spawn", 2, 0)])
def test_a_few_kills(tmp_path: Path, method: str, kills: int, supervisor_kills: int) -> None:
    count = ["--kills", kills, "--supervisor-kills", supervisor_kills]
    code, report = chaos(tmp_path, *count, "--workers", 2, "--rate", 300, "--start-method", method)
    assert report["broken"] == []
    assert code == 0
    assert report["kills"]["count"] == kills
    assert report["kills"]["detected_ms"]["max"] < 100.0 * float(PATIENCE)
    assert report["kills"]["hello_ms"]["median"] < report["kills"]["event_ms"]["median"]
    assert len(report["kills"]["worker_pss_mib"]) == 2
    if supervisor_kills:
        assert report["supervisor_kills"]["count"] == supervisor_kills
        assert report["supervisor_kills"]["children"] >= 3
        assert report["supervisor_kills"]["orphans"] == 0
    assert list(tmp_path.iterdir()) == []


def test_it_ends_in_time_and_keeps_the_logs_of_what_was_broken(tmp_path: Path) -> None:
    """A supervisor that cannot even start: every promise is broken, and the report names the logs."""
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "zmq.py").write_text("raise RuntimeError('no zmq today')\n")
    done = subprocess.run(
        [str(PROGRAM), "chaos", "--json", "--faults", "sigkill", "--phases", "stopping"],
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
        env={**os.environ, "TMPDIR": str(tmp_path), "PYTHONPATH": str(tmp_path / "broken")},
    )
    assert done.returncode == 1, done.stderr
    report = json.loads(done.stdout)
    assert report["held"] is False
    assert len(report["steps"][0]["broken"]) == 1
    assert "the supervisor ended" in report["steps"][0]["broken"][0]
    assert "no zmq today" in (Path(report["logs"]) / "run-1.log").read_text()
