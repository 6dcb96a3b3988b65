"""The commands `check` and `init`: what is printed, which exit code."""

from __future__ import annotations

from pathlib import Path

import pytest

from foxtrot_supervisor.config.example import EXAMPLE
from tests.support.called_commands import Run


def test_check_lists_every_error(run: Run) -> None:
    Path("foxtrot.toml").write_text('[supervisor]\nhelo_s = 1\n[[connections]]\nname = "X"\nexchange = "mars"\n')
    assert run("check") == 78
    assert run.out == ""
    lines = run.err.splitlines()
    path = str(Path.cwd() / "foxtrot.toml")
    assert lines[0] == f'{path}: supervisor.helo_s: is not a known key; did you mean "hello_s"?'
    assert len(lines) == 5
    assert all(line.startswith(f"{path}: connections[0].") for line in lines[1:])


def test_check_as_json(run: Run) -> None:
    Path("bad.toml").write_text("connections = 3")
    assert run("check", "-c", "bad.toml", "--json") == 78
    (report,) = run.lines()
    assert report == {
        "ok": False,
        "file": "bad.toml",
        "errors": [{"file": "bad.toml", "key": "connections", "reason": "must be tables, each headed [[connections]]"}],
    }
    Path("good.toml").write_text(EXAMPLE)
    assert run("check", "-c", "good.toml", "--json") == 0
    assert run.lines() == [{"ok": True, "file": "good.toml", "errors": [], "connections": ["sim"]}]


def test_check_names_the_exchanges(run: Run) -> None:
    assert run("check") == 0
    assert "no file found" in run.out
    assert "  binance: " in run.out


@pytest.mark.parametrize("command", ["check", "start", "status", "stop", "events"])
def test_a_missing_configuration_is_78(run: Run, command: str) -> None:
    assert run(command, "-c", "absent.toml") == 78
    assert "absent.toml: cannot be read: No such file or directory\n" in run.err


def test_init_writes_what_check_accepts(run: Run) -> None:
    assert run("init") == 0
    assert Path("foxtrot.toml").read_text() == EXAMPLE
    assert run("check") == 0
    assert run("init") == 2
    assert "exists already" in run.err
    Path("foxtrot.toml").write_text("")
    assert run("init", "--force") == 0
    assert Path("foxtrot.toml").read_text() == EXAMPLE
    assert run("init", "-o", "-") == 0
    assert run.out == EXAMPLE
    assert run("init", "-o", "absent/foxtrot.toml") == 2
    assert "cannot be written: No such file" in run.err
