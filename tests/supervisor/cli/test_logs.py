"""The command `logs`: what it asks, what it prints, and that it survives a run. With a real run: tests/integration."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from foxtrot_protocol.control import Reply, encode_line
from foxtrot_protocol.log_line import Identity, LogLine
from foxtrot_supervisor.cli import logs as command
from foxtrot_supervisor.report.log_memory import LogMemory
from tests.support.called_commands import FakeSupervisor, Run


def line(event: str, worker: str = "sim.a", level: str = "info") -> LogLine:
    about = Identity(worker=worker, incarnation=2, connection="sim", exchange="binance")
    return LogLine(at_ns=0, level=level, event=event, process="supervisor", about=about, fields={"reason": "a b"})


class Runs:
    """Supervisors in one run directory, one after the other."""

    def __init__(self, run_dir: Path) -> None:
        self._run_dir = run_dir
        self.memory = LogMemory()
        self._numbers = itertools.count(1)
        self.begin()

    def begin(self) -> None:
        """A new run with an empty memory."""
        self.memory = LogMemory()
        self._run_id = f"run-{next(self._numbers)}"
        self.supervisor = FakeSupervisor(self._run_dir, self._answer)

    def _answer(self, request: dict[str, Any]) -> dict[str, Any]:
        if request["worker"] == "nobody":
            return {"error": "there is no worker or connection called 'nobody'"}
        read = self.memory.read(request["after"], request["worker"], request["level"], request["since_ns"])
        data: dict[str, Any] = msgspec.json.decode(encode_line(Reply(data={**read, "run_id": self._run_id})))
        return data


@pytest.fixture
def runs(tmp_path: Path) -> Iterator[Runs]:
    place = tmp_path / "foxtrot"
    place.mkdir(mode=0o700)
    made = Runs(place)
    yield made
    made.supervisor.close()


def test_lines_for_people_and_as_json(run: Run, runs: Runs) -> None:
    runs.memory.add(line("worker_state"))
    assert run("logs") == 0
    (text,) = run.out.splitlines()
    assert text.endswith('info    worker_state             worker=sim.a incarnation=2 exchange=binance reason="a b"')
    assert run("logs", "--json") == 0
    (shown,) = run.lines()
    assert (shown["seq"], shown["event"], shown["worker"]) == (1, "worker_state", "sim.a")
    assert run.err == ""


def test_filters_are_the_supervisors(run: Run, runs: Runs) -> None:
    runs.memory.add(line("one", level="warning"))
    assert run("logs", "sim", "--level", "warning", "--since", "1970-01-01T00:00Z", "--json") == 0
    asked = runs.supervisor.requests[-1]
    assert (asked["worker"], asked["level"], asked["since_ns"], asked["wait_s"]) == ("sim", "warning", 0, 0.0)
    assert len(run.lines()) == 1


def test_the_last_lines(run: Run, runs: Runs) -> None:
    for number in range(10):
        runs.memory.add(line(str(number)))
    assert run("logs", "-n", "2", "--json") == 0
    assert [shown["event"] for shown in run.lines()] == ["8", "9"]
    assert run("logs", "-n", "0") == 0
    assert run.out == ""


def test_mistakes(run: Run, runs: Runs) -> None:
    assert run("logs", "nobody") == 1
    assert "nobody" in run.err
    assert run("logs", "--since", "soon") == 2
    assert "expected a duration" in run.err
    assert run("logs", "--run-dir", "/nowhere/at/all") in (3, 78)


def test_lines_that_fell_out_are_reported(run: Run, runs: Runs) -> None:
    runs.memory = LogMemory(lines_max=2)
    for number in range(5):
        runs.memory.add(line(str(number)))
    assert run("logs") == 0
    assert "3 earlier lines have fallen out of the supervisor's memory" in run.err


def test_following_survives_the_end_of_the_run(run: Run, runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    runs.memory.add(line("first run"))
    looks = iter(["begin", "more", "end", "gone", "next run", "next lines"])

    def output_ended() -> bool:
        match next(looks, "over"):
            case "more":
                runs.memory.add(line("more"))
            case "end":
                runs.supervisor.close()
            case "next run":
                runs.begin()
                runs.memory.add(line("second run"))
            case "over":
                return True
        return False

    monkeypatch.setattr(command, "output_ended", output_ended)
    monkeypatch.setattr(command, "RETRY_S", 0.0)
    assert run("logs", "--follow", "--json") == 0
    assert [shown["event"] for shown in run.lines()] == ["first run", "more", "second run"]
    assert "the run has ended; waiting for the next" in run.err
    assert "a new run begins" in run.err


def test_no_colours_where_there_is_no_terminal(run: Run, runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    runs.memory.add(line("one"))
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert run("logs") == 0
    assert "\x1b" not in run.out
