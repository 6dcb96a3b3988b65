"""Processes that outlive their supervisor: they become children of this process, which kills and reports them."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import time
from collections.abc import Set as AbstractSet

from msgspec import Struct

from foxtrot_supervisor.system import procfs

__all__ = ["ORPHANS_S", "Orphans", "become_subreaper", "take_orphans"]

ORPHANS_S = 1.0
"""Time that processes may outlive their supervisor, and that killed ones have to be gone."""

_POLL_S = 0.002
_PR_SET_CHILD_SUBREAPER = 36


class Orphans(Struct, frozen=True):
    """Descendants of this process that were alive though their supervisor had ended, and were killed then."""

    found: list[str]


def become_subreaper(wanted: bool = True) -> None:
    """Make this process the parent of every orphan below it, or not any more; raises `OSError` if it is refused."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_CHILD_SUBREAPER, int(wanted), 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER)")


def take_orphans(limit_s: float, apart_from: AbstractSet[int]) -> Orphans:
    """Return the descendants still alive after `limit_s` seconds, killed and reaped by then.

    `apart_from`: process ids that belong here, such as those of simulated exchanges. Dead children are reaped as well.
    """
    left = _wait_for_none(limit_s, apart_from)
    found = [f"{facts.pid} {facts.name} {procfs.command_line(facts.pid)}".strip() for facts in left]
    for facts in left:
        with contextlib.suppress(ProcessLookupError):
            os.kill(facts.pid, signal.SIGKILL)
    _wait_for_none(ORPHANS_S, apart_from)
    return Orphans(found)


def _wait_for_none(limit_s: float, apart_from: AbstractSet[int]) -> list[procfs.ProcessFacts]:
    deadline = time.monotonic() + limit_s
    while (left := _below(apart_from)) and time.monotonic() < deadline:
        time.sleep(_POLL_S)
    return left


def _below(apart_from: AbstractSet[int]) -> list[procfs.ProcessFacts]:
    """Return the living descendants of this process; its dead children are reaped."""
    facts = [each for each in procfs.processes() if each.pid not in apart_from]
    below = {os.getpid()}
    while more := {each.pid for each in facts if each.parent in below} - below:
        below |= more
    own = [each for each in facts if each.pid in below and each.pid != os.getpid()]
    for each in own:
        if each.zombie and each.parent == os.getpid():
            with contextlib.suppress(ChildProcessError):
                os.waitid(os.P_PID, each.pid, os.WEXITED | os.WNOHANG)
    return [each for each in own if not each.zombie]
