"""The PUSH socket that brings committed batches to the engine; never blocks.

A batch that finds no room in the socket, no engine, or is lost on its way, is read from the ring.
"""

from __future__ import annotations

import asyncio

from foxtrot_protocol import endpoints
from foxtrot_workers.child.zmtp_socket import SocketKind, ZmtpSocket

__all__ = ["BatchPush"]

_KIND = SocketKind(
    socket_type=b"PUSH",
    message_bytes_max=0,  # the engine sends nothing
    queue_count_max=endpoints.DATA_SEND_HWM,
    queue_bytes_max=endpoints.DATA_SEND_BYTES_MAX,
    reconnect_s=endpoints.DATA_RECONNECT_MS / 1000.0,
    reconnect_s_max=endpoints.DATA_RECONNECT_MAX_MS / 1000.0,
    keeps=False,  # the next engine reads the ring
)


class BatchPush:
    """A worker's end of the data plane over ZeroMQ."""

    def __init__(self, loop: asyncio.AbstractEventLoop, endpoint: str, early_bell: int | None = None) -> None:
        """Connect to `endpoint`, whether or not an engine is there; used on the thread of `loop`.

        `early_bell`: a descriptor that each engine gets; the caller keeps it open.
        """
        self._socket = ZmtpSocket(loop, endpoints.ipc_path(endpoint), _KIND, passed=early_bell)

    def committed(self, data: bytes) -> None:
        """Send a batch that is in the ring. The hot path."""
        self._socket.send(data)

    def close(self) -> None:
        """Close the socket; what it has not sent is in the ring."""
        self._socket.close()
