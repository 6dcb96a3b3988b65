"""What a forwarder has published and JetStream has not acknowledged. Pure; times in monotonic seconds.

Parcels are sent without waiting for each other's acknowledgement, up to a bound in count and one in bytes. A parcel
that is refused, or not acknowledged in time, is sent again under the same ``Nats-Msg-Id``. Meanwhile nothing new is
sent, so that batches seldom enter the stream out of order (the landing puts them in order).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable

from msgspec import Struct

__all__ = [
    "ACK_WAIT_S",
    "IN_FLIGHT_BYTES_MAX",
    "IN_FLIGHT_COUNT_MAX",
    "RETRY_FIRST_S",
    "RETRY_MAX_S",
    "Outflow",
    "Sent",
]

IN_FLIGHT_COUNT_MAX = 512
"""Parcels that may wait for an acknowledgement."""

IN_FLIGHT_BYTES_MAX = 32 * 1024 * 1024
"""Bytes of them."""

ACK_WAIT_S = 2.0
"""A parcel that is not acknowledged for this long is sent again."""

RETRY_FIRST_S = 0.1
"""First delay after a refusal; doubled up to `RETRY_MAX_S`."""

RETRY_MAX_S = 2.0
"""Longest delay after a refusal."""


class Sent(Struct, eq=False):
    """A parcel on its way."""

    ring: Hashable
    """Ring that its batches are in."""
    number: int
    """Of the parcel, in the order of sending."""
    subject: str
    message_id: str
    payload: bytes
    sequence: int
    """Sequence of its last batch."""
    end: int
    """Position behind it in the ring."""
    events: int
    """Events committed up to there."""
    due: float
    """When it is sent again."""
    refusals: int = 0
    done: bool = False


class Outflow:
    """Parcels in flight."""

    def __init__(self) -> None:
        self._sent: dict[int, Sent] = {}
        self._by_ring: dict[Hashable, deque[Sent]] = {}
        self._refused: set[int] = set()
        self._number = 0
        self.bytes = 0
        """Bytes in flight."""
        self.resent_total = 0

    def __len__(self) -> int:
        return len(self._sent)

    @property
    def has_room(self) -> bool:
        """Whether something new may be sent."""
        return not self._refused and len(self._sent) < IN_FLIGHT_COUNT_MAX and self.bytes < IN_FLIGHT_BYTES_MAX

    def has(self, ring: Hashable) -> bool:
        """Whether parcels of this ring are in flight."""
        return ring in self._by_ring

    def add(
        self,
        ring: Hashable,
        subject: str,
        message_id: str,
        payload: bytes,
        *,
        sequence: int,
        end: int,
        events: int,
        now: float,
    ) -> Sent:
        """Record a parcel that is sent now."""
        self._number += 1
        sent = Sent(ring, self._number, subject, message_id, payload, sequence, end, events, now + ACK_WAIT_S)
        self._sent[sent.number] = sent
        self._by_ring.setdefault(ring, deque()).append(sent)
        self.bytes += len(payload)
        return sent

    def acknowledged(self, number: int) -> list[Sent]:
        """Take the acknowledgement of a parcel; returns those of its ring that are now complete, in order."""
        sent = self._sent.pop(number, None)
        if sent is None:
            return []  # acknowledged before it was sent again
        self._refused.discard(number)
        self.bytes -= len(sent.payload)
        sent.done = True
        queue = self._by_ring[sent.ring]
        complete = []
        while queue and queue[0].done:
            complete.append(queue.popleft())
        if not queue:
            del self._by_ring[sent.ring]
        return complete

    def refused(self, number: int, now: float) -> None:
        """A parcel was refused: send it again later."""
        sent = self._sent.get(number)
        if sent is not None:
            sent.due = now + min(RETRY_FIRST_S * 2**sent.refusals, RETRY_MAX_S)
            sent.refusals += 1
            self._refused.add(number)

    def disconnected(self, now: float) -> None:
        """Have everything sent again at the next look: what was on its way is lost with the connection."""
        for sent in self._sent.values():
            sent.due = now

    def due(self, now: float) -> list[Sent]:
        """Return the parcels to be sent again now, in order, as if they were sent now."""
        due = [sent for sent in self._sent.values() if sent.due <= now]
        for sent in due:
            sent.due = now + ACK_WAIT_S
            self._refused.add(sent.number)  # what is late holds up the rest as well
        self.resent_total += len(due)
        return due
