"""The marks of a run on real processes, and the end of the processes that carry them."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time

from foxtrot_supervisor.runtime.processes.survivors import (
    RUN_ID_VARIABLE,
    belongs_to_run,
    end_survivors,
    mark_of,
    marked,
    opened,
    send,
)
from foxtrot_supervisor.system import procfs
from tests.support.waiting import wait_until

RUN_ID = "test-survivors"
DAEMON = "sleep 60 </dev/null >/dev/null 2>&1 & echo $!"
"""Its parent ends at once; started with an empty environment, a session of its own and no inherited descriptor."""

RLIMIT_LOCKS = 10


def start_daemon(run_id: str = RUN_ID) -> int:
    with marked(run_id):
        told = subprocess.run(
            ["/bin/sh", "-c", DAEMON], env={}, cwd="/", start_new_session=True, capture_output=True, check=True
        )
    return int(told.stdout)


def gone(pid: int) -> bool:
    facts = procfs.read_facts(pid)
    return facts is None or facts.zombie


def kill(pid: int) -> None:
    if not gone(pid):
        os.kill(pid, signal.SIGKILL)


def test_mark_is_made_from_the_run_id_alone() -> None:
    assert mark_of("a") == mark_of("a") != mark_of("b")
    assert 0 < mark_of("a") < 2**56


def test_a_daemon_cannot_shed_the_mark() -> None:
    pid = start_daemon()
    try:
        assert not procfs.environ_holds(pid, RUN_ID_VARIABLE, RUN_ID)
        assert procfs.file_locks_limit(pid) == mark_of(RUN_ID)
        assert belongs_to_run(pid, RUN_ID)
        assert end_survivors("another run", 0) == []
        assert not gone(pid)
        assert end_survivors(RUN_ID, 0) == [pid]
        assert gone(pid)
    finally:
        kill(pid)


def test_environment_alone_is_enough() -> None:
    line = [sys.executable, "-c", "import time; time.sleep(60)"]
    marked_process = subprocess.Popen(line, env={**os.environ, RUN_ID_VARIABLE: RUN_ID}, start_new_session=True)
    other = subprocess.Popen(line)
    try:
        facts = procfs.read_facts(marked_process.pid)
        assert facts is not None
        assert end_survivors(RUN_ID, facts.start_ticks + 1) == []  # older than the run: not of it
        assert end_survivors(RUN_ID, facts.start_ticks) == [marked_process.pid]
        assert marked_process.wait(5) == -signal.SIGKILL
        assert other.poll() is None
    finally:
        for process in (marked_process, other):
            process.kill()
            process.wait(5)


def test_the_starting_process_is_unchanged_afterwards() -> None:
    limits, environ = resource.getrlimit(RLIMIT_LOCKS), dict(os.environ)
    with marked("outer"):
        outer = resource.getrlimit(RLIMIT_LOCKS)
        with marked(RUN_ID):
            assert resource.getrlimit(RLIMIT_LOCKS)[0] == mark_of(RUN_ID)
            assert os.environ[RUN_ID_VARIABLE] == RUN_ID
        assert resource.getrlimit(RLIMIT_LOCKS) == outer
        assert os.environ[RUN_ID_VARIABLE] == "outer"
    assert resource.getrlimit(RLIMIT_LOCKS) == limits
    assert dict(os.environ) == environ


def test_without_room_for_the_mark_the_environment_has_to_do() -> None:
    code = f"""
import resource, subprocess
from foxtrot_supervisor.runtime.processes.survivors import belongs_to_run, marked
resource.setrlimit({RLIMIT_LOCKS}, (0, 0))
with marked("x"):
    child = subprocess.Popen(["/bin/sleep", "60"])
try:
    assert belongs_to_run(child.pid, "x") and not belongs_to_run(child.pid, "y")
finally:
    child.kill()
    child.wait()
"""
    path = os.pathsep.join(entry for entry in sys.path if entry)
    subprocess.run([sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": path}, check=True, timeout=20)


def test_survivors_that_fork_meanwhile_are_ended_too() -> None:
    with marked(RUN_ID):
        forking = subprocess.Popen(["/bin/sh", "-c", "while :; do sleep 60 & sleep 0.01; done"], env={})
    try:
        time.sleep(0.1)
        assert forking.pid in end_survivors(RUN_ID, 0)
        forking.wait(5)
        assert end_survivors(RUN_ID, 0) == []
    finally:
        forking.kill()
        forking.wait(5)
        end_survivors(RUN_ID, 0)


def test_descriptor_of_a_process_that_is_gone() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        with opened(process.pid) as pidfd:
            assert pidfd is not None
            process.communicate(b"\n")
            process.wait(10)
            send(pidfd, signal.SIGKILL)
        wait_until(lambda: gone(process.pid), what="its end")
    with opened(process.pid) as pidfd:
        assert pidfd is None
