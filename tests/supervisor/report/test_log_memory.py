"""Recent log lines in memory: bounded, selected, and honest about what is missing."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest

from foxtrot_protocol.log_line import Identity, LogLine
from foxtrot_supervisor.report import log_memory
from foxtrot_supervisor.report.log_memory import LogMemory


def line(event: str, worker: str = "", level: str = "info", at_ns: int = 0, process: str = "supervisor") -> LogLine:
    about = Identity(worker=worker, connection=worker.rpartition(".")[0])
    return LogLine(at_ns=at_ns, level=level, event=event, process=process, about=about, fields={})


def events(answer: dict[str, Any]) -> list[str]:
    return [json.loads(bytes(each))["event"] for each in answer["lines"]]


def test_a_reader_gets_each_line_once() -> None:
    memory = LogMemory()
    assert memory.read() == {
        "lines": [],
        "next": 0,
        "first_seq": 1,
        "last_seq": 0,
        "first_at_ns": 0,
        "missed": 0,
        "more": False,
    }
    memory.add(line("one"))
    memory.add(line("two"))
    answer = memory.read()
    assert events(answer) == ["one", "two"]
    assert (answer["next"], answer["first_seq"], answer["last_seq"], answer["missed"]) == (2, 1, 2, 0)
    memory.add(line("three"))
    answer = memory.read(answer["next"])
    assert events(answer) == ["three"]
    assert json.loads(bytes(answer["lines"][0]))["seq"] == 3
    assert events(memory.read(answer["next"])) == []


def test_the_number_of_lines_is_bounded_and_what_fell_out_is_counted() -> None:
    memory = LogMemory(lines_max=3)
    for number in range(10):
        memory.add(line(str(number), at_ns=number))
    assert (memory.first_seq, memory.last_seq) == (8, 10)
    assert memory.read()["first_at_ns"] == 7
    answer = memory.read(after=5)
    assert (events(answer), answer["missed"]) == (["7", "8", "9"], 2)
    assert memory.read(after=7)["missed"] == 0
    assert memory.read(after=0)["missed"] == 0, "a reader that knew nothing has missed nothing"


def test_the_bytes_are_bounded_but_the_latest_line_stays() -> None:
    memory = LogMemory(bytes_max=1000)
    for number in range(100):
        memory.add(line(str(number) + "x" * 100))
    kept = memory.read()["lines"]
    assert 1 < len(kept) < 10
    assert sum(len(bytes(each)) for each in kept) <= 1000
    memory.add(line("y" * 2000))
    assert memory.first_seq == memory.last_seq


def test_filters() -> None:
    memory = LogMemory()
    memory.add(line("own"))
    memory.add(line("a", "sim.a", "warning", at_ns=5))
    memory.add(line("b", "sim.b", "error", at_ns=6))
    memory.add(line("e", "engine", "debug", at_ns=7, process="engine"))
    memory.add(line("about a", "sim.a", "info", at_ns=8, process="engine"))
    assert events(memory.read(name="sim.a")) == ["a", "about a"]
    assert events(memory.read(name="sim")) == ["a", "b", "about a"]
    assert events(memory.read(name="engine")) == ["e", "about a"]
    assert events(memory.read(name="supervisor")) == ["own", "a", "b"]
    assert events(memory.read(level="warning")) == ["a", "b"]
    assert events(memory.read(since_ns=6)) == ["b", "e", "about a"]
    assert memory.read(name="nobody")["next"] == 5
    assert memory.has_named("sim")
    assert not memory.has_named("nobody")


@pytest.mark.parametrize("bound", ["ANSWER_LINES_MAX", "ANSWER_BYTES_MAX"])
def test_long_answers_come_in_parts(bound: str, monkeypatch: pytest.MonkeyPatch) -> None:
    memory = LogMemory()
    for number in range(10):
        memory.add(line(str(number), level="info" if number % 2 else "debug"))
    monkeypatch.setattr(log_memory, bound, 2 if bound == "ANSWER_LINES_MAX" else 250)
    parts, after = [], 0
    for _ in itertools.count():
        answer = memory.read(after, level="info")
        parts.append(events(answer))
        after = answer["next"]
        if not answer["more"]:
            break
    assert parts == [["1", "3"], ["5", "7"], ["9"]]
    assert after == 10


def test_a_cursor_of_an_earlier_run_begins_at_the_first_line() -> None:
    memory = LogMemory()
    memory.add(line("one"))
    for after in (500, -5):
        answer = memory.read(after=after)
        assert (events(answer), answer["missed"]) == (["one"], 0)


def test_the_latest_lines() -> None:
    memory = LogMemory()
    for number in range(5):
        memory.add(line(str(number)))
    assert [each["event"] for each in memory.latest(2)] == ["3", "4"]
    assert len(memory.latest(100)) == 5
