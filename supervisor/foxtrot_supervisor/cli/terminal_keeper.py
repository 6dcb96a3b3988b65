"""Keeps a terminal whole: runs a full-screen view in a process of its own and restores the terminal after it.

Whatever ends the view, SIGKILL included, the process that waits for it restores the terminal's modes and leaves the
alternate screen. If that process is killed itself, the view gets SIGTERM and restores the terminal.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib.util
import os
import signal
import sys
import termios
from collections.abc import Callable
from typing import Any

__all__ = ["TerminalState", "has_full_screen", "run_view"]

_PR_SET_PDEATHSIG = 1

_RESTORE = (
    "\x1b[?1049l"  # leave the alternate screen
    "\x1b[?25h"  # show the cursor
    "\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1006l\x1b[?1015l"  # no reports of the mouse
    "\x1b[?1004l\x1b[?2004l"  # no reports of focus and pasted text
    "\x1b[<u"  # keys as usual
    "\x1b[0m\r\n"
)


def has_full_screen() -> bool:
    """Whether this terminal can show a full-screen view, and its library, textual, is installed (not imported)."""
    streams = (sys.stdin, sys.stdout, sys.stderr)
    is_terminal = all(stream is not None and stream.isatty() for stream in streams)
    return is_terminal and os.environ.get("TERM", "dumb") != "dumb" and importlib.util.find_spec("textual") is not None


class TerminalState:
    """The modes of the terminal at `descriptor`, as they are now."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._modes: list[Any] | None = None
        with contextlib.suppress(termios.error):
            self._modes = termios.tcgetattr(descriptor)

    def restore(self) -> None:
        """Set the modes of then, and leave what a full-screen view has set."""
        with contextlib.suppress(termios.error, OSError):
            if self._modes is not None:
                termios.tcsetattr(self._descriptor, termios.TCSANOW, self._modes)
            os.write(self._descriptor, _RESTORE.encode())


def _die_with(parent: int) -> None:
    """In a new process: get SIGTERM when `parent` dies."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        os._exit(0)


def run_view(view: Callable[[], None], terminal: int = 0) -> int:
    """Run `view` in a child process; return its exit code once the terminal is whole again.

    SIGTERM, SIGINT and SIGHUP to this process end the view, unless they are ignored. Call it in a process
    without other threads.
    """
    state, me = TerminalState(terminal), os.getpid()
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            _die_with(me)
            view()
            code = 0
        except KeyboardInterrupt:
            code = 0
        except BaseException:
            state.restore()
            sys.excepthook(*sys.exc_info())
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
    heeded = [number for number in _FORWARDED if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, lambda *_: _terminate(child)) for number in heeded}
    try:
        _, status = os.waitpid(child, 0)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    code = os.waitstatus_to_exitcode(status)
    if code < 0:
        state.restore()
    return code


_FORWARDED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def _terminate(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
