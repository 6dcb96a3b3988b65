"""Silence of topics and connections: limits, backoff, what is most of a connection, evidence."""

from __future__ import annotations

import itertools

import pytest

from foxtrot_workers.feed.silence import (
    ASK_AGAIN_MAX_S,
    BLIND_FACTOR,
    BLIND_RESTING_FACTOR,
    GRACE_S,
    LOOK_AGAIN_MAX_S,
    RESTING_LOOKS_MIN,
    Activity,
    StallProbe,
    ask_again_s,
    most_is_silent,
    topic_limit_s,
)


@pytest.mark.parametrize(
    ("default_s", "rest_s", "looks", "limit_s"),
    [
        (30.0, 0.0, 1, 30.0),
        (30.0, 7.0, 1, 30.0),
        (30.0, 20.0, 1, 80.0),
        (30.0, 500.0, 1, 300.0),
        (None, 0.0, RESTING_LOOKS_MIN - 1, None),
        (None, 1.0, RESTING_LOOKS_MIN, 120.0),
        (None, 90.0, RESTING_LOOKS_MIN, 1800.0),
    ],
)
def test_the_limit_of_a_topic(default_s: float | None, rest_s: float, looks: int, limit_s: float | None) -> None:
    assert topic_limit_s(default_s, rest_s, looks) == limit_s


def test_a_silent_topic_is_subscribed_again_with_backoff() -> None:
    assert [ask_again_s(30.0, attempt) for attempt in range(4)] == [30.0, 60.0, 120.0, 240.0]
    assert ask_again_s(1.0, 0) == 10.0
    assert ask_again_s(30.0, 10_000) == ASK_AGAIN_MAX_S
    assert ask_again_s(1e6, 0) == ASK_AGAIN_MAX_S


def topics(silent: str, flowing: str) -> list[Activity]:
    """Numbers of looks with data, of silent and of flowing topics."""
    return [
        *(Activity(silent=True, looks=int(looks)) for looks in silent.split()),
        *(Activity(silent=False, looks=int(looks)) for looks in flowing.split()),
    ]


@pytest.mark.parametrize(
    ("silent", "flowing", "most"),
    [
        ("", "", False),
        ("5", "", True),
        ("5", "5", False),
        ("5 5", "5", True),
        ("5", "5 5", False),
        ("5 5 5", "100", False),
        ("100", "5 5", False),
        ("100 5", "5", True),
    ],
)
def test_most_of_a_connection_is_silent_by_number_and_by_how_busy_it_was(silent: str, flowing: str, most: bool) -> None:
    assert most_is_silent(topics(silent, flowing)) is most


def suspected(limit_s: float = 30.0) -> StallProbe:
    probe = StallProbe(limit_s)
    probe.suspect(100.0, "a@trade")
    return probe


def test_two_looks_that_differ_prove_a_dead_stream_after_a_moment_s_grace() -> None:
    probe = suspected()
    assert probe.wants_look(100.0)
    assert not probe.wants_look(100.0), "one look at a time"
    probe.answered("7", 100.1)
    assert not probe.wants_look(114.0)
    assert probe.wants_look(115.2)
    probe.answered("8", 115.3)
    assert probe.verdict(115.4 + GRACE_S / 2, 31.0, resting=True) == ""
    assert "a@trade" in probe.verdict(115.4 + GRACE_S, 31.0, resting=True)
    assert probe.verdict(115.4 + GRACE_S, 29.0, resting=True) == "", "not before its limit"
    probe.clear()
    assert probe.verdict(200.0, 200.0, resting=False) == ""
    assert not probe.suspected


def test_a_quiet_market_is_looked_at_with_backoff_and_never_declared_dead() -> None:
    probe = suspected()
    now, times = 100.0, []
    while now < 3000.0:
        if probe.wants_look(now):
            times.append(now)
            probe.answered("7", now)
        assert probe.verdict(now, now - 85.0, resting=False) == ""
        now += 1.0
    gaps = [after - before for before, after in itertools.pairwise(times)]
    assert gaps[:4] == [15.0, 30.0, 60.0, 120.0]
    assert gaps[-1] == LOOK_AGAIN_MAX_S


def test_without_evidence_the_duration_of_silence_decides() -> None:
    probe = suspected()
    assert probe.wants_look(100.0)
    probe.answered(None, 100.0)
    assert probe.verdict(200.0, 30.0 * BLIND_FACTOR - 1, resting=False) == ""
    assert probe.verdict(200.0, 30.0 * BLIND_FACTOR, resting=False) != ""
    assert probe.verdict(400.0, 30.0 * BLIND_RESTING_FACTOR - 1, resting=True) == ""
    assert probe.verdict(400.0, 30.0 * BLIND_RESTING_FACTOR, resting=True) != ""


def test_an_answer_after_the_suspicion_is_over_is_ignored() -> None:
    probe = suspected()
    assert probe.wants_look(100.0)
    probe.clear()
    probe.answered("7", 101.0)
    assert not probe.suspected
