"""Percentiles within the stated error; old windows expire."""

from __future__ import annotations

import random

import pytest

from foxtrot_supervisor.telemetry.latency import LatencyHistogram


def test_no_events_give_zero() -> None:
    assert LatencyHistogram().percentile_us(0.99) == 0.0


@pytest.mark.parametrize("fraction", [0.0, 0.5, 0.9, 0.99, 1.0])
def test_percentile_is_at_most_an_eighth_above_the_exact_one(fraction: float) -> None:
    rng = random.Random(7)
    values = sorted(int(rng.lognormvariate(11, 2)) + 1 for _ in range(5000))
    histogram = LatencyHistogram()
    for value in values:
        histogram.record(value)
    exact_us = values[max(0, int(fraction * len(values)) - 1)] / 1000
    assert exact_us <= histogram.percentile_us(fraction) <= exact_us * 1.13 + 0.002


def test_small_and_negative_and_huge_durations_are_counted() -> None:
    histogram = LatencyHistogram()
    histogram.record(-5)
    histogram.record(3)
    assert histogram.percentile_us(1.0) == pytest.approx(0.003)
    histogram.record(1 << 70, count=10)
    assert histogram.percentile_us(1.0) > 1e12


def test_an_old_peak_expires_after_two_windows() -> None:
    histogram = LatencyHistogram(window_s=10)
    histogram.rotate(0.0)
    histogram.record(1_000_000_000)
    histogram.rotate(5.0)
    histogram.rotate(10.0)
    histogram.record(1000, count=10)
    assert histogram.percentile_us(1.0) > 900_000, "the previous window still counts"
    histogram.rotate(20.0)
    assert histogram.percentile_us(1.0) < 2
