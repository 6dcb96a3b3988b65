"""Who is at the other end of a unix socket, as the kernel knows it."""

from __future__ import annotations

import asyncio
import os
import socket
import struct

from msgspec import Struct

__all__ = ["PeerCredentials", "credentials_of", "peer_of"]

_LAYOUT = struct.Struct("3i")


class PeerCredentials(Struct, frozen=True):
    """Taken when the peer connected."""

    pid: int
    uid: int
    gid: int


def credentials_of(end: socket.socket) -> PeerCredentials:
    """The peer of a connected unix socket."""
    return PeerCredentials(*_LAYOUT.unpack(end.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _LAYOUT.size)))


def peer_of(writer: asyncio.StreamWriter) -> PeerCredentials:
    """The peer of a stream."""
    end = writer.get_extra_info("socket")
    # some event loops show a stand-in without getsockopt: ask the kernel through a copy of the descriptor
    with socket.socket(fileno=os.dup(-1 if end is None else end.fileno())) as copy:
        return credentials_of(copy)
