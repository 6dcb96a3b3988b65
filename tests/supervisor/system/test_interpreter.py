"""The interpreter for children: found also where ``sys.executable`` is empty or names another program."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from foxtrot_supervisor.system.interpreter import (
    VARIABLE,
    InterpreterMissing,
    candidates,
    find_interpreter,
    python_command,
)


def test_the_environment_variable_is_the_only_candidate() -> None:
    assert candidates("/opt/py", "/usr/bin/python3", ["/usr"], (3, 11)) == ["/opt/py"]


@pytest.mark.parametrize("name", ["python", "python3", "python3.13t", "pypy3"])
def test_a_running_python_comes_first(name: str) -> None:
    assert candidates("", f"/usr/bin/{name}", [], (3, 11)) == [f"/usr/bin/{name}"]


@pytest.mark.parametrize("executable", ["", "/usr/bin/uwsgi", "/opt/my-trading-app"])
def test_for_a_host_program_the_candidates_are_where_python_is_installed(executable: str) -> None:
    found = candidates("", executable, ["/venv", "/usr"], (3, 11))
    assert found == ["/venv/bin/python3.11", "/venv/bin/python3", "/usr/bin/python3.11", "/usr/bin/python3"]


def test_the_running_interpreter_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    assert find_interpreter() == sys.executable
    monkeypatch.setattr(sys, "executable", "")
    assert os.path.dirname(find_interpreter()) == os.path.join(sys.exec_prefix, "bin")


def test_without_an_interpreter_the_error_lists_the_places(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "/nowhere/python")
    with pytest.raises(InterpreterMissing, match=rf"looked for /nowhere/python; .*{VARIABLE}"):
        find_interpreter()


def test_the_command_line_keeps_the_working_directory_off_the_path() -> None:
    code = "import os, sys; print(os.getcwd() in sys.path or '' in sys.path)"
    done = subprocess.run(python_command("-c", code), capture_output=True, text=True, timeout=60, cwd="/", check=True)
    assert done.stdout.strip() == "False"
