"""The command `start`: what it hands over to the supervisor."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from foxtrot_supervisor.cli import foreground
from tests.support.called_commands import Run


def test_without_a_file_the_simulated_exchange_is_named(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    called: dict[str, Any] = {}

    def run_supervisor(config: Any, **options: Any) -> int:
        called.update(options, config=config)
        return 4

    monkeypatch.setattr(foreground, "run_supervisor", run_supervisor)
    assert run("start", "--duration", "3", "--run-dir", "mine") == 4
    assert "using the embedded SIMULATED exchange" in run.err
    assert called["config"].connections[0].exchange == "sim"
    assert called["run_dir_path"] == str(Path.cwd() / "mine")
    assert called["import_path"] == str(Path.cwd())
    assert (called["duration_s"], called["log_format"]) == (3.0, "console")


def test_an_invalid_configuration_starts_nothing(run: Run, tmp_path: Path) -> None:
    Path("foxtrot.toml").write_text("[engine]\nhandlers = 3\n")
    assert run("start") == 78
    assert "engine.handlers" in run.err
    assert not (tmp_path / "foxtrot").exists()
