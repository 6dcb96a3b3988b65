"""A guard process that ends everything a test run has started, whichever way the run ends.

`start_guard` marks this process by an environment variable, which all processes started from now on inherit, and
starts a guard that waits for the end of this process. After a normal end, a SIGKILL or a crash alike the guard kills
what still carries the mark. Nested runs add marks to each other's: the end of the outer run ends the inner one too.

Run as a program (``python -I -S process_guard.py MARK``) this file is the guard; it needs the standard library only.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
import time
import uuid

__all__ = ["VARIABLE", "marked", "start_guard"]

VARIABLE = "FOXTROT_TEST_RUN"
"""Environment variable with the marks of the test runs that a process belongs to, separated by colons."""

SWEEPS = 3
"""Sweeps in a row that must find nothing: a process may have been starting another one meanwhile."""

SWEEP_S = 0.1
"""Time between two sweeps."""

SWEEP_LIMIT_S = 10.0
"""Time after which the guard gives up on what survives SIGKILL."""


def start_guard() -> None:
    """Mark this process and what it will start, and have a guard wait for its end."""
    mark = uuid.uuid4().hex
    os.environ[VARIABLE] = ":".join(filter(None, (os.environ.get(VARIABLE), mark)))
    # the guard leaves the tree of this process at once: tests look for children that are left
    subprocess.run([sys.executable, "-I", "-S", __file__, mark, str(os.getpid())], env={}, check=True)


def marked(mark: str) -> list[int]:
    """Return the processes, zombies aside, whose environment carries `mark`."""
    found = []
    for name in os.listdir("/proc"):
        if name.isdecimal():
            with contextlib.suppress(OSError), open(f"/proc/{name}/environ", "rb") as file:
                variables = file.read().split(b"\0")
                values = [value.partition(b"=")[2] for value in variables if value.startswith(VARIABLE.encode() + b"=")]
                if any(mark.encode() in value.split(b":") for value in values):
                    found.append(int(name))
    return found


def _sweep(mark: str) -> None:
    deadline = time.monotonic() + SWEEP_LIMIT_S
    quiet = 0
    while quiet < SWEEPS and time.monotonic() < deadline:
        left = marked(mark)
        quiet = 0 if left else quiet + 1
        for pid in left:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(SWEEP_S)


def _guard(mark: str, pid: int) -> None:
    guarded = os.pidfd_open(pid)
    if os.fork():
        os._exit(0)
    os.setsid()
    os.chdir("/")
    null = os.open(os.devnull, os.O_RDWR)
    for number in range(3):
        os.dup2(null, number)
    select.select([guarded], [], [])
    _sweep(mark)


if __name__ == "__main__":
    _guard(sys.argv[1], int(sys.argv[2]))
