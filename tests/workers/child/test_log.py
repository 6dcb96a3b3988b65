"""Logs of children: bounded repetition, bounded fields, two ways out."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from foxtrot_protocol.commands import LogRecord
from foxtrot_protocol.log_limits import TRACE_CHARACTERS_MAX
from foxtrot_protocol.spec import ChildSpec
from foxtrot_workers.child.log import FIELD_CHARACTERS_MAX, REPEATS_MAX, ChildLogs

SPEC = ChildSpec(
    name="sim.a",
    kind="connection",
    target="x:y",
    incarnation=3,
    run_id="r",
    run_dir="d",
    parent_pid=1,
    control_endpoint="ipc://c",
    heartbeat_s=1.0,
    log_level="info",
    log_format="json",
    settings=b"",
)


class Pieces:
    """A stderr without a buffer, as with PYTHONUNBUFFERED: each write goes out separately."""

    def __init__(self) -> None:
        self.written: list[str] = []

    def write(self, text: str) -> int:
        self.written.append(text)
        return len(text)

    def flush(self) -> None:
        pass

    def isatty(self) -> bool:
        return False


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_a_line_is_one_write_because_other_processes_write_there_too(
    log_format: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    stderr = Pieces()
    monkeypatch.setattr("sys.stderr", stderr)
    log = ChildLogs(msgspec.structs.replace(SPEC, log_format=log_format), lambda message: None).log
    log.info("one", key="value")
    log.info("two")
    assert [text.count("\n") for text in stderr.written] == [1, 1]
    assert all(text.endswith("\n") for text in stderr.written)


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def test_json_lines_name_the_worker_and_cut_long_fields(capsys: pytest.CaptureFixture[str]) -> None:
    log = ChildLogs(SPEC, lambda _: None).log
    log.warning("frame_rejected", sample="x" * 10_000)
    log.debug("below_the_level")
    (line,) = lines(capsys)
    assert (line["event"], line["worker"], line["incarnation"], line["level"]) == (
        "frame_rejected",
        "sim.a",
        3,
        "warning",
    )
    assert len(line["sample"]) == FIELD_CHARACTERS_MAX + 1
    for _ in range(100):
        log.info("again")
    assert len(lines(capsys)) == REPEATS_MAX


def test_of_a_long_trace_the_end_is_kept(capsys: pytest.CaptureFixture[str]) -> None:
    ChildLogs(SPEC, lambda _: None).log.error("handler_failed", trace="first line\n" + "x" * 20_000 + "\nlast line")
    (line,) = lines(capsys)
    assert line["trace"].endswith("last line")
    assert "first line" not in line["trace"]
    assert len(line["trace"]) == TRACE_CHARACTERS_MAX + 1


def test_console_lines_are_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    ChildLogs(msgspec.structs.replace(SPEC, log_format="console"), lambda _: None).log.error("broken", why="test")
    text = capsys.readouterr().err
    assert "broken" in text
    assert "why=test" in text


def test_log_format_link_sends_records(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[LogRecord] = []
    log = ChildLogs(msgspec.structs.replace(SPEC, log_format="link", log_level="warning"), sent.append).log
    log.debug("no")
    log.info("no")
    log.warning("w", number=1)
    log.error("e", long="x" * 10_000)
    assert isinstance(sent[0], LogRecord)
    assert sent[0] == LogRecord("sim.a", "warning", "w", {"number": "1"}, sent[0].at_ns)
    assert sent[0].at_ns > 0
    assert isinstance(sent[1], LogRecord)
    assert len(sent[1].fields["long"]) == FIELD_CHARACTERS_MAX + 1
    sent.clear()
    for _ in range(100):
        log.warning("again")
    assert len(sent) == REPEATS_MAX
    monkeypatch.setattr("foxtrot_protocol.log_limits.REPEATS_PERIOD_S", 0.0)
    log.warning("again")
    assert isinstance(sent[-1], LogRecord)
    assert sent[-1].fields["held_back"] == str(100 - REPEATS_MAX)
    assert capsys.readouterr().err == ""


def test_a_worker_says_its_connection_and_exchange(capsys: pytest.CaptureFixture[str]) -> None:
    settings = msgspec.msgpack.encode({"connection": "sim", "exchange": "binance", "symbols": ["A"]})
    sent: list[LogRecord] = []
    ChildLogs(msgspec.structs.replace(SPEC, settings=settings), sent.append).log.info("connected")
    (line,) = lines(capsys)
    assert [line[key] for key in ("process", "worker", "incarnation", "connection", "exchange")] == [
        "sim.a",
        "sim.a",
        3,
        "sim",
        "binance",
    ]
    assert sent[0].fields == {}, "the supervisor knows the rest"


def test_lines_about_other_children_name_them(capsys: pytest.CaptureFixture[str]) -> None:
    sent: list[LogRecord] = []
    log = ChildLogs(msgspec.structs.replace(SPEC, name="engine", kind="engine", incarnation=2), sent.append).log
    log.error("batches_lost", worker="okx.b", incarnation=5, first=1)
    log.error("no_room", reason="x")
    about, own = lines(capsys)
    assert (about["process"], about["worker"], about["incarnation"], about["connection"]) == (
        "engine",
        "okx.b",
        5,
        "okx",
    )
    assert (own["process"], own["worker"], own["incarnation"]) == ("engine", "engine", 2)
    assert sent[0].fields == {"first": "1", "worker": "okx.b", "incarnation": "5"}
    assert sent[1].fields == {"reason": "x"}


def test_settings_that_cannot_be_read_leave_the_place_out(capsys: pytest.CaptureFixture[str]) -> None:
    ChildLogs(msgspec.structs.replace(SPEC, settings=b"\xff"), lambda _: None).log.info("seen")
    (line,) = lines(capsys)
    assert "connection" not in line


@pytest.mark.parametrize("log_format", ["json", "link"])
def test_what_was_held_back_is_reported_though_it_does_not_come_again(
    log_format: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[LogRecord] = []
    logs = ChildLogs(msgspec.structs.replace(SPEC, log_format=log_format), sent.append)
    for _ in range(REPEATS_MAX + 3):
        logs.log.warning("again")
    logs.tell_held_back()
    assert len(sent) == REPEATS_MAX
    monkeypatch.setattr("foxtrot_protocol.log_limits.REPEATS_PERIOD_S", 0.0)
    logs.tell_held_back()
    assert (sent[-1].event, sent[-1].fields) == ("lines_held_back", {"of": "again", "held_back": "3"})
    written = lines(capsys)
    assert len(written) == (len(sent) if log_format == "json" else 0)
