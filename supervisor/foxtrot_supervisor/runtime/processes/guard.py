"""The guard: a tiny process that outlives a killed supervisor by a moment, to kill what else would outlive it.

The kernel kills the supervisor's own children with it (their parent-death signal), but not what these have started, nor
daemons. The guard waits at a pipe whose other end the supervisor holds. When that end closes, the supervisor is dead:
the guard kills every process that carries the mark of the run, and exits.

It runs no foreign code, loads little (12 MiB resident, 7 of it its own; 40 ms), has a session of its own, and carries
the mark as well, so that the next start would end it. If it dies, it is replaced. At an orderly end it is killed once
nothing else is left.

Rejected: a parent process above the supervisor (the caller of `foxtrot-supervisor` holds, signals and waits for the
process that supervises); the template process as guard (it loads foreign adapters, and must die with the supervisor).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

from foxtrot_supervisor.runtime.processes.survivors import marked
from foxtrot_supervisor.system.interpreter import find_interpreter

__all__ = ["AGAIN_S", "Guard"]

AGAIN_S = 1.0
"""Seconds from the death of a guard, or a failed start, to the start of the next one."""

_PROGRAM = (
    "import sys; sys.path.insert(0, sys.argv[1]); from foxtrot_supervisor.runtime.processes.survivors import watch; "
    "watch(0, sys.argv[2], int(sys.argv[3]))"
)


class Guard:
    """Keeps one guard alive from construction until `close`. `on_trouble(reason)`: there is none for `AGAIN_S`."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, run_id: str, since_ticks: int, on_trouble: Callable[[str], None]
    ) -> None:
        self._loop = loop
        self._run_id = run_id
        self._since_ticks = since_ticks
        self._on_trouble = on_trouble
        self._again: asyncio.TimerHandle | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._pidfd = -1
        self._start()

    @property
    def pid(self) -> int | None:
        """Its process id; None while there is none. Dead or alive it is reaped here."""
        return None if self._process is None else self._process.pid

    def close(self) -> None:
        """Kill and reap it."""
        if self._again is not None:
            self._again.cancel()
            self._again = None
        if self._process is not None:
            self._process.kill()
            self._forget(self._process)

    def _start(self) -> None:
        self._again = None
        home = str(Path(__file__).resolve().parents[3])
        try:
            with marked(self._run_id):
                # isolated and without site: nothing that is installed can get in
                self._process = subprocess.Popen(
                    [find_interpreter(), "-I", "-S", "-c", _PROGRAM, home, self._run_id, str(self._since_ticks)],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    cwd="/",
                    start_new_session=True,
                )
            self._pidfd = os.pidfd_open(self._process.pid)
        except OSError as error:
            if self._process is not None:
                self._process.kill()
                self._forget(self._process)
            self._later(f"cannot be started: {error.strerror or error}")
            return
        self._loop.add_reader(self._pidfd, self._ended, self._process)

    def _ended(self, process: subprocess.Popen[bytes]) -> None:
        self._forget(process)
        self._later(f"ended with status {process.returncode}")

    def _forget(self, process: subprocess.Popen[bytes]) -> None:
        if self._pidfd >= 0:
            self._loop.remove_reader(self._pidfd)
            os.close(self._pidfd)
            self._pidfd = -1
        process.wait()
        assert process.stdin is not None
        with contextlib.suppress(OSError):
            process.stdin.close()
        self._process = None

    def _later(self, reason: str) -> None:
        self._on_trouble(reason)
        self._again = self._loop.call_later(AGAIN_S, self._start)
