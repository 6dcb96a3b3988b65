"""The root of the command line: help, usage, internal errors, and what is imported when."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import click
import pytest

from foxtrot_supervisor.cli import start
from foxtrot_supervisor.cli.main import COMMANDS, cli
from tests.support.called_commands import Run


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_every_command_has_help(run: Run, command: str) -> None:
    assert run(*command.split(), "--help") == 0
    assert "Usage: foxtrot-supervisor" in run.out
    assert run.err == ""


def test_version_prints_the_version(run: Run) -> None:
    assert run("--version") == 0
    assert run.out.startswith("foxtrot-supervisor, version ")


def test_version_says_which_form_of_the_hot_paths_runs(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FOXTROT_FORM", "pure")
    assert run("--version") == 0
    assert run.out.endswith(" (pure Python: FOXTROT_FORM=pure)\n")


@pytest.mark.parametrize(
    "words",
    ["nonsense", "start --nonsense", "restart", "events --type nonsense", "events --depth 0", "start --duration -1"],
)
def test_wrong_usage_is_2(run: Run, words: str) -> None:
    assert run(*words.split()) == 2
    assert "Error:" in run.err


def test_the_summaries_are_those_of_the_commands() -> None:
    context = click.Context(cli)
    real = {name: cli.get_command(context, name) for name in cli.list_commands(context)}
    summaries = {name: (command.help or "").partition("\n")[0] for name, command in real.items() if command}
    assert {name: summary for name, (_, summary) in COMMANDS.items()} == summaries
    assert {name: command.name for name, command in real.items() if command} == {name: name for name in COMMANDS}


def test_every_summary_fits_a_line_of_80_columns() -> None:
    assert [summary for _, summary in COMMANDS.values() if len(summary) > 61] == []


def test_help_imports_no_command() -> None:
    code = """
import atexit, os, sys
from foxtrot_supervisor.__main__ import main
atexit.register(lambda: os.write(2, " ".join(sys.modules).encode()))
sys.argv[1:] = ["--help"]
main()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    ours = {name for name in done.stderr.split() if name.startswith("foxtrot_")}
    assert ours == {
        "foxtrot_protocol",
        "foxtrot_protocol.exit_codes",
        "foxtrot_protocol.line_queue",
        "foxtrot_protocol.standard_streams",
        "foxtrot_supervisor",
        "foxtrot_supervisor.__main__",
        "foxtrot_supervisor.cli",
        "foxtrot_supervisor.cli.main",
        "foxtrot_supervisor.cli.messages",
        "foxtrot_supervisor.system",
        "foxtrot_supervisor.system.module_path",
        "foxtrot_supervisor.system.signal_state",
    }
    assert not {"msgspec", "zmq", "asyncio", "rich", "structlog"} & set(done.stderr.split())


def test_an_internal_error_is_one_line(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(start, "find_configuration", broken)
    assert run("start") == 1
    assert run.err.splitlines()[-1] == "internal error: RuntimeError: a bug (--debug shows where)"


def test_debug_shows_where(tmp_path: Path) -> None:
    program = "from foxtrot_supervisor.cli import main, start; start.find_configuration = None; main.main()"
    done = subprocess.run(
        [sys.executable, "-c", program, "--debug", "start"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "HOME": str(tmp_path)},
        check=False,
    )
    assert done.returncode == 1
    assert "Traceback" in done.stderr
    assert "'NoneType' object is not callable" in done.stderr
