"""The merge of recorded incarnations: the rules, the waits and the announcements of a live engine, by recorded time.

`delivery` has the same for rings of running workers: `Rings` decides which record is next, which `ReplayLanes` knows
from the order of the recording.
"""

from __future__ import annotations

from collections import deque

from foxtrot_protocol.child import ChildLog
from foxtrot_protocol.codec import Numbers
from foxtrot_protocol.events import EVENT_GAP, EVENT_WORKER, Gap, WorkerStatus
from foxtrot_protocol.recorded_steps import LaneBatch, LaneClosed, LaneHole, LaneOpened, RecordedStep
from foxtrot_protocol.spec import BookUpdates
from foxtrot_supervisor.engine.bus.event_engine import Event, EventEngine
from foxtrot_supervisor.engine.delivery.apply import BatchApplier
from foxtrot_supervisor.engine.delivery.decode import BatchReader
from foxtrot_supervisor.engine.delivery.lanes import Lane
from foxtrot_supervisor.engine.delivery.sources import RingState, Source, Sources
from foxtrot_supervisor.engine.replay.audience import Audience
from foxtrot_supervisor.engine.replay.clock import RecordedClock

__all__ = ["ReplayLanes"]

_ROUNDING_NS = 1_000
"""Waits are counted in seconds, as live: a float of today has steps of 240 ns."""


class ReplayLanes:
    """Applies recorded batches to handlers, on the dispatch thread."""

    def __init__(
        self,
        engine: EventEngine,
        audience: Audience,
        clock: RecordedClock,
        numbers: Numbers,
        book_updates: BookUpdates,
        log: ChildLog,
    ) -> None:
        self._engine = engine
        self._audience = audience
        self._clock = clock
        self._batches = BatchReader(numbers, log)
        self.sources = Sources(book_updates, None)
        self.applier = BatchApplier(
            audience, self.sources, self._batches, log, on_batch=None, on_hole=None, now_ns=clock.now_ns
        )
        self._lanes: dict[str, list[_ReplayLane]] = {}
        """By worker, incarnations in their order: a later one waits until the one before is read to its end."""
        self._by_incarnation: dict[tuple[str, int], _ReplayLane] = {}
        self._held: dict[str, _ReplayLane] = {}
        """Lanes whose next batch waits for another worker, by worker."""

    @property
    def any_open(self) -> bool:
        """Whether anything of any worker may still come."""
        return bool(self._lanes)

    @property
    def due_ns(self) -> int | None:
        """Recorded time at which a batch has waited long enough; None: none waits."""
        waits = [lane.ring.wait_until for lane in self._held.values() if lane.ring.wait_until is not None]
        return int(min(waits) * 1e9) + _ROUNDING_NS if waits else None

    @property
    def malformed_total(self) -> int:
        """Batches that could not be decoded."""
        return self._batches.malformed_total

    def take(self, step: RecordedStep) -> None:
        """Carry out the next step; the clock shows its time."""
        if isinstance(step, LaneBatch):
            self._by_incarnation[step.worker, step.incarnation].batches.append(step)
            self._go_on(step.worker)
        elif isinstance(step, LaneOpened):
            self._open(step)
        elif isinstance(step, LaneClosed):
            self._by_incarnation.pop((step.worker, step.incarnation)).closed = True
            self._go_on(step.worker)
        elif isinstance(step, LaneHole):
            self._announce_hole(step)

    def wake_due(self) -> None:
        """Decide again on batches that have waited long enough."""
        for worker in sorted(self._held):
            lane = self._held.get(worker)
            if lane is not None and lane.ring.wait_until is not None and lane.ring.wait_until <= self._clock.now_s:
                self._go_on(worker)

    def begin(self) -> None:
        """Count from now on, and announce that every worker runs: handlers have had nothing of the recording."""
        for source in self.sources.workers.values():
            source.applied_total = source.deduplicated_total = source.superseded_total = source.gaps_total = 0
        self.applier.events_total = 0
        for lanes in self._lanes.values():
            self._announce(lanes[-1].ring, "RUNNING")

    # ---- private

    def _open(self, step: LaneOpened) -> None:
        worker = step.worker
        source = self.sources.worker(worker)
        assert source is not None, "the number of recordings is bounded by that of open files"
        group = self.sources.group(step.connection, worker, step.rules)
        side = (step.side, step.incarnation)
        ring = RingState(worker, Lane(1, False, self._clock.now_s), None, group, side)
        source.rings[step.incarnation] = ring
        group.merge.opened(side)
        lane = self._by_incarnation[worker, step.incarnation] = _ReplayLane(source, ring)
        self._lanes.setdefault(worker, []).append(lane)
        self._announce(ring, "RUNNING")

    def _announce(self, ring: RingState, state: str) -> None:
        if self._audience.is_open:
            status = WorkerStatus(ring.worker, ring.side[1], state, "replay", None, None, None, 0)
            self._engine.put(Event(EVENT_WORKER, status))

    def _announce_hole(self, step: LaneHole) -> None:
        self.sources.workers[step.worker].gaps_total += 1
        gap = Gap("", "", 0, step.at_ns, "", None, None, step.start_ns, step.at_ns, step.cause)
        if self._audience.is_open:
            self._engine.dispatch(Event(EVENT_GAP, gap))
        else:
            self._audience.dispatch_batch([gap])

    def _go_on(self, worker: str) -> None:
        """Apply what can be applied of `worker`, and of those that have waited for it."""
        pending = [worker]
        while pending:
            self._read(pending.pop(0))
            woken = self.sources.reading
            if woken:
                # a set of names has no order that two runs share
                pending += sorted(name for name in woken if name in self._held and name not in pending)
                woken.clear()

    def _read(self, worker: str) -> None:
        lanes = self._lanes.get(worker)
        while lanes:
            lane = lanes[0]
            while lane.batches and self._apply_next(lane):
                pass
            if lane.batches:
                self._held[worker] = lane
                return
            self._held.pop(worker, None)
            if not lane.closed:
                return
            lanes.pop(0)
            self._retire(lane)
        self._lanes.pop(worker, None)

    def _apply_next(self, lane: _ReplayLane) -> bool:
        ring, now = lane.ring, self._clock.now_s
        merge = ring.group.merge
        may_wait = True
        if ring.wait_until is not None:
            if now >= ring.wait_until:
                may_wait = False
                merge.give_up(ring.side[0])
            elif not merge.can_go_on(ring.side[0]):
                return False
        step = lane.batches[0]
        if ring.held is not None:
            batch, made = ring.held[1:]
        else:
            decoded = self._batches.decode(step.data)
            if decoded is None:
                lane.batches.popleft()
                return True
            batch, made = decoded
        if self.applier.apply(lane.source, ring, batch, made, step.data, 0, may_wait=may_wait):
            lane.batches.popleft()
            return True
        self.applier.wait(ring, batch, made, now)
        return False

    def _retire(self, lane: _ReplayLane) -> None:
        ring = lane.ring
        del lane.source.rings[ring.side[1]]
        ring.group.merge.closed(ring.side)
        self.sources.wake_waiting(ring.group)
        self._announce(ring, "EXITED")


class _ReplayLane:
    """A recorded incarnation: its state in the merge, and the batches that wait."""

    def __init__(self, source: Source, ring: RingState) -> None:
        self.source = source
        self.ring = ring
        self.batches: deque[LaneBatch] = deque()
        self.closed = False
