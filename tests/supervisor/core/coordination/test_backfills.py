"""Which worker fetches which hole when, and what becomes of those that cannot be filled."""

from __future__ import annotations

import pytest

from foxtrot_protocol.commands import Backfill, Backfilled, HoleFound
from foxtrot_supervisor.core.coordination.backfills import (
    AGE_S_MAX,
    ANSWER_S_MAX,
    ATTEMPTS_MAX,
    HOLES_MAX,
    RETRY_FIRST_S,
    RETRY_S_MAX,
    Backfills,
    Given,
    Worker,
)

A, B = Worker("c.a", 1), Worker("c.b", 4)
TRADES = "eMarketTrade."


def hole(
    first: str | int, last: str | int, symbol: str = "S", connection: str = "c", stream: str = TRADES
) -> HoleFound:
    return HoleFound("engine", 1, connection, symbol, stream, str(first), str(last), 5, 6)


def holes(*messages: HoleFound) -> Backfills:
    backfills = Backfills(["c", "d"])
    for message in messages:
        backfills.found(message, 0.0)
    return backfills


def give(backfills: Backfills, *workers: Worker, now: float = 0.0) -> list[Given]:
    return backfills.due(lambda connection, _: workers if connection == "c" else (), now)


def answer(
    given: Given, events: int = 0, left: str = "", first: str = "", last: str = "", *, retry: bool
) -> Backfilled:
    name, incarnation = given.worker.name, given.worker.incarnation
    return Backfilled(name, incarnation, given.command.request_id, events, left, first, last, retry)


def counts(backfills: Backfills, connection: str = "c") -> tuple[int, int, int, int, int]:
    figures = backfills.figures()[connection]
    assert figures.holes_total == (figures.filled_total + figures.given_up_total + figures.waiting + figures.in_hand), (
        "a hole is unaccounted for"
    )
    return figures.holes_total, figures.filled_total, figures.given_up_total, figures.waiting, figures.in_hand


def test_a_hole_is_given_to_a_worker_of_its_connection_and_filled() -> None:
    backfills = holes(hole(10, 12))
    assert backfills.due(lambda connection, _: [A] if connection == "d" else [], 0.0) == []
    (given,) = give(backfills, A)
    assert given == Given(A, Backfill(1, "S", TRADES, "10", "12", 5, 6))
    assert counts(backfills) == (1, 0, 0, 0, 1)
    assert give(backfills, A, B) == [], "it is in hand"
    backfills.answered(A, answer(given, 3, retry=False), 1.0)
    assert counts(backfills) == (1, 1, 0, 0, 0)
    assert backfills.figures()["c"].events_total == 3
    assert backfills.next_deadline(1.0) is None
    assert backfills.take_given_up() == []


def test_holes_of_a_connection_without_backfill_are_ignored() -> None:
    backfills = holes(hole(1, 2, connection="other"))
    assert set(backfills.figures()) == {"c", "d"}
    assert counts(backfills) == (0, 0, 0, 0, 0)


@pytest.mark.parametrize("stream", ["eBook.", "eBbo.", "eBar."])
def test_holes_of_streams_that_recover_without_backfill_are_ignored(stream: str) -> None:
    assert counts(holes(hole(1, 2, stream=stream))) == (0, 0, 0, 0, 0)


def test_each_worker_has_one_hole_in_hand_and_others_wait() -> None:
    backfills = holes(hole(1, 2), hole(4, 5), hole(7, 8), hole(1, 2, "T"))
    assert [each.worker for each in give(backfills, A, B)] == [A, B]
    assert counts(backfills) == (4, 0, 0, 2, 2)


@pytest.mark.parametrize(("first", "last"), [(10, 20), (10, 10), (12, 15), (20, 20)])
def test_a_hole_told_again_is_the_same(first: int, last: int) -> None:
    backfills = holes(hole(10, 20))
    give(backfills, A)
    backfills.found(hole(first, last), 1.0)
    assert counts(backfills) == (1, 0, 0, 0, 1)


def test_other_streams_and_other_bounds_are_other_holes() -> None:
    backfills = holes(hole(10, 20), hole(10, 20, "T"), hole(15, 25), hole(10, 20, "S", "d"))
    assert counts(backfills) == (3, 0, 0, 3, 0)
    assert counts(backfills, "d") == (1, 0, 0, 1, 0)


def test_a_wider_hole_takes_the_place_of_its_parts_but_for_those_in_hand() -> None:
    backfills = holes(hole(10, 12), hole(15, 16))
    (given,) = give(backfills, A)
    backfills.found(hole(9, 20), 1.0)
    assert counts(backfills) == (2, 0, 0, 1, 1)
    (wide,) = give(backfills, A, B, now=1.0)
    assert (wide.worker, wide.command.first_id, wide.command.last_id) == (B, "9", "20")
    backfills.answered(A, answer(given, 3, retry=False), 1.0)
    assert counts(backfills) == (2, 1, 0, 0, 1)


@pytest.mark.parametrize(
    ("first", "last"),
    [("", "5"), ("5", "4"), ("-1", "4"), ("1.5", "4"), ("a", "b"), ("1" * 50, "2" * 50), ("\u0663", "\u0664")],
)
def test_bounds_that_are_none_are_given_up_at_once(first: str, last: str) -> None:
    backfills = holes(hole(first, last))
    assert counts(backfills) == (1, 0, 1, 0, 0)
    (told,) = backfills.take_given_up()
    assert told == (hole(first[:40], last[:40]), "its bounds are no numbers")


def test_what_dies_with_a_worker_is_given_to_the_other_side() -> None:
    backfills = holes(hole(10, 12))
    give(backfills, A)
    backfills.ended("c.a", 2, 1.0)  # another incarnation
    assert counts(backfills)[4] == 1
    backfills.ended("c.a", 1, 1.0)
    assert give(backfills, B, now=1.0) == []
    assert backfills.next_deadline(1.0) == pytest.approx(1.0 + RETRY_FIRST_S)
    (given,) = give(backfills, Worker("c.a", 2), B, now=1.0 + RETRY_FIRST_S)
    assert given.worker == B
    assert given.command.request_id == 1
    assert "ended" in backfills.figures()["c"].last_problem


def test_without_another_side_the_next_incarnation_gets_it() -> None:
    backfills = holes(hole(10, 12))
    give(backfills, A)
    backfills.ended("c.a", 1, 1.0)
    (given,) = give(backfills, Worker("c.a", 2), now=9.0)
    assert given.worker == Worker("c.a", 2)


def test_late_and_foreign_answers_change_nothing() -> None:
    backfills = holes(hole(10, 12))
    (given,) = give(backfills, A)
    backfills.answered(B, answer(given, 3, retry=False), 1.0)
    backfills.answered(A, Backfilled("c.a", 1, 99, 3), 1.0)
    backfills.ended("c.a", 1, 1.0)
    backfills.answered(A, answer(given, 3, retry=False), 1.0)
    assert counts(backfills) == (1, 0, 0, 1, 0)


def test_the_rest_is_requested_again_and_progress_resets_the_attempts() -> None:
    backfills = holes(hole(10, 99))
    now = 0.0
    for first in range(11, 60):
        now += 100.0 if first % 2 else RETRY_FIRST_S
        backfills_given = give(backfills, A, now=now)
        if not backfills_given:
            continue
        backfills.answered(A, answer(backfills_given[0], 1, "status 503", str(first), "99", retry=True), now)
    (given,) = give(backfills, A, now=now + 1.0)
    assert (given.command.first_id, given.command.last_id) == ("59", "99")


@pytest.mark.parametrize(("first", "last"), [("9", "12"), ("10", "100"), ("x", "12"), ("", "")])
def test_a_rest_that_cannot_be_leaves_the_hole_as_it_was(first: str, last: str) -> None:
    backfills = holes(hole(10, 12))
    (given,) = give(backfills, A)
    backfills.answered(A, answer(given, 0, "odd", first, last, retry=True), 0.0)
    (again,) = give(backfills, A, now=1.0)
    assert (again.command.first_id, again.command.last_id) == ("10", "12")


def test_waits_grow_and_end() -> None:
    backfills = holes(hole(10, 12))
    now, waits = 0.0, []
    for _ in range(ATTEMPTS_MAX):
        (given,) = give(backfills, A, now=now)
        backfills.answered(A, answer(given, 0, "status 503", "10", "12", retry=True), now)
        due_at = backfills.next_deadline(now)
        if due_at is None:
            break
        assert give(backfills, A, now=due_at - 0.01) == []
        waits.append(due_at - now)
        now = due_at
    assert waits[:3] == [RETRY_FIRST_S, 2 * RETRY_FIRST_S, 4 * RETRY_FIRST_S]
    assert max(waits) == RETRY_S_MAX
    assert len(waits) == ATTEMPTS_MAX - 1
    assert counts(backfills) == (1, 0, 1, 0, 0)
    ((told, reason),) = backfills.take_given_up()
    assert (told.first_id, told.last_id) == ("10", "12")
    assert "12 attempts" in reason
    assert "status 503" in reason
    assert backfills.take_given_up() == []


def test_what_is_not_available_is_not_requested_again() -> None:
    backfills = holes(hole(10, 12))
    (given,) = give(backfills, A)
    backfills.answered(A, answer(given, 2, "too old", "10", "10", retry=False), 0.0)
    assert counts(backfills) == (1, 0, 1, 0, 0)
    assert backfills.take_given_up() == [(hole(10, 10), "too old")]
    assert backfills.figures()["c"].events_total == 2


def test_a_worker_that_keeps_silent_has_failed() -> None:
    backfills = holes(hole(10, 12))
    give(backfills, A)
    assert backfills.next_deadline(1.0) == ANSWER_S_MAX
    assert give(backfills, now=ANSWER_S_MAX) == []
    assert counts(backfills) == (1, 0, 0, 1, 0)
    assert "did not answer" in backfills.figures()["c"].last_problem


def test_a_worker_that_cannot_be_reached_has_failed() -> None:
    backfills = holes(hole(10, 12))
    (given,) = give(backfills, A)
    backfills.refused(B, given.command.request_id, 0.0)
    backfills.refused(A, 99, 0.0)
    assert counts(backfills)[4] == 1
    backfills.refused(A, given.command.request_id, 0.0)
    assert counts(backfills) == (1, 0, 0, 1, 0)


def test_a_hole_without_a_worker_waits_and_grows_too_old() -> None:
    backfills = holes(hole(10, 12))
    assert backfills.next_deadline(1.0) == AGE_S_MAX, "not at once: no worker serves"
    assert give(backfills, now=AGE_S_MAX - 1.0) == []
    assert counts(backfills)[3] == 1
    assert give(backfills, A, now=AGE_S_MAX) == []
    assert counts(backfills) == (1, 0, 1, 0, 0)
    assert "ago" in backfills.take_given_up()[0][1]


def test_too_many_holes_push_out_the_oldest_that_waits() -> None:
    backfills = holes(*(hole(10 * number, 10 * number) for number in range(1, HOLES_MAX + 1)))
    give(backfills, A)  # the very oldest is in hand
    backfills.found(hole(1, 1, connection="d"), 0.0)
    assert counts(backfills) == (HOLES_MAX, 0, 0, HOLES_MAX - 1, 1)
    backfills.found(hole(7, 7), 0.0)
    assert counts(backfills) == (HOLES_MAX + 1, 0, 1, HOLES_MAX - 1, 1)
    ((told, reason),) = backfills.take_given_up()
    assert told.first_id == "20"
    assert str(HOLES_MAX) in reason


def test_holes_in_hand_are_never_pushed_out() -> None:
    backfills = holes(*(hole(10 * number, 10 * number) for number in range(1, HOLES_MAX + 1)))
    give(backfills, *(Worker("c.a", number) for number in range(HOLES_MAX)))
    backfills.found(hole(7, 7), 0.0)
    assert counts(backfills) == (HOLES_MAX + 1, 0, 0, 1, HOLES_MAX)


def test_another_configuration_keeps_what_it_still_wants() -> None:
    backfills = holes(hole(10, 12), hole(1, 2, connection="d"))
    (given,) = give(backfills, A)
    backfills.configure(["c", "e"])
    assert counts(backfills) == (1, 0, 0, 0, 1)
    assert list(backfills.figures()) == ["c", "e"]
    backfills.configure([])
    assert backfills.figures() == {}
    backfills.answered(A, answer(given, 3, retry=False), 1.0)
    assert backfills.next_deadline(1.0) is None
