"""Process and user at the other end of a Unix socket, as the kernel knows them."""

from __future__ import annotations

import asyncio
import os
import socket
import struct

from msgspec import Struct

__all__ = ["PeerCredentials", "credentials_of", "peer_of"]

_LAYOUT = struct.Struct("3i")


class PeerCredentials(Struct, frozen=True):
    """Credentials of a peer at the time it connected."""

    pid: int
    uid: int
    gid: int


def credentials_of(end: socket.socket) -> PeerCredentials:
    """Return the credentials of the peer of a connected Unix socket."""
    return PeerCredentials(*_LAYOUT.unpack(end.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _LAYOUT.size)))


def peer_of(writer: asyncio.StreamWriter) -> PeerCredentials:
    """Return the credentials of the peer of a stream."""
    end = writer.get_extra_info("socket")
    # some event loops provide a substitute without getsockopt: use a copy of the descriptor
    with socket.socket(fileno=os.dup(-1 if end is None else end.fileno())) as copy:
        return credentials_of(copy)
