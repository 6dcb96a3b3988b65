"""The supervisor's log: bounded, in three forms, never in the way."""

from __future__ import annotations

import json
import sys

import pytest

from foxtrot_protocol.log_limits import Repetition
from foxtrot_supervisor.config.schema import LogFormat
from foxtrot_supervisor.runtime.logs import (
    RECENT_LINES_MAX,
    REPEATS_MAX,
    Logs,
)


def test_json_lines(capsys: pytest.CaptureFixture[str]) -> None:
    log = Logs("info", "json").log
    log.debug("hidden")
    log.info("seen", worker="a", number=1, odd={1})
    out, err = capsys.readouterr()
    line = json.loads(err)
    assert out == ""
    assert (line["event"], line["worker"], line["number"], line["odd"]) == ("seen", "a", 1, "{1}")
    assert line["level"] == "info"
    assert line["timestamp"].endswith("Z")


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_a_line_goes_out_in_one_piece_for_children_write_there_too(
    log_format: LogFormat, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[str] = []
    log = Logs("info", log_format).log
    monkeypatch.setattr(sys.stderr, "write", written.append)  # as without a buffer: PYTHONUNBUFFERED
    log.info("one", key="value")
    log.info("two")
    assert [text.count("\n") for text in written] == [1, 1]
    assert all(text.endswith("\n") for text in written)


def test_console_lines(capsys: pytest.CaptureFixture[str]) -> None:
    Logs("debug", "console").log.debug("seen", worker="a")
    assert "seen" in capsys.readouterr().err


def test_link_prints_nothing_and_keeps_the_last(capsys: pytest.CaptureFixture[str]) -> None:
    logs = Logs("info", "link")
    for number in range(RECENT_LINES_MAX + 3):
        logs.log.info(f"event-{number}", text="two\nlines")
    assert capsys.readouterr() == ("", "")
    recent = logs.recent()
    assert len(recent) == RECENT_LINES_MAX
    assert recent[-1].endswith(f"info    event-{RECENT_LINES_MAX + 2} text=two lines")


def test_repetition_and_length_are_bounded(capsys: pytest.CaptureFixture[str]) -> None:
    log = Logs("info", "json").log
    for _ in range(REPEATS_MAX + 10):
        log.error("again", worker="a", sample="x" * 10_000, stacks="y" * 10_000)
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert len(lines) == REPEATS_MAX
    assert len(lines[0]["sample"]) < 2100
    assert len(lines[0]["stacks"]) == 10_000


def test_of_a_long_trace_the_end_is_kept(capsys: pytest.CaptureFixture[str]) -> None:
    Logs("info", "json").log.error("child_crashed", trace="first line\n" + "x" * 20_000 + "\nlast line")
    line = json.loads(capsys.readouterr().err)
    assert line["trace"].endswith("last line")
    assert "first line" not in line["trace"]


def test_the_next_line_says_how_many_were_held_back(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Repetition, "admit", lambda *_: 7)
    Logs("info", "json").log.info("again")
    assert json.loads(capsys.readouterr().err)["held_back"] == 7


def test_lines_of_children(capsys: pytest.CaptureFixture[str]) -> None:
    logs = Logs("info", "json")
    logs.relay("w", "warning", "happened", {"a": "1", "worker": "liar", "event": "x", "level": "y"})
    logs.relay("w", "shout", "odd", {})
    logs.relay("w", "debug", "hidden", {})
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [(line["event"], line["worker"], line["level"]) for line in lines] == [
        ("happened", "w", "warning"),
        ("odd", "w", "info"),
    ]
    assert lines[0]["a"] == "1"


def test_a_terminal_that_is_gone_is_no_reason_to_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    class Gone:
        def write(self, _: str) -> int:
            raise OSError(5, "Input/output error")

        def flush(self) -> None:
            raise ValueError("I/O operation on closed file")

        def isatty(self) -> bool:
            return False

    monkeypatch.setattr(sys, "stderr", Gone())
    Logs("info", "json").log.info("seen")


def test_lines_are_told_on() -> None:
    told: list[tuple[str, str, dict[str, str]]] = []
    logs = Logs("info", "link", lambda *line: told.append(line))
    logs.log.debug("hidden")
    logs.log.warning("odd", worker="one.a", count=3)
    assert told == [("warning", "odd", {"worker": "one.a", "count": "3"})]
