"""Pauses double, stay within their bounds, and begin again after a success."""

from __future__ import annotations

import pytest

from foxtrot_supervisor.sinks.backoff import FIRST_S, LONGEST_S, Backoff


def test_pauses_double_up_to_the_longest() -> None:
    backoff = Backoff(lambda: 0.5)
    pauses = [backoff.failed(now) for now in range(100)]
    assert pauses[:3] == pytest.approx([FIRST_S, 2 * FIRST_S, 4 * FIRST_S])
    assert pauses[-1] == pytest.approx(LONGEST_S)
    assert backoff.away_s(100.0) == 100.0
    backoff.succeeded()
    assert backoff.away_s(100.0) == 0.0
    assert backoff.failed(200.0) == pytest.approx(FIRST_S)


@pytest.mark.parametrize(("chance", "share"), [(0.0, 0.8), (1.0, 1.2)])
def test_pauses_are_spread(chance: float, share: float) -> None:
    assert Backoff(lambda: chance).failed(0.0) == pytest.approx(FIRST_S * share)
