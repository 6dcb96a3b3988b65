"""The PUSH socket that brings committed batches to the engine; never blocks.

A batch that finds no room in the socket (EAGAIN), or is lost on its way, is read from the ring.
"""

from __future__ import annotations

import contextlib

import zmq

from foxtrot_protocol import endpoints

__all__ = ["BatchPush"]


class BatchPush:
    """A worker's end of the data plane over ZeroMQ."""

    def __init__(self, context: zmq.Context[zmq.Socket[bytes]], endpoint: str) -> None:
        """Connect to `endpoint`, whether or not an engine is there."""
        self._socket = context.socket(zmq.PUSH)
        self._socket.setsockopt(zmq.SNDHWM, endpoints.DATA_SEND_HWM)
        self._socket.setsockopt(zmq.LINGER, 0)
        self._socket.setsockopt(zmq.RECONNECT_IVL, endpoints.DATA_RECONNECT_MS)
        self._socket.setsockopt(zmq.RECONNECT_IVL_MAX, endpoints.DATA_RECONNECT_MAX_MS)
        self._socket.connect(endpoint)

    def committed(self, data: bytes) -> None:
        """Send a batch that is in the ring. The hot path."""
        with contextlib.suppress(zmq.Again):
            self._socket.send(data, zmq.NOBLOCK)

    def close(self) -> None:
        """Close the socket; what it has not sent is in the ring."""
        self._socket.close(linger=0)
