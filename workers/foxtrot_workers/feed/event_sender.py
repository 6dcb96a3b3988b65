"""Sending end of the data plane: writes each batch to the ring, then tells the engine; never blocks.

A batch in the ring is committed: the engine receives it even if this process dies. Over ZeroMQ (`batch_push`) the batch
itself is sent as well, else a datagram says which ring to read (`doorbell`): neither has to arrive. Batches that find
no space in the ring wait here, up to a limit, under backpressure (`backpressure`). Sequence numbers of batches are
contiguous.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from foxtrot_protocol import endpoints
from foxtrot_protocol.errors import MessageTooLarge
from foxtrot_protocol.events import MarketEvent
from foxtrot_protocol.ring_layout import batch_bytes_max, ring_name
from foxtrot_workers.feed.batch_push import BatchPush
from foxtrot_workers.feed.batches import Batch, EitherEncoder, events_of
from foxtrot_workers.feed.doorbell import Doorbell
from foxtrot_workers.feed.early_bell import EarlyBell
from foxtrot_workers.feed.ring_writer import RingWriter

__all__ = ["DRAIN_POLL_S", "WAITING_BYTES_MAX", "Carrier", "EventSender"]

WAITING_BYTES_MAX = 4 * 1024 * 1024
"""Maximum size of waiting batches: enough for what a paused socket had read (`client.RECEIVE_BUFFER_BYTES`)."""

DRAIN_POLL_S = 0.002
"""Interval in seconds at which `drain` checks the ring."""


class Carrier(Protocol):
    """Makes the engine notice what is committed; it may fail silently."""

    def committed(self, data: bytes) -> None:
        """Take notice of a batch that was committed to the ring."""

    def close(self) -> None:
        """Close what it has open."""


class EventSender:
    """Commits and sends the batches of one incarnation; owns its ring."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        endpoint: str,
        run_dir: str,
        worker: str,
        incarnation: int,
        ring_bytes: int,
        *,
        connection: str,
        side: str,
        rules: Mapping[str, str],
        readers: Sequence[str] = (),
    ) -> None:
        """Create the ring and connect to the engine; raises `ring_writer.RingRefused`.

        Args:
            loop: event loop, on whose thread the sender is used.
            endpoint: of the engine (`endpoints.data_endpoint`).
            run_dir: directory of the ring.
            worker: name of this worker.
            incarnation: of this worker.
            ring_bytes: size of the ring.
            connection: name of the connection.
            side: of the connection.
            rules: how copies of each event type are recognized.
            readers: directories in which the ring gets a link (`RingWriter`).
        """
        self._ring = RingWriter(
            run_dir, worker, incarnation, ring_bytes, connection=connection, side=side, rules=rules, readers=readers
        )
        self._encoder = EitherEncoder(worker, incarnation, batch_bytes_max(ring_bytes))
        self._sequence = 0
        self._waiting: deque[tuple[int, int, bytes, int]] = deque()
        self.waiting_bytes = 0
        """Size of the batches that wait for space in the ring."""
        self._unannounced_waiting = 0
        """Events in these batches, and dropped events that gaps in them announce."""
        self._dropped_total = 0
        self._unannounced = 0
        self._early_bell = early = EarlyBell()
        bell = endpoints.doorbell_path(endpoint)
        self._carrier: Carrier = (
            BatchPush(loop, endpoint, early.fileno())
            if bell is None
            else Doorbell(bell, ring_name(worker, incarnation), early.fileno())
        )
        self._tell = self._carrier.committed

    @property
    def refused_links(self) -> Mapping[str, str]:
        """Why a directory of `readers` has no link to the ring."""
        return self._ring.refused_links

    @property
    def used_bytes(self) -> int:
        """Bytes in the ring that the engine has not acknowledged."""
        return self._ring.used_bytes

    @property
    def committed_total(self) -> int:
        """Events committed so far."""
        return self._ring.committed_events

    @property
    def unannounced(self) -> int:
        """Events that are neither in the ring nor announced by a gap in it."""
        return self._unannounced + self._unannounced_waiting

    def connected(self, descriptor: int) -> None:
        """Let the engine wake when the exchange's socket `descriptor` receives something."""
        self._early_bell.watch(descriptor)

    def commit(self, batch: Batch, announces: int = 0) -> list[MarketEvent[str]]:
        """Commit `batch` with the next sequence number, and send it. The hot path.

        A batch that is too large is split in two. Returns the events that will never be sent: a single event that is
        too large, or all if the limit of waiting bytes is reached.

        Args:
            batch: its events are in order.
            announces: number of dropped events that gaps among them announce.
        """
        if self.waiting_bytes >= WAITING_BYTES_MAX:
            return events_of(batch)
        sequence = self._sequence + 1
        try:
            data = self._encoder.encode(sequence, time.time_ns(), batch)
        except MessageTooLarge:
            events = events_of(batch)
            if len(events) == 1:
                return events
            half = len(events) // 2
            return self.commit(events[:half]) + self.commit(events[half:], announces)
        self._sequence = sequence
        count = len(batch)
        if self._waiting or not self._ring.append(sequence, count, data):
            self._waiting.append((sequence, count, data, announces))
            self.waiting_bytes += len(data)
            self._unannounced_waiting += count + announces
            self._tell_ring()
            return []
        self._tell(data)
        return []

    def retry(self) -> None:
        """Commit waiting batches as far as there is space."""
        if not self._waiting:
            return
        while self._waiting:
            sequence, count, data, announces = self._waiting[0]
            if not self._ring.append(sequence, count, data):
                break
            self._waiting.popleft()
            self.waiting_bytes -= len(data)
            self._unannounced_waiting -= count + announces
            self._tell(data)
        self._tell_ring()

    def tell_dropped(self, total: int, unannounced: int) -> None:
        """Record in the ring the events dropped so far, and how many of them no gap announces yet."""
        self._dropped_total, self._unannounced = total, unannounced
        self._tell_ring()

    def _tell_ring(self) -> None:
        # if this process is killed now, these events are lost: the engine announces their number
        self._ring.tell_dropped(self._dropped_total, self.unannounced)

    async def drain(self, deadline: float, announce: Callable[[], bool]) -> bool:
        """Wait until the engine has acknowledged everything; False at `deadline` (monotonic seconds).

        `announce` commits the gaps of dropped events and returns whether none is left.
        """
        while True:
            self.retry()
            if announce() and not self._waiting and not self._ring.used_bytes:
                return True
            if time.monotonic() >= deadline:
                return False
            await asyncio.sleep(DRAIN_POLL_S)

    def close(self) -> None:
        """Close the way to the engine and unmap the ring; its file stays until the engine has read it."""
        self._carrier.close()
        self._early_bell.close()
        self._ring.close()
