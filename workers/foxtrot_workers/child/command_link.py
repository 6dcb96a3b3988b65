"""The child's end of the control plane: one DEALER socket on the event loop.

Sends to the supervisor and hands over its commands. Never blocks: messages beyond the queue are dropped and counted
(the supervisor notices missing heartbeats).

The descriptor of a ZeroMQ socket is edge-triggered and shared by both directions: after any activity the socket must be
read until it is empty, or a wake-up is lost.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

import zmq

from foxtrot_protocol import endpoints
from foxtrot_protocol.codec import CONTROL_BYTES_MAX, decode_to_child, encode_control
from foxtrot_protocol.commands import FromChild, ToChild
from foxtrot_protocol.errors import MalformedMessage

__all__ = ["CommandLink"]


class CommandLink:
    """DEALER to the supervisor's ROUTER; `identity` is ``name#incarnation``."""

    def __init__(
        self,
        context: zmq.Context[zmq.Socket[bytes]],
        endpoint: str,
        identity: str,
        on_message: Callable[[ToChild], None],
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._on_message = on_message
        self.dropped_total = 0
        self.malformed_total = 0
        self._socket = context.socket(zmq.DEALER)
        self._socket.setsockopt(zmq.IDENTITY, identity.encode())
        self._socket.setsockopt(zmq.LINGER, 0)
        self._socket.setsockopt(zmq.SNDHWM, endpoints.CONTROL_HWM)
        self._socket.setsockopt(zmq.RCVHWM, endpoints.CONTROL_HWM)
        self._socket.setsockopt(zmq.MAXMSGSIZE, CONTROL_BYTES_MAX)
        self._socket.connect(endpoint)
        self._closed = False
        self._fd = int(self._socket.getsockopt(zmq.FD))
        self._loop.add_reader(self._fd, self._drain)
        self._scheduled = False

    def send(self, message: FromChild) -> None:
        """Queue `message`; it is dropped and counted if the queue is full or the link is closed."""
        if self._closed:
            self.dropped_total += 1
            return
        try:
            self._socket.send(encode_control(message), zmq.NOBLOCK)
        except zmq.Again:
            self.dropped_total += 1
        self._drain_soon()

    def close(self, flush_ms: int) -> None:
        """Close; queued messages are sent for up to `flush_ms` milliseconds. May be called twice."""
        if self._closed:
            return
        self._closed = True
        self._loop.remove_reader(self._fd)
        self._socket.close(linger=flush_ms)

    def is_closed(self) -> bool:
        """Whether the link is closed."""
        return self._closed

    def _drain_soon(self) -> None:
        if not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._drain)

    def _drain(self) -> None:
        self._scheduled = False
        if self.is_closed():
            return
        with contextlib.suppress(zmq.Again):
            for _ in range(endpoints.CONTROL_HWM):
                data = self._socket.recv(zmq.NOBLOCK)
                try:
                    message = decode_to_child(data)
                except MalformedMessage:
                    self.malformed_total += 1
                    continue
                self._on_message(message)
                if self.is_closed():
                    return
            self._drain_soon()
