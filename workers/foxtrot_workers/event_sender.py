"""The sending end of the data plane: batches over a PUSH socket, in order, never blocking the reader.

What ZeroMQ cannot take at once waits in a backlog of bounded size; the worker holds back the exchange
while it is full (`backpressure`). Sequence numbers are given when a batch is committed, so the stream on
the wire has no holes of our own making.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable

import zmq

from foxtrot_protocol import endpoints
from foxtrot_protocol.codec import BatchEncoder
from foxtrot_protocol.errors import MessageTooLarge
from foxtrot_protocol.events import MarketEvent

__all__ = ["RETRY_S", "EventSender"]

RETRY_S = 0.005
"""How soon a full socket is tried again, should its wake-up be missed."""


class EventSender:
    """Sends the batches of one incarnation; `backlog_bytes` is what waits here beside ZeroMQ's own queue."""

    def __init__(
        self,
        context: zmq.Context[zmq.Socket[bytes]],
        endpoint: str,
        worker: str,
        incarnation: int,
        on_relief: Callable[[], None],
    ) -> None:
        """`on_relief` is called whenever the backlog has become smaller."""
        self._on_relief = on_relief
        self._loop = asyncio.get_running_loop()
        self._encoder = BatchEncoder(worker, incarnation)
        self._sequence = 0
        self._backlog: deque[bytes] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self.backlog_bytes = 0
        self.committed_total = 0
        self.oversized_total = 0
        self._socket = context.socket(zmq.PUSH)
        self._socket.setsockopt(zmq.SNDHWM, endpoints.DATA_SEND_HWM)
        self._socket.setsockopt(zmq.LINGER, 0)
        self._socket.setsockopt(zmq.RECONNECT_IVL, endpoints.DATA_RECONNECT_MS)
        self._socket.setsockopt(zmq.RECONNECT_IVL_MAX, endpoints.DATA_RECONNECT_MAX_MS)
        self._socket.connect(endpoint)

    def commit(self, events: list[MarketEvent[str]]) -> None:
        """Give `events` the next sequence number and send them, now or as soon as there is room.

        A batch over the size limit is split; a single event over it is counted as oversized and left out.
        """
        try:
            data = self._encoder.encode(self._sequence + 1, time.time_ns(), events)
        except MessageTooLarge:
            if len(events) == 1:
                self.oversized_total += 1
                return
            half = len(events) // 2
            self.commit(events[:half])
            self.commit(events[half:])
            return
        self._sequence += 1
        self.committed_total += len(events)
        if not self._backlog:
            try:
                self._socket.send(data, zmq.NOBLOCK)
                return
            except zmq.Again:
                pass
        self._backlog.append(data)
        self.backlog_bytes += len(data)
        if self._timer is None:
            self._timer = self._loop.call_later(RETRY_S, self._retry)

    async def drain(self, deadline: float) -> bool:
        """Wait until the backlog is with ZeroMQ; False if `deadline` (monotonic seconds) came first."""
        while self._backlog:
            if time.monotonic() >= deadline:
                return False
            self._send_backlog()
            await asyncio.sleep(RETRY_S)
        return True

    def close(self, linger_ms: int) -> None:
        """Close; what ZeroMQ holds has `linger_ms` to reach the engine (waited for by the context's end)."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._socket.close(linger=linger_ms)

    def _retry(self) -> None:
        self._timer = None
        self._send_backlog()
        if self._backlog:
            self._timer = self._loop.call_later(RETRY_S, self._retry)

    def _send_backlog(self) -> None:
        before = len(self._backlog)
        try:
            while self._backlog:
                self._socket.send(self._backlog[0], zmq.NOBLOCK)
                self.backlog_bytes -= len(self._backlog.popleft())
        except zmq.Again:
            pass
        if len(self._backlog) < before:
            self._on_relief()
