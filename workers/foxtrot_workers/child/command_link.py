"""The child's end of the control plane: one DEALER socket on the event loop.

Sends to the supervisor and hands over its commands. Never blocks, except `flush` and `close`: messages beyond the queue
are dropped and counted (the supervisor notices missing heartbeats). Messages wait while there is no connection.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from foxtrot_protocol import endpoints
from foxtrot_protocol.codec import CONTROL_BYTES_MAX, decode_to_child, encode_control
from foxtrot_protocol.commands import FromChild, ToChild
from foxtrot_protocol.errors import MalformedMessage
from foxtrot_workers.child.zmtp_socket import SocketKind, ZmtpSocket

__all__ = ["CommandLink"]


class CommandLink:
    """DEALER to the supervisor's ROUTER; `identity` is ``name#incarnation``."""

    def __init__(self, endpoint: str, identity: str, on_message: Callable[[ToChild], None]) -> None:
        self._on_message = on_message
        self.dropped_total = 0
        self.malformed_total = 0
        self._closed = False
        kind = SocketKind(
            socket_type=b"DEALER",
            identity=identity.encode(),
            message_bytes_max=CONTROL_BYTES_MAX,
            queue_count_max=endpoints.CONTROL_HWM,
            queue_bytes_max=endpoints.CONTROL_QUEUE_BYTES_MAX,
            reconnect_s=endpoints.CONTROL_RECONNECT_MS / 1000.0,
            reconnect_s_max=endpoints.CONTROL_RECONNECT_MS / 1000.0,
            keeps=True,
        )
        loop = asyncio.get_running_loop()
        self._socket = ZmtpSocket(loop, endpoints.ipc_path(endpoint), kind, self._take)

    def send(self, message: FromChild) -> None:
        """Send `message`; it is dropped and counted if the queue is full or the link is closed."""
        if self._closed or not self._socket.send(encode_control(message)):
            self.dropped_total += 1

    def flush(self, limit_s: float) -> None:
        """Wait until the kernel has all messages, for at most `limit_s` seconds; blocks the event loop."""
        self._socket.flush(limit_s)

    def close(self, flush_s: float) -> None:
        """Close; waits for up to `flush_s` seconds while messages are queued. May be called twice."""
        if self._closed:
            return
        self._closed = True
        self._socket.flush(flush_s)
        self._socket.close()

    def is_closed(self) -> bool:
        """Whether the link is closed."""
        return self._closed

    def _take(self, frames: tuple[bytes, ...]) -> None:
        if self._closed:
            return
        if len(frames) != 1:
            self.malformed_total += 1
            return
        try:
            message = decode_to_child(frames[0])
        except MalformedMessage:
            self.malformed_total += 1
            return
        self._on_message(message)
