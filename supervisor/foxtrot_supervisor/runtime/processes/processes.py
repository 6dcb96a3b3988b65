"""Processes: made, signalled, watched and reaped here and nowhere else.

Which signal goes to whom and when is decided elsewhere; this shell holds the descriptors. What it promises:

- A child is known by its pidfd, taken while nobody can have reaped it; signals go through it, so that a
  recycled process id can never be hit.
- Its death is seen in the event loop when the pidfd becomes readable, and reported at once, so that its replacement
  is on its way first. Then, before it is reaped (while its process id still names it), whatever is left of its
  session is killed (`sessions`): one look for all that died meanwhile. Deaths are handled for at most `TURN_S` in one
  turn of the loop, however many there are.
- The supervisor is a subreaper: what escaped from a child's session (setsid, double fork) becomes a child of
  ours when its parent ends, and is found by `sweep`, killed and reaped. Nothing is ever waited for by
  ``waitpid(-1)``: that would steal exit statuses.
- Every child bears the mark of its run (`survivors`), and so does what it starts: by it the guard, and a later
  supervisor, recognize what has survived a supervisor that was killed.

Rejected: ``Process.sentinel`` (a pipe that a grandchild keeps open: it fires seconds late), `multiprocess`
waiting for the child (its clean-up reaps any dead child at the next start, before we see the status),
forkserver (the child's parent is then somebody else).
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import math
import os
import signal
import sys
import threading
import time
import types
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path

import multiprocess
import multiprocess.resource_tracker
import multiprocess.spawn
from msgspec import Struct

from foxtrot_supervisor.runtime.processes.guard import Guard
from foxtrot_supervisor.runtime.processes.sessions import Sessions, signal_if
from foxtrot_supervisor.runtime.processes.survivors import belongs_to_run, marked, send
from foxtrot_supervisor.system import procfs
from foxtrot_supervisor.system.interpreter import SAFE_PATH, find_interpreter

__all__ = [
    "TURN_S",
    "Child",
    "ExitStatus",
    "Processes",
    "StartFailed",
    "Stray",
    "start_ticks_of_this_process",
]

TURN_S = 0.01
"""Seconds that deaths may take of one turn of the event loop; one death is handled at least."""

_PR_SET_CHILD_SUBREAPER = 36
_PR_GET_CHILD_SUBREAPER = 37


class StartFailed(Exception):
    """The operating system could not make the process; `reason` says why."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"{name}: {reason}")
        self.name = name
        self.reason = reason


class ExitStatus(Struct, frozen=True):
    """How a process ended; exactly one is not None, unless somebody else has taken its status (both None)."""

    exit_code: int | None
    signal: int | None


class Stray(Struct, frozen=True):
    """A process that had left its session and was killed, or was found dead, by `Processes.sweep`."""

    pid: int
    name: str
    command: str
    was_zombie: bool


class Child(Struct, frozen=True, eq=False):
    """One supervised process, from its start until its exit status was taken. `pidfd` belongs to `Processes`."""

    name: str
    incarnation: int
    pid: int
    pidfd: int


OnExit = Callable[[Child, ExitStatus], None]


class Processes:
    """The children of this supervisor. Make it, and call `start`, in the main thread only.

    The main thread, since the kernel sends the parent-death signal when the *thread* that started a child
    ends. `on_exit` is called in the event loop, once for each child, when it has ended; it is reaped when that
    returns. `target` of `start` is called in the child with the specification: ``launch(target, spec)``.
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
        self._was_subreaper = _subreaper()
        _set_subreaper(True)
        # a shell's background job before `exec foxtrot-supervisor` leaves a child that is not ours
        self._foreign = {_identity(facts) for facts in procfs.children_of(self._own_pid)}

    # ---- starting

    def start(self, name: str, incarnation: int, target: str, spec: bytes) -> Child:
        """Spawn a process that calls `target` with `spec`; raises `StartFailed`. Takes a few milliseconds."""
        assert threading.current_thread() is threading.main_thread(), "children are started by the main thread only"
        try:
            with marked(self._run_id), _interrupts_blocked(), _bare_main(), _no_resource_tracker(), _safe_path():
                pid = _spawn(f"foxtrot {name}", target, spec)
            pidfd = _hold(pid)
        except OSError as error:
            raise StartFailed(name, error.strerror or str(error)) from error
        return self._supervise(Child(name, incarnation, pid, pidfd))

    def adopt(self, name: str, incarnation: int, pid: int) -> Child:
        """Supervise a child of ours that was made on our behalf (by the nursery); raises `StartFailed`."""
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
        """Have what is left of this run ended when this process is killed; until `end_guard`."""
        self._guard = Guard(self._loop, self._run_id, start_ticks_of_this_process(), on_trouble)

    def end_guard(self) -> None:
        """From here on nobody is left whom the guard would have to end."""
        if self._guard is not None:
            self._guard.close()
            self._guard = None

    def _supervise(self, child: Child) -> Child:
        self._children[child.pid] = child
        self._loop.add_reader(child.pidfd, self._ended, child)
        return child

    def living(self) -> list[Child]:
        """Supervised processes that have not been reaped."""
        return list(self._children.values())

    # ---- signals

    def signal(self, child: Child, number: int, *, whole_session: bool = False) -> None:
        """Send a signal; to a process that has ended it does nothing.

        SIGTERM is followed by SIGCONT, so that a stopped process can obey. `whole_session`, for SIGKILL: first the
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
        status = _status(child.pidfd)
        if status is None:
            return  # not to be read yet; the descriptor stays readable
        self._loop.remove_reader(child.pidfd)
        self._deaths.append((child, status))
        self._work_soon()

    def _work_soon(self) -> None:
        if self._scheduled is None:
            self._scheduled = self._loop.call_soon(self._work)

    def _work(self) -> None:
        """Report deaths, then end sessions and reap: a bounded piece of it, the rest in further turns of the loop."""
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
                _reap(os.P_PIDFD, child.pidfd)
                self._forget(child)

    def _forget(self, child: Child) -> None:
        os.close(child.pidfd)
        del self._children[child.pid]

    @property
    def busy(self) -> bool:
        """Whether a death has not been handled to its end yet."""
        return bool(self._deaths) or self._sessions.busy

    # ---- what escaped

    def sweep(self) -> list[Stray]:
        """Kill and reap what became our child without being started by us; returns what was found.

        One look: what a killed stray leaves behind becomes our child only then, so at the end of a run it
        is repeated until `strays_left` says no. Without a free descriptor nothing can be looked up, or found.
        """
        strays: list[Stray] = []
        with contextlib.suppress(OSError):
            self._sweep_into(strays)
        return strays

    def _sweep_into(self, strays: list[Stray]) -> None:
        for facts in self._strays():
            if facts.session in self._sessions and not facts.zombie:
                continue  # it goes with its session
            command = procfs.command_line(facts.pid)
            if facts.zombie:
                _reap(os.P_PID, facts.pid)
            elif self._ours(facts):
                signal_if(facts.pid, signal.SIGKILL, _same_as(facts))
                _reap(os.P_PID, facts.pid)
            else:
                continue
            strays.append(Stray(facts.pid, facts.name, command, facts.zombie))

    def dead_stray(self) -> bool:
        """Whether a dead child waits that is not supervised; one system call, where `sweep` reads many files."""
        try:
            result = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return False
        return result is not None and result.si_pid not in self._children and not self._is_guard(result.si_pid)

    def childless(self) -> bool:
        """The kernel's word for it (ECHILD); children that were there before us do not count."""
        try:
            os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return True
        # what is left may be foreign: here before us, or an orphan of others that reached the first process
        return (bool(self._foreign) or self._own_pid == 1) and not self.strays_left()

    def strays_left(self) -> list[int]:
        """Process ids of children that are ours, dead or alive, though not supervised."""
        return [facts.pid for facts in self._strays() if self._ours(facts)]

    def _strays(self) -> Iterator[procfs.ProcessFacts]:
        for facts in procfs.children_of(self._own_pid, but=self._children):
            if not self._is_guard(facts.pid) and _identity(facts) not in self._foreign:
                yield facts

    def _is_known(self, pid: int) -> bool:
        return pid in self._children or self._is_guard(pid)

    def _is_guard(self, pid: int) -> bool:
        return self._guard is not None and self._guard.pid == pid

    def _ours(self, facts: procfs.ProcessFacts) -> bool:
        # where we inherited children, or are the first process of a container, orphans of others reach us too
        if self._foreign or self._own_pid == 1:
            return belongs_to_run(facts.pid, self._run_id)
        return True

    def close(self) -> None:
        """Stop watching. Children still alive (LOST ones) are left as they are; their descriptors are closed."""
        self.end_guard()
        if self._scheduled is not None:
            self._scheduled.cancel()
        self._end_sessions(math.inf)
        for child in self.living():
            self._loop.remove_reader(child.pidfd)
            self._forget(child)
        _set_subreaper(self._was_subreaper)


def start_ticks_of_this_process() -> int:
    """When this process started, in clock ticks after boot."""
    facts = procfs.read_facts(os.getpid())
    return facts.start_ticks if facts is not None else 0


# ---- spawning


def _spawn(title: str, target: str, spec: bytes) -> int:
    _leave_removed_directory()
    context = multiprocess.get_context("spawn")
    context.set_executable(find_interpreter())
    process = context.Process(target=_launcher(), name=title, args=(target, spec))
    process.start()
    pid: int = process.pid
    # From here on the child is held by its pidfd. multiprocess is told that it has been waited for, so that
    # it neither reaps it nor joins it at exit, and gives up its two pipe ends now instead of at the death.
    process._popen.returncode = 0
    process.close()
    return pid


def _leave_removed_directory() -> None:
    """Spawn passes the working directory on; one that was removed while we ran must not keep children from starting."""
    try:
        os.getcwd()
    except FileNotFoundError:
        os.chdir("/")


def _launcher() -> Callable[[str, bytes], None]:
    from foxtrot_supervisor.runtime.processes.launch import launch

    return launch


def _hold(pid: int) -> int:
    try:
        return os.pidfd_open(pid)  # nobody reaps but us: this is certainly our child
    except OSError:
        os.kill(pid, signal.SIGKILL)  # and so is this; `sweep` reaps it
        raise


@contextlib.contextmanager
def _interrupts_blocked() -> Iterator[None]:
    """The child inherits the blocked SIGINT until `launch` has it ignored; ours is delivered right after."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextlib.contextmanager
def _bare_main() -> Iterator[None]:
    """Spawn runs the parent's ``__main__`` again in the child; ours is a command line and must not run there."""
    before = sys.modules["__main__"]
    sys.modules["__main__"] = types.ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = before


@contextlib.contextmanager
def _safe_path() -> Iterator[None]:
    """Keep the working directory off the child's module search path, from its first import on."""
    spawn, path = multiprocess.spawn, list(sys.path)
    before = spawn.get_command_line

    def command_line(**values: int) -> list[str]:
        program, *rest = before(**values)
        return [program, SAFE_PATH, *rest]

    spawn.get_command_line = command_line
    sys.path[:] = [entry for entry in path if entry]
    try:
        yield
    finally:
        spawn.get_command_line = before
        sys.path[:] = path


@contextlib.contextmanager
def _no_resource_tracker() -> Iterator[None]:
    """Spawn starts a helper process that tracks semaphores and shared memory; we use neither.

    It would be one more child, of 18 MiB, which ignores SIGTERM and lives on after us. In its place the
    child gets a descriptor of /dev/null to report to.
    """
    tracker = multiprocess.resource_tracker
    before = tracker.getfd
    with Path(os.devnull).open("wb") as nowhere:
        tracker.getfd = nowhere.fileno
        try:
            yield
        finally:
            tracker.getfd = before


# ---- system calls


def _identity(facts: procfs.ProcessFacts) -> tuple[int, int]:
    return facts.pid, facts.start_ticks


def _same_as(then: procfs.ProcessFacts) -> Callable[[procfs.ProcessFacts], bool]:
    return lambda now: _identity(now) == _identity(then)


def _status(pidfd: int) -> ExitStatus | None:
    """How it ended; it stays to be reaped. None: it has not ended."""
    try:
        result = os.waitid(os.P_PIDFD, pidfd, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return ExitStatus(None, None)
    if result is None:
        return None
    if result.si_code == os.CLD_EXITED:
        return ExitStatus(result.si_status, None)
    return ExitStatus(None, result.si_status)


def _reap(kind: int, number: int) -> None:
    # our own child, not waited for by anybody else: its process id cannot have been recycled
    with contextlib.suppress(ChildProcessError):
        os.waitid(kind, number, os.WEXITED | os.WNOHANG)


def _prctl(option: int, argument: int | ctypes.Array[ctypes.c_int]) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(option, argument, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), f"prctl({option})")


def _set_subreaper(on: bool) -> None:
    _prctl(_PR_SET_CHILD_SUBREAPER, int(on))


def _subreaper() -> bool:
    value = (ctypes.c_int * 1)()
    _prctl(_PR_GET_CHILD_SUBREAPER, value)
    return bool(value[0])
