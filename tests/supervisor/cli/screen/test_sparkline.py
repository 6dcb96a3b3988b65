"""Series as bars."""

from __future__ import annotations

from foxtrot_supervisor.cli.screen.sparkline import sparkline


def test_the_largest_point_is_a_full_bar_and_unknown_ones_are_blank() -> None:
    assert sparkline([0.0, 1.0, 4.0, float("nan"), 8.0], 5) == "▁▂▅ █"


def test_the_latest_points_stand_at_the_right() -> None:
    assert sparkline([1.0, 8.0], 4) == "  ▂█"
    assert sparkline([8.0, 1.0, 8.0], 2) == "▂█"


def test_nothing_known() -> None:
    assert sparkline([], 3) == "   "
    assert sparkline([float("nan")], 1) == " "
    assert sparkline([0.0, 0.0], 2) == "▁▁"
