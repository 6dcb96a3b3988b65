"""The account of every ring: what was committed is applied, a copy, superseded, or announced as lost."""

from __future__ import annotations

import time
from collections.abc import Callable

from foxtrot_protocol.child import ChildLog
from foxtrot_protocol.commands import SourceCounters
from foxtrot_protocol.events import EVENT_GAP, Gap
from foxtrot_supervisor.engine.bus.event import Event
from foxtrot_supervisor.engine.delivery.sources import MergeGroup, RingState, Source, Sources

__all__ = ["Accounts"]


class Accounts:
    """Checks accounts and announces what they miss. Runs on the dispatch thread, except `counters`."""

    def __init__(
        self,
        dispatch: Callable[[Event], None],
        sources: Sources,
        log: ChildLog,
        write_down: Callable[[MergeGroup], None],
    ) -> None:
        """`dispatch` gets the gaps. `write_down` saves the positions of a group; called before a loss is announced."""
        self._dispatch = dispatch
        self._sources = sources
        self._log = log
        self._write_down = write_down
        self.violations_total = 0
        """Rings whose account did not add up."""

    def counters(self, now: float) -> dict[str, SourceCounters]:
        """Return the account of each worker; `now` in monotonic seconds. Callable from any thread."""
        counters = {}
        for worker, source in list(self._sources.workers.items()):
            source.latency.rotate(now)
            source.clock_lag.rotate(now)
            counters[worker] = SourceCounters(
                applied_total=source.applied_total,
                deduplicated_total=source.deduplicated_total,
                gaps_total=source.gaps_total,
                lost_total=source.lost_total,
                latency_p50_us=source.latency.percentile_us(0.5),
                latency_p99_us=source.latency.percentile_us(0.99),
                late_total=source.late_total,
                wins_total=source.wins_total,
                lost_batches_total=source.lost_batches_total,
                superseded_total=source.superseded_total,
                demoted_total=source.demoted_total,
                clock_lag_ms=source.clock_lag.lowest_ms(),
                stages=source.stages.counts(),
            )
        return counters

    def check(self) -> None:
        """Check every ring that is read to its end: committed = applied + copies + superseded + announced as lost."""
        for source in self._sources.workers.values():
            for ring in source.rings.values():
                reader = ring.reader
                if reader is None or ring.violated or not reader.empty:
                    continue
                mark = reader.committed()
                if mark is not None and mark.head == reader.tail and mark.events != ring.done:
                    self.violated(ring, mark.events)

    def violated(self, ring: RingState, committed: int | None) -> None:
        """Announce, once for each ring, that its account does not add up: a defect, or undetected damage."""
        if ring.violated:
            return
        ring.violated = True
        self.violations_total += 1
        incarnation = ring.side[1]
        self._log.error(
            "account_violated",
            worker=ring.worker,
            incarnation=incarnation,
            committed=committed if committed is not None else "unreadable",
            applied=ring.applied,
            deduplicated=ring.deduplicated,
            superseded=ring.superseded,
            lost=ring.lost,
        )
        cause = f"the account of {ring.worker}#{incarnation} does not add up: {committed} committed, not {ring.done}"
        self.announce(Gap("", "", 0, time.time_ns(), "", None, None, 0, 0, cause))

    def announce_lost(
        self,
        worker: str,
        source: Source,
        ring: RingState,
        last: int,
        events: int | None,
        what: str,
        end: int | None = None,
    ) -> None:
        """Announce batches up to `last` as lost.

        `events`: number of events in them, None if unknown; `end`: position behind them in the ring.
        """
        self._write_down(ring.group)
        first = ring.lane.next_sequence
        incarnation = next(number for number, each in source.rings.items() if each is ring)
        source.gaps_total += 1
        if events is None:
            source.lost_batches_total += last - first + 1
        else:
            ring.lost += events
            source.lost_total += events
        ring.lane.next_sequence = last + 1
        self._log.error("batches_lost", worker=worker, incarnation=incarnation, first=first, last=last, reason=what)
        count = "" if events is None else f": {events} events"
        cause = f"batches {first} to {last} of {worker}#{incarnation} {what}{count}"
        self.announce(Gap("", "", 0, time.time_ns(), "", None, None, 0, 0, cause))
        if ring.reader is not None:
            reader = ring.reader
            position = reader.tail if end is None else end
            reader.acknowledge(
                last, position, ring.applied, ring.lost, ring.redelivered, ring.deduplicated, ring.superseded
            )

    def announce_dropped_by_worker(self, source: Source, ring: RingState, events: int) -> None:
        """Announce events whose gaps a worker could not commit before it died: only their number is known."""
        incarnation = ring.side[1]
        source.gaps_total += 1
        self._log.error("events_unannounced", worker=ring.worker, incarnation=incarnation, events=events)
        cause = f"{events} events of {ring.worker}#{incarnation} found no room in its ring before it ended"
        self.announce(Gap("", "", 0, time.time_ns(), "", None, None, 0, 0, cause))

    def announce(self, gap: Gap) -> None:
        """Dispatch `gap` to handlers."""
        self._dispatch(Event(EVENT_GAP, gap))
