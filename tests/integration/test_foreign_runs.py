"""Commands in a world where files are broken, moved, and where others have put sockets: real processes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from foxtrot_supervisor.chaos.harness.impostor import IMPOSTOR
from tests.support.command_line import PROGRAM, Run, run_program
from tests.support.waiting import wait_until

CONFIG = """
[supervisor]
run_dir = "RUN_DIR"

[[connections]]
name = "sim"
exchange = "sim"
channels = ["trade"]
symbols = ["BTCUSDT"]
"""

STOPPED = '{"data": {"exit_code": 0, "children": [{"name": "x\\u001b[2J", "rung": "ask"}], "audit": {}}}'


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    running = Run(tmp_path, CONFIG)
    try:
        yield running
    finally:
        running.close()


def command(*words: object, cwd: Path, runtime: Path) -> subprocess.CompletedProcess[str]:
    environ = {**os.environ, "XDG_RUNTIME_DIR": str(runtime), "HOME": str(cwd), "XDG_CONFIG_HOME": ""}
    return subprocess.run(
        [str(PROGRAM), *map(str, words)], cwd=cwd, env=environ, capture_output=True, text=True, timeout=30, check=False
    )


def test_a_run_is_found_whatever_became_of_its_file(run: Run, tmp_path: Path) -> None:
    run.running()
    empty = tmp_path / "empty"
    empty.mkdir()

    def looks(*words: object) -> subprocess.CompletedProcess[str]:
        done = command("status", "--json", *words, cwd=tmp_path, runtime=empty)
        assert (done.returncode, json.loads(done.stdout or "{}").get("supervisor", {}).get("run_dir")) == (
            0,
            str(run.run_dir),
        ), done.stderr
        return done

    good = run.config.read_text()
    run.config.write_text("[supervisor]\nrun_dir = nothing\n")
    for words in ((), ("-c", run.config)):
        done = looks(*words)
        assert str(run.config) in done.stderr
        assert "line 2" in done.stderr
    refused = command("reload", cwd=tmp_path, runtime=empty)
    assert refused.returncode == 1
    assert str(run.config) in refused.stderr
    # it names another directory by now
    run.config.write_text(good.replace(str(run.run_dir), str(tmp_path / "elsewhere")))
    looks()
    looks("-c", run.config)
    # moved, then removed
    moved = empty / "moved.toml"
    run.config.rename(moved)
    looks("-c", moved)
    looks("-c", run.config)
    moved.unlink()
    looks()
    nobody = command("status", "-c", empty / "never.toml", cwd=empty, runtime=empty)
    assert nobody.returncode == 78
    assert "no supervisor is running" in nobody.stderr
    stopped = command("stop", cwd=tmp_path, runtime=empty)
    assert stopped.returncode == 0, stopped.stderr
    assert run.ends() == 0


@pytest.fixture
def reachable() -> Iterator[Path]:
    """A folder that every user can reach."""
    path = Path(tempfile.mkdtemp(prefix="fx"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")
def test_a_foreign_socket_at_the_default_place_is_no_run(reachable: Path) -> None:
    runtime = reachable / "runtime"
    runtime.mkdir()
    runtime.chmod(0o1777)
    (runtime / "foxtrot").mkdir()
    os.chown(runtime / "foxtrot", 12345, 12345)
    server = subprocess.Popen(
        [sys.executable, "-c", IMPOSTOR, str(runtime / "foxtrot"), "12345", STOPPED], stdout=subprocess.PIPE, cwd="/"
    )
    try:
        assert server.stdout is not None
        server.stdout.readline()
        for name in ("stop", "status", "doctor", "reload"):
            done = command(name, cwd=reachable, runtime=runtime)
            assert done.returncode == 3
            assert "not a supervisor of yours" in done.stderr
            assert "stopped" not in done.stdout
    finally:
        server.kill()
        server.communicate()
    done = command("start", "--duration", "1", cwd=reachable, runtime=runtime)
    assert done.returncode == 78
    assert "belongs to uid 12345" in done.stderr


@pytest.mark.cases(played=2)
@pytest.mark.parametrize(
    ("answer", "code", "said"),
    [
        (STOPPED, 0, "x\\x1b[2J: stopped when asked"),
        ('{"data": {}}', 1, "cannot be read"),
        ('{"data": {"exit_code": 0, "children": [7], "audit": {}}}', 1, "cannot be read"),
        ('{"error": "no\\u001b]0;title\\u0007"}', 1, "no\\x1b]0;title\\x07"),
    ],
)
def test_the_shape_and_text_of_an_answer_are_not_believed(tmp_path: Path, answer: str, code: int, said: str) -> None:
    (tmp_path / "run").mkdir(mode=0o700)
    server = subprocess.Popen([sys.executable, "-c", IMPOSTOR, str(tmp_path / "run"), "0", answer], stdout=-1)
    try:
        assert server.stdout is not None
        server.stdout.readline()
        asked = subprocess.Popen(
            [str(PROGRAM), "stop", "--run-dir", str(tmp_path / "run")],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        output, _ = asked.communicate(timeout=30)
    finally:
        server.kill()
        server.communicate()
    assert (asked.returncode, said in output) == (code, True), output
    assert "\x1b" not in output


def test_operators_get_in_beside_connections_that_ask_nothing(run: Run) -> None:
    import socket

    run.running()
    held = []
    for _ in range(40):
        held.append(socket.socket(socket.AF_UNIX))
        held[-1].connect(str(run.run_dir / "operator.sock"))
    for _ in range(20):
        held.append(socket.socket(socket.AF_UNIX))
        held[-1].connect(str(run.run_dir / "events.sock"))
    held[-1].settimeout(10)
    assert run.status() is not None
    got = run_program("events", "--count", 1, "--run-dir", run.run_dir)
    assert got.returncode == 0, got.stderr
    for each in held[30:40]:
        each.sendall(b'{"type":"stop"}\n')
    wait_until(lambda: run.process.poll() is not None, 20, "the end: no reader is waited for")
    assert run.process.returncode == 0
    for each in held:
        each.close()
