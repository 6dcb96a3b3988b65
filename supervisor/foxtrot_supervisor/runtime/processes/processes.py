"""Child processes: started, signalled, watched and reaped here and nowhere else.

Which signal goes to which process, and when, is decided elsewhere; this shell holds the descriptors. It promises:

- A child is known by its pidfd, opened while nobody can have reaped it. Signals go through the pidfd: they never hit a
  recycled process id.
- A death is seen in the event loop when the pidfd becomes readable, and reported at once, so that a replacement can
  start. Then, before the child is reaped (while its process id still names it), what is left of its session is killed
  (`sessions`): one look for all that have died meanwhile. Deaths take at most `TURN_S` of one turn of the loop, however
  many there are.
- The supervisor is a subreaper: what has left a child's session (setsid, double fork) becomes a child of ours when its
  parent ends; `sweep` finds, kills and reaps it. ``waitpid(-1)`` is never called: it would steal exit statuses.
- Every child carries the mark of its run (`survivors`), and so does what it starts. By the mark the guard, and a later
  supervisor, recognize what has survived a supervisor that was killed.

Rejected: ``Process.sentinel`` (a pipe that a grandchild keeps open: it fires seconds late); letting `multiprocess`
wait (its clean-up reaps any dead child at the next start, before we see the status); forkserver (the child would have
another parent).
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import os
import signal
import time
from collections import deque
from collections.abc import Callable, Iterator

from msgspec import Struct

from foxtrot_supervisor.runtime.processes.guard import Guard
from foxtrot_supervisor.runtime.processes.sessions import Sessions, signal_if
from foxtrot_supervisor.runtime.processes.spawn import spawn_process
from foxtrot_supervisor.runtime.processes.survivors import belongs_to_run, send
from foxtrot_supervisor.runtime.processes.syscalls import (
    ExitStatus,
    exit_status_of,
    identity_of,
    is_subreaper,
    reap,
    same_process_as,
    set_subreaper,
    start_ticks_of_this_process,
)
from foxtrot_supervisor.system import procfs

__all__ = ["TURN_S", "Child", "Processes", "StartFailed", "Stray"]

TURN_S = 0.01
"""Seconds that deaths may take of one turn of the event loop; one death is handled at least."""


class StartFailed(Exception):
    """The operating system could not create the process; `reason` says why."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"{name}: {reason}")
        self.name = name
        self.reason = reason


class Stray(Struct, frozen=True):
    """A process that had left its session, and was killed or found dead by `Processes.sweep`."""

    pid: int
    name: str
    command: str
    was_zombie: bool


class Child(Struct, frozen=True, eq=False):
    """One supervised process, from its start until it is reaped. `pidfd` belongs to `Processes`."""

    name: str
    incarnation: int
    pid: int
    pidfd: int


OnExit = Callable[[Child, ExitStatus], None]


class Processes:
    """The children of this supervisor. To be made, and `start` to be called, in the main thread only.

    Args:
        loop: watches the pidfds.
        run_id: the mark of the run.
        on_exit: is called in the event loop, once for each child, when it has ended; it is reaped afterwards.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, run_id: str, on_exit: OnExit) -> None:
        self._loop = loop
        self._run_id = run_id
        self._on_exit = on_exit
        self._children: dict[int, Child] = {}
        self._guard: Guard | None = None
        self._own_pid = os.getpid()
        self._deaths: deque[tuple[Child, ExitStatus]] = deque()
        """Deaths that have not been reported yet."""
        self._dead: dict[int, Child] = {}
        """Dead children, by process id, that are reaped once their session is clear."""
        self._sessions = Sessions(self._own_pid, self._is_known)
        self._scheduled: asyncio.Handle | None = None
        self._was_subreaper = is_subreaper()
        set_subreaper(True)
        # a background job of the shell before `exec foxtrot-supervisor` is a child that is not ours
        self._foreign = {identity_of(facts) for facts in procfs.children_of(self._own_pid)}

    # ---- starting

    def start(self, name: str, incarnation: int, target: str, spec: bytes) -> Child:
        """Spawn a process that calls `target` with `spec` (`spawn`). Raises `StartFailed`."""
        try:
            pid, pidfd = spawn_process(self._run_id, f"foxtrot {name}", target, spec)
        except OSError as error:
            raise StartFailed(name, error.strerror or str(error)) from error
        return self._supervise(Child(name, incarnation, pid, pidfd))

    def adopt(self, name: str, incarnation: int, pid: int) -> Child:
        """Supervise a child of ours that a template process has forked. Raises `StartFailed` if it is none."""
        try:
            pidfd = os.pidfd_open(pid)
        except OSError as error:
            raise StartFailed(name, f"process {pid}: {error.strerror}") from error
        facts = procfs.read_facts(pid)
        if facts is None or facts.parent != self._own_pid or pid in self._children:
            os.close(pidfd)
            raise StartFailed(name, f"process {pid} is not a new child of this supervisor")
        return self._supervise(Child(name, incarnation, pid, pidfd))

    def start_guard(self, on_trouble: Callable[[str], None]) -> None:
        """Start the process that ends what is left of this run if this process is killed.

        `on_trouble` gets the reason whenever the guard has to be replaced.
        """
        self._guard = Guard(self._loop, self._run_id, start_ticks_of_this_process(), on_trouble)

    def end_guard(self) -> None:
        """End the guard: no child is left."""
        if self._guard is not None:
            self._guard.close()
            self._guard = None

    def _supervise(self, child: Child) -> Child:
        self._children[child.pid] = child
        self._loop.add_reader(child.pidfd, self._ended, child)
        return child

    def living(self) -> list[Child]:
        """Return the supervised processes that have not been reaped."""
        return list(self._children.values())

    # ---- signals

    def signal(self, child: Child, number: int, *, whole_session: bool = False) -> None:
        """Send a signal; without effect on a process that has ended.

        SIGTERM is followed by SIGCONT, so that a stopped process can obey. `whole_session`, for SIGKILL only: kill the
        child, then, from the next turn of the loop on, every other process of its session.
        """
        if self._children.get(child.pid) is not child:
            return
        send(child.pidfd, number)
        if number == signal.SIGTERM:
            send(child.pidfd, signal.SIGCONT)
        if whole_session:
            assert number == signal.SIGKILL
            self._sessions.end(child.pid, leader_lives=child.pid not in self._dead)
            self._work_soon()

    # ---- deaths

    def _ended(self, child: Child) -> None:
        status = exit_status_of(child.pidfd)
        if status is None:
            return  # not available yet; the descriptor stays readable
        self._loop.remove_reader(child.pidfd)
        self._deaths.append((child, status))
        self._work_soon()

    def _work_soon(self) -> None:
        if self._scheduled is None:
            self._scheduled = self._loop.call_soon(self._work)

    def _work(self) -> None:
        """Report deaths, then end sessions and reap; what exceeds `TURN_S` follows in further turns of the loop."""
        self._scheduled = None
        until = time.monotonic() + TURN_S
        try:
            while self._deaths:
                child, status = self._deaths.popleft()
                self._dead[child.pid] = child
                self._sessions.end(child.pid, leader_lives=False)
                self._on_exit(child, status)
                if time.monotonic() >= until:
                    break
            if not self._deaths:
                self._end_sessions(until)
        finally:
            if self._deaths or self._sessions.busy:
                self._work_soon()

    def _end_sessions(self, until: float) -> None:
        for leader in self._sessions.step(until):
            child = self._dead.pop(leader, None)
            if child is not None:
                reap(os.P_PIDFD, child.pidfd)
                self._forget(child)

    def _forget(self, child: Child) -> None:
        os.close(child.pidfd)
        del self._children[child.pid]

    @property
    def busy(self) -> bool:
        """Whether a death has not been handled completely yet."""
        return bool(self._deaths) or self._sessions.busy

    # ---- strays

    def sweep(self) -> list[Stray]:
        """Kill and reap children that were not started by us; return them.

        The children of a killed stray become ours only after its death: at the end of a run this is repeated until
        `strays_left` is empty. Without a free descriptor nothing is found.
        """
        strays: list[Stray] = []
        with contextlib.suppress(OSError):
            self._sweep_into(strays)
        return strays

    def _sweep_into(self, strays: list[Stray]) -> None:
        for facts in self._strays():
            if facts.session in self._sessions and not facts.zombie:
                continue  # killed with its session
            command = procfs.command_line(facts.pid)
            if facts.zombie:
                reap(os.P_PID, facts.pid)
            elif self._ours(facts):
                signal_if(facts.pid, signal.SIGKILL, same_process_as(facts))
                reap(os.P_PID, facts.pid)
            else:
                continue
            strays.append(Stray(facts.pid, facts.name, command, facts.zombie))

    def dead_stray(self) -> bool:
        """Whether a dead child exists that is not supervised. One system call, while `sweep` reads many files."""
        try:
            result = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return False
        return result is not None and result.si_pid not in self._children and not self._is_guard(result.si_pid)

    def childless(self) -> bool:
        """Whether no child is left, according to the kernel (ECHILD). Children that existed before us do not count."""
        try:
            os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return True
        # what is left may be foreign: older than this object, or an orphan adopted as first process of a container
        return (bool(self._foreign) or self._own_pid == 1) and not self.strays_left()

    def strays_left(self) -> list[int]:
        """Return the process ids of children of this run, dead or alive, that are not supervised."""
        return [facts.pid for facts in self._strays() if self._ours(facts)]

    def _strays(self) -> Iterator[procfs.ProcessFacts]:
        for facts in procfs.children_of(self._own_pid, but=self._children):
            if not self._is_guard(facts.pid) and identity_of(facts) not in self._foreign:
                yield facts

    def _is_known(self, pid: int) -> bool:
        return pid in self._children or self._is_guard(pid)

    def _is_guard(self, pid: int) -> bool:
        return self._guard is not None and self._guard.pid == pid

    def _ours(self, facts: procfs.ProcessFacts) -> bool:
        # with inherited children, or as first process of a container, we adopt orphans of others as well
        if self._foreign or self._own_pid == 1:
            return belongs_to_run(facts.pid, self._run_id)
        return True

    def close(self) -> None:
        """Stop watching, and close the descriptors of children that still live (LOST ones)."""
        self.end_guard()
        if self._scheduled is not None:
            self._scheduled.cancel()
        self._end_sessions(math.inf)
        for child in self.living():
            self._loop.remove_reader(child.pidfd)
            self._forget(child)
        set_subreaper(self._was_subreaper)


# ---- spawning


# ---- system calls
