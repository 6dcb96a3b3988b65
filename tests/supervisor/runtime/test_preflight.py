"""What a run needs is there, or it is said what is not."""

from __future__ import annotations

import resource
import threading

import pytest

from foxtrot_supervisor.runtime.preflight import (
    THREADS_MAX,
    CannotStart,
    check_room,
    descriptors_needed,
    threads_needed,
)


class Limits:
    def __init__(self, soft: int, hard: int) -> None:
        self.now = soft, hard

    def getrlimit(self, _: int) -> tuple[int, int]:
        return self.now

    def setrlimit(self, _: int, limits: tuple[int, int]) -> None:
        self.now = limits


@pytest.fixture
def limits(monkeypatch: pytest.MonkeyPatch) -> Limits:
    made = Limits(16, 1024)
    monkeypatch.setattr(resource, "getrlimit", made.getrlimit)
    monkeypatch.setattr(resource, "setrlimit", made.setrlimit)
    return made


def test_a_soft_limit_is_raised_as_far_as_needed(limits: Limits) -> None:
    check_room(10, raise_limit=True)
    assert limits.now == (descriptors_needed(10), 1024)


def test_in_an_application_it_is_not(limits: Limits) -> None:
    with pytest.raises(CannotStart, match="open files are allowed: 16, at least"):
        check_room(10, raise_limit=False)
    assert limits.now == (16, 1024)


def test_a_hard_limit_is_named(limits: Limits) -> None:
    limits.now = 16, 20
    with pytest.raises(CannotStart, match=r"open files are allowed: 20, at least \d+ are needed \(ulimit -n\)"):
        check_room(2, raise_limit=True)


def test_threads_are_tried_and_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    before = threading.active_count()
    check_room(1, raise_limit=False)
    assert threading.active_count() == before
    start, started = threading.Thread.start, []

    def refuse(thread: threading.Thread) -> None:
        if len(started) == 3:
            raise RuntimeError("can't start new thread")
        started.append(thread)
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", refuse)
    with pytest.raises(CannotStart, match=f"3 more can be started, {threads_needed(1)} are needed"):
        check_room(1, raise_limit=False)
    assert threading.active_count() == before


def test_the_trial_is_bounded() -> None:
    assert threads_needed(1000) == THREADS_MAX
