"""Reads rings: in order, past damage, to the end of dead workers, and on where a previous engine stopped."""

from __future__ import annotations

import contextlib
import os
import time
from collections import deque
from collections.abc import Callable

from foxtrot_protocol import ring_layout
from foxtrot_protocol.child import ChildLog
from foxtrot_protocol.codec import read_header
from foxtrot_protocol.errors import MalformedMessage
from foxtrot_protocol.events import Gap
from foxtrot_protocol.ring_layout import Record, RingFigures
from foxtrot_supervisor.engine.delivery.accounts import Accounts
from foxtrot_supervisor.engine.delivery.apply import BatchApplier
from foxtrot_supervisor.engine.delivery.decode import BatchReader
from foxtrot_supervisor.engine.delivery.positions import PositionFile
from foxtrot_supervisor.engine.delivery.ring_reader import RingReader
from foxtrot_supervisor.engine.delivery.sources import RingState, Source, Sources
from foxtrot_supervisor.engine.delivery.started import StartedWorkers

__all__ = ["BATCHES_PER_TURN", "Rings", "remove_ring"]

BATCHES_PER_TURN = 64
"""Batches handled of one ring, or of the socket, before the queue and the timer are served again."""

DAMAGE_S = 0.05
"""An unreadable record of a living worker is read again for this long before it is given up."""

FOUND_S = 0.02
"""Seconds after a look for new rings in which the first batch of one causes no other: of a thousand workers each look
takes some milliseconds, and a worker has its ring long before it has an event."""

_SEQUENCE_MAX = (1 << 64) - 1


class Rings:
    """The rings of all workers in one run directory, read on the dispatch thread."""

    def __init__(
        self,
        run_dir: str,
        sources: Sources,
        batches: BatchReader,
        applier: BatchApplier,
        accounts: Accounts,
        log: ChildLog,
        on_drained: Callable[[RingFigures, str], None],
        started: StartedWorkers | None,
        *,
        open_reader: Callable[[str, str, int], RingReader | None] | None = None,
        has_room: Callable[[], bool] | None = None,
    ) -> None:
        """`on_drained` gets the account of a dead incarnation and its ring's path: the callee owns the file and must
        delete it (`remove_ring`). `started`: workers whose rings are read; None: all. `open_reader` maps a ring; None:
        `RingReader.open`. `has_room`: whether another batch may be applied now; None: always.
        """
        self._run_dir = run_dir
        self._sources = sources
        self._batches = batches
        self._applier = applier
        self._accounts = accounts
        self._log = log
        self._on_drained = on_drained
        self._started = started
        self._open_reader = open_reader
        self._has_room = has_room
        self._unreadable: set[str] = set()
        self._found_at = float("-inf")
        """When new rings were last looked for; monotonic seconds."""
        self.fences: deque[tuple[str, int]] = deque()
        """Workers with the incarnation up to which they are fenced, for `take_fences`; other threads append."""

    def begin(self, now: float) -> None:
        """Restore positions, then apply what was in flight in the previous engine, before anything else."""
        try:
            self._sources.positions = PositionFile.open(self._run_dir)
        except OSError as error:
            self._log.error("positions_unusable", reason=str(error))
        else:
            if self._sources.positions.damage:
                self._log.error("positions_damaged", reason=self._sources.positions.damage)
        self.find(now)
        rings = self._sources.rings()
        for ring in rings:
            self._restore_positions(ring)
        for ring in rings:
            if ring.redeliver and ring.reader is not None:
                self._read_record(
                    ring.worker, self._sources.workers[ring.worker], ring, ring.reader, now, may_wait=False
                )
        for group in self._sources.groups.values():
            for side in group.merge.absent():
                for stream in group.merge.closed(side):
                    group.save(stream)

    def _restore_positions(self, ring: RingState) -> None:
        """Restore the positions of acknowledged batches, which the previous engine may not have written."""
        reader = ring.reader
        while reader is not None and (record := _try_next(reader)) is not None:
            if record.sequence >= ring.lane.next_sequence:
                return
            self._note(ring, record)

    def _note(self, ring: RingState, record: Record) -> None:
        """Repeat the decisions on a batch that handlers have had, for the positions only."""
        assert ring.reader is not None
        decoded = self._batches.decode(record.data)
        if decoded is not None:
            admission, streams = ring.group.merge.note(ring.side, decoded[0].events)
            for stream in streams:
                ring.group.save(stream)
            self._applier.report_holes(ring.group, admission)
        ring.reader.consume_to(record.end)

    def entries(self) -> list[str]:
        """Return the names in the run directory; none while it is missing: mapped rings are still read.

        In their order: a reader that comes late begins with the first side, which usually has begun first. What it had
        alone would count as copies if the other one were read before.
        """
        try:
            return sorted(os.listdir(self._run_dir))
        except OSError:
            return []

    def find(self, now: float) -> None:
        """Open new rings in the run directory."""
        self._found_at = now
        for name in self.entries():
            parsed = ring_layout.parse_ring_name(name)
            if parsed is None:
                continue
            worker, incarnation = parsed
            if not self.is_started(worker, incarnation):
                self._await_word(worker, incarnation, now)
                continue
            source = self._sources.worker(worker)
            if source is not None and source.delivery.wants(incarnation):
                self.open(worker, source, incarnation, now)

    def is_started(self, worker: str, incarnation: int) -> bool:
        """Whether the supervisor has started this incarnation."""
        return self._started is None or self._started.includes(worker, incarnation)

    def is_awaited(self, worker: str, incarnation: int, now: float) -> bool:
        """Whether an incarnation of which the supervisor has said nothing has a ring and may still be announced."""
        return (
            self._started is not None
            and self.exists(worker, incarnation)
            and self._started.is_awaited(worker, incarnation, now)
        )

    def _await_word(self, worker: str, incarnation: int, now: float) -> None:
        """Leave a ring of an unknown worker alone; refuse it if the supervisor does not announce that worker."""
        assert self._started is not None
        if not self._started.is_awaited(worker, incarnation, now) and self._started.refuse(worker, incarnation):
            self._batches.malformed_total += 1
            reason = "this supervisor has started no such worker"
            self._log.error("ring_of_unknown_worker", worker=worker, incarnation=incarnation, reason=reason)

    def open(self, worker: str, source: Source, incarnation: int, now: float) -> bool:
        """Open the ring of an incarnation; False if there is none, or it cannot be read."""
        name = ring_layout.ring_name(worker, incarnation)
        if name in self._unreadable:
            return False
        try:
            reader = (self._open_reader or RingReader.open)(self._run_dir, worker, incarnation)
        except (MalformedMessage, OSError) as error:
            self._unreadable.add(name)
            source.gaps_total += 1
            self._log.error("ring_unreadable", worker=worker, incarnation=incarnation, reason=str(error))
            self._accounts.announce(
                Gap("", "", 0, time.time_ns(), "", None, None, 0, 0, f"{name} cannot be read: {error}")
            )
            return False
        if reader is None:
            return False
        lane = source.delivery.open(incarnation, 1, has_ring=True, now=now)
        identity = reader.identity
        group = self._sources.group(identity.connection, worker, identity.rules)
        ring = source.rings[incarnation] = RingState(worker, lane, reader, group, (identity.side, incarnation))
        group.merge.opened(ring.side)
        ring.begins = bool(identity.connection)
        self._resume(worker, ring, reader)
        self._sources.reading[worker] = source
        return True

    def meet(self, worker: str, incarnation: int, now: float) -> Source | None:
        """Open the lane of an incarnation that a message names; None if it has no ring, or is not started.

        Names in messages are not trusted: nothing is remembered of a worker without a ring.
        """
        if not self.is_started(worker, incarnation) or not self.exists(worker, incarnation):
            return None
        source = self._sources.worker(worker)
        if source is None or (source.delivery.wants(incarnation) and not self.open(worker, source, incarnation, now)):
            return None
        return source

    def exists(self, worker: str, incarnation: int) -> bool:
        """Whether there is a file with the name of this ring."""
        return ring_layout.is_worker_name(worker) and os.path.lexists(
            os.path.join(self._run_dir, ring_layout.ring_name(worker, incarnation))
        )

    def _resume(self, worker: str, ring: RingState, reader: RingReader) -> None:
        """Continue where the previous engine stopped."""
        done = reader.applied()
        if done is None:
            # the engine's own words are damaged: the record at the tail is the best evidence
            self._log.error("ring_mark_damaged", worker=worker, incarnation=reader.incarnation)
            record = _try_next(reader)
            if record is not None:
                ring.applied, ring.lane.next_sequence = record.events_before, record.sequence
            return
        ring.applied, ring.deduplicated, ring.lost = done.applied, done.deduplicated, done.lost
        ring.superseded = done.superseded
        ring.redelivered = done.redelivered
        ring.begins = ring.begins and not done.sequence
        ring.lane.next_sequence = done.sequence + 1
        if reader.in_flight > done.sequence:
            ring.redeliver = reader.in_flight

    def read_some(self, now: float) -> bool:
        """Read a bounded amount from each ring that has to be read; True if there is more."""
        for worker, source in list(self._sources.reading.items()):
            if not self.read(worker, source, now):
                del self._sources.reading[worker]
        return bool(self._sources.reading)

    def read(
        self,
        worker: str,
        source: Source,
        now: float,
        *,
        all_of_it: bool = False,
        may_wait: bool = True,
        batches: int = BATCHES_PER_TURN,
    ) -> bool:
        """Read `batches` of the current lane's ring if due; retire it if it is dead and read to its end.

        True if there may be more.
        """
        delivery = source.delivery
        incarnation = delivery.current()
        if incarnation is None:
            return False
        ring = source.rings[incarnation]
        reader = ring.reader
        if reader is not None:
            if not all_of_it and not delivery.reads(now, empty=reader.empty):
                return False
            for _ in range(batches):
                if self._has_room is not None and not self._has_room():
                    return False
                if not self._read_record(worker, source, ring, reader, now, may_wait=may_wait):
                    break
            else:
                return True
            if ring.wait_until is not None:
                return False
            if ring.damaged_at is not None and not delivery.dead(now):
                return False
        if not delivery.dead(now):
            return False
        if delivery.fence_overdue(now):
            self._log.warning("fence_missing", worker=worker, incarnation=incarnation)
        self.retire(worker, source, incarnation)
        return True

    def apply_next(self, worker: str, source: Source) -> bool:
        """Apply the next batch of the current lane, unless it must wait; False if its ring is empty. The hot path.

        The same as `read`, without what costs time: caches are cold when the dispatch thread has just been woken.
        """
        current = source.delivery.current()
        if current is None:
            return False
        ring = source.rings[current]
        reader = ring.reader
        if reader is None or reader.empty:
            return False
        self._read_record(worker, source, ring, reader, time.monotonic(), may_wait=True)
        return True

    def read_sent_before(self, ring: RingState, sent_ns: int, now: float) -> None:
        """Read what other workers of the connection have sent before the first batch of `ring`, if nothing is missing.

        A stream begins with the first event that handlers get of it. What one worker alone has of the time before would
        count as copies.

        Args:
            ring: its first batch is to be applied.
            sent_ns: when that was sent, in nanoseconds since 1970.
            now: monotonic seconds.
        """
        ring.begins = False
        if now - self._found_at >= FOUND_S:
            self.find(now)
        for other in self._sources.rings():
            reader, source = other.reader, self._sources.workers[other.worker]
            if other.group is not ring.group or other is ring or reader is None:
                continue
            while source.delivery.current() == other.side[1] and (self._has_room is None or self._has_room()):
                first_ns = _sent_ns(reader)
                if first_ns is None or first_ns >= sent_ns:
                    break
                if not self._read_record(other.worker, source, other, reader, now, may_wait=True):
                    break

    def read_to_the_end(self, worker: str, source: Source, now: float) -> None:
        """Read the current lane of a worker until it is empty."""
        current = source.delivery.current()
        while current is not None and source.delivery.current() == current:
            if not self.read(worker, source, now, all_of_it=True, may_wait=False):
                return

    def _read_record(
        self, worker: str, source: Source, ring: RingState, reader: RingReader, now: float, *, may_wait: bool
    ) -> bool:
        """Apply the next record of a ring; False if there is none, or none that can be read now."""
        lane = ring.lane
        if ring.wait_until is not None:
            if now >= ring.wait_until:
                may_wait = False
                ring.group.merge.give_up(ring.side[0])
            elif may_wait and not ring.group.merge.can_go_on(ring.side[0]):
                return False
        try:
            record = reader.next()
            if record is not None and record.sequence > lane.next_sequence:
                _check_jump(record, reader)
        except MalformedMessage as error:
            return self._pass_damage(worker, source, ring, reader, now, error)
        ring.damaged_at = None
        if record is None:
            lane.behind = False
            return False
        if record.sequence < lane.next_sequence:
            self._note(ring, record)  # acknowledged, but the previous engine died before it freed the space
            return True
        if record.sequence > lane.next_sequence:
            events = max(0, record.events_before - ring.done)
            self._accounts.announce_lost(worker, source, ring, record.sequence - 1, events, reader.missing_cause)
        elif record.events_before != ring.done:
            self._accounts.violated(ring, record.events_before)
        return self._apply_record(worker, source, ring, record, now, may_wait=may_wait)

    def _apply_record(
        self, worker: str, source: Source, ring: RingState, record: Record, now: float, *, may_wait: bool
    ) -> bool:
        if ring.held is not None and ring.held[0] == record.sequence:
            batch, made = ring.held[1:]
        else:
            decoded = self._batches.decode(record.data)
            if decoded is None:
                cause = "cannot be decoded"
                self._accounts.announce_lost(worker, source, ring, record.sequence, record.events, cause, record.end)
                return True
            batch, made = decoded
        if ring.begins:
            self.read_sent_before(ring, batch.publish_ns, now)
        if self._applier.apply(source, ring, batch, made, record.data, record.end, may_wait=may_wait):
            return True
        self._applier.wait(ring, batch, made, now)
        return False

    def _pass_damage(
        self, worker: str, source: Source, ring: RingState, reader: RingReader, now: float, error: MalformedMessage
    ) -> bool:
        """Find the next valid record after damage at the tail; announce what is between. True if there is one."""
        dead = source.delivery.dead(now)
        if ring.damaged_at is None:
            ring.damaged_at = now
            self._log.error("ring_damaged", worker=worker, incarnation=reader.incarnation, reason=error.reason)
        if not dead and (now - ring.damaged_at < DAMAGE_S or not reader.plausible):
            return False  # another processor's writes may become visible late; the next commit writes the head again
        mark = reader.committed()
        done = ring.done
        record = reader.find(ring.lane.next_sequence, mark.sequence if mark is not None else _SEQUENCE_MAX)
        cause = f"are damaged: {error.reason}"
        if record is not None:
            if record.sequence > ring.lane.next_sequence:
                start = record.end - ring_layout.record_size(len(record.data))
                events = max(0, record.events_before - done)
                self._accounts.announce_lost(worker, source, ring, record.sequence - 1, events, cause, start)
            # applied here: if the head is damaged and not the record, reading it again would end here again
            return self._apply_record(worker, source, ring, record, now, may_wait=not dead)
        ring.damaged_at = None
        if mark is not None:
            events = max(0, mark.events - done)
            self._accounts.announce_lost(worker, source, ring, mark.sequence, events, cause, mark.head)
        else:
            self._accounts.announce_lost(worker, source, ring, ring.lane.next_sequence, None, cause)
            reader.abandon()
        return False

    def take_fences(self) -> None:
        """Fence what `fences` holds."""
        while self.fences:
            self._fence(*self.fences.popleft(), time.monotonic())

    def _fence(self, worker: str, incarnation: int, now: float) -> None:
        """Fence `incarnation` and all earlier ones: their rings are read to the end and retired."""
        source = self._sources.worker(worker)
        if source is None:
            return
        self.find(now)
        for name in self.entries():
            parsed = ring_layout.parse_ring_name(name)
            if parsed is None or parsed[0] != worker or parsed[1] > incarnation or not self.is_started(*parsed):
                continue
            if source.delivery.wants(parsed[1]):
                # incomplete or unreadable, and its writer is dead
                self._log.warning("ring_removed_unread", worker=worker, incarnation=parsed[1])
                remove_ring(os.path.join(self._run_dir, name))
                self._unreadable.discard(name)
        source.delivery.fence(incarnation)
        self._sources.reading[worker] = source

    def retire(self, worker: str, source: Source, incarnation: int) -> None:
        """Close the account of an incarnation whose ring is read to its end; hand the ring over for removal."""
        ring = source.rings.pop(incarnation)
        source.delivery.retire(incarnation)
        group = ring.group
        self._applier.write_down(group)
        for stream in group.merge.closed(ring.side):
            group.save(stream)
        self._sources.wake_waiting(group)
        reader = ring.reader
        if reader is None:
            return
        mark = reader.committed()
        if mark is None or mark.events != ring.done:
            self._accounts.violated(ring, mark.events if mark is not None else None)
        if reader.unannounced:
            self._accounts.announce_dropped_by_worker(source, ring, reader.unannounced)
        committed = mark.events if mark is not None else ring.done
        account = RingFigures(
            worker=worker,
            incarnation=incarnation,
            capacity_bytes=reader.capacity,
            used_bytes=0,
            committed_events=committed,
            applied_events=ring.applied,
            lost_events=ring.lost,
            redelivered_events=ring.redelivered,
            dropped_events=reader.dropped,
            deduplicated_events=ring.deduplicated,
            superseded_events=ring.superseded,
        )
        reader.close()
        self._on_drained(account, reader.path)


def remove_ring(path: str) -> None:
    """Remove a ring's file."""
    with contextlib.suppress(OSError):
        os.unlink(path)


def _check_jump(record: Record, reader: RingReader) -> None:
    """Raise `MalformedMessage` if the record's sequence is beyond what the worker has committed."""
    mark = reader.committed()
    if mark is not None and record.sequence > mark.sequence:
        raise MalformedMessage(f"ring: batch {record.sequence} follows, where the last is {mark.sequence}")


def _sent_ns(reader: RingReader) -> int | None:
    """Return when the next batch was sent, in nanoseconds since 1970; None if there is none that can be read."""
    try:
        record = reader.next()
        return None if record is None else read_header(record.data).publish_ns
    except MalformedMessage:
        return None


def _try_next(reader: RingReader) -> Record | None:
    try:
        return reader.next()
    except MalformedMessage:
        return None
