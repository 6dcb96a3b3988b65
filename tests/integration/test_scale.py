"""One supervisor with a hundred connections; `scripts/bench_scale.py` measures a thousand."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "bench_scale.py"
LIMIT_S = 110.0


@pytest.mark.alone
def test_a_hundred_connections_start_are_replaced_and_stop(tmp_path: Path) -> None:
    size = ["--connections", "100", "--twins", "5", "--topics", "2", "--rate", "10", "--ring-mib", "1"]
    short = ["--seconds", "0.1", "--settle", "0", "--kills", "1"]
    ran = subprocess.run(
        [sys.executable, str(SCRIPT), *size, *short], capture_output=True, text=True, timeout=LIMIT_S, cwd=tmp_path
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    figures = json.loads(ran.stdout)
    assert (figures["connections"], figures["topics"], figures["exit_code"]) == (100, 200, 0)
    assert figures["both_sides_down"] == 0
