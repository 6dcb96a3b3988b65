"""A lock on a path that cannot be removed: a name in the abstract socket namespace, held by a listening socket.

It keeps a second supervisor out of a run directory even if the lock file and the directory were removed while the first
one runs. The kernel releases it with the last holder. Any user can take any name, so a name held by another user is no
evidence and is ignored; the lock file decides. The namespace belongs to a network namespace: containers that share a
directory but not the network have the lock file only.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import socket
import time

from foxtrot_supervisor.system import procfs
from foxtrot_supervisor.system.peer_credentials import PeerCredentials, credentials_of

__all__ = ["DYING_S", "PlaceLock", "PlaceTaken"]

DYING_S = 1.0
"""How long a dead holder's name may live on in a process that it was starting, in seconds."""

_LOOK_S = 0.005


class PlaceTaken(Exception):
    """Another process of this user holds the path; `pid` is its process id."""

    def __init__(self, pid: int) -> None:
        super().__init__(f"held by process {pid}")
        self.pid = pid


class PlaceLock:
    """Held from `acquire` until `close`, or until the process and all that inherited it are gone."""

    def __init__(self, holder: socket.socket | None) -> None:
        self._holder = holder

    @classmethod
    def acquire(cls, path: str) -> PlaceLock:
        """Hold `path` (absolute); raises `PlaceTaken`."""
        folder, name = os.path.split(path)
        key = hashlib.sha256(os.fsencode(os.path.join(os.path.realpath(folder), name))).hexdigest()
        address = f"\0foxtrot-supervisor/{os.geteuid()}/{key}"
        deadline = time.monotonic() + DYING_S
        while True:
            holder = _listening(address)
            if holder is not None:
                return cls(holder)
            peer = _holder_of(address)
            if peer is None or peer.uid != os.geteuid():
                if peer is not None or time.monotonic() >= deadline:
                    return cls(None)  # held by another user, or unknown: the lock file decides
            elif procfs.is_alive(peer.pid):
                raise PlaceTaken(peer.pid)
            elif time.monotonic() >= deadline:
                return cls(None)
            time.sleep(_LOOK_S)

    def close(self) -> None:
        """Release the lock; may be called twice."""
        if self._holder is not None:
            self._holder.close()
            self._holder = None


def _listening(address: str) -> socket.socket | None:
    """Return a socket that holds the name; None if the name is taken."""
    holder = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        holder.bind(address)
        holder.listen(1)
    except OSError as error:
        holder.close()
        if error.errno != errno.EADDRINUSE:
            raise
        return None
    return holder


def _holder_of(address: str) -> PeerCredentials | None:
    """Return the credentials of the process that listens at `address`; None if none does."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe, contextlib.suppress(OSError):
        probe.setblocking(False)
        probe.connect(address)
        return credentials_of(probe)
    return None
