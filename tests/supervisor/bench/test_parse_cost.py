"""Parsing is measured by another process; what goes wrong there is a failed measurement."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from foxtrot_supervisor.bench import parse_cost
from foxtrot_supervisor.bench.chain import BenchFailed
from foxtrot_supervisor.bench.parse_cost import measure_parsing, measure_venues


def test_made_frames_are_measured() -> None:
    costs = measure_parsing(())
    assert {cost.events for cost in costs} == {"delta", "quote", "trade"}
    assert all(cost.python_ns > 0 for cost in costs)


def test_each_installed_exchange_is_measured() -> None:
    costs = {cost.exchange: cost for cost in measure_venues()}
    assert {"binance", "okx", "kraken"} <= set(costs)
    binance, bitstamp = costs["binance"], costs["bitstamp"]
    assert binance.trade is not None
    assert binance.quote is not None
    assert binance.book is not None
    assert bitstamp.quote is None
    for frame in (binance.trade, binance.quote, binance.book):
        assert 0 < frame.least_ns <= frame.median_ns <= frame.most_ns
    assert 0.5 < binance.trade.ratio < 2  # of the same frames, in the same turns


def test_a_recording_of_an_unknown_exchange_is_a_failure(tmp_path: Path) -> None:
    path = tmp_path / "frames.jsonl"
    path.write_text('{"dir":"in","raw":"{}"}')
    with pytest.raises(BenchFailed, match=r"parsing: .*UnknownExchange"):
        measure_parsing((str(path),))


def test_a_measurement_that_does_not_end_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    def hang(*_: Any, **__: Any) -> None:
        raise subprocess.TimeoutExpired("python", 1)

    monkeypatch.setattr(parse_cost.subprocess, "run", hang)
    with pytest.raises(BenchFailed, match="more than 600 s"):
        measure_parsing(())
