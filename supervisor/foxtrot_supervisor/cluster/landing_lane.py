"""One lane of the landing: a worker's batches on their way into a ring that the engine reads."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from msgspec import Struct

from foxtrot_protocol import ring_layout
from foxtrot_protocol.ring_layout import RingIdentity
from foxtrot_supervisor.cluster.engine_state import LaneState, as_redelivered
from foxtrot_supervisor.cluster.intake import Lane
from foxtrot_supervisor.cluster.landed_ring import CAPACITY_NEEDED, LandedRing
from foxtrot_supervisor.cluster.wire import Parcel

__all__ = ["LandingLane"]


class _Landed(Struct, eq=False):
    """A batch in the ring."""

    head: int
    """Position behind it."""
    sequence: int
    committed: int
    sources: list[int]


class LandingLane:
    """One incarnation of one worker at one engine; used on the event loop."""

    def __init__(self, run_dir: str, parcel: Parcel, known: LaneState | None) -> None:
        """`known`: how far it was handled when the state was last written. Raises `RingUnusable`."""
        self._run_dir = run_dir
        self.ring = LandedRing.reopen(run_dir, parcel.worker, parcel.incarnation)
        self._resume_head = 0
        if self.ring is not None and (known is None or self.ring.sequence >= known.sequence):
            # written by a landing that died: its batches come again, and are handled when the engine has got there
            same = known is not None and known.sequence == self.ring.sequence
            committed = known.committed if known is not None and same else 0
            self.lane = Lane(parcel, landed=self.ring.sequence, committed=committed)
            self._resume_head = self.ring.head
        elif known is not None:
            self.lane = Lane(parcel, landed=known.sequence, committed=known.committed)
        else:
            self.lane = Lane(parcel)
        self._landed: deque[_Landed] = deque()
        self.handled = known or LaneState(parcel.worker, parcel.incarnation, 0, 0)
        """How far the engine has got."""
        self.closing = False
        """Nothing more comes: once everything is handled, its worker is fenced."""
        self.closed = False
        """It is handled to its end, and the next state that is written says so."""
        self.announced = False
        """The engine was told of it."""

    @property
    def name(self) -> str:
        """Name of its ring's file."""
        return ring_layout.ring_name(self.lane.worker, self.lane.incarnation)

    @property
    def is_handled(self) -> bool:
        """Whether the engine has handled everything that has come."""
        return not self.lane.ready and not self.lane.holds and not self._landed

    @property
    def is_landed_handled(self) -> bool:
        """Whether the engine has handled everything in the ring."""
        return not self._landed

    def take(self, source: int, parcel: Parcel, *, purged: bool) -> list[list[int]]:
        """Take a parcel; returns the sources of what is finished at once."""
        finished = []
        for sequence, committed in self.lane.take(source, parcel, purged=purged):
            if self._resume_head and self.ring is not None and self.ring.freed < self._resume_head:
                self._landed.append(_Landed(self._resume_head, sequence, committed, [source]))
            else:
                self._handle(sequence, committed)
                finished.append([source])
        return finished

    def land(self, limit: int, redelivered_to: int, created: Callable[[LandingLane], None]) -> bool:
        """Write what has its turn into the ring; whether anything was written.

        Args:
            limit: stream sequence up to which batches may be landed.
            redelivered_to: batches up to this stream sequence may have been given to handlers by another host.
            created: called with this lane when its ring is there, and before anything is in it.

        Raises:
            RingUnusable: if the ring cannot be created.
        """
        ready = self.lane.ready
        written = False
        while ready and all(source <= limit for source in ready[0].sources):
            item = ready[0]
            ring = self.ring
            if ring is None:
                ring = self.ring = self._create()
            if not self.announced:
                self.announced = True
                created(self)
            data = item.data
            if item.sources and min(item.sources) <= redelivered_to:
                data = as_redelivered(data)
            if not ring.append(item.sequence, item.missing, item.events, data):
                break
            self.lane.landed()
            self._landed.append(_Landed(ring.head, item.sequence, item.committed, item.sources))
            written = True
        return written

    def settle(self) -> list[list[int]]:
        """Return the sources of each batch that the engine has handled since the last call."""
        if not self._landed or self.ring is None:
            return []
        freed = self.ring.freed
        finished: list[list[int]] = []
        while self._landed and self._landed[0].head <= freed:
            item = self._landed.popleft()
            self._handle(item.sequence, item.committed)
            finished.append(item.sources)
        return finished

    def close_down(self) -> None:
        """Nothing more comes of it: land what there is."""
        self.closing = True
        self.lane.give_up()
        tail = self.lane.tail()
        if tail is not None:
            self.lane.ready.append(tail)
        end = self.lane.end
        if end is not None and self.ring is not None:
            self.ring.tell_dropped(end.dropped, end.unannounced)

    def close(self) -> None:
        """Unmap the ring."""
        if self.ring is not None:
            self.ring.close()
            self.ring = None

    def _handle(self, sequence: int, committed: int) -> None:
        if sequence > self.handled.sequence:
            self.handled = LaneState(self.lane.worker, self.lane.incarnation, sequence, committed)

    def _create(self) -> LandedRing:
        parcel = self.lane.parcel
        identity = RingIdentity(
            parcel.worker,
            parcel.incarnation,
            min(parcel.capacity, CAPACITY_NEEDED),
            parcel.connection,
            parcel.side,
            parcel.rules,
        )
        return LandedRing.create(self._run_dir, identity, self.lane.after)
