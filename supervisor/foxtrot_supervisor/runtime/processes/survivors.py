"""The marks of every process of a run, by which those that outlive their supervisor are found and killed.

Two marks, both inherited by everything that a child starts:

- the run id in the environment: readable for people, and lost when a program is started with another environment;
- the soft limit for file locks (``RLIMIT_LOCKS``), set to a number made from the run id. Linux has not used this limit
  since 2.4.25, so it changes nothing; it survives fork, exec, a new session, closed descriptors, another folder and an
  empty environment, and needs no privilege. Only a process that sets this very limit again loses it.

Rejected: a control group (needs root or delegation), an inherited descriptor (daemons close all), a name (programs set
it), the parent or the session (what a daemon gives up first).

Imports little, and of the standard library only: the guard is a process of its own that loads nothing else.
"""

from __future__ import annotations

import contextlib
import os
import resource
import select
import signal
import time
from collections.abc import Callable, Iterator

from foxtrot_supervisor.system import procfs

__all__ = [
    "PASSES_MAX",
    "RUN_ID_VARIABLE",
    "SURVIVOR_WAIT_S",
    "belongs_to_run",
    "end_survivors",
    "mark_of",
    "marked",
    "opened",
    "send",
    "watch",
]

RUN_ID_VARIABLE = "FOXTROT_RUN_ID"
"""Environment variable that marks every process of a run."""

SURVIVOR_WAIT_S = 5.0
"""Limit in seconds for killed survivors of a run to be gone."""

PASSES_MAX = 5
"""Searches for survivors at most: some may be forked while others are being killed."""

_RLIMIT_LOCKS = 10
"""The same number on all architectures that Linux knows; `resource` has no name for it."""

_MARK_PRIME = 2**56 - 5
"""Run ids are random, and so are their remainders: not numbers that are chosen as a limit."""

_PR_SET_PDEATHSIG = 1
_PR_SET_NAME = 15


def mark_of(run_id: str) -> int:
    """The number that marks the processes of that run."""
    return int.from_bytes(run_id.encode(), "big") % _MARK_PRIME + 1


@contextlib.contextmanager
def marked(run_id: str) -> Iterator[None]:
    """What is started inside belongs to that run; this process does not."""
    before = os.environ.get(RUN_ID_VARIABLE)
    os.environ[RUN_ID_VARIABLE] = run_id
    try:
        with _limit_marked(mark_of(run_id)):
            yield
    finally:
        if before is None:
            del os.environ[RUN_ID_VARIABLE]
        else:
            os.environ[RUN_ID_VARIABLE] = before


@contextlib.contextmanager
def _limit_marked(mark: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(_RLIMIT_LOCKS)
    try:
        resource.setrlimit(_RLIMIT_LOCKS, (mark, hard))
    except ValueError:
        # the hard limit is below the mark, or limits are forbidden: the environment alone has to do
        yield
        return
    try:
        yield
    finally:
        resource.setrlimit(_RLIMIT_LOCKS, (soft, hard))


def belongs_to_run(pid: int, run_id: str) -> bool:
    """Whether `pid` carries a mark of that run; False if it is gone."""
    return procfs.file_locks_limit(pid) == mark_of(run_id) or procfs.environ_holds(pid, RUN_ID_VARIABLE, run_id)


def end_survivors(run_id: str, since_ticks: int) -> list[int]:
    """Kill what is left of run `run_id`, whose supervisor is dead; return the process ids that were killed.

    A process belongs to the run if it carries its mark and did not start before the run (`since_ticks` after boot).
    Blocks until all are gone, for `SURVIVOR_WAIT_S` at most.
    """

    def still(facts: procfs.ProcessFacts) -> bool:
        return (
            facts.start_ticks >= since_ticks
            and not facts.zombie
            and facts.pid != os.getpid()
            and belongs_to_run(facts.pid, run_id)
        )

    ended: list[int] = []
    deadline = time.monotonic() + SURVIVOR_WAIT_S
    for _ in range(PASSES_MAX):
        found = [facts.pid for facts in procfs.processes() if still(facts)]
        if not found:
            break
        ended += [pid for pid in found if _kill_and_wait(pid, still, deadline)]
    return ended


def watch(pipe: int, run_id: str, since_ticks: int) -> None:
    """Be the guard (see `guard`): return once the other end of `pipe` is closed and nothing is left of that run."""
    import ctypes

    libc = ctypes.CDLL(None)
    libc.prctl(_PR_SET_NAME, b"fx:guard", 0, 0, 0)
    # A SIGSTOP of the whole tree, then a SIGKILL of the supervisor, must not leave a stopped guard behind.
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGCONT, 0, 0, 0)
    while os.read(pipe, 1):
        pass  # nothing is ever written
    end_survivors(run_id, since_ticks)


def _kill_and_wait(pid: int, still: Callable[[procfs.ProcessFacts], bool], deadline: float) -> bool:
    with opened(pid) as pidfd:
        facts = procfs.read_facts(pid)
        if pidfd is None or facts is None or not still(facts):
            return False
        send(pidfd, signal.SIGKILL)
        poller = select.poll()
        poller.register(pidfd, select.POLLIN)
        return bool(poller.poll(max(0.0, deadline - time.monotonic()) * 1000.0))


def send(pidfd: int, number: int) -> None:
    """Send a signal through a pidfd; to a process that has ended it does nothing."""
    with contextlib.suppress(ProcessLookupError):
        signal.pidfd_send_signal(pidfd, number)


@contextlib.contextmanager
def opened(pid: int) -> Iterator[int | None]:
    """A pidfd of `pid`, None if there is no such process. It may be another than was meant: look again, then act."""
    try:
        pidfd = os.pidfd_open(pid)
    except ProcessLookupError:
        yield None
        return
    try:
        yield pidfd
    finally:
        os.close(pidfd)
