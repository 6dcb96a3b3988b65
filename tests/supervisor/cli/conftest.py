"""Fixtures of the command line's tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.called_commands import FakeSupervisor, Run


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    """Runs in an empty folder, with an empty home, as a user whose run directory is below `tmp_path`."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    return Run(monkeypatch, capfd)


@pytest.fixture
def supervise(tmp_path: Path) -> Iterator[Callable[..., FakeSupervisor]]:
    running: list[FakeSupervisor] = []

    def begin(answer: Any = None, run_dir: Path | None = None) -> FakeSupervisor:
        reply = answer if callable(answer) else lambda _request: answer
        running.append(FakeSupervisor(run_dir or tmp_path / "foxtrot", reply))
        return running[-1]

    yield begin
    for supervisor in running:
        supervisor.close()
