"""The command `web`: what it refuses before it listens."""

from __future__ import annotations

import socket
import sys
from pathlib import Path

import pytest

from foxtrot_protocol.exit_codes import SupervisorExit
from tests.support.called_commands import FakeSupervisor, Run


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    return Run(monkeypatch, capfd)


def test_without_a_run_it_ends(run: Run, tmp_path: Path) -> None:
    assert run("web", "--run-dir", str(tmp_path)) == SupervisorExit.START_FAILED
    assert "no supervisor is running" in run.err


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--listen", "nowhere"], "give an address and a port"),
        (["--listen", "192.0.2.1:1"], "that needs --token-file"),
        (["--token-file", "/nonexistent"], "No such file"),
        (["--tls-key", "key"], "belong together"),
        (["--token-to-read"], "needs --token-file"),
    ],
)
def test_options_that_are_not_safe_are_refused(run: Run, tmp_path: Path, words: list[str], reason: str) -> None:
    assert run("web", "--run-dir", str(tmp_path), *words) == SupervisorExit.START_FAILED
    assert reason in run.err


def test_a_port_that_is_taken_is_named(run: Run, tmp_path: Path) -> None:
    supervisor = FakeSupervisor(tmp_path, lambda _: {})
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert run("web", "--run-dir", str(tmp_path), "--listen", f"127.0.0.1:{port}") == SupervisorExit.START_FAILED
        assert f"cannot listen on 127.0.0.1 port {port}" in run.err
    supervisor.close()


def test_without_aiohttp_it_says_what_to_install(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("foxtrot_supervisor.web.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "aiohttp", None)
    assert run("web", "--run-dir", str(tmp_path)) == SupervisorExit.START_FAILED
    assert "pip install foxtrot-supervisor[web]" in run.err
