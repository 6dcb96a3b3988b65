"""Spawns a process with `multiprocess`, without any helper process of its own, and holds it by its pidfd."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import types
from collections.abc import Callable, Iterator
from pathlib import Path

import multiprocess
import multiprocess.resource_tracker
import multiprocess.spawn

from foxtrot_supervisor.runtime.processes.survivors import marked
from foxtrot_supervisor.system.interpreter import SAFE_PATH, find_interpreter

__all__ = ["spawn_process"]

_IMPORT = "from multiprocess.spawn import spawn_main;"
_LEAN_IMPORT = f"import sys; sys.modules['dill'] = None; {_IMPORT} del sys.modules['dill'];"
"""What a child runs first: `multiprocess` without dill (`foxtrot_protocol.lean_import`)."""


def spawn_process(run_id: str, title: str, target: str, spec: bytes) -> tuple[int, int]:
    """Spawn a process that calls `target` with `spec` (`launch.launch`). Takes a few milliseconds.

    To be called in the main thread only: the kernel sends the parent-death signal when the *thread* that started a
    child ends.

    Args:
        run_id: the mark of the run, which the process and all that it starts inherit (`survivors`).
        title: its name, for people.
        target: start target, ``module:function``.
        spec: its argument.

    Returns:
        Process id and pidfd.

    Raises:
        OSError: if the operating system cannot create the process.
    """
    assert threading.current_thread() is threading.main_thread(), "children are started by the main thread only"
    with marked(run_id), _interrupts_blocked(), _bare_main(), _no_resource_tracker(), _safe_path():
        pid = _spawn(title, target, spec)
    return pid, _hold(pid)


def _spawn(title: str, target: str, spec: bytes) -> int:
    _leave_removed_directory()
    context = multiprocess.get_context("spawn")
    context.set_executable(find_interpreter())
    process = context.Process(target=_launcher(), name=title, args=(target, spec))
    process.start()
    pid: int = process.pid
    # From here on the child is held by its pidfd. For multiprocess it counts as waited for: it is neither reaped there
    # nor joined at exit, and its two pipe ends are closed now instead of at its death.
    process._popen.returncode = 0
    process.close()
    return pid


def _leave_removed_directory() -> None:
    """Leave a working directory that was removed: spawn hands it on, and no child could start in it."""
    try:
        os.getcwd()
    except FileNotFoundError:
        os.chdir("/")


def _launcher() -> Callable[[str, bytes], None]:
    from foxtrot_supervisor.runtime.processes.launch import launch

    return launch


def _hold(pid: int) -> int:
    try:
        return os.pidfd_open(pid)  # only this process reaps: the id certainly names our child
    except OSError:
        os.kill(pid, signal.SIGKILL)  # and here as well; `Processes.sweep` reaps it
        raise


@contextlib.contextmanager
def _interrupts_blocked() -> Iterator[None]:
    """Block SIGINT: the child inherits that, until `launch` ignores it. Ours is delivered right afterwards."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextlib.contextmanager
def _bare_main() -> Iterator[None]:
    """Hide ``__main__``: spawn runs the parent's again in the child, and ours is a command line."""
    before = sys.modules["__main__"]
    sys.modules["__main__"] = types.ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = before


@contextlib.contextmanager
def _safe_path() -> Iterator[None]:
    """Keep the working directory off the child's module search path, from its first import on, and `dill` out of it."""
    spawn, path = multiprocess.spawn, list(sys.path)
    before = spawn.get_command_line

    def command_line(**values: int) -> list[str]:
        program, *rest = before(**values)
        return [program, SAFE_PATH, *(each.replace(_IMPORT, _LEAN_IMPORT) for each in rest)]

    spawn.get_command_line = command_line
    sys.path[:] = [entry for entry in path if entry]
    try:
        yield
    finally:
        spawn.get_command_line = before
        sys.path[:] = path


@contextlib.contextmanager
def _no_resource_tracker() -> Iterator[None]:
    """Keep spawn from starting its helper process, which tracks semaphores and shared memory; we use neither.

    It would be one more child, of 18 MiB, which ignores SIGTERM and outlives us. The child gets a descriptor of
    /dev/null to report to instead.
    """
    tracker = multiprocess.resource_tracker
    before = tracker.getfd
    with Path(os.devnull).open("wb") as nowhere:
        tracker.getfd = nowhere.fileno
        try:
            yield
        finally:
            tracker.getfd = before
