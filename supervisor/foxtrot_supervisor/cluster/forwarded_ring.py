"""A worker's ring as the forwarder reads it: batches in order, its space freed once JetStream has them."""

from __future__ import annotations

from collections.abc import Callable

from foxtrot_protocol import ring_layout
from foxtrot_protocol.errors import MalformedMessage
from foxtrot_protocol.ring_layout import Record
from foxtrot_supervisor.cluster.outflow import Sent
from foxtrot_supervisor.cluster.wire import Committed, End
from foxtrot_supervisor.engine.delivery.ring_reader import RingReader

__all__ = ["DAMAGE_S", "ForwardedRing"]

DAMAGE_S = 0.05
"""An unreadable record of a living worker is read again for this long before it is passed over."""

_SEQUENCE_MAX = (1 << 64) - 1


class ForwardedRing:
    """One ring; used by one thread. The engine that lands its batches sees what was passed over by its numbers."""

    def __init__(self, reader: RingReader, damaged: Callable[[str], None]) -> None:
        """`damaged` gets the reason whenever records are passed over."""
        self.reader = reader
        self.identity = reader.identity
        self._damaged = damaged
        self._damaged_at: float | None = None
        done = reader.applied()
        self.acknowledged = 0 if done is None else done.sequence
        """Sequence of the last batch that JetStream has, without a hole before it."""
        self.published_events = 0 if done is None else done.applied
        """Events in all batches up to there."""
        self._read = self.acknowledged
        self.ended = False
        """Its end was published."""

    @property
    def empty(self) -> bool:
        """Whether everything committed has been read."""
        return self.reader.empty

    def take(self, bytes_max: int, count_max: int, now: float, *, dead: bool) -> tuple[list[Committed], int]:
        """Return the next batches, and the position behind them.

        At most `count_max`, and no more than fit into `bytes_max`, but one in any case. `dead`: its worker has ended,
        so that a damaged record stays so.
        """
        batches: list[Committed] = []
        size = 0
        reader = self.reader
        end = reader.tail
        while len(batches) < count_max:
            record = self._next(now, dead=dead)
            if record is None:
                break
            if batches and size + len(record.data) > bytes_max:
                break
            reader.advance(record.end)
            end = record.end
            if record.sequence <= self._read:
                continue  # published by the previous forwarder, which had not freed its space
            self._read = record.sequence
            size += len(record.data)
            batches.append(Committed(record.sequence, record.events_before, record.events, record.data))
        return batches, end

    def complete(self, sent: Sent) -> None:
        """Free the space of batches that JetStream has."""
        if sent.sequence > self.acknowledged:
            self.acknowledged, self.published_events = sent.sequence, sent.events
            self.reader.mark_applied(sent.sequence, sent.events, 0, 0, 0)
        self.reader.free_to(sent.end)

    def end(self) -> End:
        """Return what its dead worker had committed in all."""
        mark = self.reader.committed()
        return End(
            sequence=mark.sequence if mark is not None else self._read,
            events=mark.events if mark is not None else self.published_events,
            dropped=self.reader.dropped,
            unannounced=self.reader.unannounced,
        )

    def close(self) -> None:
        """Unmap it; the file stays."""
        self.reader.close()

    def _next(self, now: float, *, dead: bool) -> Record | None:
        reader = self.reader
        try:
            record = reader.next()
        except MalformedMessage as error:
            return self._pass_damage(error.reason, now, dead=dead)
        self._damaged_at = None
        return record

    def _pass_damage(self, reason: str, now: float, *, dead: bool) -> Record | None:
        """Return the next valid record after damage at the tail; without one, continue at the head."""
        reader = self.reader
        if self._damaged_at is None:
            self._damaged_at = now
        if not dead and (now - self._damaged_at < DAMAGE_S or not reader.plausible):
            return None  # another processor's writes may become visible late
        self._damaged_at = None
        self._damaged(reason)
        mark = reader.committed()
        record = reader.find(self._read + 1, mark.sequence if mark is not None else _SEQUENCE_MAX)
        if record is not None:
            reader.advance(record.end - ring_layout.record_size(len(record.data)))
            return record
        if mark is None:
            reader.abandon()
        else:
            reader.advance(mark.head)
        return None
