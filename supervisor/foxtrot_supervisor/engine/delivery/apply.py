"""Gives batches to handlers: merged, stamped, dispatched, counted, and their positions written."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import msgspec

from foxtrot_protocol.child import ChildLog
from foxtrot_protocol.events import Gap
from foxtrot_protocol.framing import Batch
from foxtrot_supervisor.engine.delivery.decode import BatchReader
from foxtrot_supervisor.engine.delivery.lanes import Origin
from foxtrot_supervisor.engine.delivery.merge import Admission, StreamMerge
from foxtrot_supervisor.engine.delivery.sources import MergeGroup, OnHole, RingState, Source, Sources
from foxtrot_supervisor.engine.delivery.streams import Stream
from foxtrot_supervisor.engine.delivery.waiting import HOLE_WAIT_S
from foxtrot_supervisor.telemetry.latency import LatencyHistogram

__all__ = ["NO_ORIGIN", "BatchApplier", "Handlers"]

UNSAVED_BATCHES_MAX = 16
"""Batches of one worker applied between two writes of positions; their space in the ring is freed only then."""

UNSAVED_NS = 5_000_000
"""The same in time, for slow handlers."""

NO_ORIGIN = Origin()

_stamp = msgspec.structs.force_setattr


class Handlers(Protocol):
    """What calls handlers: an EventEngine."""

    dispatch_latency: LatencyHistogram

    def dispatch_batch(self, batch: Sequence[Any]) -> None:
        """Call the handlers of each event of `batch`, in order."""


class BatchApplier:
    """Applies batches of all workers, on the dispatch thread."""

    def __init__(
        self,
        engine: Handlers,
        sources: Sources,
        batches: BatchReader,
        log: ChildLog,
        *,
        on_batch: Callable[[bytes], None] | None,
        on_hole: OnHole | None,
        now_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        """Make one.

        `on_batch` gets the bytes of each batch that is applied (the tap of live events; None: no tap). `now_ns`: the
        wall clock, in nanoseconds since 1970, or that of a replay.
        """
        self._engine = engine
        self._sources = sources
        self._batches = batches
        self._log = log
        self._on_batch = on_batch or _untapped
        self._tapped = on_batch is not None
        self._on_hole = on_hole
        self._now_ns = now_ns
        self._unsaved: set[MergeGroup] = set()
        self.events_total = 0
        self.redelivered_total = 0
        self.last_event: Any = None
        self.origin = NO_ORIGIN
        """Origin of the events that are being dispatched."""

    def apply(
        self,
        source: Source,
        ring: RingState,
        batch: Batch[Any],
        made: Sequence[Gap],
        data: bytes,
        end: int,
        *,
        may_wait: bool,
    ) -> bool:
        """Give the next batch of a lane to handlers; `end`: position behind it in its ring. False: it has to wait."""
        sequence, events = batch.sequence, batch.events
        reader = ring.reader
        merge = ring.group.merge
        started_ns = self._now_ns()
        again = sequence == ring.redeliver
        if again:
            for event in events:
                _stamp(event, "redelivered", True)
        admission = merge.admit(
            ring.side, events, may_wait=may_wait and not again, streams=batch.streams, order=batch.order
        )
        if admission is None:
            return False
        if reader is not None:
            reader.begin(sequence)
        given = admission.events
        self.origin = ring.origin
        self._engine.dispatch_batch(given)
        self.origin = NO_ORIGIN
        self._count(source, ring, batch, made, admission, again=again)
        ring.lane.next_sequence = sequence + 1
        if reader is not None:
            reader.mark_applied(sequence, ring.applied, ring.lost, ring.redelivered, ring.deduplicated, ring.superseded)
        # after a crash here the successor restores positions from the record, whose space is freed last
        self._keep(ring, merge.settle(), end, started_ns)
        if merge.demoted:
            self._report_demoted(source, ring, merge)
        if admission.holes:
            self.report_holes(ring.group, admission)
        if ring.wait_until is not None or ring.group.waiting:
            self._wake_others(ring)
        if admission.kept is None:
            self._on_batch(data)
        elif given and self._tapped:
            self._tap(data, batch, admission)
        if given:
            ended_ns = self._now_ns()
            count = len(given)
            self.events_total += count
            self.last_event = last = given[-1]
            source.latency.record(started_ns - last.receive_ns, count)
            if last.receive_ns - last.exchange_ns < source.clock_lag.lowest_ns:
                source.clock_lag.record(last)
            source.stages.record(last, ended_ns, count)
            self._engine.dispatch_latency.record((ended_ns - started_ns) // count, count)
        return True

    def _count(
        self,
        source: Source,
        ring: RingState,
        batch: Batch[Any],
        made: Sequence[Gap],
        admission: Admission,
        *,
        again: bool,
    ) -> None:
        """Count each event as applied, a copy, superseded, or lost; a gap in place of one (`made`) is lost."""
        applied, copies, lost = admission.applied, admission.deduplicated, admission.lost
        if made:
            kept = len(made)
            if admission.kept is not None:
                shown = {id(batch.events[place]) for place in admission.kept}
                kept = sum(id(gap) in shown for gap in made)
            applied -= kept
            copies -= len(made) - kept
            lost += len(made)
        ring.applied += applied
        source.applied_total += applied
        if applied != len(batch.events):
            ring.deduplicated += copies
            ring.superseded += admission.superseded
            ring.lost += lost
            source.deduplicated_total += copies
            source.superseded_total += admission.superseded
            source.lost_total += lost
        if ring.group.merge.sides_open > 1:
            source.wins_total += applied
        if again:
            ring.redelivered += applied
            self.redelivered_total += applied
        source.gaps_total += admission.gaps

    def _keep(self, ring: RingState, streams: list[Stream], end: int, now_ns: int) -> None:
        """Note positions to be written before the record's space is freed; not after each batch, which is slow.

        Batches whose positions are not written yet are all in one ring of the group: a successor repeats the decisions
        on them from there, in order.
        """
        group = ring.group
        if group.pending is not ring:
            self.write_down(group)
            group.pending = ring
            group.pending_since_ns = now_ns
        group.unsaved.update(streams)
        if ring.reader is not None:
            ring.reader.advance(end)
        group.unsaved_batches += 1
        if group.unsaved_batches >= UNSAVED_BATCHES_MAX or now_ns - group.pending_since_ns >= UNSAVED_NS:
            self.write_down(group)
        else:
            self._unsaved.add(group)

    def write_down(self, group: MergeGroup) -> None:
        """Write the positions of applied batches, then free their space in the ring."""
        for stream in group.unsaved:
            group.save(stream)
        group.unsaved.clear()
        group.unsaved_batches = 0
        if group.pending is not None and group.pending.reader is not None:
            group.pending.reader.release()
        group.pending = None
        self._unsaved.discard(group)

    def write_all_down(self) -> None:
        """Write the positions of every group."""
        for group in list(self._unsaved):
            self.write_down(group)

    def report_holes(self, group: MergeGroup, admission: Admission | None) -> None:
        """Report the holes announced with a batch."""
        if admission is not None and self._on_hole is not None:
            for key, hole in admission.holes:
                self._on_hole(group.name, key, hole)

    def _report_demoted(self, source: Source, ring: RingState, merge: StreamMerge) -> None:
        """Count and log streams whose identifiers leap in contradiction to their rule."""
        for stream in merge.demoted:
            source.demoted_total += 1
            self._log.warning(
                "stream_demoted",
                connection=ring.group.name,
                worker=ring.worker,
                stream=stream.key.kind,
                symbol=stream.key.symbol,
            )
        merge.demoted.clear()

    def _tap(self, data: bytes, batch: Batch[Any], admission: Admission) -> None:
        """Give the tap the events that handlers were given: numbers as text, and the gaps made here."""
        assert admission.kept is not None
        text_batch = self._batches.as_text(data)
        texts = {id(batch.events[place]): text_batch.events[place] for place in admission.kept}
        events = []
        for event in admission.events:
            text = texts.get(id(event), event)
            if text is not event and event.__class__ is text.__class__:
                _stamp(text, "backfilled", event.backfilled)
                events.append(text)
            else:
                events.append(event)
        self._on_batch(
            msgspec.msgpack.encode(msgspec.structs.replace(text_batch, events=events, streams=None, order=None))
        )

    def wait(self, ring: RingState, batch: Batch[Any], made: Sequence[Gap], now: float) -> None:
        """Hold the next batch of a lane until another worker has progressed, `HOLE_WAIT_S` at most."""
        ring.held = (batch.sequence, batch, made)
        if ring.wait_until is None:
            ring.wait_until = now + HOLE_WAIT_S
            ring.group.waiting.add(ring.worker)
            # others learn where this batch begins; deciding on it a second time tells them, and this lane, nothing new
            self._sources.wake_waiting(ring.group)

    def _wake_others(self, ring: RingState) -> None:
        """Wake lanes that may have waited for the batch applied here."""
        group = ring.group
        if ring.wait_until is not None:
            ring.wait_until = ring.held = None
            group.waiting.discard(ring.worker)
        if group.waiting:
            self._sources.wake_waiting(group)


def _untapped(data: bytes) -> None:
    """Stands in for a tap."""
