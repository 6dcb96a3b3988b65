"""Log lines for people."""

from __future__ import annotations

import datetime
import traceback
from typing import Any

from foxtrot_protocol.log_text import FOLDED_LINES_MAX, console_text, fold

BERLIN = datetime.timezone(datetime.timedelta(hours=1))
LINE = {
    "timestamp": "2023-11-14T22:13:20.123456Z",
    "level": "warning",
    "event": "worker_state",
    "process": "supervisor",
    "worker": "sim.a",
    "incarnation": 3,
    "connection": "sim",
    "exchange": "binance",
    "state": "BACKOFF",
    "cause": "exit code 10",
}


def shown(more: dict[str, Any] | None = None, **options: Any) -> str:
    return console_text({**LINE, **(more or {})}, local=lambda at: at.astimezone(BERLIN), **options)


def test_a_line_has_local_time_with_offset_level_event_and_fields() -> None:
    assert shown() == (
        "2023-11-14 23:13:20.123+01:00 warning worker_state             "
        'worker=sim.a incarnation=3 exchange=binance state=BACKOFF cause="exit code 10"'
    )


def test_what_a_reader_cannot_guess_is_shown() -> None:
    assert " process=engine worker=sim.a" in shown({"process": "engine"})
    assert " connection=other " in shown({"connection": "other"})
    assert " process=" not in shown({"process": "sim.a"})


def test_values_that_are_not_one_word_are_quoted_and_controls_escaped() -> None:
    text = shown({"a": "", "b": 'say "x"', "c": "two\nlines", "d": "\x1b[31m", "e": "\x9b\u202e", "f": "x=y"})
    assert ' a="" b="say \\"x\\"" c="two\\nlines" d="\\u001b[31m" e="\\x9b\\u202e" f="x=y"' in text
    assert text.isprintable()


def test_lists_and_mappings_are_words() -> None:
    text = shown({"removed": ["a", "b"], "none": [], "audit": {"clean": True, "files": [], "rungs": {"x.a": "ask"}}})
    assert text.endswith('removed="a, b" none="" audit="clean True, rungs x.a ask"')


def test_colours_only_on_request() -> None:
    assert "\x1b[" not in shown()
    assert "\x1b[33mwarning\x1b[0m" in shown(colour=True)
    assert "\x1b[36mstate\x1b[0m=BACKOFF" in shown(colour=True)


def test_the_short_form_is_one_line() -> None:
    text = shown({"trace": "one\ntwo"}, short=True)
    assert text.startswith("23:13:20 warning worker_state")
    assert "\n" not in text
    assert "trace" not in text


def test_an_invalid_time_is_shown_as_it_is() -> None:
    assert console_text({"timestamp": "soon", "level": "info", "event": "x"}) == "soon info    x"


def test_a_traceback_follows_its_line_one_line_for_each_frame() -> None:
    try:
        int("x")
    except ValueError as error:
        trace = "".join(traceback.format_exception(error))
    first, head, *rest = shown({"trace": trace}).splitlines()
    assert first.endswith('cause="exit code 10"')
    assert head == "    trace:"
    assert rest[0] == "    │ Traceback (most recent call last):"
    assert "test_log_text.py:" in rest[1]
    assert rest[1].endswith('test_a_traceback_follows_its_line_one_line_for_each_frame  → int("x")')
    assert rest[2] == "    │ ValueError: invalid literal for int() with base 10: 'x'"


def test_stacks_of_faulthandler_and_installed_packages_are_short() -> None:
    dump = 'Thread 0x1 (most recent call first):\n  File "/opt/lib/python3.11/site-packages/x/y.py", line 7 in f\n'
    assert fold(dump) == ["Thread 0x1 (most recent call first):", "  x/y.py:7 f"]


def test_frames_without_their_line_of_code_stand_one_below_the_other() -> None:
    """As in a dump of stacks; empty lines and marks below the code are left out."""
    dump = 'T:\n  File "a.py", line 1 in f\n  File "b.py", line 2, in g\n    g(x)\n    ~^^^\n\nT2:\n'
    assert fold(dump) == ["T:", "  a.py:1 f", "  b.py:2 g  → g(x)", "T2:"]


def test_long_stacks_lose_their_middle() -> None:
    lines = fold("\n".join(f"line {number}" for number in range(1000)))
    assert len(lines) == FOLDED_LINES_MAX
    assert lines[FOLDED_LINES_MAX // 2] == "… 961 lines …"
    assert (lines[0], lines[-1]) == ("line 0", "line 999")


def test_controls_in_stacks_are_escaped() -> None:
    assert fold("\x1b[2J\nx") == ["\\x1b[2J", "x"]
