"""First stage of a sink: from the rings of workers to its spool, each event once, in order, with every gap.

A receiver of its own, with the merge and the rules of the engine, over links of the rings (`CursorReader`). Each batch
becomes rows, and rows and what was read of the ring are committed to the spool together. So a sink that is killed goes
on exactly where it was. Runs on a thread of its own: a store that is slow does not hold it up before the spool is full.

What a full spool has no room for at the end of a run is read all the same, and left out: gaps in the spool say what it
was.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from msgspec import Struct

from foxtrot_protocol import ring_layout
from foxtrot_protocol.child import ChildLog
from foxtrot_protocol.ring_layout import CommitMark, RingFigures
from foxtrot_supervisor.engine.bus.event import Event
from foxtrot_supervisor.engine.delivery.accounts import Accounts
from foxtrot_supervisor.engine.delivery.apply import BatchApplier
from foxtrot_supervisor.engine.delivery.decode import BatchReader
from foxtrot_supervisor.engine.delivery.positions import FILE_NAME as POSITIONS_NAME
from foxtrot_supervisor.engine.delivery.rings import Rings, remove_ring
from foxtrot_supervisor.engine.delivery.sources import MergeGroup, RingState, Sources
from foxtrot_supervisor.engine.delivery.started import StartedWorkers
from foxtrot_supervisor.engine.delivery.streams import Stream
from foxtrot_supervisor.sinks.cursor_reader import CursorReader
from foxtrot_supervisor.sinks.keys import EventKeys
from foxtrot_supervisor.sinks.left_out import LeftOut
from foxtrot_supervisor.sinks.ring_marks import RingMark
from foxtrot_supervisor.sinks.ring_order import RingOrder
from foxtrot_supervisor.sinks.spool import Spool
from foxtrot_supervisor.sinks.spool_layout import encode_row
from foxtrot_supervisor.sinks.spool_writer import SpoolWriter
from foxtrot_supervisor.telemetry.latency import LatencyHistogram

__all__ = ["LOOK_S", "MARKS_HELD_MAX", "POLL_S", "Intake", "StopTimes"]

POLL_S = 0.02
"""Interval at which rings are looked at while nothing comes."""

LOOK_S = 0.1
"""Interval at which new rings are looked for."""

MARKS_HELD_MAX = 64
"""Marks without rows (all events were copies) that are held back until rows are committed."""

ROWS_HELD_BYTES = 256 * 1024
"""Encoded rows that are held back, about, before they are committed: a commit costs more than a row."""

MARKS_HELD_S = 1.0
"""Longest time that they are held back, in seconds."""


class StopTimes(Struct, frozen=True):
    """Until when an intake that has to stop may do what; in monotonic seconds."""

    room_until: float
    """Wait for room in the spool."""
    read_until: float
    """Read what has no room there, so that gaps can say what it is."""


class _Applier(BatchApplier):
    """Commits rows before the positions that follow from them are written.

    Else a sink that is killed in between would take for copies what its spool does not have.
    """

    def __init__(self, commit: Callable[[], None], *arguments: Any) -> None:
        super().__init__(*arguments, on_batch=None, on_hole=None)
        self._commit = commit

    def write_down(self, group: MergeGroup) -> None:
        """Commit, then write the positions of applied batches."""
        self._commit()
        super().write_down(group)


class Intake:
    """Reads the rings in one directory into a spool. Used by one thread, except where it says otherwise."""

    def __init__(self, directory: str, run_id: str, spool: Spool, log: ChildLog) -> None:
        """Go on where the spool says; raises OSError, or `MalformedMessage` if the spool is damaged.

        `directory`: where workers link their rings for this sink. `run_id`: of the run that these rings belong to.
        """
        self._directory = directory
        self._log = log
        self._spool = spool
        self._writer = SpoolWriter(spool)
        if self._writer.run_id != run_id:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(os.path.join(directory, POSITIONS_NAME))
        self._writer.begin_run(run_id)
        for worker, incarnation in self._writer.retired:  # read to the end; the link may still be there
            remove_ring(os.path.join(directory, ring_layout.ring_name(worker, incarnation)))
        self._keys = EventKeys()
        self._keys.remember(row.event for row in self._writer.recent_rows())
        self._rows: list[bytes] = []
        """Encoded, and not committed yet."""
        self._rows_bytes = 0
        self._left_out: LeftOut | None = None
        """What has no room in the spool, at the end."""
        self._left_rings: list[tuple[tuple[str, int], str]] = []
        """Rings that were read to their end since, with their paths."""
        self._held: dict[tuple[str, int], RingMark] = {}
        """Marks that are not committed yet."""
        self._held_since = 0.0
        self.started = StartedWorkers()
        self.dispatch_latency = LatencyHistogram()
        self._sources = Sources("deliver", None)
        batches = BatchReader("text", log)
        self._applier = _Applier(self._commit_rows, self, self._sources, batches, log)
        self._accounts = Accounts(self.dispatch, self._sources, log, self._applier.write_down)
        self._batches = batches
        self._rings = Rings(
            directory,
            self._sources,
            batches,
            self._applier,
            self._accounts,
            log,
            self._on_drained,
            self.started,
            open_reader=self._open_reader,
            has_room=lambda: self._left_out is not None or self._writer.has_room(),
        )
        self._order = RingOrder(self._rings, self._sources)
        self._begun = False
        self._look_at = 0.0
        self._woken = threading.Event()
        self.is_full = False
        """The spool, or the disk, has no room: rings are not read."""
        self.full_total = 0
        """How often that happened."""

    # ---- figures; from any thread

    def counts(self) -> dict[str, int]:
        """Return figures of this stage, by name."""
        sources = list(self._sources.workers.values())
        rings = self._sources.rings()
        readers = [ring.reader for ring in rings]
        return {
            "events_total": self._applier.events_total,
            "copies_total": sum(source.deduplicated_total for source in sources),
            "gaps_total": sum(source.gaps_total for source in sources),
            "lost_total": sum(source.lost_total for source in sources)
            + (self._left_out.events_total if self._left_out is not None else 0),
            "overtaken_total": self.overtaken_total
            + sum(reader.overtaken_total for reader in readers if isinstance(reader, CursorReader)),
            "violations_total": self._accounts.violations_total,
            "full_total": self.full_total,
            "rings": len(rings),
        }

    overtaken_total = 0
    """How often workers have overwritten rings that are closed by now before they were read."""

    def unread_events(self) -> int:
        """Return the events that workers have committed and that are not in the spool; only on the thread, or after it.

        Those of which gaps in the spool say that they are left out count too.
        """
        if self._left_out is not None:
            return self._left_out.events_total
        return sum(unread for _, unread, _ in self._unread_rings())

    def _unread_rings(self) -> Iterator[tuple[RingState, int, CommitMark]]:
        """Return rings that are not read to their end, with the number of unread events."""
        for ring in self._sources.rings():
            mark = ring.reader.committed() if ring.reader is not None else None
            if mark is not None and mark.events > ring.done:
                yield ring, mark.events - ring.done, mark

    def fence(self, worker: str, incarnation: int) -> None:
        """Fence `incarnation` and earlier ones: they are dead."""
        self._rings.fences.append((worker, incarnation))
        self.wake()

    def wake(self) -> None:
        """Have the rings looked at now."""
        self._woken.set()

    # ---- the thread

    def run(self, on_rows: Callable[[], None], stopping: Callable[[], StopTimes | None]) -> None:
        """Read until `stopping` returns times and nothing more is there. `on_rows` is called after rows were committed.

        What the spool has no room for until then is left out.
        """
        while True:
            before = self._spool.last_row
            times = stopping()
            more = self.pump(time.monotonic())
            if self._spool.last_row != before:
                on_rows()
            if times is not None:
                if not more and not self._waits() and not self.unread_events():
                    return
                if time.monotonic() >= (times.room_until if self.is_full else times.read_until):
                    self.leave_out(times.read_until)
                    on_rows()
                    return
            if not more:
                self._woken.wait(POLL_S)
                self._woken.clear()

    def leave_out(self, deadline: float) -> None:
        """Commit gaps that say what else the rings hold; it is read until `deadline` (monotonic seconds)."""
        self._left_out = left_out = LeftOut()
        for group in self._sources.groups.values():
            group.save = _forget  # it is committed at the end, if this process is not killed before
        while (now := time.monotonic()) < deadline:
            self._rings.take_fences()
            self._rings.find(now)
            more = self._order.read_some(now)
            if not more and not self._waits():
                break
            if not more:
                self._woken.wait(POLL_S)
                self._woken.clear()
        self._applier.write_all_down()
        for ring, events, mark in self._unread_rings():
            batches = ring.lane.next_sequence, mark.sequence
            left_out.add_unread(ring.origin.connection, ring.worker, ring.side[1], batches, events)
        if left_out.events_total:
            self._log.error("sink_left_out", events=left_out.events_total, reason="the spool is full")
            self._announce(left_out)

    def _announce(self, left_out: LeftOut) -> None:
        key = self._keys.key
        choices = (
            [*self._rows, *(encode_row(key(gap), connection, gap) for connection, gap in said)]
            for said in left_out.choices(time.time_ns())
        )
        try:
            self._writer.commit_last(choices, list(self._held.values()), [ring for ring, _ in self._left_rings])
        except OSError as error:
            self._log.error("sink_left_out", events=left_out.events_total, reason=f"no gap says so: {error}")
        self._rows, self._rows_bytes, self._held = [], 0, {}
        for _, path in self._left_rings:
            remove_ring(path)

    def pump(self, now: float) -> bool:
        """Read a bounded amount; return whether there is more."""
        if not self._begun:
            if not self.started.is_complete:
                return False
            self._begun = True
            self._rings.begin(now)
        if not self._writer.has_room():
            if not self.is_full:
                self.is_full = True
                self.full_total += 1
                self._log.error("spool_full", rows=self._spool.pending_rows, size_bytes=self._spool.size_bytes)
            return False
        if self.is_full:
            self.is_full = False
            self._log.info("spool_has_room", rows=self._spool.pending_rows)
        self._rings.take_fences()
        if now >= self._look_at:
            self._look_at = now + LOOK_S
            self._rings.find(now)
            self._accounts.check()
        more = self._order.read_some(now)
        self._applier.write_all_down()
        self._commit_rows()
        if self._held and now - self._held_since >= MARKS_HELD_S:
            self._commit()
        return more

    def close(self) -> None:
        """Commit what is held and unmap everything; only after the thread has ended."""
        if self._held:
            self._commit()
        self._sources.close()
        self._writer.close()

    def _waits(self) -> bool:
        """Whether batches wait for another worker, or rings of dead workers are not closed yet."""
        return any(ring.wait_until is not None for ring in self._sources.rings())

    # ---- as `apply.Handlers`

    def dispatch_batch(self, batch: Sequence[Any]) -> None:
        """Make rows of events; they are committed with the mark that follows."""
        connection = self._applier.origin.connection
        if self._left_out is not None:
            self._left_out.add(connection, batch)
            return
        key = self._keys.key
        rows = [encode_row(key(event), connection, event) for event in batch]
        self._rows += rows
        self._rows_bytes += sum(map(len, rows))

    def dispatch(self, event: Event) -> None:
        """Make a row of a gap."""
        if self._left_out is not None:
            self._left_out.add("", [event.data])
            return
        self._rows.append(encode_row(self._keys.key(event.data), "", event.data))

    # ---- marks

    def _open_reader(self, directory: str, worker: str, incarnation: int) -> CursorReader | None:
        reader = CursorReader.open(directory, worker, incarnation)
        if reader is not None:
            reader.resume(self._writer.marks.get((worker, incarnation)), self._on_mark)
        return reader

    def _on_mark(self, mark: RingMark) -> None:
        if not self._held:
            self._held_since = time.monotonic()
        self._held[mark.worker, mark.incarnation] = mark
        if self._left_out is None and (self._rows_bytes >= ROWS_HELD_BYTES or len(self._held) >= MARKS_HELD_MAX):
            self._commit()

    def _commit_rows(self) -> None:
        """Commit what is held if there are rows, and if they have room."""
        if self._rows and self._left_out is None:
            self._commit()

    def _commit(self, retired: Iterable[tuple[str, int]] = ()) -> None:
        rows, self._rows, self._rows_bytes = self._rows, [], 0
        marks, self._held = list(self._held.values()), {}
        self._writer.commit(rows, marks, list(retired))

    def _on_drained(self, account: RingFigures, path: str) -> None:
        """Commit that a ring is read to its end, then remove the link."""
        ring = account.worker, account.incarnation
        self._held.pop(ring, None)
        if self._left_out is not None:
            self._left_rings.append((ring, path))
            return
        self._commit([ring])
        remove_ring(path)


def _forget(stream: Stream) -> None:
    """Stands in for a file of positions."""
