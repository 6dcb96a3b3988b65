"""Repeated lines are held back and counted; long fields are shortened."""

from __future__ import annotations

import pytest

from foxtrot_protocol import log_limits
from foxtrot_protocol.log_limits import REPEATS_PERIOD_S, TRACE_CHARACTERS_MAX, Repetition, shorten


def test_repetitions_are_held_back_and_counted() -> None:
    repetition = Repetition(5)
    assert [repetition.admit("x", 0.0) for _ in range(10)] == [0] * 5 + [None] * 5
    assert repetition.admit("y", 0.0) == 0
    assert repetition.admit(("x", "worker"), 0.0) == 0
    assert repetition.admit("x", REPEATS_PERIOD_S - 0.1) is None
    assert repetition.admit("x", REPEATS_PERIOD_S) == 6
    assert repetition.admit("x", REPEATS_PERIOD_S) == 0


def test_what_is_not_repeated_any_more_is_reported_once_and_forgotten() -> None:
    repetition = Repetition(2)
    for _ in range(5):
        repetition.admit("x", 0.0)
    repetition.admit("y", 0.0)
    assert repetition.expired(REPEATS_PERIOD_S - 0.1) == []
    assert repetition.expired(REPEATS_PERIOD_S) == [("x", 3)]
    assert repetition.expired(REPEATS_PERIOD_S) == []
    assert repetition.admit("x", REPEATS_PERIOD_S) == 0


def test_a_single_line_may_be_the_limit() -> None:
    repetition = Repetition(1)
    assert [repetition.admit("x", now) for now in (0.0, 1.0, 2.0)] == [0, None, None]
    assert repetition.admit("x", REPEATS_PERIOD_S) == 2


def test_a_bounded_number_of_keys_is_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_limits, "KEYS_MAX", 3)
    repetition = Repetition(1)
    assert [repetition.admit(number, 0.0) for number in range(3)] == [0, 0, 0]
    assert repetition.admit(0, 0.0) is None, "known keys need no room"
    assert repetition.admit(3, 0.0) == 0
    assert repetition.admit(0, 0.0) == 0, "forgotten"


def test_long_fields_lose_their_end_and_traces_their_beginning() -> None:
    assert shorten("sample", "12345", 5) == "12345"
    assert shorten("sample", "123456", 5) == "12345…"
    assert shorten("trace", "123456", 5) == "123456"
    long = "first" + "x" * TRACE_CHARACTERS_MAX + "last"
    for field in ("trace", "stack"):
        assert shorten(field, long, 5) == "…" + long[-TRACE_CHARACTERS_MAX:]
