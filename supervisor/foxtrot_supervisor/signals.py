"""Operating-system signals as input: a handler only enqueues, the loop acts.

SIGINT, SIGTERM and SIGHUP (the terminal was closed) ask for a stop; whoever sends a second one means it.
A SIGHUP that we were started to ignore (nohup) stays ignored.
SIGCHLD is not among them: uvloop keeps it for itself, and deaths are seen through pidfds.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable

__all__ = ["STOP_SIGNALS", "SignalInputs"]

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class SignalInputs:
    """Handlers in force from construction until `close`; `on_stop` gets the signal's name, in the event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop, on_stop: Callable[[str], None]) -> None:
        self._loop = loop
        self._taken = [
            number for number in STOP_SIGNALS if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN
        ]
        for number in self._taken:
            loop.add_signal_handler(number, on_stop, number.name)

    def close(self) -> None:
        """Take no more. Stop signals are ignored from now on: what is being stopped cannot be stopped more."""
        for number in self._taken:
            self._loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_IGN)
