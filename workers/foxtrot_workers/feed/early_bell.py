"""The early bell: lets the engine wake when bytes of the exchange arrive, while this process is still waking itself.

An epoll descriptor that watches the socket of the exchange is passed to the engine (`event_sender.Carrier`). The kernel
then wakes both processes at once, and this one does nothing for it. The descriptor can only be waited on: it gives no
access to the socket, and does not keep the connection open when this process ends.
"""

from __future__ import annotations

import contextlib
import select

__all__ = ["EarlyBell"]


class EarlyBell:
    """Watches one socket after another, until each is closed."""

    def __init__(self) -> None:
        self._poller = select.epoll()

    def fileno(self) -> int:
        """Return the descriptor to pass to the engine."""
        return self._poller.fileno()

    def watch(self, descriptor: int) -> None:
        """Ring whenever the socket `descriptor` receives something; -1 is ignored."""
        # Writable it is nearly always: so what the engine finds does not depend on whether this process has read it
        # yet. Edge-triggered, it rings only when something comes. Exclusive waiters are woken after all others: so this
        # process, which has to parse first, does not wait for a processor that the engine has got.
        events = select.EPOLLIN | select.EPOLLOUT | select.EPOLLET | select.EPOLLEXCLUSIVE
        with contextlib.suppress(OSError, ValueError):  # it may be closed already
            self._poller.register(descriptor, events)

    def close(self) -> None:
        """Stop ringing."""
        self._poller.close()
