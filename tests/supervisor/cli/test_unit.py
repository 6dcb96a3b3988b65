"""The command that prints the unit."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from foxtrot_supervisor.cli.main import cli
from foxtrot_supervisor.cli.unit import SYSTEM_CONFIG
from foxtrot_supervisor.config.example import EXAMPLE


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A working directory from which no configuration is found."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    return tmp_path


def run(*words: str) -> Result:
    return CliRunner().invoke(cli, ["unit", *words])


def test_options_and_configuration_determine_the_unit(folder: Path) -> None:
    (folder / "my.toml").write_text(EXAMPLE.replace("# shutdown_s = 60.0", "shutdown_s = 600.0"))
    result = run("-c", "my.toml", "--user", "feeds", "--exec", "/opt/x/foxtrot-supervisor")
    assert result.exit_code == 0
    assert f"ExecStart=/opt/x/foxtrot-supervisor start -c {folder}/my.toml " in result.stdout
    assert "User=feeds\n" in result.stdout
    assert "TimeoutStopSec=635\n" in result.stdout


def test_by_default_this_program_and_the_configuration_that_start_would_find(folder: Path) -> None:
    (folder / "foxtrot.toml").write_text(EXAMPLE)
    result = run()
    assert result.exit_code == 0
    program = Path(sys.executable).with_name("foxtrot-supervisor")
    assert f"ExecStart={program} start -c {folder}/foxtrot.toml " in result.stdout
    assert "DynamicUser=yes\n" in result.stdout


def test_the_program_is_the_one_that_was_called(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "foxtrot-supervisor").touch()
    monkeypatch.setattr(sys, "argv", ["./foxtrot-supervisor", "unit"])
    assert f"ExecStart={folder}/foxtrot-supervisor start" in run().stdout


@pytest.mark.usefixtures("folder")
def test_without_a_configuration_the_unit_names_the_usual_place() -> None:
    result = run()
    if Path(SYSTEM_CONFIG).exists():
        pytest.skip("this machine has a configuration of its own")
    assert result.exit_code == 0
    assert f"-c {SYSTEM_CONFIG} " in result.stdout
    assert SYSTEM_CONFIG in result.stderr


def test_invalid_users_and_configurations_are_refused(folder: Path) -> None:
    assert run("--user", "two words").exit_code == 2
    (folder / "foxtrot.toml").write_text("nonsense = 1")
    result = run()
    assert result.exit_code == 78
    assert "nonsense" in result.stderr
    assert run("-c", "absent.toml").exit_code == 78
