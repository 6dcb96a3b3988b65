"""The guard as a real process: it ends what its supervisor left, and nothing as long as that lives."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from foxtrot_supervisor.runtime.processes import guard as guard_module
from foxtrot_supervisor.runtime.processes.guard import Guard
from foxtrot_supervisor.runtime.processes.survivors import belongs_to_run
from foxtrot_supervisor.system import procfs
from foxtrot_supervisor.system.procfs import open_descriptors
from tests.supervisor.runtime.processes.test_survivors import gone, kill, start_daemon
from tests.support.waiting import wait_until, wait_until_async

RUN_ID = "test-guard"

SUPERVISOR = """
import asyncio, sys
from foxtrot_supervisor.runtime.processes.guard import Guard
async def main():
    guard = Guard(asyncio.get_running_loop(), sys.argv[1], 0, print)
    print(guard.pid, flush=True)
    await asyncio.sleep(60)
asyncio.run(main())
"""


def named(pid: int | None, name: str) -> bool:
    facts = procfs.read_facts(pid or 0)
    return facts is not None and facts.name == name


@pytest.mark.parametrize("stopped", [False, True])
def test_what_a_killed_supervisor_left_is_ended(tmp_path: Path, stopped: bool) -> None:
    path = os.pathsep.join(entry for entry in sys.path if entry)
    daemon = start_daemon(RUN_ID)
    try:
        with subprocess.Popen(
            [sys.executable, "-c", SUPERVISOR, RUN_ID], stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": path}
        ) as supervisor:
            assert supervisor.stdout is not None
            guard = int(supervisor.stdout.readline())
            wait_until(lambda: named(guard, "fx:guard"), what="the guard")
            assert belongs_to_run(guard, RUN_ID)  # a next start would know it
            assert not gone(daemon)
            if stopped:
                os.kill(guard, signal.SIGSTOP)
            supervisor.kill()
        wait_until(lambda: gone(daemon) and gone(guard), limit_s=5, what="the end of both")
    finally:
        kill(daemon)


async def test_orderly_end_leaves_nothing_and_ends_nobody() -> None:
    before = open_descriptors()
    daemon = start_daemon(RUN_ID)
    trouble: list[str] = []
    try:
        guard = Guard(asyncio.get_running_loop(), RUN_ID, 0, trouble.append)
        pid = guard.pid
        await wait_until_async(lambda: named(pid, "fx:guard"), what="the guard")
        guard.close()
        assert guard.pid is None
        assert procfs.read_facts(pid or 0) is None
        assert not gone(daemon)
        assert open_descriptors() == before
        assert trouble == []
    finally:
        kill(daemon)


async def test_a_guard_that_dies_is_followed_by_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard_module, "AGAIN_S", 0.05)
    trouble: list[str] = []
    guard = Guard(asyncio.get_running_loop(), RUN_ID, 0, trouble.append)
    try:
        first = guard.pid
        assert first is not None
        os.kill(first, signal.SIGKILL)
        await wait_until_async(lambda: guard.pid not in (None, first), what="another guard")
        assert procfs.read_facts(first) is None
        assert trouble == ["ended with status -9"]
    finally:
        guard.close()


async def test_a_guard_that_cannot_be_started_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard_module, "AGAIN_S", 0.05)
    monkeypatch.setenv("FOXTROT_PYTHON", "/nonexistent/python")
    trouble: list[str] = []
    guard = Guard(asyncio.get_running_loop(), RUN_ID, 0, trouble.append)
    try:
        assert guard.pid is None
        (reason,) = trouble
        assert reason.startswith("cannot be started: no Python interpreter")
        monkeypatch.delenv("FOXTROT_PYTHON")
        await wait_until_async(lambda: guard.pid is not None, what="a guard")
    finally:
        guard.close()
    waiting = Guard(asyncio.get_running_loop(), RUN_ID, 0, trouble.append)
    waiting.close()
    await asyncio.sleep(0.1)
    assert waiting.pid is None
