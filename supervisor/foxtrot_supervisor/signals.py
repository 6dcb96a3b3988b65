"""Operating-system signals as input: a handler only enqueues, the loop acts.

SIGINT, SIGTERM and SIGHUP (the terminal was closed) ask for a stop; whoever sends a second one means it.
SIGCHLD tells that some child has ended: supervised ones are seen through their pidfd, so it only says that
it is time to look for strays.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable

__all__ = ["STOP_SIGNALS", "SignalInputs"]

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class SignalInputs:
    """Handlers in force from construction until `close`; both callbacks run in the event loop.

    `on_stop` gets the signal's name; `on_child` is called when any child has ended.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, on_stop: Callable[[str], None], on_child: Callable[[], None]
    ) -> None:
        self._loop = loop
        for number in STOP_SIGNALS:
            loop.add_signal_handler(number, on_stop, number.name)
        loop.add_signal_handler(signal.SIGCHLD, on_child)

    def close(self) -> None:
        """Put the default actions back."""
        for number in (*STOP_SIGNALS, signal.SIGCHLD):
            self._loop.remove_signal_handler(number)
