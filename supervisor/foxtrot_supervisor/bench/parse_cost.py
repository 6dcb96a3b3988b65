"""What parsing costs, by exchange and kind of frame: measured by processes of the workers' code."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence

import msgspec

from foxtrot_supervisor.bench.chain import BenchFailed
from foxtrot_supervisor.bench.statistics import ParseCost, VenueCost
from foxtrot_supervisor.system.interpreter import python_command

__all__ = ["MEASURE_S_MAX", "measure_parsing", "measure_venues"]

MEASURE_S_MAX = 600.0
"""Longest wait for the measurement, in seconds."""

_PARSE_MODULE = "foxtrot_workers.benchmark.parse_cost"
_VENUE_MODULE = "foxtrot_workers.benchmark.venue_cost"


def measure_parsing(recordings: Sequence[str]) -> list[ParseCost]:
    """Measure the frames of `recordings`, of made ones if there are none. Raises `BenchFailed`."""
    return msgspec.json.decode(_output(_PARSE_MODULE, *recordings), type=list[ParseCost])


def measure_venues() -> list[VenueCost]:
    """Measure a trade, a quote and a change of 20 levels of each installed exchange. Raises `BenchFailed`."""
    return msgspec.json.decode(_output(_VENUE_MODULE), type=list[VenueCost])


def _output(module: str, *arguments: str) -> bytes:
    try:
        done = subprocess.run(
            python_command("-m", module, *arguments), capture_output=True, timeout=MEASURE_S_MAX, check=False
        )
    except subprocess.TimeoutExpired:
        raise BenchFailed(f"parsing took more than {MEASURE_S_MAX:g} s") from None
    if done.returncode != 0:
        last = done.stderr.decode(errors="replace").strip().splitlines()[-1:] or ["no message"]
        raise BenchFailed(f"parsing: {last[0]}")
    return done.stdout
