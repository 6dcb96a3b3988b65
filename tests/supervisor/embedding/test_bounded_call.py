"""Calls of foreign code with a time limit."""

from __future__ import annotations

import contextvars
import threading
import time

import pytest

from foxtrot_supervisor.embedding.bounded_call import call_within

LIMIT_S = 5.0


def test_a_call_that_returns() -> None:
    seen: list[str] = []
    outcome = call_within(lambda: seen.append(threading.current_thread().name), LIMIT_S, "mine")
    assert (outcome.finished, outcome.error, seen) == (True, None, ["mine"])


def test_an_exception_is_returned() -> None:
    for error in (ZeroDivisionError("x"), SystemExit(3), KeyboardInterrupt()):

        def fail(error: BaseException = error) -> None:
            raise error

        outcome = call_within(fail, LIMIT_S, "mine")
        assert outcome.finished
        assert outcome.error is error


def test_a_call_that_hangs_is_left_behind() -> None:
    release = threading.Event()
    begun = time.monotonic()
    outcome = call_within(lambda: release.wait(60), 0.1, "hangs")
    assert time.monotonic() - begun < LIMIT_S
    assert not outcome.finished
    (thread,) = (thread for thread in threading.enumerate() if thread.name == "hangs")
    assert thread.daemon
    release.set()
    thread.join(LIMIT_S)


def test_without_a_thread_the_call_is_made_by_the_caller(monkeypatch: pytest.MonkeyPatch) -> None:
    """Raise as Python 3.12 does during interpreter exit."""

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't create new thread at interpreter shutdown")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    seen: list[str] = []
    assert call_within(lambda: seen.append(threading.current_thread().name), LIMIT_S, "mine").finished
    assert seen == [threading.current_thread().name]


def test_a_call_runs_in_the_callers_context() -> None:
    variable = contextvars.ContextVar("variable", default="none")
    variable.set("mine")
    seen: list[str] = []
    call_within(lambda: seen.append(variable.get()), LIMIT_S, "mine")
    assert seen == ["mine"]
