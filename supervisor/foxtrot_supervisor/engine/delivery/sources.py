"""What is known of workers: their rings and counts, and the groups in which their events are merged."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from foxtrot_protocol import ring_layout
from foxtrot_protocol.events import Gap
from foxtrot_protocol.framing import Batch
from foxtrot_protocol.spec import BookUpdates
from foxtrot_supervisor.engine.delivery.book_requests import BookWants
from foxtrot_supervisor.engine.delivery.lanes import Delivery, Lane, Origin
from foxtrot_supervisor.engine.delivery.merge import StreamMerge
from foxtrot_supervisor.engine.delivery.positions import PositionFile
from foxtrot_supervisor.engine.delivery.ring_reader import RingReader
from foxtrot_supervisor.engine.delivery.streams import Hole, Side, Stream, StreamKey
from foxtrot_supervisor.telemetry.clock_lag import ClockLag
from foxtrot_supervisor.telemetry.latency import LatencyHistogram
from foxtrot_supervisor.telemetry.stages import Stages

__all__ = ["WORKERS_MAX", "MergeGroup", "OnBooks", "OnHole", "RingState", "Source", "Sources"]

WORKERS_MAX = 10_000
"""Largest number of workers accounted for; one supervisor has fewer."""

OnHole = Callable[[str, StreamKey, Hole], None]
"""Called with the connection's name, the stream and each hole that is announced in it, so that it can be filled."""

OnBooks = Callable[[str, Sequence[str], int], None]
"""Called with books that need a snapshot: connection, symbols, and the number of the attempt, from 1."""


class MergeGroup:
    """Workers of one connection: their events are merged, stream by stream."""

    def __init__(self, name: str, merge: StreamMerge, save: Callable[[Stream], None]) -> None:
        self.name = name
        self.merge = merge
        self.save = save
        self.unmerged_reported = False
        self.pending: RingState | None = None
        """Ring whose batches were applied since positions were last written."""
        self.pending_since_ns = 0
        self.unsaved: set[Stream] = set()
        self.unsaved_batches = 0
        self.books = BookWants()
        self.waiting: set[str] = set()
        """Workers whose next batch waits for another worker."""


class RingState:
    """One lane's ring (None where the worker has none), its counts, and the batch that waits."""

    def __init__(self, worker: str, lane: Lane, reader: RingReader | None, group: MergeGroup, side: Side) -> None:
        self.worker = worker
        self.lane = lane
        self.reader = reader
        self.group = group
        self.side = side
        # parts of a split shard are merged under the name of the first, and live and die under their own
        self.origin = Origin(worker.rpartition(".")[0] or group.name, worker, side[1])
        self.wait_until: float | None = None
        """Deadline (monotonic seconds) of the wait of the next batch; None: it does not wait."""
        self.held: tuple[int, Batch[Any], Sequence[Gap]] | None = None
        """Sequence of the waiting batch, the decoded batch, and its gaps for unreadable events."""
        self.applied = 0
        self.deduplicated = 0
        self.superseded = 0
        self.lost = 0
        self.redelivered = 0
        self.redeliver = 0
        """Sequence of the batch that was in flight in the previous engine when it died; 0: none."""
        self.begins = False
        """Nothing of it was applied yet: what other workers of the connection have sent before comes first."""
        self.damaged_at: float | None = None
        self.violated = False

    @property
    def done(self) -> int:
        """Events of this ring accounted for."""
        return self.applied + self.deduplicated + self.superseded + self.lost


class Source:
    """One worker: its lanes, and its counts over all its incarnations."""

    def __init__(self) -> None:
        self.delivery = Delivery()
        self.rings: dict[int, RingState] = {}
        self.applied_total = 0
        self.deduplicated_total = 0
        self.superseded_total = 0
        self.demoted_total = 0
        self.wins_total = 0
        self.late_total = 0
        self.gaps_total = 0
        self.lost_total = 0
        self.lost_batches_total = 0
        self.latency = LatencyHistogram()
        self.clock_lag = ClockLag()
        self.stages = Stages()


class Sources:
    """All workers and all groups of one engine."""

    def __init__(self, book_updates: BookUpdates, on_hole: OnHole | None) -> None:
        self.workers: dict[str, Source] = {}
        self.groups: dict[str, MergeGroup] = {}
        self.reading: dict[str, Source] = {}
        """Workers whose rings have to be read."""
        self.positions: PositionFile | None = None
        self._book_updates = book_updates
        self._on_hole = on_hole

    def rings(self) -> list[RingState]:
        """Every open lane."""
        return [ring for source in self.workers.values() for ring in source.rings.values()]

    def group(self, connection: str, worker: str, rules: Mapping[str, str]) -> MergeGroup:
        """Return the group of a connection; a worker without one has a group of its own."""
        key = connection or f" {worker}"
        group = self.groups.get(key)
        if group is None:
            positions = self.positions
            save = functools.partial(positions.save, key) if positions is not None else _nowhere
            merge = StreamMerge(rules, deliver_updates=self._book_updates == "deliver")
            group = self.groups[key] = MergeGroup(connection or worker, merge, save)
            for stream in positions.restored(key) if positions is not None else ():
                group.merge.restore(stream)
                if stream.state.unseen:  # if this engine dies too, the next one knows that handlers had no snapshot
                    save(stream)
            self.report_open_holes(group)
        elif rules:
            group.merge.follow(rules)
        return group

    def report_open_holes(self, group: MergeGroup) -> None:
        """Report every open hole of the group."""
        if self._on_hole is not None:
            for key, hole in group.merge.open_holes():
                self._on_hole(group.name, key, hole)

    def wake_waiting(self, group: MergeGroup) -> None:
        """Have the rings read again whose batch waits for another worker of the group."""
        for worker in group.waiting:
            self.reading[worker] = self.workers[worker]

    def worker(self, worker: str) -> Source | None:
        """Return the source of a worker, created if needed; None for an invalid name or over `WORKERS_MAX`."""
        source = self.workers.get(worker)
        if source is None and len(self.workers) < WORKERS_MAX and ring_layout.is_worker_name(worker):
            source = self.workers[worker] = Source()
        return source

    def has_ringless(self) -> bool:
        """Whether a lane without a ring is open."""
        return any(ring.reader is None for source in self.workers.values() for ring in source.rings.values())

    def close(self) -> None:
        """Unmap the rings and close the file of positions."""
        for ring in self.rings():
            if ring.reader is not None:
                ring.reader.close()
        if self.positions is not None:
            self.positions.close()
            self.positions = None


def _nowhere(stream: Stream) -> None:
    """Stands in for a file of positions."""
