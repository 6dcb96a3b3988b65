"""Real processes under the process shell: started, signalled, seen dying, nothing escaping."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest

from foxtrot_supervisor.runtime.processes.processes import Child, Processes, StartFailed
from foxtrot_supervisor.runtime.processes.survivors import RUN_ID_VARIABLE
from foxtrot_supervisor.runtime.processes.syscalls import ExitStatus
from foxtrot_supervisor.system import procfs
from foxtrot_supervisor.system.procfs import open_descriptors
from tests.support.children import target
from tests.support.waiting import wait_until, wait_until_async

RUN_ID = "test-run"


class Exits:
    """What `on_exit` was told, with the time."""

    def __init__(self) -> None:
        self.seen: list[tuple[Child, ExitStatus, float]] = []

    def __call__(self, child: Child, status: ExitStatus) -> None:
        self.seen.append((child, status, time.monotonic()))

    async def first(self) -> tuple[Child, ExitStatus, float]:
        await wait_until_async(lambda: self.seen, what="an exit")
        return self.seen[0]


@pytest.fixture
async def exits() -> Exits:
    return Exits()


@pytest.fixture
async def processes(exits: Exits) -> AsyncIterator[Processes]:
    shell = Processes(asyncio.get_running_loop(), RUN_ID, exits)
    yield shell
    for child in shell.living():
        shell.signal(child, signal.SIGKILL, whole_session=True)
    await wait_until_async(lambda: not shell.living(), what="the end of all children")
    await wait_until_async(lambda: shell.sweep() == [] and not shell.strays_left(), what="the end of all strays")
    shell.close()


def own_session(pid: int) -> bool:
    facts = procfs.read_facts(pid)
    return facts is not None and facts.session == pid


@pytest.mark.parametrize("code", [0, 1, 78])
async def test_exit_code_is_seen(processes: Processes, exits: Exits, code: int) -> None:
    child = processes.start("a", 1, target("raw_exit"), str(code).encode())
    ended, status, _ = await exits.first()
    assert (ended, status) == (child, ExitStatus(code, None))
    assert processes.living() == []
    assert procfs.read_facts(child.pid) is None  # reaped, not left as a zombie


async def test_kill_is_seen_at_once(processes: Processes, exits: Exits) -> None:
    child = processes.start("a", 1, target("raw_sleep"), b"")
    await wait_until_async(lambda: own_session(child.pid), what="its session")
    started = time.monotonic()
    processes.signal(child, signal.SIGKILL)
    _, status, seen = await exits.first()
    assert status == ExitStatus(None, signal.SIGKILL)
    assert seen - started < 0.1


async def test_stopped_process_obeys_term(processes: Processes, exits: Exits) -> None:
    child = processes.start("a", 1, target("raw_obeys_term"), b"")
    await wait_until_async(lambda: psutil.Process(child.pid).status() == psutil.STATUS_STOPPED, what="SIGSTOP")
    processes.signal(child, signal.SIGTERM)
    _, status, _ = await exits.first()
    assert status == ExitStatus(None, signal.SIGTERM)


async def test_signal_to_an_ended_child_does_nothing(processes: Processes, exits: Exits) -> None:
    child = processes.start("a", 1, target("raw_exit"), b"0")
    await exits.first()
    processes.signal(child, signal.SIGKILL, whole_session=True)


async def test_what_a_child_finds_of_itself(processes: Processes, exits: Exits, tmp_path: Path) -> None:
    report = tmp_path / "report"
    before = os.environ.get(RUN_ID_VARIABLE)
    processes.start("a", 1, target("raw_report"), str(report).encode())
    assert os.environ.get(RUN_ID_VARIABLE) == before
    await exits.first()
    facts = json.loads(report.read_text())
    assert facts["run_id"] == RUN_ID
    assert facts["sigint_ignored"]
    assert facts["blocked"] == []
    assert facts["main"] is None  # the parent's command line is not run again in the child
    heavy = {
        "asyncio",
        "zmq",
        "structlog",
        "foxtrot_supervisor.runtime.processes.processes",
        "foxtrot_supervisor.runtime.runner",
        "click",
    }
    # `tests.support.children` itself needs zmq
    assert heavy.intersection(facts["modules"]) <= {"zmq", "asyncio"}


async def test_no_resource_tracker_is_started(processes: Processes, exits: Exits) -> None:
    processes.start("a", 1, target("raw_sleep"), b"")
    assert len(procfs.children_of(os.getpid())) == 1


@pytest.mark.parametrize("room", range(7))
async def test_without_descriptors_no_child_is_made_and_none_leaks(processes: Processes, room: int) -> None:
    before = open_descriptors()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    free = [number for number in range(max(before) + 10) if number not in before]
    resource.setrlimit(resource.RLIMIT_NOFILE, (free[room], hard))
    try:
        with pytest.raises(StartFailed, match="a: Too many open files"):
            processes.start("a", 1, target("raw_exit"), b"0")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert open_descriptors() == before


async def test_session_dies_with_its_leader(processes: Processes, exits: Exits, tmp_path: Path) -> None:
    note = tmp_path / "pid"
    processes.start("a", 1, target("raw_session_then_exit"), str(note).encode())
    await exits.first()
    left = int(note.read_text())
    # not by a sweep: nobody has looked for strays yet, so it stays a zombie that is ours to reap
    await wait_until_async(lambda: (facts := procfs.read_facts(left)) and facts.zombie, limit_s=2, what="its end")
    assert processes.dead_stray()
    assert [(stray.pid, stray.was_zombie) for stray in processes.sweep()] == [(left, True)]
    assert not processes.dead_stray()
    assert processes.childless()


async def test_a_death_is_reported_before_anything_else_is_searched(tmp_path: Path) -> None:
    """So its replacement is on its way first; and while it is told, its number cannot belong to anybody else."""
    note = tmp_path / "pid"
    told: list[tuple[bool, bool]] = []

    def alive(pid: int) -> bool:
        facts = procfs.read_facts(pid)
        return facts is not None and not facts.zombie

    def on_exit(child: Child, status: ExitStatus) -> None:
        told.append((procfs.read_facts(child.pid) is not None, alive(int(note.read_text()))))

    shell = Processes(asyncio.get_running_loop(), RUN_ID, on_exit)
    try:
        shell.start("a", 1, target("raw_session_then_exit"), str(note).encode())
        await wait_until_async(lambda: told, what="its end")
        assert told == [(True, True)]
        assert shell.living() == []
        wait_until(lambda: not alive(int(note.read_text())), what="the end of its session")
        await wait_until_async(lambda: shell.sweep() and not shell.strays_left(), what="reaping")
    finally:
        shell.close()


async def test_interrupt_that_reaches_a_child_before_its_session_does_not_harm(
    processes: Processes, exits: Exits, tmp_path: Path
) -> None:
    """Ctrl-C goes to the whole foreground process group, in which a child is until it has made its session."""
    child = processes.start("a", 1, target("raw_report"), str(tmp_path / "report").encode())
    os.kill(child.pid, signal.SIGINT)
    _, status, _ = await exits.first()
    assert status == ExitStatus(0, None)


def test_the_parents_program_is_not_run_again_in_the_child(tmp_path: Path) -> None:
    script = tmp_path / "program.py"
    script.write_text(
        f"""
import asyncio, os, sys
with open({str(tmp_path / "runs")!r}, "a") as runs:
    runs.write("x")
from foxtrot_supervisor.runtime.processes.processes import Processes

async def main():
    ended = asyncio.get_running_loop().create_future()
    processes = Processes(asyncio.get_running_loop(), "run", lambda child, status: ended.set_result(status))
    processes.start("a", 1, "tests.support.children:raw_exit", b"7")
    status = await asyncio.wait_for(ended, 10)
    processes.close()
    return status.exit_code

sys.exit(asyncio.run(main()))
"""
    )
    path = os.pathsep.join(entry for entry in sys.path if entry)
    done = subprocess.run([sys.executable, script], env={**os.environ, "PYTHONPATH": path}, timeout=20, check=False)
    assert done.returncode == 7
    assert (tmp_path / "runs").read_text() == "x"


async def test_sweep_finds_a_daemonized_grandchild(processes: Processes, exits: Exits, tmp_path: Path) -> None:
    note = tmp_path / "pid"
    processes.start("a", 1, target("raw_daemonize_then_exit"), str(note).encode())
    await exits.first()
    stray = int(note.read_text())
    facts = procfs.read_facts(stray)
    assert facts is not None
    assert facts.parent == os.getpid()  # the subreaper
    assert processes.strays_left() == [stray]
    assert [found.pid for found in processes.sweep()] == [stray]
    await wait_until_async(lambda: not processes.strays_left() or processes.sweep(), limit_s=2, what="reaping")


async def test_sweep_leaves_supervised_children_their_status(processes: Processes, exits: Exits) -> None:
    child = processes.start("a", 1, target("raw_sleep"), b"")
    await wait_until_async(lambda: own_session(child.pid), what="its session")
    os.kill(child.pid, signal.SIGKILL)
    wait_until(lambda: (facts := procfs.read_facts(child.pid)) and facts.zombie, what="its death")
    assert processes.sweep() == []
    _, status, _ = await exits.first()
    assert status == ExitStatus(None, signal.SIGKILL)


def sleeper() -> int:
    """A process that does nothing for a minute, in a session of its own."""
    return os.posix_spawn("/bin/sleep", ["sleep", "60"], {}, setsid=True)


async def test_many_deaths_at_once_read_no_foreign_process_and_leave_the_loop_its_turns(
    processes: Processes, exits: Exits, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a bound on the clock: neither is all of /proc read, nor are all deaths handled in one turn."""
    monkeypatch.setattr("foxtrot_supervisor.runtime.processes.processes.TURN_S", 0.0)
    looked: list[object] = []
    monkeypatch.setattr(procfs, "processes", lambda: looked.append("all of /proc") or iter(()))
    children = [processes.adopt(f"s{number}", 1, sleeper()) for number in range(30)]
    for child in children:
        os.kill(child.pid, signal.SIGKILL)
    for child in children:
        wait_until(lambda pid=child.pid: (facts := procfs.read_facts(pid)) and facts.zombie, what="its death")
    turns = 0
    while processes.living():
        await asyncio.sleep(0)
        turns += 1
        assert turns < 100_000
    assert len(exits.seen) == len(children) <= turns
    assert looked == []
    assert processes.childless()


async def test_descriptors_stay_as_they_were_over_many_deaths(processes: Processes, exits: Exits) -> None:
    processes.start("warm-up", 0, target("raw_exit"), b"0")
    await exits.first()
    before = open_descriptors()
    for number in range(1, 31):
        child = processes.start("a", number, target("raw_sleep"), b"")
        processes.signal(child, signal.SIGKILL)
        await wait_until_async(lambda: not processes.living(), what="its end")
    assert open_descriptors() == before
    assert len(exits.seen) == 31
    assert procfs.children_of(os.getpid()) == []


async def test_children_that_were_there_before_are_left_alone() -> None:
    code = "import sys; sys.exit(len(input()))"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE) as other:  # noqa: ASYNC220
        shell = Processes(asyncio.get_running_loop(), RUN_ID, Exits())
        try:
            assert shell.sweep() == []
            assert shell.strays_left() == []
            assert shell.childless()
            assert other.poll() is None
            assert other.stdin is not None
            other.stdin.write(b"abc\n")
            other.stdin.close()
            wait_until(lambda: (facts := procfs.read_facts(other.pid)) and facts.zombie, what="its end")
            assert shell.sweep() == []
        finally:
            shell.close()
        assert other.wait(5) == 3  # its status was left to its parent
