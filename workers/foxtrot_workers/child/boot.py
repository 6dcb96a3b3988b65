"""Start of every child process, before anything heavy is imported.

The order matters: an own session, so that Ctrl-C in a terminal reaches only the supervisor and the whole session can be
killed; SIGKILL by the kernel when the parent dies; a check that the parent is still alive, since the kernel reports
only later deaths; the fault handler, which shows a hang; resource limits; only then imports, HELLO and the start target
of the specification.

`run` never returns: it exits the process with one of `ChildExit`.
"""

from __future__ import annotations

import ctypes
import faulthandler
import os
import signal
from typing import IO

from foxtrot_protocol import standard_streams
from foxtrot_protocol.exit_codes import ChildExit
from foxtrot_protocol.spec import ChildSpec, decode_spec
from foxtrot_workers.child.crash_exit import ExitNotes, leave
from foxtrot_workers.child.limits import LimitRefused, apply_limits, relax_memory

__all__ = ["run", "settle", "stacks_path"]

_PR_SET_PDEATHSIG = 1
_PR_SET_NAME = 15


def run(spec_bytes: bytes) -> None:
    """Run the child that `spec_bytes` describes; exits the process, never returns."""
    spec = decode_spec(spec_bytes)
    notes = ExitNotes(spec)
    code: int = ChildExit.CRASH
    try:
        _stacks = settle(spec)  # stays open for the life of the process
        apply_limits(spec.limits)
        from foxtrot_workers.child.main import main  # imports asyncio

        code = main(spec)
    except LimitRefused as refusal:
        code = _refuse(spec, refusal.reason)
    except BaseException as error:
        if isinstance(error, MemoryError):
            relax_memory()
        code = notes.crashed(error)
    finally:
        leave(code)


def settle(spec: ChildSpec) -> IO[str]:
    """Prepare any child process; returns the file for stacks, which the caller must keep open."""
    _protect_streams(spec)
    _detach_from_terminal()
    _die_with(spec.parent_pid)
    _name_process(spec.name)
    return _watch_for_hangs(spec)


def stacks_path(spec: ChildSpec) -> str:
    """Return the file to which this child writes the stacks of its threads on SIGUSR2."""
    return f"{spec.run_dir}/stacks-{spec.name}-{spec.incarnation}.txt"


def _detach_from_terminal() -> None:
    if os.getsid(0) != os.getpid():
        os.setsid()
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _die_with(parent_pid: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
    if os.getppid() != parent_pid:
        os._exit(ChildExit.ORPHANED)


def _name_process(name: str) -> None:
    """Set the name that ps and top show; the kernel keeps 15 bytes of it."""
    ctypes.CDLL(None).prctl(_PR_SET_NAME, f"fx:{name}".encode(), 0, 0, 0)


def _protect_streams(spec: ChildSpec) -> None:
    """Keep writes to stdout and stderr from blocking or failing, whatever is at the other end."""
    standard_streams.open_missing()
    # handlers in the engine print: a slow reader slows them down as usual, up to a limit
    wait_s = standard_streams.PRINT_WAIT_S if spec.kind == "engine" else 0.0
    standard_streams.drain("stdout", wait_s)
    standard_streams.drain("stderr", wait_s)


def _watch_for_hangs(spec: ChildSpec) -> IO[str]:
    """Write stacks, including those of a crash, to a file: a blocked stderr would keep a dying process alive."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        descriptor = os.open(stacks_path(spec), flags, 0o600)
        os.fchmod(descriptor, 0o600)  # independent of the umask: readable for the supervisor and nobody else
        stacks = open(descriptor, "w", encoding="utf-8")  # noqa: SIM115 - open as long as the process
    except OSError:  # no space: run without stacks rather than not at all
        stacks = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    faulthandler.enable(file=stacks)
    faulthandler.register(signal.SIGUSR2, file=stacks, all_threads=True)
    return stacks


def _refuse(spec: ChildSpec, reason: str) -> int:
    """Report a configured limit that the kernel refuses; a restart cannot help."""
    from foxtrot_workers.child.main import report_failure

    report_failure(spec, reason)
    return ChildExit.CONFIGURATION
