"""The sending end of the data plane: each batch into the ring, then over a PUSH socket; never blocks the reader.

What is in the ring is committed: the engine gets it, whatever becomes of this process or of the message. So a
socket that takes nothing just now (EAGAIN) loses nothing. What finds no room in the ring waits here, bounded, while
the worker holds back the exchange (`backpressure`). Sequence numbers have no holes of our own making.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Callable, Mapping

import zmq

from foxtrot_protocol import endpoints
from foxtrot_protocol.codec import BatchEncoder
from foxtrot_protocol.errors import MessageTooLarge
from foxtrot_protocol.events import MarketEvent
from foxtrot_protocol.ring_layout import batch_bytes_max
from foxtrot_workers.feed.ring_writer import RingWriter

__all__ = ["DRAIN_POLL_S", "WAITING_BYTES_MAX", "EventSender"]

WAITING_BYTES_MAX = 4 * 1024 * 1024
"""What a paused socket had read already has room here (`connection.RECEIVE_BUFFER_BYTES`); more is refused."""

DRAIN_POLL_S = 0.002
"""Time between two looks whether the engine has handled everything."""


class EventSender:
    """Commits and sends the batches of one incarnation; owns its ring."""

    def __init__(
        self,
        context: zmq.Context[zmq.Socket[bytes]],
        endpoint: str,
        run_dir: str,
        worker: str,
        incarnation: int,
        ring_bytes: int,
        *,
        connection: str,
        side: str,
        rules: Mapping[str, str],
    ) -> None:
        """Raises `ring_writer.RingRefused`; `rules`: how copies of each event type are recognized."""
        self._ring = RingWriter(run_dir, worker, incarnation, ring_bytes, connection=connection, side=side, rules=rules)
        self._encoder = BatchEncoder(worker, incarnation, batch_bytes_max(ring_bytes))
        self._sequence = 0
        self._waiting: deque[tuple[int, int, bytes, int]] = deque()
        self.waiting_bytes = 0
        """Bytes of batches that found no room in the ring yet."""
        self._unannounced_waiting = 0
        """Events in those batches, and dropped events that gaps in those batches announce."""
        self._dropped_total = 0
        self._unannounced = 0
        self._socket = context.socket(zmq.PUSH)
        self._socket.setsockopt(zmq.SNDHWM, endpoints.DATA_SEND_HWM)
        self._socket.setsockopt(zmq.LINGER, 0)
        self._socket.setsockopt(zmq.RECONNECT_IVL, endpoints.DATA_RECONNECT_MS)
        self._socket.setsockopt(zmq.RECONNECT_IVL_MAX, endpoints.DATA_RECONNECT_MAX_MS)
        self._socket.connect(endpoint)

    @property
    def used_bytes(self) -> int:
        """What stands in the ring and the engine has not yet done with."""
        return self._ring.used_bytes

    @property
    def committed_total(self) -> int:
        """Events in the ring, ever."""
        return self._ring.committed_events

    @property
    def unannounced(self) -> int:
        """Events that are neither in the ring nor announced by a gap in it."""
        return self._unannounced + self._unannounced_waiting

    def commit(self, events: list[MarketEvent[str]], announces: int = 0) -> list[MarketEvent[str]]:
        """Give `events` the next sequence number, put them into the ring and send them.

        `announces`: number of dropped events that the gaps in `events` announce. A batch that is too large is cut in
        two. Returns the events that will never be sent: too large even alone, or no room even to wait.
        """
        if self.waiting_bytes >= WAITING_BYTES_MAX:
            return events
        sequence = self._sequence + 1
        try:
            data = self._encoder.encode(sequence, time.time_ns(), events)
        except MessageTooLarge:
            if len(events) == 1:
                return events
            half = len(events) // 2
            return self.commit(events[:half]) + self.commit(events[half:], announces)
        self._sequence = sequence
        if self._waiting or not self._ring.append(sequence, len(events), data):
            self._waiting.append((sequence, len(events), data, announces))
            self.waiting_bytes += len(data)
            self._unannounced_waiting += len(events) + announces
            self._tell_ring()
            return []
        self._send(data)
        return []

    def retry(self) -> None:
        """Put what waits into the ring, as far as there is room."""
        if not self._waiting:
            return
        while self._waiting:
            sequence, count, data, announces = self._waiting[0]
            if not self._ring.append(sequence, count, data):
                break
            self._waiting.popleft()
            self.waiting_bytes -= len(data)
            self._unannounced_waiting -= count + announces
            self._send(data)
        self._tell_ring()

    def tell_dropped(self, total: int, unannounced: int) -> None:
        """Record the events dropped so far, and how many of these no gap announces yet, for readers of the ring."""
        self._dropped_total, self._unannounced = total, unannounced
        self._tell_ring()

    def _tell_ring(self) -> None:
        # were this process killed now, neither would ever come: the engine announces the number
        self._ring.tell_dropped(self._dropped_total, self.unannounced)

    async def drain(self, deadline: float, announce: Callable[[], bool]) -> bool:
        """Wait until the engine has handled everything; False if `deadline` (monotonic seconds) came first.

        `announce` commits the gaps of what was dropped, and returns whether none are left.
        """
        while True:
            self.retry()
            if announce() and not self._waiting and not self._ring.used_bytes:
                return True
            if time.monotonic() >= deadline:
                return False
            await asyncio.sleep(DRAIN_POLL_S)

    def close(self) -> None:
        """Close the socket and unmap the ring, whose file stays until the engine has read it."""
        self._socket.close(linger=0)
        self._ring.close()

    def _send(self, data: bytes) -> None:
        with contextlib.suppress(zmq.Again):  # it stands in the ring
            self._socket.send(data, zmq.NOBLOCK)
