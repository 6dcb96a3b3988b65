"""Lateness of an event loop."""

from __future__ import annotations

import pytest

from foxtrot_supervisor.telemetry.loop_lag import LATE_S, PERIOD_S, WINDOW_S, LoopLag, LoopLagFigures


def test_lateness_is_kept_for_a_while_and_its_maximum_for_ever() -> None:
    lag = LoopLag(100.0)
    assert lag.figures() == LoopLagFigures()
    assert lag.fired(100.0 + PERIOD_S) == pytest.approx(0.0)
    assert lag.fired(101.0) == pytest.approx(1.0 - 2 * PERIOD_S)
    now = 101.0
    assert lag.figures() == LoopLagFigures(900.0, 900.0, 1)
    for _ in range(2):
        now += WINDOW_S
        lag.fired(now)  # late as well, by its whole span
    worst_ms = round((WINDOW_S - PERIOD_S) * 1e3, 1)
    assert lag.figures() == LoopLagFigures(worst_ms, worst_ms, 3)
    for _ in range(int(2 * WINDOW_S / PERIOD_S) + 2):
        now += PERIOD_S + 0.001
        lag.fired(now)
    assert lag.figures() == LoopLagFigures(1.0, worst_ms, 3)


def test_an_early_timer_is_not_late() -> None:
    lag = LoopLag(0.0)
    assert lag.fired(PERIOD_S / 2) == 0.0
    assert lag.fired(PERIOD_S / 2 + PERIOD_S + LATE_S + 0.001) >= LATE_S
    assert lag.figures().late_total == 1
