"""The share of a core that a process needs."""

from __future__ import annotations

import pytest

from foxtrot_supervisor.telemetry.load import LoadWatch


def test_a_window_gives_the_share_of_a_core_within_it() -> None:
    watch = LoadWatch()
    assert watch.note(1, 3.0, 100.0, 60.0) is None
    assert watch.note(1, 40.0, 159.9, 60.0) is None
    assert watch.note(1, 54.0, 160.0, 60.0) == pytest.approx(0.85)
    assert watch.note(1, 54.0, 220.0, 60.0) == 0.0


def test_another_incarnation_begins_another_window() -> None:
    watch = LoadWatch()
    watch.note(1, 50.0, 100.0, 60.0)
    assert watch.note(2, 0.1, 200.0, 60.0) is None
    assert watch.note(2, 60.1, 260.0, 60.0) == pytest.approx(1.0)
