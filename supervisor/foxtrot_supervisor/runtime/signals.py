"""Operating-system signals as input: a handler only enqueues, the loop acts.

SIGINT and SIGTERM ask for a stop; whoever sends a second one means it. SIGHUP has two meanings: where we had a
terminal that is gone now, it was closed, which asks for a stop; else it asks for a reload, as for any service. A SIGHUP
that we were started to ignore (nohup) stays ignored.
SIGCHLD is not among them: uvloop keeps it for itself, and deaths are seen through pidfds.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable

__all__ = ["STOP_SIGNALS", "SignalInputs"]

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class SignalInputs:
    """Handlers in force from construction until `close`; they get the signal's name, in the event loop."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, on_stop: Callable[[str], None], on_reload: Callable[[str], None]
    ) -> None:
        self._loop = loop
        self._on_stop = on_stop
        self._on_reload = on_reload
        self._had_terminal = _has_terminal()
        self._taken = [
            number for number in STOP_SIGNALS if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN
        ]
        for number in self._taken:
            loop.add_signal_handler(number, self._on_hangup if number == signal.SIGHUP else on_stop, number.name)

    def _on_hangup(self, name: str) -> None:
        closed = self._had_terminal and not _has_terminal()
        (self._on_stop if closed else self._on_reload)(name)

    def close(self) -> None:
        """Take no more. These signals are ignored from now on: what is being stopped cannot be stopped more."""
        for number in self._taken:
            self._loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_IGN)


def _has_terminal() -> bool:
    """Whether this process has a controlling terminal; the kernel takes it away before it tells that it was closed."""
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError:
        return False
    return True
