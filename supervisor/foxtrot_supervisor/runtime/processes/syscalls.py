"""System calls about processes: exit status, reaping, the subreaper, identities that no recycled id shares."""

from __future__ import annotations

import contextlib
import ctypes
import os
from collections.abc import Callable

from msgspec import Struct

from foxtrot_supervisor.system import procfs

__all__ = [
    "ExitStatus",
    "exit_status_of",
    "identity_of",
    "is_subreaper",
    "reap",
    "same_process_as",
    "set_subreaper",
    "start_ticks_of_this_process",
]

_PR_SET_CHILD_SUBREAPER = 36
_PR_GET_CHILD_SUBREAPER = 37
"""prctl(2)."""


class ExitStatus(Struct, frozen=True):
    """How a process ended: one of both is not None, unless another waiter has taken the status (both None)."""

    exit_code: int | None
    signal: int | None


def exit_status_of(pidfd: int) -> ExitStatus | None:
    """Return how a child has ended, without reaping it; None: it has not ended."""
    try:
        result = os.waitid(os.P_PIDFD, pidfd, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return ExitStatus(None, None)
    if result is None:
        return None
    if result.si_code == os.CLD_EXITED:
        return ExitStatus(result.si_status, None)
    return ExitStatus(None, result.si_status)


def reap(kind: int, number: int) -> None:
    """Reap a dead child; `kind` and `number` as for waitid(2).

    Only this process waits for its children, so that a process id cannot have been recycled.
    """
    with contextlib.suppress(ChildProcessError):
        os.waitid(kind, number, os.WEXITED | os.WNOHANG)


def identity_of(facts: procfs.ProcessFacts) -> tuple[int, int]:
    """Return process id and start time: no later process has both."""
    return facts.pid, facts.start_ticks


def same_process_as(then: procfs.ProcessFacts) -> Callable[[procfs.ProcessFacts], bool]:
    """Return a predicate: whether facts that are read later are about the same process."""
    return lambda now: identity_of(now) == identity_of(then)


def start_ticks_of_this_process() -> int:
    """Return when this process started, in clock ticks after boot."""
    facts = procfs.read_facts(os.getpid())
    return facts.start_ticks if facts is not None else 0


def set_subreaper(on: bool) -> None:
    """Make orphaned descendants children of this process, or not (prctl PR_SET_CHILD_SUBREAPER)."""
    _prctl(_PR_SET_CHILD_SUBREAPER, int(on))


def is_subreaper() -> bool:
    """Whether orphaned descendants become children of this process."""
    value = (ctypes.c_int * 1)()
    _prctl(_PR_GET_CHILD_SUBREAPER, value)
    return bool(value[0])


def _prctl(option: int, argument: int | ctypes.Array[ctypes.c_int]) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(option, argument, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), f"prctl({option})")
