"""Count, rate and time left."""

from __future__ import annotations

from foxtrot_supervisor.cli.pace import Pace


def test_nothing_known_but_the_time() -> None:
    pace = Pace("list", "instruments", 100.0)
    pace.at(0, 0, 101.0)
    assert pace.figures(103.0) == "3.0s"
    assert pace.line(103.0) == "list: 3.0s, 3.0s so far"


def test_count_rate_and_time_left() -> None:
    pace = Pace("bench", "events", 100.0)
    pace.at(200, 1000, 102.0)
    assert pace.figures(102.0) == "200 of 1000 events  100/s  8.0s left"
    pace.at(1000, 1000, 110.0)
    assert pace.figures(110.0) == "1000 of 1000 events  100/s"


def test_slow_work_is_counted_by_the_minute() -> None:
    pace = Pace("chaos", "steps", 0.0)
    pace.at(1, 4, 10.0)
    assert pace.figures(10.0) == "1 of 4 steps  6/min  30s left"


def test_without_a_total_there_is_no_time_left() -> None:
    pace = Pace("replay", "events", 0.0)
    pace.at(50, 0, 10.0)
    assert pace.figures(10.0) == "50 events  5/s"


def test_a_part_of_its_own_has_a_rate_of_its_own() -> None:
    pace = Pace("chaos", "kills", 0.0)
    pace.at(200, 200, 100.0)
    pace.at(1, 50, 101.0)
    pace.at(10, 50, 110.0)
    assert pace.figures(110.0) == "10 of 50 kills  1/s  40s left"


def test_what_goes_up_and_down_has_no_rate() -> None:
    pace = Pace("restart", "workers serve", 0.0, rated=False)
    pace.at(18, 20, 10.0)
    assert pace.figures(10.0) == "18 of 20 workers serve"
