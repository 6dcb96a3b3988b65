"""What is known of the clocks of exchanges."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import structs

from foxtrot_protocol.commands import Heartbeat, SourceCounters
from foxtrot_supervisor.report.clocks import clock_of, clock_problem, clocks_by_exchange

BEAT = Heartbeat("a.a", 1, 0.0, 0, 0, 0, 0)
SOURCE = SourceCounters(0, 0, 0, 0, 0.0, 0.0)


def rest(offset_ms: float, error_ms: float = 10.0) -> dict[str, Any]:
    return {"offset_ms": offset_ms, "error_ms": error_ms, "source": "rest"}


def events(offset_ms: float) -> dict[str, Any]:
    return {"offset_ms": offset_ms, "error_ms": None, "source": "events"}


def test_rest_is_preferred_to_events() -> None:
    beat = structs.replace(BEAT, clock_offset_ms=12.34, clock_error_ms=5.67)
    source = structs.replace(SOURCE, clock_lag_ms=40.04)
    assert clock_of(beat, source) == {"offset_ms": 12.3, "error_ms": 5.7, "source": "rest"}
    assert clock_of(BEAT, source) == {"offset_ms": 40.0, "error_ms": None, "source": "events"}
    assert clock_of(BEAT, SOURCE) is None
    assert clock_of(None, None) is None


def test_the_best_estimate_of_each_exchange() -> None:
    found = clocks_by_exchange(
        [
            ("okx", events(50.0)),
            ("okx", events(20.0)),
            ("binance", events(-3.0)),
            ("binance", rest(7.0, 30.0)),
            ("binance", rest(9.0, 10.0)),
            ("kraken", None),
        ]
    )
    assert found == [{"exchange": "binance", **rest(9.0, 10.0)}, {"exchange": "okx", **events(20.0)}]


@pytest.mark.parametrize(
    ("clock", "problem"),
    [
        (rest(0.0), ""),
        (rest(500.0, 0.0), ""),
        (rest(2000.0, 1600.0), ""),
        (rest(2000.0), "this machine's clock is 2.0 s ahead of that of x"),
        (rest(-2000.0), "this machine's clock is 2.0 s behind that of x"),
        (events(30.0), ""),
        (events(-500.0), ""),
        (events(-2000.0), "this machine's clock is at least 2.0 s behind that of x"),
        (events(2000.0), "events of x are 2.0 s old when they arrive, or this machine's clock is ahead"),
    ],
)
def test_only_what_is_beyond_the_limit_for_sure_is_a_problem(clock: dict[str, Any], problem: str) -> None:
    assert clock_problem({"exchange": "x", **clock}) == problem
