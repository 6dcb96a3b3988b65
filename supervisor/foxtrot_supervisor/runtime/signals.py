"""Operating-system signals as inputs: a handler only enqueues, the loop acts.

SIGINT and SIGTERM request a stop; a second one kills. SIGHUP means one of two things. If the terminal that this process
had is gone, it was closed: a stop. Otherwise it requests a reload, as of any service. A SIGHUP that is ignored from the
start (nohup) stays ignored. SIGCHLD is not used: uvloop keeps it for itself, and deaths are seen through pidfds.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable

__all__ = ["STOP_SIGNALS", "HeldSignals", "SignalInputs"]

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class HeldSignals:
    """Holds stop signals that arrive before the event loop exists, for `SignalInputs`."""

    def __init__(self) -> None:
        self._before = {number: signal.getsignal(number) for number in STOP_SIGNALS}
        self._held: list[str] = []
        for number in _taken():
            signal.signal(number, self._hold)

    def take(self) -> list[str]:
        """Return the names of the held signals, in order, and forget them."""
        held, self._held = self._held, []
        return held

    def restore(self) -> None:
        """Restore the handlers that were found."""
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _hold(self, number: int, frame: object) -> None:
        self._held.append(signal.Signals(number).name)


class SignalInputs:
    """Handles signals from construction until `close`; the callbacks get the signal's name, in the event loop."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        on_stop: Callable[[str], None],
        on_reload: Callable[[str], None],
        held: HeldSignals | None = None,
    ) -> None:
        """`held`: signals that arrived earlier; they come first."""
        self._loop = loop
        self._on_stop = on_stop
        self._on_reload = on_reload
        self._had_terminal = _has_terminal()
        self._taken = _taken()
        for number in self._taken:
            loop.add_signal_handler(number, self._on_hangup if number == signal.SIGHUP else on_stop, number.name)
        for name in held.take() if held is not None else ():
            loop.call_soon(self._on_hangup if name == signal.SIGHUP.name else on_stop, name)

    def _on_hangup(self, name: str) -> None:
        closed = self._had_terminal and not _has_terminal()
        (self._on_stop if closed else self._on_reload)(name)

    def close(self) -> None:
        """Stop handling these signals, and ignore them: the run has ended already."""
        for number in self._taken:
            self._loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_IGN)


def _taken() -> list[signal.Signals]:
    return [number for number in STOP_SIGNALS if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN]


def _has_terminal() -> bool:
    """Whether this process has a controlling terminal; the kernel detaches it before it sends SIGHUP."""
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError:
        return False
    return True
