"""One lane of the landing: a worker's batches on their way into a ring that the engine reads."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import msgspec
from msgspec import Struct

from foxtrot_protocol import ring_layout
from foxtrot_protocol.ring_layout import RingIdentity
from foxtrot_supervisor.cluster.engine_state import Known, LaneState, as_redelivered
from foxtrot_supervisor.cluster.handover import AHEAD_LEAST, Handover
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
    events: int = 0
    """What it counts in the hand-over."""
    size: int = 0


class LandingLane:
    """One incarnation of one worker at one engine; used on the event loop."""

    def __init__(self, run_dir: str, parcel: Parcel, known: Known | None, marks_to: int = 0) -> None:
        """Begin or continue a lane.

        Args:
            run_dir: where its ring is.
            parcel: the first one that came.
            known: what the state says of it; None: the state does not know it.
            marks_to: stream sequence up to which an earlier holder may have given to handlers what the state names.

        Raises:
            RingUnusable: if its ring is there and cannot be written.
        """
        self._run_dir = run_dir
        self._marks_to = marks_to
        self.known = known is not None
        """Whether a durable state names it: nothing is landed before."""
        start, reached = (known.start, known.reached) if known is not None else (None, None)
        self.ring = LandedRing.reopen(run_dir, parcel.worker, parcel.incarnation)
        self._resume_head = 0
        if self.ring is not None and self.ring.sequence:
            # written by a landing that died: its batches come again, and are handled when the engine has got there
            landed = self.ring.sequence
            same = reached is not None and reached.sequence == landed
            committed = reached.committed if reached is not None and same else 0
            self.lane = Lane(parcel, landed=landed, committed=committed)
            self._resume_head = self.ring.head
        elif start is not None:
            self.lane = Lane(parcel, landed=start.sequence, committed=start.committed)
        else:
            self.lane = Lane(parcel)
        self._landed: deque[_Landed] = deque()
        self.handled = reached or LaneState(parcel.worker, parcel.incarnation, 0, 0)
        """How far handlers were given its batches; its `reach`: how far they may be landed."""
        self._repeat_to = self._known_reach = 0
        if reached is not None and start is not None:
            self._known_reach = reached.reach
            self._repeat_to = reached.sequence if reached.sequence > start.sequence else 0
        self._turned = self.lane.turned
        """Last batch whose turn had come when the last state was made."""
        self._ahead = 0
        """Batches that the last state named beyond those that had come: falls slowly, since writes are not even."""
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

    @property
    def is_idle(self) -> bool:
        """Whether nothing is in the ring or may be landed."""
        return not self._landed and not self.lane.ready and not self.closing

    @property
    def is_repeating(self) -> bool:
        """Whether the engine has not yet repeated the decisions on what handlers were given elsewhere."""
        to = self._repeat_to
        if not to:
            return False
        ring, ready = self.ring, self.lane.ready
        if self._resume_head and ring is not None and ring.freed < self._resume_head:
            return True
        if self._landed:
            return self._landed[0].sequence <= to
        next_one = ready[0].sequence if ready else self.lane.turned + 1
        return next_one <= to

    @property
    def repeat_pending(self) -> bool:
        """Whether batches for that have come, and are not handled."""
        ready = self.lane.ready
        return self.is_repeating and (bool(self._landed) or bool(ready and ready[0].sequence <= self._repeat_to))

    @property
    def state(self) -> LaneState:
        """What the next state says of it, without `plan`."""
        handled = self.handled
        if not handled.sequence and self.lane.begun:
            return msgspec.structs.replace(self.begin, reach=handled.reach)
        return handled

    @property
    def begin(self) -> LaneState:
        """Where it begins at this engine."""
        lane = self.lane
        return LaneState(lane.worker, lane.incarnation, lane.after, lane.committed_after)

    def plan(self, events: int) -> LaneState:
        """Return its state with a new reach: what has come, up to so many events, and some more if that is all."""
        state, lane = self.state, self.lane
        if not self.closing or lane.ready:
            ready = lane.ready
            reach = ready[0].sequence - 1 if ready else lane.turned
            for item in ready:
                reach = item.sequence
                events -= item.events
                if events <= 0:
                    break
            else:
                self._ahead = max(AHEAD_LEAST, 2 * (lane.turned - self._turned), self._ahead * 7 // 8)
                reach += self._ahead
            self._turned = lane.turned
            state = msgspec.structs.replace(state, reach=max(reach, self.handled.reach))
        return state

    @property
    def last_state(self) -> LaneState:
        """Its state when everything that is in the ring is handled, and nothing more will be landed here."""
        state = self.state
        return msgspec.structs.replace(state, reach=max(state.sequence, self._known_reach))

    def named(self, state: LaneState) -> None:
        """A durable state says this of the lane."""
        self.known = True
        if state.reach > self.handled.reach:
            self.handled = msgspec.structs.replace(self.handled, reach=state.reach)

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

    def may_land(self, *, repeating: bool) -> bool:
        """Whether a state allows to land the next batch; `repeating`: only what handlers were given elsewhere."""
        ready = self.lane.ready
        if not ready:
            return False
        return ready[0].sequence <= (self._repeat_to if repeating else self.handled.reach)

    def land(self, now: float, handover: Handover | None, created: Callable[[LandingLane], None]) -> int:
        """Write the next batch into the ring; returns its events, -1 if the ring has no room.

        Args:
            now: the time.
            handover: counts it; None: it is only repeated.
            created: called with this lane when its ring is there, and before anything is in it.

        Raises:
            RingUnusable: if the ring cannot be created.
        """
        item = self.lane.ready[0]
        ring = self.ring
        if ring is None:
            ring = self.ring = self._create()
        if not self.announced:
            self.announced = True
            created(self)
        data = item.data
        if item.sequence <= self._known_reach and item.sources and min(item.sources) <= self._marks_to:
            data = as_redelivered(data)
        missing, events = item.missing, item.events
        if item.sequence <= self._repeat_to:
            missing = events = 0  # they count where they were given to handlers
        elif missing and ring.sequence < self._repeat_to:
            missing = max(0, item.committed - events - self.handled.committed)
        if not ring.append(item.sequence, missing, events, data):
            return -1
        self.lane.landed()
        landed = _Landed(ring.head, item.sequence, item.committed, item.sources)
        if handover is not None:
            landed.events, landed.size = item.events if data else 0, len(data)
            handover.handed(landed.events, landed.size, now)
        self._landed.append(landed)
        return item.events

    def settle(self, now: float, handover: Handover) -> list[list[int]]:
        """Return the sources of each batch that the engine has handled since the last call."""
        if not self._landed or self.ring is None:
            return []
        freed = self.ring.freed
        finished: list[list[int]] = []
        while self._landed and self._landed[0].head <= freed:
            item = self._landed.popleft()
            self._handle(item.sequence, item.committed)
            if item.events or item.size:
                handover.handled(item.events, item.size, now)
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
            self.handled = msgspec.structs.replace(self.handled, sequence=sequence, committed=committed)

    def _create(self) -> LandedRing:
        parcel, lane = self.lane.parcel, self.lane
        identity = RingIdentity(
            parcel.worker,
            parcel.incarnation,
            min(parcel.capacity, CAPACITY_NEEDED),
            parcel.connection,
            parcel.side,
            parcel.rules,
        )
        return LandedRing.create(self._run_dir, identity, self._repeat_to or lane.after)
