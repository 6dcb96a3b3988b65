"""A unix datagram socket that only this user can send to."""

from __future__ import annotations

import contextlib
import os
import socket

__all__ = ["bound_datagram"]


def bound_datagram(path: str) -> socket.socket:
    """Return a datagram socket bound to the file `path`, which may exist; raises OSError."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
    bell = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    try:
        os.fchmod(bell.fileno(), 0o600)  # Linux gives the file this mode: nobody else can ever connect
        bell.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        bell.bind(path)
        os.chmod(path, 0o600)
    except OSError:
        bell.close()
        raise
    return bell
