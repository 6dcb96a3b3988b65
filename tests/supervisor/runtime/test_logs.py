"""The supervisor's log: bounded, in three forms, never in the way."""

from __future__ import annotations

import json
import sys
from typing import Any

import pytest

from foxtrot_protocol.commands import LogRecord
from foxtrot_protocol.log_limits import Repetition
from foxtrot_protocol.log_line import Identity
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
    assert recent[-1].endswith(f'info    event-{RECENT_LINES_MAX + 2}                text="two\\nlines"')


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


def kept(logs: Logs) -> list[dict[str, Any]]:
    return [json.loads(bytes(line)) for line in logs.memory.read()["lines"]]


def test_lines_of_children_are_kept_and_not_written_twice(capsys: pytest.CaptureFixture[str]) -> None:
    logs = Logs("info", "json")
    logs.identify = lambda worker: Identity(worker=worker, incarnation=9, connection="c", exchange="e")
    lie = {"a": "1", "worker": "liar", "incarnation": "7", "event": "x", "level": "y"}
    logs.relay("w", 2, LogRecord("w", "warning", "happened", lie, 5), about_others=False)
    logs.relay("w", 2, LogRecord("w", "shout", "odd", {}), about_others=False)
    logs.relay("w", 2, LogRecord("w", "debug", "hidden", {}), about_others=False)
    assert capsys.readouterr().err == ""
    first, second = kept(logs)
    assert first == {
        "seq": 1,
        "timestamp": "1970-01-01T00:00:00.000000Z",
        "level": "warning",
        "event": "happened",
        "process": "w",
        "worker": "w",
        "incarnation": 2,
        "connection": "c",
        "exchange": "e",
        "a": "1",
    }
    assert (second["event"], second["level"]) == ("odd", "info")


def test_the_engine_speaks_about_workers() -> None:
    logs = Logs("info", "json")
    logs.relay(
        "engine", 1, LogRecord("engine", "error", "lost", {"worker": "w.a", "incarnation": "7"}), about_others=True
    )
    logs.relay("engine", 1, LogRecord("engine", "error", "own", {"incarnation": "7"}), about_others=True)
    assert [(line["process"], line["worker"], line["incarnation"]) for line in kept(logs)] == [
        ("engine", "w.a", 7),
        ("engine", "engine", 1),
    ]


def test_a_supervisor_line_about_a_worker_is_complete(capsys: pytest.CaptureFixture[str]) -> None:
    logs = Logs("info", "json")
    logs.identify = lambda worker: Identity(worker=worker, incarnation=9, connection="c", exchange="e")
    logs.log.warning("odd", worker="w.a")
    line = json.loads(capsys.readouterr().err)
    assert {**line, "seq": 1} == kept(logs)[0]
    assert [line[key] for key in ("process", "worker", "incarnation", "connection", "exchange")] == [
        "supervisor",
        "w.a",
        9,
        "c",
        "e",
    ]


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


def test_lines_are_passed_on() -> None:
    told: list[tuple[str, str, dict[str, str]]] = []
    logs = Logs("info", "link", lambda *line: told.append(line))
    logs.log.debug("hidden")
    logs.log.warning("odd", worker="one.a", count=3)
    assert told == [("warning", "odd", {"worker": "one.a", "count": "3"})]


def test_what_was_held_back_is_reported_though_it_does_not_come_again(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    logs = Logs("info", "json")
    for _ in range(REPEATS_MAX + 3):
        logs.log.warning("again", worker="w.a")
        logs.relay("w.a", 1, LogRecord("w.a", "info", "noise", {}), about_others=False)
    logs.tell_held_back()
    monkeypatch.setattr("foxtrot_protocol.log_limits.REPEATS_PERIOD_S", 0.0)
    logs.tell_held_back()
    told = [line for line in kept(logs) if line["event"] == "lines_held_back"]
    assert [(line["process"], line["of"], line["held_back"]) for line in told] == [
        ("supervisor", "again", 3),
        ("w.a", "noise", 3),
    ]
    assert json.loads(capsys.readouterr().err.splitlines()[-1])["of"] == "again"
