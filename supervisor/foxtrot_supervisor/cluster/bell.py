"""The doorbell of a node's forwarder: names of rings in which workers have committed batches."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable

from foxtrot_protocol.endpoints import DOORBELL_BYTES_MAX
from foxtrot_supervisor.system.datagram_socket import bound_datagram

__all__ = ["TAKEN_PER_TURN", "Bell"]

TAKEN_PER_TURN = 256
"""Datagrams taken before rings are read."""


class Bell:
    """Listens on an event loop. A datagram is a hint: a lost or forged one costs no more than a look at rings."""

    def __init__(self, path: str, rang: Callable[[set[str]], None]) -> None:
        """Bind to the file `path`; `rang` gets the names of rings. Raises OSError."""
        self.path = path
        self._rang = rang
        self._loop = asyncio.get_running_loop()
        self._socket = bound_datagram(path)
        self._loop.add_reader(self._socket.fileno(), self._readable)

    def keep(self) -> None:
        """Recreate the socket's file if it was removed. Raises OSError."""
        if not os.path.lexists(self.path):
            self.close()
            self._socket = bound_datagram(self.path)
            self._loop.add_reader(self._socket.fileno(), self._readable)

    def close(self) -> None:
        """Close the socket and remove its file."""
        self._loop.remove_reader(self._socket.fileno())
        self._socket.close()
        with contextlib.suppress(OSError):
            os.unlink(self.path)

    def _readable(self) -> None:
        names = set()
        with contextlib.suppress(BlockingIOError):
            for _ in range(TAKEN_PER_TURN):
                names.add(self._socket.recv(DOORBELL_BYTES_MAX).decode(errors="replace"))
        self._rang(names)
