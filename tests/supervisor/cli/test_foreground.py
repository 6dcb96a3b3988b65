"""Options of commands that run a supervisor in their own process, and what the run gets of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result
from msgspec import structs

from foxtrot_supervisor.cli import foreground
from foxtrot_supervisor.cli.foreground import Foreground, foreground_options
from foxtrot_supervisor.config.schema import FoxtrotConfig
from foxtrot_supervisor.core.targets import Targets


@pytest.fixture
def called(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, Any]:
    """Arguments of `run_supervisor`, which ends with code 7."""
    seen: dict[str, Any] = {}

    def run_supervisor(config: Any, **options: Any) -> int:
        seen.update(options, config=config)
        return 7

    monkeypatch.setattr(foreground, "run_supervisor", run_supervisor)
    monkeypatch.chdir(tmp_path)
    return seen


def call(*words: str, config: FoxtrotConfig | None = None, **more: Any) -> Result:
    @click.command()
    @click.option("--name", default="one")
    @foreground_options
    def command(name: str, foreground: Foreground) -> None:
        assert name == "one"
        foreground.run(config or FoxtrotConfig(), import_path="here", config_path=None, **more)

    return CliRunner().invoke(command, words)


def test_a_run_gets_the_options_and_its_code_is_the_commands(called: dict[str, Any], tmp_path: Path) -> None:
    words = "--run-dir mine --log-level debug --log-format json --boot module:function"
    assert call(*words.split(), duration_s=3.0).exit_code == 7
    assert called["run_dir_path"] == str(tmp_path / "mine")
    assert (called["log_level"], called["log_format"]) == ("debug", "json")
    assert called["targets"] == Targets(boot="module:function")
    assert (called["duration_s"], called["import_path"], called["config_path"]) == (3.0, "here", "")


def test_without_options_the_configuration_names_the_run_directory(called: dict[str, Any]) -> None:
    config = FoxtrotConfig()
    config = structs.replace(config, supervisor=structs.replace(config.supervisor, run_dir="/configured"))
    assert call(config=config).exit_code == 7
    assert called["run_dir_path"] == "/configured"
    assert (called["targets"], called["log_format"], called["duration_s"]) == (None, "console", None)


@pytest.mark.parametrize("words", ["--log-level loud", "--log-format xml"])
def test_unknown_values_are_usage_errors(called: dict[str, Any], words: str) -> None:
    assert call(*words.split()).exit_code == 2
    assert called == {}
