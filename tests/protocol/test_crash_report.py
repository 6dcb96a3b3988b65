"""What is told about an exception."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable
from types import TracebackType

import pytest

from foxtrot_protocol.crash_report import TRACE_CHARS_MAX, cause_of, exit_code_of, is_from_package, place_in, trace_of


class Unspeakable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")


def caught(call: Callable[[], object]) -> BaseException:
    try:
        call()
    except BaseException as error:
        return error
    raise AssertionError("nothing was raised")


def raising(error: BaseException) -> BaseException:
    def fail() -> None:
        raise error

    return caught(fail)


def test_the_cause_names_exception_text_file_and_line() -> None:
    cause = cause_of(raising(ValueError("no key")))
    assert cause.startswith(f"ValueError: no key ({__file__}:")
    assert cause.endswith(" in fail)")
    assert cause_of(raising(KeyError("x"))).startswith("KeyError: 'x' (")
    assert cause_of(ValueError()) == "ValueError"


def test_the_place_is_the_callers_where_the_standard_library_raised() -> None:
    assert f"({__file__}:" in cause_of(caught(lambda: json.loads("{")))


def test_a_syntax_error_is_placed_in_its_file() -> None:
    error = caught(lambda: compile("x =", "/home/user/strategy.py", "exec"))
    assert cause_of(error).endswith("(/home/user/strategy.py:1)")


def test_a_group_is_placed_at_its_first_exception() -> None:
    group = raising(ExceptionGroup("two", [raising(ValueError("a")), KeyError("b")]))
    assert cause_of(group).startswith("ExceptionGroup: two (2 sub-exceptions) (")


def test_an_exception_that_cannot_be_shown_is_still_told() -> None:
    error = raising(Unspeakable())
    assert "its text cannot be shown" in cause_of(error)
    assert "Unspeakable" in trace_of(error)


def test_a_frame_that_cannot_be_formatted_is_still_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(error: BaseException) -> list[str]:
        raise RuntimeError

    monkeypatch.setattr("traceback.format_exception", fail)
    assert trace_of(ValueError()) == "ValueError, which cannot be shown: RuntimeError"


def test_the_trace_is_bounded_and_keeps_its_end() -> None:
    trace = trace_of(ValueError("x" * 2 * TRACE_CHARS_MAX))
    assert len(trace) == TRACE_CHARS_MAX


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ValueError(), 1),
        (KeyboardInterrupt(), 1),
        (MemoryError(), 15),
        (SystemExit(3), 3),
        (SystemExit(2), 2),
        (SystemExit(0), 1),
        (SystemExit(None), 1),
        (SystemExit("text"), 1),
        (SystemExit(256), 1),
        (SystemExit(78), 1),
        (SystemExit(10), 1),
    ],
)
def test_an_exit_keeps_its_code_unless_that_has_a_meaning_of_ours(error: BaseException, code: int) -> None:
    assert exit_code_of(error) == code


def test_an_exit_is_shown_as_a_call() -> None:
    assert cause_of(SystemExit(3)) == "sys.exit(3) was called"


def test_what_fails_below_machinery_is_told_apart_by_whose_code_it_is() -> None:
    theirs = caught(lambda: asyncio.run(_fails()))
    assert not is_from_package(theirs.__traceback__)
    ours = caught(lambda: place_in(3))  # type: ignore[arg-type]
    assert ours.__traceback__ is not None
    assert is_from_package(ours.__traceback__.tb_next.tb_next)  # type: ignore[union-attr]  # below the test's own frames
    assert is_from_package(None)


def test_machinery_at_the_bottom_of_a_thread_is_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    traces: list[TracebackType | None] = []
    monkeypatch.setattr(threading, "excepthook", lambda failed: traces.append(failed.exc_traceback))
    for work in (_divide, lambda: place_in(3)):  # type: ignore[arg-type]
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    assert [is_from_package(trace) for trace in traces] == [False, False], "the test's own function called the package"


def _divide() -> float:
    return 1 / 0


async def _fails() -> None:
    raise ValueError


def test_of_several_places_the_users_is_chosen() -> None:
    stdlib = (json.__file__, 1, "loads")
    installed = ("/opt/lib/site-packages/requests/api.py", 2, "get")
    user = ("/home/user/strategy.py", 3, "setup")
    ours = ("/opt/lib/site-packages/foxtrot_supervisor/engine/process.py", 4, "run")
    assert place_in([ours, user, installed, stdlib]) == user
    assert place_in([ours, installed, stdlib]) == installed
    assert place_in([ours, stdlib]) == ours
    assert place_in([stdlib]) == stdlib
    assert place_in([("<frozen importlib._bootstrap>", 1, "x")]) is None
