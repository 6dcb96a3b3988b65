"""Commands that ask a running supervisor: requests sent, answers printed, exit codes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support.called_commands import Run

READING = ["status", "stop", "restart w", "reload", "subscribe w S", "unsubscribe w S", "events", "incidents"]


@pytest.mark.parametrize("command", READING)
def test_without_a_run_it_is_3_and_says_where_it_looked(run: Run, tmp_path: Path, command: str) -> None:
    assert run(*command.split()) == 3
    assert f"looked in {tmp_path}/foxtrot)" in run.err
    assert run(*command.split(), "--run-dir", "elsewhere") == 3
    assert f"looked in {Path.cwd()}/elsewhere)" in run.err
    Path("foxtrot.toml").write_text('[supervisor]\nrun_dir = "mine"')
    assert run(*command.split()) == 3
    started_with = f", and for a run started with {Path.cwd()}/foxtrot.toml"
    assert f"looked in {Path.cwd()}/mine, {tmp_path}/foxtrot{started_with})" in run.err
    assert run(*command.split(), "-c", "foxtrot.toml") == 3
    assert f"looked in {Path.cwd()}/mine{started_with})" in run.err
    assert run(*command.split(), "--run-dir", "x" * 120) == 3
    assert "socket path has more than 107 bytes" in run.err


STATUS = {"supervisor": {"pid": 1, "state": "running"}, "engine": {}, "workers": [{"name": "sim.a", "state": "FATAL"}]}


def test_status(run: Run, supervise: Any) -> None:
    supervise({"data": STATUS})
    assert run("status", "--json") == 0
    assert run.lines() == [STATUS]
    assert run("status") == 0
    assert "sim.a" in run.out
    assert "FATAL" in run.out


def test_the_run_of_the_configuration_is_found(run: Run, supervise: Any) -> None:
    Path("foxtrot.toml").write_text('[supervisor]\nrun_dir = "mine"\nwrong = 1')
    supervise({"data": {"which": "mine"}}, run_dir=Path("mine").resolve())
    assert run("status", "--json") == 0
    assert run.lines() == [{"which": "mine"}]
    assert run("status", "--json", "-c", "foxtrot.toml") == 0
    assert run("status", "--json", "--run-dir", "mine") == 0


@pytest.mark.parametrize(
    ("words", "request_", "printed"),
    [
        ("restart sim.a", {"type": "restart", "worker": "sim.a"}, "sim.a has been restarted"),
        ("restart --all", {"type": "restart_all"}, "all workers have been restarted"),
        ("reload", {"type": "reload", "dry_run": False}, "reloaded: nothing to start or to stop; 0 kept as they run"),
        (
            "subscribe sim.a X Y",
            {"type": "subscribe", "worker": "sim.a", "symbols": ["X", "Y"]},
            "sim.a has subscribed X, Y",
        ),
        (
            "unsubscribe sim.a X",
            {"type": "unsubscribe", "worker": "sim.a", "symbols": ["X"]},
            "sim.a has unsubscribed X",
        ),
    ],
)
def test_requests_are_sent_and_answers_printed(
    run: Run, supervise: Any, words: str, request_: dict[str, Any], printed: str
) -> None:
    supervisor = supervise({"data": {"done": True}})
    assert run(*words.split()) == 0
    assert run.out == printed + "\n"
    assert supervisor.requests == [{**request_, "version": 1}]
    assert run(*words.split(), "--json") == 0
    assert run.lines() == [{"done": True}]


def test_a_refusal_is_printed(run: Run, supervise: Any) -> None:
    supervise({"error": "there is no worker mars.a"})
    assert run("restart", "mars.a") == 1
    assert run.err == "there is no worker mars.a\n"


def test_an_answer_that_cannot_be_read_is_1(run: Run, supervise: Any) -> None:
    supervise({"error": 3})
    assert run("status") == 1
    assert "the supervisor's answer cannot be read: reply: " in run.err


def test_a_supervisor_that_ends_without_an_answer(run: Run, supervise: Any) -> None:
    supervise(None)
    assert run("status") == 3
    assert "it ended without an answer" in run.err


def test_stop_says_which_rung_was_needed(run: Run, supervise: Any) -> None:
    children = [
        {"name": "sim.a", "rung": "kill"},
        {"name": "engine", "rung": "ask"},
        {"name": "okx.a", "rung": None, "state": "FATAL", "cause": "no such exchange"},
    ]
    supervise({"data": {"exit_code": 4, "children": children, "audit": {"files": ["x.ipc"], "threads": []}}})
    assert run("stop") == 4
    assert run.out.splitlines() == [
        "sim.a: needed SIGKILL",
        "engine: stopped when asked",
        "okx.a: had ended before (no such exchange)",
        "left behind: files ['x.ipc']",
        "stopped, exit code 4",
    ]


def test_stop_of_workers(run: Run, supervise: Any) -> None:
    workers = [
        {"worker": "sim.a", "state": "STOPPED", "rung": "ask", "cause": "stopped by an operator"},
        {"worker": "okx.a", "state": "FATAL", "rung": None, "cause": "no such exchange"},
    ]
    supervisor = supervise({"data": {"workers": workers}})
    assert run("stop", "sim.a", "okx") == 0
    assert run.out.splitlines() == [
        "sim.a: stopped when asked",
        "okx.a: has no process, FATAL: no such exchange",
    ]
    assert supervisor.requests == [{"type": "stop_workers", "workers": ["sim.a", "okx"], "version": 1}]
    assert run("stop", "sim.a", "--json") == 0
    assert run.lines() == [{"workers": workers}]


def test_stop_says_what_was_not_handled(run: Run, supervise: Any) -> None:
    ring = {"worker": "sim.a", "incarnation": 1, "events": 421}
    supervise({"data": {"exit_code": 4, "children": [], "audit": {"clean": False, "unhandled": [ring]}}})
    assert run("stop") == 4
    expected = ["not handled: 421 events of sim.a#1", "left behind: nothing", "stopped, exit code 4"]
    assert run.out.splitlines() == expected


def test_stop_as_json(run: Run, supervise: Any) -> None:
    answer = {"exit_code": 0, "children": [], "audit": {"clean": True}}
    supervise({"data": answer})
    assert run("stop", "--json") == 0
    assert run.lines() == [answer]
