"""What parsing costs, by exchange and kind of frame: measured by a process of the workers' code."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence

import msgspec

from foxtrot_supervisor.bench.chain import BenchFailed
from foxtrot_supervisor.bench.statistics import ParseCost
from foxtrot_supervisor.system.interpreter import python_command

__all__ = ["MEASURE_S_MAX", "measure_parsing"]

MEASURE_S_MAX = 600.0
"""Longest wait for the measurement, in seconds."""

_MODULE = "foxtrot_workers.benchmark.parse_cost"


def measure_parsing(recordings: Sequence[str]) -> list[ParseCost]:
    """Measure the frames of `recordings`, of made ones if there are none. Raises `BenchFailed`."""
    try:
        done = subprocess.run(
            python_command("-m", _MODULE, *recordings), capture_output=True, timeout=MEASURE_S_MAX, check=False
        )
    except subprocess.TimeoutExpired:
        raise BenchFailed(f"parsing took more than {MEASURE_S_MAX:g} s") from None
    if done.returncode != 0:
        last = done.stderr.decode(errors="replace").strip().splitlines()[-1:] or ["no message"]
        raise BenchFailed(f"parsing: {last[0]}")
    return msgspec.json.decode(done.stdout, type=list[ParseCost])
