"""The full-screen view of `start`: processes beside the supervisor that show its run on its terminal.

The supervisor stays alone in its process: the view is started before the run begins and by way of a process that ends
at once, so that it is no child of the supervisor and no part of the audit. Two processes are made: the view, and the
keeper, which restores the terminal after it (`terminal_keeper`).

While the view is shown, standard output and error of the supervisor and its children are a pipe: what handlers print
would tear the screen. The view shows it; after the view has ended the keeper copies it to the terminal.

The keeper lives until the supervisor closes its end of a second pipe, the lifeline, or dies.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import select
import signal
import sys
from collections.abc import Iterator
from typing import NoReturn

from foxtrot_supervisor.cli.terminal_keeper import TerminalState, run_view

__all__ = ["KILL_S", "LEAVE_S", "LINES_LEFT", "VIEW_INTERVAL_S", "attached_view"]

VIEW_INTERVAL_S = 1.0
"""Interval of the view, in seconds."""

LEAVE_S = 10.0
"""How long the view may take to leave the terminal at the end of the run, in seconds; then it gets SIGTERM."""

KILL_S = 5.0
"""How long the view and its keeper may take to end after SIGTERM, in seconds; then the keeper is killed."""

LINES_LEFT = 10
"""Latest printed lines that stay on the terminal after the view."""

_CHUNK_BYTES = 64 * 1024
_VIEW = "foxtrot_supervisor.cli.screen.app"


@contextlib.contextmanager
def attached_view(run_dir: str) -> Iterator[None]:
    """Show the run that will be in `run_dir` on this terminal, until the context ends."""
    sys.stdout.flush()
    sys.stderr.flush()
    state, me = TerminalState(2), os.getpid()
    out, err = os.dup(1), os.dup(2)
    output, printed = os.pipe()
    alive, lifeline = os.pipe()
    os.set_blocking(output, False)
    keeper = _start_keeper(run_dir, me, output, alive, close=(printed, lifeline, out, err))
    os.close(alive)
    os.dup2(printed, 1)
    os.dup2(printed, 2)
    os.close(printed)
    try:
        yield
    finally:
        os.dup2(out, 1)
        os.dup2(err, 2)
        os.close(lifeline)
        if not _has_ended(keeper, LEAVE_S):
            signal.pidfd_send_signal(keeper, signal.SIGTERM)  # it passes it on to the view, and restores the terminal
            if not _has_ended(keeper, KILL_S):
                signal.pidfd_send_signal(keeper, signal.SIGKILL)  # its view gets SIGTERM by that
                state.restore()
        for descriptor in (keeper, out, err, output):
            os.close(descriptor)


def _has_ended(pidfd: int, limit_s: float) -> bool:
    """Wait until a process has ended, at most `limit_s` seconds; return whether it has."""
    return bool(select.select([pidfd], [], [], limit_s)[0])


def _start_keeper(run_dir: str, starter: int, output: int, alive: int, close: tuple[int, ...]) -> int:
    """Return a pidfd of the keeper, which is no child of this process."""
    told, tell = os.pipe()
    between = os.fork()
    if between == 0:
        pid = os.fork()
        if pid == 0:
            for descriptor in (*close, told, tell):
                os.close(descriptor)
            _keep(run_dir, starter, output, alive)
        os.write(tell, b"%d" % pid)
        os._exit(0)
    os.waitpid(between, 0)
    pid = int(os.read(told, 32))
    os.close(told)
    os.close(tell)
    return os.pidfd_open(pid)


def _keep(run_dir: str, starter: int, output: int, alive: int) -> NoReturn:
    """The keeper: the view, then what is printed, until the supervisor has ended."""
    code = 1
    try:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C before the view reads keys: the supervisor gets it
        code = run_view(lambda: _view(run_dir, starter, output, alive))
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)  # these are for the supervisor; the keeper follows it
        if not select.select([alive], [], [], 0.0)[0]:
            note = f"the view has ended ({code}), the run goes on; foxtrot-supervisor top shows it, Ctrl-C stops it\r\n"
            os.write(2, note.encode())
        _copy(output, alive)
    finally:
        os._exit(code if code >= 0 else 1)


def _view(run_dir: str, starter: int, output: int, alive: int) -> None:
    screen = importlib.import_module(_VIEW)
    if select.select([alive], [], [], 0.0)[0]:
        return  # the start has failed already
    app = screen.TopApp(run_dir, VIEW_INTERVAL_S, screen.Starter(starter, output, alive))
    app.run()
    for line in app.output.latest(LINES_LEFT):
        os.write(2, f"{line}\r\n".encode())


def _copy(output: int, alive: int) -> None:
    """Copy what is printed to the terminal until the supervisor has ended."""
    ended = False
    while True:
        ready = select.select([output] if ended else [output, alive], [], [], 0.0 if ended else None)[0]
        if output in ready:
            data = os.read(output, _CHUNK_BYTES)
            if data:
                os.write(2, data)
                continue
            return  # nobody can print any more
        if ended:
            return
        ended = True
