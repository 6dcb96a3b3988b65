"""The short form of scripts/soak.py: real workers started and stopped, and nothing grows.

Memory needs hundreds of cycles to tell; here it only must not leap.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from tests.support.sources import ROOT

FIGURES = ("descriptors", "threads", "tasks", "children", "zombies")
LEAP_KIB = 4096


@pytest.mark.cases(played=1)
@pytest.mark.parametrize(("start_method", "cycles"), [("auto", 24), ("spawn", 6)])
def test_nothing_grows(start_method: str, cycles: int) -> None:
    command = [sys.executable, ROOT / "scripts" / "soak.py", "--json", "--workers", "2", "--slope-kib-max", "1e9"]
    result = subprocess.run(
        [*command, "--cycles", str(cycles), "--start-method", start_method],
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    report: dict[str, Any] = json.loads(result.stdout)
    assert report["wrong"] == []
    for key in FIGURES:
        assert report["last"][key] <= report["first"][key], key
    assert report["last"]["zombies"] == 0
    assert report["last"]["rss_kib"] - report["first"]["rss_kib"] < LEAP_KIB
    assert report["audit_clean"]


@pytest.fixture
def good() -> dict[str, Any]:
    figures = {**dict.fromkeys(FIGURES, 3), "rss_kib": 1000}
    return {
        "first": figures,
        "last": dict(figures),
        "rss_slope_kib_per_1000_cycles": 5.0,
        "rss_slope_error_kib_per_1000_cycles": 1.0,
        "exit_code": 0,
        "audit_clean": True,
    }


def verdict(report: dict[str, Any]) -> str:
    """As the script judges it."""
    code = "import json, sys, soak; print(soak.verdict(json.load(sys.stdin), 256.0))"
    result = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT / "scripts",
        input=json.dumps(report),
        capture_output=True,
        text=True,
        check=True,
    )
    return result.stdout.strip()


def test_the_verdict_sees_what_grows(good: dict[str, Any]) -> None:
    assert verdict(good) == "[]"
    for key in FIGURES:
        assert key in verdict({**good, "last": {**good["last"], key: 4}})
    assert "memory grows" in verdict({**good, "rss_slope_kib_per_1000_cycles": 300.0})
    assert "exit code 4" in verdict({**good, "exit_code": 4})
    assert "audit clean: False" in verdict({**good, "audit_clean": False})
