"""The smallest PUSH socket: what it sends is in the kernel at once, so that one `pump` of the reader gets it."""

from __future__ import annotations

import socket
from collections.abc import Callable

from foxtrot_protocol import zmtp

__all__ = ["RawPush"]


class RawPush:
    """A blocking connection to the PULL socket at `path`; `pump` lets that socket's owner answer the handshake.

    `passed`: a descriptor that the owner gets with the greeting.
    """

    def __init__(self, path: str, pump: Callable[[], object], passed: int | None = None) -> None:
        self.end = socket.socket(socket.AF_UNIX)
        self.end.settimeout(5.0)
        self.end.connect(path)
        wire = zmtp.Connection(b"PUSH", b"", 0)
        socket.send_fds(self.end, [zmtp.GREETING], [] if passed is None else [passed])
        while not wire.is_open:
            self.end.sendall(wire.take_replies())
            pump()
            wire.receive(self.end.recv(1000))
        self.end.sendall(wire.take_replies())

    def send(self, data: bytes) -> None:
        self.end.sendall(zmtp.message(data))

    def close(self) -> None:
        self.end.close()
