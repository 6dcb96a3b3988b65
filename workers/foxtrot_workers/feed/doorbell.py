"""The worker's end of the doorbell: tells the engine by a datagram in which ring a batch was committed; never blocks.

A datagram may be lost or refused: the engine looks at every ring at intervals, and at all of them after its socket was
full. So no failure is reported, and there is nothing to repeat.

The first datagram to each engine also carries the descriptor of the early bell (`early_bell`).
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable

__all__ = ["Doorbell"]


class Doorbell:
    """Rings at the engine for one ring."""

    def __init__(self, path: str, ring_name: str, early_bell: int | None = None) -> None:
        """Connect to an engine, if there is one.

        `path`: the engine's datagram socket, which need not exist yet. `ring_name`: of the ring's file. `early_bell`: a
        descriptor that each engine gets; the caller keeps it open.
        """
        self._path = path
        self._name = ring_name.encode()
        self._early_bell = early_bell
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
        self._send: Callable[[bytes], int] = self._socket.send
        self._connect()

    def committed(self, data: bytes) -> None:
        """Ring: a batch is in the ring. The hot path."""
        try:
            self._send(self._name)
        except BlockingIOError:
            pass  # it rings already; an engine that finds its socket full looks at all rings
        except OSError:
            self._connect()  # that engine is gone, or none was there yet
            with contextlib.suppress(OSError):
                self._send(self._name)

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def _connect(self) -> None:
        if self._early_bell is not None:
            self._send = self._introduce
        with contextlib.suppress(OSError):
            self._socket.connect(self._path)

    def _introduce(self, name: bytes) -> int:
        """Ring with the early bell; raises OSError, then the next ringing does it."""
        assert self._early_bell is not None
        sent = socket.send_fds(self._socket, [name], [self._early_bell])
        self._send = self._socket.send
        return sent
