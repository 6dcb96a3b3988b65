"""The alert command, as a real process: input, failures, deadline, and nothing left of it."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path

import pytest

from foxtrot_supervisor.monitoring.alert_command import OUTPUT_BYTES_MAX, call_command
from foxtrot_supervisor.system import procfs
from tests.support.waiting import wait_until_async


async def call(command: str, *, shell: bool = True, deadline_s: float = 20.0, payload: bytes = b"{}\n") -> str:
    return await call_command(command, payload, shell=shell, deadline_s=deadline_s)


async def test_it_gets_the_payload(tmp_path: Path) -> None:
    assert await call(f"cat > {tmp_path}/got", payload=b'{"a": 1}\n') == ""
    assert (tmp_path / "got").read_bytes() == b'{"a": 1}\n'


async def test_no_shell_runs_unless_it_is_asked_for() -> None:
    words = "python3 -c 'import sys; sys.exit(repr(sys.argv[1:]))' $HOME 'a b;c' *"
    assert await call(words, shell=False) == "exit code 1: ['$HOME', 'a b;c', '*']"


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        ("exit 3", "exit code 3"),
        ("echo no network >&2; exit 1", "exit code 1: no network"),
        ("kill -TERM $$", "killed by SIGTERM"),
    ],
)
async def test_failures(command: str, reason: str) -> None:
    assert await call(command) == reason


@pytest.mark.parametrize("command", ["/no/such/program", "/etc/passwd", "/"])
async def test_what_cannot_be_started(command: str) -> None:
    assert (await call(command, shell=False)).startswith("cannot be started: ")


async def test_output_is_bounded_and_does_not_hold_it_up() -> None:
    said = await call("head -c 3000000 /dev/zero | tr '\\0' x; exit 1")
    assert said == f"exit code 1: {'x' * OUTPUT_BYTES_MAX}"


async def test_a_command_that_does_not_read_its_input_is_no_failure() -> None:
    assert await call("exec <&-; sleep 0.05", payload=b"x" * 1_000_000) == ""


async def test_a_command_that_hangs_is_ended_with_its_session(tmp_path: Path) -> None:
    command = f"sleep 1000 & (sleep 1000 & echo $$ > {tmp_path}/pid; exec sleep 1000) & trap '' TERM; wait; sleep 1000"
    started = time.monotonic()
    calling = asyncio.create_task(call(command, deadline_s=1.0))
    await wait_until_async((tmp_path / "pid").exists, what="its process")
    session = procfs.read_facts(int((tmp_path / "pid").read_text()))
    assert session is not None
    assert await calling == "did not end within 1 s: it was killed"
    assert time.monotonic() - started < 15
    left = [facts.pid for facts in procfs.processes() if facts.session == session.session and not facts.zombie]
    assert left == []


async def test_a_daemon_that_holds_its_output_does_not_hold_it_up(tmp_path: Path) -> None:
    daemon = f"setsid sh -c 'echo $$ > {tmp_path}/pid; exec sleep 1000' & sleep 0.2"
    said = await call(daemon, deadline_s=1.0)
    assert said == "did not end within 1 s: it was killed"  # its output was never closed
    os.kill(int((tmp_path / "pid").read_text()), 9)


async def test_nothing_is_left_open() -> None:
    before = procfs.open_fds()
    for _ in range(5):
        await call("echo x; exit 1")
        await call("sleep 100", deadline_s=0.05)
    await asyncio.sleep(0)
    assert procfs.open_fds() <= before + 2  # the watcher of children
