"""Answers of a supervisor: escaped control characters, the outcome of a stop as a type."""

from __future__ import annotations

import pytest

from foxtrot_protocol.control import Reply, encode_line
from foxtrot_protocol.errors import MalformedMessage
from foxtrot_supervisor.client.answers import (
    DEPTH_MAX,
    AuditEnd,
    ChildEnd,
    StopAnswer,
    printable,
    read_reply,
    read_stop_answer,
)


def test_control_characters_are_escaped_everywhere() -> None:
    shown = printable({"a\x1b[2J": ["\x1b]0;x\x07", 1, None, {"b": "\u202eabc\x9b"}], "c": "line\n\tplain é"})
    assert shown == {
        "a\\x1b[2J": ["\\x1b]0;x\\x07", 1, None, {"b": "\\u202eabc\\x9b"}],
        "c": "line\n\tplain é",
    }


@pytest.mark.parametrize(
    "text", ["\x1b[2J", "\x07", "\b", "\r", "\x7f", "\x9b", "\u200e", "\u2028", "\u202e", "\u2066"]
)
def test_a_reply_with_control_characters_is_escaped(text: str) -> None:
    (shown,) = read_reply(encode_line(Reply(data={"a": f"é {text}"}))).data.values()
    assert text not in shown
    assert printable(shown) == shown
    assert read_reply(encode_line(Reply(error=text))).error == printable(text)


def test_a_reply_of_plain_text_is_the_same() -> None:
    reply = Reply(data={"a": 'line\n\t"plain" \\ é €', "b": [1, None]})
    assert read_reply(encode_line(reply)) == reply


def test_endless_nesting_is_refused() -> None:
    value: object = 1
    for _ in range(DEPTH_MAX + 1):
        value = [value]
    with pytest.raises(MalformedMessage, match="levels"):
        printable(value)


def test_the_outcome_of_a_stop() -> None:
    data = {
        "exit_code": 4,
        "children": [{"name": "a", "state": "STOPPED", "rung": "kill", "more": 1}],
        "audit": {"files": ["x"]},
    }
    assert read_stop_answer(data) == StopAnswer(4, [ChildEnd("a", "STOPPED", "kill")], AuditEnd(files=["x"]))
    assert read_stop_answer(data).audit.left_behind() == {"files": ["x"]}


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"exit_code": 0},
        {"exit_code": "0", "children": [], "audit": {}},
        {"exit_code": 0, "children": ["a"], "audit": {}},
        {"exit_code": 0, "children": [{"name": 1}], "audit": {}},
        {"exit_code": 0, "children": [], "audit": []},
        {"exit_code": 0, "children": [], "audit": {"files": "x"}},
    ],
)
def test_other_answers_are_not_the_outcome_of_a_stop(data: dict[str, object]) -> None:
    with pytest.raises(MalformedMessage, match="not the outcome of a stop"):
        read_stop_answer(data)
