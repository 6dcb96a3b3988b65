"""Puts the batches of each worker in order as they come out of the stream. Pure.

A *lane* is one incarnation of one worker. Its batches are landed in the order of their sequence. Forwarders send again
what was not acknowledged, so a batch may come twice, or after its successors: then these wait. A batch that is missing
although its forwarder knew it in the stream is lost (the stream's limits discarded it); the engine sees the jump in the
sequence, and announces it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from msgspec import Struct

from foxtrot_supervisor.cluster.wire import Committed, End, Parcel

__all__ = ["Landable", "Lane", "Outstanding"]


class Landable(Struct, eq=False):
    """A batch whose turn has come."""

    sequence: int
    missing: int
    """Events in the batches before it that are lost."""
    events: int
    data: bytes
    committed: int
    """Events that its worker had committed with it."""
    sources: list[int]
    """Stream sequences of the parcels that it came in."""


class _Held(Struct, eq=False):
    batch: Committed
    sources: list[int]


class Lane:
    """One incarnation of one worker."""

    def __init__(self, parcel: Parcel, *, landed: int | None = None, committed: int = 0) -> None:
        """Begin with `parcel`, which tells whose lane it is; `take` takes its batches.

        `landed`: sequence of the last batch that was landed earlier, None: nothing is known of this lane. `committed`:
        events that the worker had committed with that batch.
        """
        self.worker = parcel.worker
        self.incarnation = parcel.incarnation
        self.run_id = parcel.run_id
        self.parcel = parcel
        self._next = 1 if landed is None else landed + 1
        self._committed = committed
        self._begun = landed is not None
        self.after = landed or 0
        """Sequence after which the engine expects batches of this lane."""
        self.committed_after = committed
        """Events that the worker had committed with that."""
        self._acknowledged = 0
        self._held: dict[int, _Held] = {}
        self._pieces: dict[int, dict[int, _Held]] = {}
        self.ready: deque[Landable] = deque()
        """Batches whose turn has come, in order."""
        self.end: End | None = None
        """What it had committed in all; None: it lives, or has not said so."""
        self.end_source = 0
        """Stream sequence of that."""
        self.waiting_bytes = 0
        """Bytes of batches that are not landed."""

    @property
    def begun(self) -> bool:
        """Whether it is known where the lane begins at this engine."""
        return self._begun

    @property
    def turned(self) -> int:
        """Sequence of the last batch whose turn has come."""
        return self._next - 1

    @property
    def holds(self) -> bool:
        """Whether batches wait for earlier ones."""
        return bool(self._held or self._pieces)

    def take(self, source: int, parcel: Parcel, *, purged: bool) -> list[tuple[int, int]]:
        """Take a parcel; returns sequence and `Landable.committed` of batches that were landed earlier.

        `source`: its stream sequence. `purged`: the stream has discarded messages that were not read: what is missing
        at the beginning of a lane is lost, else it is older than the engine.
        """
        earlier = []
        self._acknowledged = max(self._acknowledged, parcel.acknowledged)
        if parcel.end is not None:
            self.end, self.end_source = parcel.end, source
            self._acknowledged = max(self._acknowledged, parcel.end.sequence)
        if parcel.piece is not None:
            held = self._assembled(source, parcel)
            batches = [] if held is None else [held]
        else:
            batches = [_Held(batch, [source]) for batch in parcel.batches]
        for held in batches:
            sequence = held.batch.sequence
            if sequence < self._next:
                committed = held.batch.events_before + held.batch.events
                if sequence == self._next - 1:
                    self._committed = max(self._committed, committed)
                earlier.append((sequence, committed))
            elif sequence in self._held:
                self._held[sequence].sources.extend(held.sources)
            else:
                self._held[sequence] = held
                self.waiting_bytes += len(held.batch.data)
        self._release(purged=purged)
        return earlier

    def landed(self) -> None:
        """The first of `ready` is landed."""
        self.waiting_bytes -= len(self.ready.popleft().data)

    def give_up(self) -> None:
        """Its worker is dead, and nothing more will come: what is missing is lost."""
        self._pieces.clear()
        self._acknowledged = max(self._held, default=self._acknowledged)
        self._release(purged=True)

    def tail(self) -> Landable | None:
        """Return what stands for batches that are missing before the end; None if there are none. Only once."""
        end = self.end
        if end is None or end.sequence < self._next:
            return None
        # an empty record: the engine announces its events as lost
        lost = Landable(end.sequence, 0, max(0, end.events - self._committed), b"", end.events, [])
        self._next, self._committed = end.sequence + 1, end.events
        return lost

    def _assembled(self, source: int, parcel: Parcel) -> _Held | None:
        """Return a batch all of whose pieces have come; pieces of landed batches are complete at once."""
        batch, piece = parcel.batches[0], parcel.piece
        assert piece is not None
        if batch.sequence < self._next or batch.sequence in self._held:
            return _Held(batch, [source])
        pieces = self._pieces.setdefault(batch.sequence, {})
        known = pieces.get(piece.index)
        if known is not None:
            known.sources.append(source)
        else:
            pieces[piece.index] = _Held(batch, [source])
        if len(pieces) < piece.count:
            return None
        del self._pieces[batch.sequence]
        data = b"".join(pieces[index].batch.data for index in sorted(pieces))
        sources = [each for part in pieces.values() for each in part.sources]
        return _Held(Committed(batch.sequence, batch.events_before, batch.events, data), sources)

    def _release(self, *, purged: bool) -> None:
        """Move what has its turn to `ready`."""
        while self._held:
            held = self._held.pop(self._next, None)
            missing = 0
            if held is None:
                first = min(self._held)
                if self._acknowledged < first - 1:
                    return  # its forwarder sends again what is missing
                held = self._held.pop(first)
                if self._begun or purged:
                    missing = max(0, held.batch.events_before - self._committed)
            if not self._begun:
                self._begun = True
                if not missing:  # what came before is older than the engine
                    self.after, self.committed_after = held.batch.sequence - 1, held.batch.events_before
            batch = held.batch
            self._next = batch.sequence + 1
            self._committed = batch.events_before + batch.events
            self.ready.append(
                Landable(batch.sequence, missing, batch.events, batch.data, self._committed, held.sources)
            )


class Outstanding:
    """Messages of the stream that are not finished; finds the position up to which all are."""

    def __init__(self, position: int) -> None:
        """`position`: stream sequence up to which everything is finished."""
        self._last = position
        self._parts: dict[int, int] = {}  # in the order of the stream

    def __len__(self) -> int:
        return len(self._parts)

    @property
    def last(self) -> int:
        """Stream sequence of the last message that was taken."""
        return self._last

    @property
    def position(self) -> int:
        """Stream sequence up to which everything is finished."""
        for source in self._parts:
            return source - 1
        return self._last

    def add(self, source: int, parts: int) -> None:
        """Take the next message of the stream, of so many parts."""
        self._last = source
        if parts:
            self._parts[source] = parts

    def done(self, sources: Iterable[int]) -> None:
        """One part of each of these messages is finished."""
        for source in sources:
            left = self._parts.get(source, 0)
            if left > 1:
                self._parts[source] = left - 1
            else:
                self._parts.pop(source, None)
