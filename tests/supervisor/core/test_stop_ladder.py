"""The stop ladder: each rung at its deadline, none skipped, none early."""

from __future__ import annotations

import math

import pytest

from foxtrot_supervisor.core.stop_ladder import DUMP_LEAD_S, Ladder, Step, StopLimits

LIMITS = StopLimits(ask_s=30.0, term_s=10.0, kill_s=5.0)


def climb(ladder: Ladder, now: float, late_s: float = 0.0) -> list[tuple[float, Step]]:
    """All steps with their times, each looked for `late_s` after its deadline."""
    steps = [(now, step) for step in ladder.due(now)]
    while ladder.next_deadline < math.inf:
        now = ladder.next_deadline + late_s
        steps += [(now, step) for step in ladder.due(now)]
    return steps


def test_the_whole_ladder_with_its_default_times() -> None:
    ladder = Ladder(LIMITS, 100.0)
    assert ladder.rung is None
    assert climb(ladder, 100.0) == [
        (100.0, "ask"),
        (130.0, "term"),
        (139.0, "dump"),
        (140.0, "kill"),
        (145.0, "lost"),
    ]
    assert ladder.rung == "lost"
    assert ladder.due(1e9) == []


def test_nothing_is_due_before_its_time() -> None:
    ladder = Ladder(LIMITS, 0.0)
    assert ladder.due(0.0) == ["ask"]
    assert ladder.due(29.999) == []
    assert (ladder.rung, ladder.next_deadline) == ("ask", 30.0)


def test_a_hung_child_is_dumped_and_killed() -> None:
    ladder = Ladder(LIMITS, 100.0, hung=True)
    assert ladder.due(100.0) == ["dump"]
    assert ladder.rung is None
    assert climb(ladder, 100.5) == [(100.0 + DUMP_LEAD_S, "kill"), (106.0, "lost")]


def test_coming_late_to_one_rung_takes_nothing_from_the_next() -> None:
    """SIGTERM has its whole grace, however late it was sent; no two rungs at once."""
    ladder = Ladder(LIMITS, 0.0)
    assert ladder.due(0.0) == ["ask"]
    assert ladder.due(45.0) == ["term"]
    assert ladder.due(45.0 + 9.0) == ["dump"]
    assert ladder.due(45.0 + 9.999) == []
    assert ladder.due(45.0 + 10.0) == ["kill"]


def test_the_dump_is_never_left_out_by_coming_late() -> None:
    ladder = Ladder(LIMITS, 0.0)
    ladder.due(0.0)
    ladder.due(30.0)
    assert ladder.due(41.0) == ["dump", "kill"]


def test_a_short_grace_has_its_dump_in_its_second_half() -> None:
    ladder = Ladder(StopLimits(0.2, 0.4, 0.1), 0.0)
    times = [(round(at, 9), step) for at, step in climb(ladder, 0.0)]
    assert times == [(0.0, "ask"), (0.2, "term"), (0.4, "dump"), (0.6, "kill"), (0.7, "lost")]


def test_no_grace_at_all_still_names_every_rung() -> None:
    assert Ladder(StopLimits(0.0, 0.0, 0.0), 5.0).due(5.0) == ["ask", "term", "dump", "kill", "lost"]


# ---- the overall limit


def test_a_limit_squeezes_asking_and_sigterm_in_proportion() -> None:
    ladder = Ladder(LIMITS, 0.0, not_after=20.0)
    assert ladder.ask_s == 15.0
    assert climb(ladder, 0.0) == [(0.0, "ask"), (15.0, "term"), (19.0, "dump"), (20.0, "kill"), (25.0, "lost")]


def test_a_limit_that_is_far_away_changes_nothing() -> None:
    assert climb(Ladder(LIMITS, 0.0, not_after=40.0), 0.0) == climb(Ladder(LIMITS, 0.0), 0.0)


def test_a_limit_that_is_past_leaves_no_time() -> None:
    ladder = Ladder(LIMITS, 10.0, not_after=5.0)
    assert ladder.due(10.0) == ["ask", "term", "dump", "kill"]


def test_a_limit_while_asking_squeezes_the_rest() -> None:
    ladder = Ladder(LIMITS, 0.0)
    ladder.due(0.0)
    ladder.limit(20.0, 10.0)
    steps = [(round(at, 6), step) for at, step in climb(ladder, 10.0)]
    assert steps[0] == (round(10.0 + 20.0 * 10.0 / 30.0, 6), "term")
    assert steps[2] == (20.0, "kill")


def test_a_limit_after_the_deadline_of_asking_squeezes_sigterm() -> None:
    ladder = Ladder(LIMITS, 0.0)
    ladder.due(0.0)
    ladder.limit(36.0, 31.0)
    assert climb(ladder, 31.0) == [(31.0, "term"), (35.0, "dump"), (36.0, "kill"), (41.0, "lost")]


def test_a_limit_during_sigterm_brings_kill_and_dump_forward() -> None:
    ladder = Ladder(LIMITS, 0.0)
    ladder.due(0.0)
    ladder.due(30.0)
    ladder.limit(33.0, 31.0)
    assert ladder.due(33.0) == ["dump", "kill"]


def test_a_limit_for_a_hung_child_brings_kill_forward() -> None:
    ladder = Ladder(LIMITS, 0.0, hung=True, not_after=0.25)
    assert climb(ladder, 0.0)[:2] == [(0.0, "dump"), (0.25, "kill")]


def test_a_limit_does_not_touch_the_wait_after_kill() -> None:
    ladder = Ladder(LIMITS, 0.0)
    ladder.due(0.0)
    ladder.kill_now(1.0)
    ladder.due(1.0)
    ladder.limit(2.0, 1.5)
    assert ladder.next_deadline == 6.0


def test_a_later_limit_does_not_loosen_an_earlier_one() -> None:
    ladder = Ladder(LIMITS, 0.0, not_after=4.0)
    ladder.limit(400.0, 0.0)
    assert climb(ladder, 0.0)[-2] == (4.0, "kill")


def test_sigterm_that_comes_late_still_ends_at_the_limit() -> None:
    ladder = Ladder(LIMITS, 0.0, not_after=40.0)
    ladder.due(0.0)
    assert ladder.due(35.0) == ["term"]
    assert climb(ladder, 35.0) == [(39.0, "dump"), (40.0, "kill"), (45.0, "lost")]


def test_sigterm_that_comes_after_the_limit_is_followed_at_once() -> None:
    ladder = Ladder(LIMITS, 0.0, not_after=40.0)
    ladder.due(0.0)
    assert ladder.due(50.0) == ["term", "dump", "kill"]


# ---- hastened, shifted


@pytest.mark.parametrize("seconds", [0.0, 10.0, 35.0, 39.5])
def test_hasten_kills_at_once_from_every_rung(seconds: float) -> None:
    ladder = Ladder(LIMITS, 0.0)
    for at in (0.0, 30.0, 39.0):
        if at <= seconds:
            ladder.due(at)
    ladder.kill_now(seconds)
    assert ladder.due(seconds) == ["kill"]
    assert ladder.next_deadline == seconds + 5.0


def test_hasten_is_nothing_after_kill() -> None:
    ladder = Ladder(LIMITS, 0.0)
    ladder.kill_now(0.0)
    assert ladder.due(0.0) == ["kill"]
    ladder.kill_now(3.0)
    assert ladder.due(3.0) == []
    assert ladder.due(5.0) == ["lost"]
    ladder.kill_now(6.0)
    assert ladder.due(6.0) == []


def test_a_gap_of_the_supervisor_is_not_the_childs() -> None:
    ladder = Ladder(LIMITS, 0.0, not_after=50.0)
    ladder.due(0.0)
    ladder.shift(60.0)
    assert ladder.due(60.0) == []
    assert climb(ladder, 60.0) == [(90.0, "term"), (99.0, "dump"), (100.0, "kill"), (105.0, "lost")]
