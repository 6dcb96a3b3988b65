"""Ends what is left of the sessions of children that have died or were killed: one look for all, in bounded pieces.

A member of a child's session descends from that child. Once the child is dead, whatever it had started is a child of
this subreaper, or descends from one: so the look follows the kernel's lists of children, from our own unknown children
downwards, and from a killed child that is not dead yet. It costs what was left behind, usually nothing, instead of a
look at every process of the machine. A kernel without these lists (CONFIG_PROC_CHILDREN) has all of `/proc` read.

The caller reaps each leader only when its session is clear: until then no other session can have its number.
"""

from __future__ import annotations

import contextlib
import signal
import time
from collections.abc import Callable, Iterator

from foxtrot_supervisor.runtime.processes.survivors import opened, send
from foxtrot_supervisor.system import procfs

__all__ = ["LOOKS_MAX", "Sessions", "signal_if"]

LOOKS_MAX = 5
"""Searches of one session at most: members may be forked while others are being killed."""


class Sessions:
    """Sessions to be ended. `is_known(pid)` tells whether a child of this process is supervised, or the guard."""

    def __init__(self, own_pid: int, is_known: Callable[[int], bool]) -> None:
        self._own_pid = own_pid
        self._is_known = is_known
        self._wanted: dict[int, bool] = {}
        """Sessions by their leader; whether that is still alive."""
        self._looks: dict[int, int] = {}
        """How often each session has been looked through."""
        self._signalled: dict[int, set[int]] = {}
        self._look: Iterator[procfs.ProcessFacts] | None = None
        self._covered: set[int] = set()
        """Sessions that the present look covers from its beginning."""
        self._found: set[int] = set()
        """Sessions of which the present look has found a member."""

    def __contains__(self, leader: int) -> bool:
        return leader in self._wanted

    @property
    def busy(self) -> bool:
        """Whether any session is not clear yet."""
        return bool(self._wanted)

    def end(self, leader: int, *, leader_lives: bool) -> None:
        """Have the session of `leader` ended by the next look; its own end is the caller's business."""
        self._wanted[leader] = leader_lives
        self._looks[leader] = 0
        self._signalled.setdefault(leader, set())
        self._covered.discard(leader)

    def step(self, until: float) -> list[int]:
        """Go on until the monotonic time `until`, but one process at least; return leaders whose session is clear."""
        cleared: list[int] = []
        while self._wanted:
            if self._look is None:
                self._look = self._begin()
            for facts in self._look:
                self._end_member(facts)
                if time.monotonic() >= until:
                    return cleared
            self._look = None
            cleared += self._conclude()
            if time.monotonic() >= until:
                return cleared
        return cleared

    def _begin(self) -> Iterator[procfs.ProcessFacts]:
        self._covered = set(self._wanted)
        self._found = set()
        try:
            own = procfs.child_pids(self._own_pid)
        except FileNotFoundError:
            return procfs.processes()
        except OSError:  # no free descriptor: no process can be read; what is left over is a stray, found later
            return iter(())
        orphans = [pid for pid in own if not self._is_known(pid)]
        return procfs.with_descendants(orphans, [leader for leader, lives in self._wanted.items() if lives])

    def _end_member(self, facts: procfs.ProcessFacts) -> None:
        session = facts.session
        if session not in self._wanted or facts.zombie or facts.pid in (session, self._own_pid):
            return
        signalled = self._signalled[session]
        if facts.pid in signalled or self._is_known(facts.pid):
            return
        self._found.add(session)
        signalled.add(facts.pid)
        with contextlib.suppress(OSError):
            signal_if(facts.pid, signal.SIGKILL, lambda now: now.session == session)

    def _conclude(self) -> list[int]:
        """A session is clear once a whole look has found no further member, or after `LOOKS_MAX` looks."""
        cleared = []
        for leader in self._covered:
            self._looks[leader] += 1
            if leader not in self._found or self._looks[leader] >= LOOKS_MAX:
                cleared.append(leader)
                del self._wanted[leader], self._looks[leader], self._signalled[leader]
        return cleared


def signal_if(pid: int, number: int, still: Callable[[procfs.ProcessFacts], bool]) -> None:
    """Signal `pid` if it, held by a descriptor, still is what was looked for: it may have been recycled."""
    with opened(pid) as pidfd:
        facts = procfs.read_facts(pid)
        if pidfd is not None and facts is not None and still(facts):
            with contextlib.suppress(PermissionError):  # a set-uid program in the session: not ours to end
                send(pidfd, number)
