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
from collections.abc import Mapping

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
"""How often it is looked whether the engine has taken everything."""


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
        self._waiting: deque[tuple[int, int, bytes]] = deque()
        self.waiting_bytes = 0
        """What found no room in the ring yet."""
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

    def commit(self, events: list[MarketEvent[str]]) -> list[MarketEvent[str]]:
        """Give `events` the next sequence number, put them into the ring and send them.

        Returns those that will never be sent: too large even alone, or no room even to wait. A batch that is
        too large is cut in two.
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
            return self.commit(events[:half]) + self.commit(events[half:])
        self._sequence = sequence
        if self._waiting or not self._ring.append(sequence, len(events), data):
            self._waiting.append((sequence, len(events), data))
            self.waiting_bytes += len(data)
            return []
        self._send(data)
        return []

    def retry(self) -> None:
        """Put what waits into the ring, as far as there is room."""
        while self._waiting:
            sequence, count, data = self._waiting[0]
            if not self._ring.append(sequence, count, data):
                return
            self._waiting.popleft()
            self.waiting_bytes -= len(data)
            self._send(data)

    def tell_dropped(self, total: int) -> None:
        """How many events were dropped, for whoever reads the ring's figures."""
        self._ring.tell_dropped(total)

    async def drain(self, deadline: float) -> bool:
        """Wait until the engine has done with everything; False if `deadline` (monotonic seconds) came first."""
        while True:
            self.retry()
            if not self._waiting and not self._ring.used_bytes:
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
