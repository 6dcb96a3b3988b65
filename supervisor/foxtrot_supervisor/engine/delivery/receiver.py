"""The engine's end of the data plane: batches in, checked by sequence, stamped, dispatched, counted.

Runs on the EventEngine's dispatch thread. A batch comes over ZeroMQ and stands in its worker's ring: the ring is the
truth, ZeroMQ is quick. What to do with each is `delivery`'s decision; here it is done. What cannot be read is
counted, announced and, as far as it can be read, still delivered: one malformed number costs one event.
"""

from __future__ import annotations

import contextlib
import functools
import os
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
import zmq

from foxtrot_protocol import endpoints, ring_layout
from foxtrot_protocol.child import ChildLog
from foxtrot_protocol.codec import BATCH_BYTES_MAX, Numbers, batch_decoder, read_header
from foxtrot_protocol.commands import BOOK_ATTEMPTS_EACH, SourceCounters
from foxtrot_protocol.errors import MalformedMessage, VersionMismatch
from foxtrot_protocol.events import EVENT_GAP, EVENT_TYPES, Gap
from foxtrot_protocol.framing import Batch
from foxtrot_protocol.ring_layout import Record, RingFigures
from foxtrot_protocol.spec import BookUpdates
from foxtrot_supervisor.engine.bus.event_engine import Event, EventEngine
from foxtrot_supervisor.engine.delivery.book_requests import BookWants
from foxtrot_supervisor.engine.delivery.lanes import Arrival, Delivery, Lane, Origin
from foxtrot_supervisor.engine.delivery.merge import STREAMS_MAX, Admission, StreamMerge
from foxtrot_supervisor.engine.delivery.positions import FILE_NAME as POSITIONS_NAME
from foxtrot_supervisor.engine.delivery.positions import PositionFile
from foxtrot_supervisor.engine.delivery.ring_reader import RingReader
from foxtrot_supervisor.engine.delivery.streams import FoundHole, Side, Stream
from foxtrot_supervisor.engine.delivery.waiting import HOLE_WAIT_S
from foxtrot_supervisor.telemetry.latency import LatencyHistogram

__all__ = ["BATCHES_PER_TURN", "LOOK_S", "WORKERS_MAX", "EventReceiver", "remove_ring"]

BATCHES_PER_TURN = 64
"""Batches handled before the queue and the timer are looked at again."""

WORKERS_MAX = 10_000
"""Different worker names that are accounted for; more cannot come from one supervisor."""

UNSAVED_BATCHES_MAX = 16
"""Batches of one worker applied between two writings of positions; their room in the ring is given back only then."""

UNSAVED_NS = 5_000_000
"""The same by time: for handlers that take long."""

LOOK_S = 0.05
"""How often new rings are looked for, and rings that hold something nobody brought."""

DAMAGE_S = 0.05
"""A record of a living worker that cannot be read is looked at again after so long before it is given up."""

BOOKS_SHOWN = 20
"""Symbols named in the log when their books cannot be had."""

SETTLE_MS = 20
"""At the end, how long an empty socket is given to show that it was not, for a worker without a ring."""

NAME_CHARACTERS_SHOWN = 100
"""Of a worker's name that a refused batch claims."""

_SEQUENCE_MAX = (1 << 64) - 1

NOBODY = Origin()

_stamp = msgspec.structs.force_setattr


OnHole = Callable[[str, FoundHole], None]
"""Told of each hole that was announced, with the connection's name, for whoever can fill it."""


OnBooks = Callable[[str, Sequence[str], int], None]
"""Told of books that handlers cannot know: connection, symbols, and which attempt this is, from 1."""


class _Group:
    """The workers of one connection: their events are merged into one stream of events."""

    def __init__(self, name: str, merge: StreamMerge, save: Callable[[Stream], None]) -> None:
        self.name = name
        self.merge = merge
        self.save = save
        self.told_unmerged = False
        self.pending: _Ring | None = None
        """Whose batches were applied since positions were last written."""
        self.pending_since_ns = 0
        self.unsaved: set[Stream] = set()
        self.unsaved_batches = 0
        self.books = BookWants()
        self.waiting: set[str] = set()
        """Workers whose next batch waits for what another one may bring."""


class _Ring:
    """What is known of one lane beside its place in line: its ring, None where the worker has none; its counts."""

    def __init__(self, worker: str, lane: Lane, reader: RingReader | None, group: _Group, side: Side) -> None:
        self.worker = worker
        self.lane = lane
        self.reader = reader
        self.group = group
        self.side = side
        self.origin = Origin(group.name, worker, side[1])
        self.wait_until: float | None = None
        """The next batch has to wait, until then at the latest."""
        self.held: tuple[int, Batch[Any], Sequence[Gap]] | None = None
        """That batch, by its sequence, decoded."""
        self.applied = 0
        self.deduplicated = 0
        self.superseded = 0
        self.lost = 0
        self.redelivered = 0
        self.redeliver = 0
        """The batch that the engine before had in hand when it died; 0: none."""
        self.damaged_at: float | None = None
        self.violated = False

    @property
    def done(self) -> int:
        """Events of this ring that are accounted for."""
        return self.applied + self.deduplicated + self.superseded + self.lost


class _Source:
    """One worker: its lanes, and what was received from it over all its incarnations."""

    def __init__(self) -> None:
        self.delivery = Delivery()
        self.rings: dict[int, _Ring] = {}
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


class EventReceiver:
    """A source for the EventEngine (`event_engine.EventSource`): the PULL socket that workers push to, their rings."""

    def __init__(
        self,
        context: zmq.Context[zmq.Socket[bytes]],
        endpoint: str,
        numbers: Numbers,
        engine: EventEngine,
        log: ChildLog,
        on_batch: Callable[[bytes], None],
        *,
        run_dir: str,
        on_drained: Callable[[RingFigures, str], None],
        on_hole: OnHole | None = None,
        on_books: OnBooks | None = None,
        ringless: bool = False,
        book_updates: BookUpdates = "snapshot",
    ) -> None:
        """`on_batch` gets the bytes of each batch that is applied (the tap of live events).

        `on_drained` gets the account of a dead incarnation and its ring's path: whoever it is has to remove that
        (`remove_ring`). `on_hole` is told of each hole that is announced, and of those that an engine before has left;
        `on_books` of books that need a snapshot before handlers can follow them, again until that has come.
        All are called on the dispatch thread. `ringless`: accept batches of workers without a ring (benchmarks, tests);
        else a batch counts only if it stands in its worker's ring. `book_updates`: what becomes of updates of books
        that handlers have no snapshot of (`spec.BookUpdates`).
        """
        self._ringless = ringless
        self._engine = engine
        self._numbers: Numbers = numbers
        self._decoder = batch_decoder(numbers)
        self._text_decoder = batch_decoder("text")
        self._sources: dict[str, _Source] = {}
        self._log = log
        self._on_batch = on_batch
        self._on_drained = on_drained
        self._on_hole = on_hole
        self._on_books = on_books
        self._book_updates = book_updates
        self._run_dir = run_dir
        self._fences: deque[tuple[str, int]] = deque()
        self._reading: dict[str, _Source] = {}
        self._unreadable: set[str] = set()
        self._groups: dict[str, _Group] = {}
        self._positions: PositionFile | None = None
        self._unsaved: set[_Group] = set()
        self._begun = False
        self._told_unsaved = False
        self._abandoned = False
        self._holes_wanted = False
        self._look_at = 0.0
        self.events_total = 0
        self.redelivered_total = 0
        self.malformed_total = 0
        self.violations_total = 0
        """Accounts that did not add up."""
        self.last_event: Any = None
        self.origin = NOBODY
        """Whose events are being dispatched, on the dispatch thread."""
        self._socket = context.socket(zmq.PULL)
        self._socket.setsockopt(zmq.RCVHWM, endpoints.DATA_RECEIVE_HWM)
        self._socket.setsockopt(zmq.MAXMSGSIZE, BATCH_BYTES_MAX)
        self._socket.setsockopt(zmq.HANDSHAKE_IVL, endpoints.DATA_HANDSHAKE_MS)
        self._socket.setsockopt(zmq.ZAP_DOMAIN, endpoints.ZAP_DOMAIN)
        self._socket.setsockopt(zmq.LINGER, 0)
        # the kernel's word for who connects, before anything of the peer is read
        self._socket.setsockopt(zmq.IPC_FILTER_UID, os.geteuid())
        self._endpoint = endpoint
        self._bind()
        self._fd = int(self._socket.getsockopt(zmq.FD))

    # ---- as a source

    def fileno(self) -> int:
        return self._fd

    def due(self) -> float:
        return self._look_at

    def pump(self) -> bool:
        if self._abandoned:
            return False
        if not self._begun:
            self._begin(time.monotonic())
        more = self._pump_socket()
        now = time.monotonic()
        if now >= self._look_at:
            self._look_at = now + LOOK_S
            self._keep_files()
            self._find_rings(now)
            for worker, source in self._sources.items():
                # while ZeroMQ still has something, it is not known what it has lost
                if not more or source.delivery.dead(now):
                    self._reading[worker] = source
            for group in self._groups.values():
                for worker in group.waiting:
                    self._reading[worker] = self._sources[worker]
            self._check_accounts()
            self._tell_bounds()
            self._tell_books(now)
            if self._holes_wanted:
                self._holes_wanted = False
                for group in self._groups.values():
                    self._tell_holes_of(group)
        if self._reading:
            more = self._read_rings(now) or more
        self._write_all_down()
        return more

    def finish(self, deadline: float) -> None:
        """Take what is at hand in the socket and every ring; nothing that comes later. `deadline` in monotonic s."""
        if self._abandoned:
            return
        self._look_at = 0.0
        while self.pump() and time.monotonic() < deadline:
            pass
        while self._has_ringless() and self._socket.poll(SETTLE_MS) and time.monotonic() < deadline:
            self.pump()
        # what waits for another worker is given up only when that has nothing more
        for may_wait in (True, False):
            for _ in range(len(self._sources)):
                for worker, source in self._sources.items():
                    while time.monotonic() < deadline and self._read_ring(
                        worker, source, time.monotonic(), all_of_it=True, may_wait=may_wait
                    ):
                        pass
        self._write_all_down()

    # ---- from other threads

    def tell_holes(self) -> None:
        """Tell `on_hole` of every open hole once more, within `LOOK_S`: for a supervisor that knows of none."""
        self._holes_wanted = True

    def abandon(self) -> None:
        """Take nothing more: the run directory goes, though the dispatch thread has not come back."""
        self._abandoned = True

    def fence(self, worker: str, incarnation: int) -> None:
        """`incarnation` and older ones are dead: what their rings hold is applied, what comes after that is late."""
        self._fences.append((worker, incarnation))
        self._engine.wake()

    def accounts(self, now: float) -> dict[str, SourceCounters]:
        """The account of each worker, for the heartbeat; `now` in monotonic seconds."""
        counters = {}
        for worker, source in list(self._sources.items()):
            source.latency.rotate(now)
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
            )
        return counters

    def close(self) -> None:
        """Close the socket, unmap the rings; only after the dispatch thread has ended."""
        self._socket.close(linger=0)
        for source in self._sources.values():
            for ring in source.rings.values():
                if ring.reader is not None:
                    ring.reader.close()
        if self._positions is not None:
            self._positions.close()
            self._positions = None

    # ---- what ZeroMQ brings

    def _pump_socket(self) -> bool:
        receive = self._socket.recv
        try:
            for _ in range(BATCHES_PER_TURN):
                if self._abandoned:
                    return False
                while self._fences:  # what comes after the word of a death is late
                    self._take_fence(*self._fences.popleft(), time.monotonic())
                self._receive(receive(zmq.NOBLOCK))
        except zmq.Again:
            return False
        return True

    def _receive(self, data: bytes) -> None:
        decoded = self._decode(data)
        if decoded is None:
            return
        batch, made = decoded
        now = time.monotonic()
        incarnation, sequence = batch.incarnation, batch.sequence
        source = self._sources.get(batch.worker)
        if source is None or source.delivery.wants(incarnation):
            source = self._meet(batch.worker, incarnation, now)
            if source is None:
                self._refuse(batch)
                return
        arrival = source.delivery.arrived(incarnation, sequence, now)
        if arrival is Arrival.APPLY:
            ring = source.rings[incarnation]
            reader = ring.reader
            if reader is None:
                self._apply_ringless(source, ring, batch, made, data)
                return
            end = reader.holds(sequence, data)
            if end is None:
                # forged, or the ring is damaged here: what it holds is read from it
                self._refuse(batch)
            elif self._apply(source, ring, batch, made, data, end, may_wait=True):
                return
            else:
                # it stands in its ring: it is read there when it may go on, and so is what comes after it
                self._wait(ring, batch, made, now)
            ring.lane.behind = True
            self._reading[batch.worker] = source
        elif arrival is Arrival.IN_RING:
            self._reading[batch.worker] = source
        else:
            source.late_total += len(batch.events)

    def _refuse(self, batch: Batch[Any]) -> None:
        """Drop and count a batch that stands in no ring: no worker of this run has committed it."""
        self.malformed_total += 1
        self._log.error(
            "batch_refused",
            source=batch.worker[:NAME_CHARACTERS_SHOWN],
            incarnation=batch.incarnation,
            sequence=batch.sequence,
            reason="it does not stand in the ring of that worker",
        )

    def _apply_ringless(
        self, source: _Source, ring: _Ring, batch: Batch[Any], made: Sequence[Gap], data: bytes
    ) -> None:
        missing = batch.sequence - ring.lane.next_sequence
        if missing:
            what = f"{missing} did not arrive"
            self._announce_lost(batch.worker, source, ring, batch.sequence - 1, None, what)
        self._apply(source, ring, batch, made, data, 0, may_wait=False)

    def _meet(self, worker: str, incarnation: int, now: float) -> _Source | None:
        """Open the lane of an incarnation that a message names; None if it has no ring.

        What a message names is not believed: nothing is remembered of a worker without a ring.
        """
        known = self._sources.get(worker)
        if known is None:
            if not self._ringless and not (
                ring_layout.is_worker_name(worker)
                and os.path.lexists(os.path.join(self._run_dir, ring_layout.ring_name(worker, incarnation)))
            ):
                return None
            known = self._source(worker)
        if known is None or self._open_ring(worker, known, incarnation, now):
            return known
        if not self._ringless:
            return None
        self._meet_ringless(worker, known, incarnation, now)
        return known

    def _meet_ringless(self, worker: str, source: _Source, incarnation: int, now: float) -> None:
        # without a ring nothing can be held back: all before it come first, at once
        for older in sorted(source.rings):
            self._read_to_the_end(worker, source, now)
            if older in source.rings:
                self._retire(worker, source, older)
        lane = source.delivery.open(incarnation, 1, has_ring=False, now=now)
        group = self._group("", worker, {})
        ring = source.rings[incarnation] = _Ring(worker, lane, None, group, ("", incarnation))
        group.merge.opened(ring.side)

    def _group(self, connection: str, worker: str, rules: Mapping[str, str]) -> _Group:
        """The connection's group; a worker that names none is one of its own."""
        key = connection or f" {worker}"
        group = self._groups.get(key)
        if group is None:
            positions = self._positions
            save = functools.partial(positions.save, key) if positions is not None else _nowhere
            merge = StreamMerge(rules, deliver_updates=self._book_updates == "deliver")
            group = self._groups[key] = _Group(connection or worker, merge, save)
            for stream in positions.restored(key) if positions is not None else ():
                group.merge.restore(stream)
                if stream.state.unseen:  # if this engine dies too, the next one knows that the book was not shown
                    save(stream)
            self._tell_holes_of(group)
        elif rules:
            group.merge.follow(rules)
        return group

    def _tell_holes_of(self, group: _Group) -> None:
        if self._on_hole is not None:
            for hole in group.merge.open_holes():
                self._on_hole(group.name, hole)

    # ---- applying

    def _apply(
        self,
        source: _Source,
        ring: _Ring,
        batch: Batch[Any],
        made: Sequence[Gap],
        data: bytes,
        end: int,
        *,
        may_wait: bool,
    ) -> bool:
        """The next batch of a lane, to the handlers; `end`: position behind it in its ring. False: it has to wait."""
        sequence, events = batch.sequence, batch.events
        reader = ring.reader
        merge = ring.group.merge
        started_ns = time.time_ns()
        publish_ns = batch.publish_ns
        for event in events:
            _stamp(event, "publish_ns", publish_ns)
        again = sequence == ring.redeliver
        if again:
            for event in events:
                _stamp(event, "redelivered", True)
        admission = merge.admit(ring.side, events, may_wait=may_wait and not again)
        if admission is None:
            return False
        if reader is not None:
            reader.taking(sequence)
        given = admission.events
        self.origin = ring.origin
        self._engine.dispatch_batch(given)
        self.origin = NOBODY
        self._count(source, ring, batch, made, admission, again=again)
        ring.lane.next_sequence = sequence + 1
        if reader is not None:
            reader.mark(sequence, ring.applied, ring.lost, ring.redelivered, ring.deduplicated, ring.superseded)
        # if this breaks off, the successor makes it up from the record, whose room is given back last of all
        self._keep(ring, merge.settle(), end, started_ns)
        if merge.demoted:
            self._tell_demoted(source, ring, merge)
        self._tell_holes(ring.group, admission)
        self._go_on(ring)
        self._tap(data, batch, admission)
        if given:
            ended_ns = time.time_ns()
            count = len(given)
            self.events_total += count
            self.last_event = given[-1]
            source.latency.record(started_ns - given[-1].receive_ns, count)
            self._engine.dispatch_latency.record((ended_ns - started_ns) // count, count)
        return True

    def _count(
        self,
        source: _Source,
        ring: _Ring,
        batch: Batch[Any],
        made: Sequence[Gap],
        admission: Admission,
        *,
        again: bool,
    ) -> None:
        """Each event of the batch is applied, a copy, or lost. A gap in the place of one (`made`) is lost."""
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
        ring.deduplicated += copies
        ring.superseded += admission.superseded
        ring.lost += lost
        source.applied_total += applied
        source.deduplicated_total += copies
        source.superseded_total += admission.superseded
        source.lost_total += lost
        if ring.group.merge.sides_open > 1:
            source.wins_total += applied
        if again:
            ring.redelivered += applied
            self.redelivered_total += applied
        for event in admission.events:
            if event.__class__ is Gap and not event.filled:
                source.gaps_total += 1

    def _keep(self, ring: _Ring, streams: list[Stream], end: int, now_ns: int) -> None:
        """Positions are to be written before the record's room is given back; not after each batch, which would cost.

        Batches whose positions are not written yet are all in one ring of the group: a successor makes them up from
        there, in their order.
        """
        group = ring.group
        if group.pending is not ring:
            self._write_down(group)
            group.pending = ring
            group.pending_since_ns = now_ns
        group.unsaved.update(streams)
        if ring.reader is not None:
            ring.reader.advance(end)
        group.unsaved_batches += 1
        if group.unsaved_batches >= UNSAVED_BATCHES_MAX or now_ns - group.pending_since_ns >= UNSAVED_NS:
            self._write_down(group)
        else:
            self._unsaved.add(group)

    def _write_down(self, group: _Group) -> None:
        """Positions of what was applied, then the room of it."""
        for stream in group.unsaved:
            group.save(stream)
        group.unsaved.clear()
        group.unsaved_batches = 0
        if group.pending is not None and group.pending.reader is not None:
            group.pending.reader.release()
        group.pending = None
        self._unsaved.discard(group)

    def _write_all_down(self) -> None:
        for group in list(self._unsaved):
            self._write_down(group)

    def _tell_holes(self, group: _Group, admission: Admission | None) -> None:
        if admission is not None and self._on_hole is not None:
            for hole in admission.holes:
                self._on_hole(group.name, hole)

    def _tell_demoted(self, source: _Source, ring: _Ring, merge: StreamMerge) -> None:
        """Count and log streams whose identifiers leap, though their rule says that they do not."""
        for stream in merge.demoted:
            source.demoted_total += 1
            self._log.warning(
                "stream_demoted",
                connection=ring.group.name,
                source=ring.worker,
                stream=stream.key.kind,
                symbol=stream.key.symbol,
            )
        merge.demoted.clear()

    def _tap(self, data: bytes, batch: Batch[Any], admission: Admission) -> None:
        """What handlers were given, to whoever looks on: their numbers as they came, and the gaps that we made."""
        if admission.kept is None:
            self._on_batch(data)
        elif admission.events:
            text_batch = self._text_decoder.decode(data)
            texts = {id(batch.events[place]): text_batch.events[place] for place in admission.kept}
            events = []
            for event in admission.events:
                text = texts.get(id(event), event)
                if text is not event and event.__class__ is text.__class__:
                    _stamp(text, "backfilled", event.backfilled)
                    events.append(text)
                else:
                    events.append(event)
            self._on_batch(msgspec.msgpack.encode(msgspec.structs.replace(text_batch, events=events)))

    def _wait(self, ring: _Ring, batch: Batch[Any], made: Sequence[Gap], now: float) -> None:
        """The next batch of this lane has to wait for another worker."""
        ring.held = (batch.sequence, batch, made)
        if ring.wait_until is None:
            ring.wait_until = now + HOLE_WAIT_S
        ring.group.waiting.add(ring.worker)
        self._wake_waiting(ring.group)

    def _go_on(self, ring: _Ring) -> None:
        """A batch of this lane was applied: others may have waited for it."""
        group = ring.group
        if ring.wait_until is not None:
            ring.wait_until = ring.held = None
            group.waiting.discard(ring.worker)
        if group.waiting:
            self._wake_waiting(group)

    def _wake_waiting(self, group: _Group) -> None:
        for worker in group.waiting:
            self._reading[worker] = self._sources[worker]

    def _decode(self, data: bytes) -> tuple[Batch[Any], Sequence[Gap]] | None:
        """A batch, and the gaps in it that stand for what cannot be read; None, counted, if nothing can."""
        try:
            return self._decoder.decode(data), ()
        except VersionMismatch as error:
            self.malformed_total += 1
            self._log.error("batch_of_other_version", reason=str(error))
            return None
        except MalformedMessage as error:
            return self._salvage(data, error)

    def _salvage(self, data: bytes, error: MalformedMessage) -> tuple[Batch[Any], Sequence[Gap]] | None:
        """A batch with a number that is none: keep its other events, say which is lost."""
        self.malformed_total += 1
        try:
            text_batch = self._text_decoder.decode(data)
        except (MalformedMessage, VersionMismatch):
            self._log.error("batch_malformed", reason=str(error), source=_sender_of(data))
            return None
        events: list[Any] = []
        made: list[Gap] = []
        for event in text_batch.events:
            single = msgspec.structs.replace(text_batch, events=[event])
            try:
                events.extend(self._decoder.decode(msgspec.msgpack.encode(single)).events)
            except MalformedMessage as reason:
                made.append(_gap_for(event, text_batch.worker))
                events.append(made[-1])
                self._log.error("event_rejected", source=text_batch.worker, reason=str(reason), sample=event)
        return msgspec.structs.replace(text_batch, events=events), made

    # ---- what an engine before has left

    def _begin(self, now: float) -> None:
        """Take up the positions, then, before anything else, what the engine before had in hand."""
        self._begun = True
        try:
            self._positions = PositionFile.open(self._run_dir)
        except OSError as error:
            self._log.error("positions_unusable", reason=str(error))
        else:
            if self._positions.damage:
                self._log.error("positions_damaged", reason=self._positions.damage)
        self._find_rings(now)
        rings = [ring for source in self._sources.values() for ring in source.rings.values()]
        for ring in rings:
            self._take_up(ring)
        for ring in rings:
            if ring.redeliver and ring.reader is not None:
                self._read_record(ring.worker, self._sources[ring.worker], ring, ring.reader, now, may_wait=False)
        for group in self._groups.values():
            for side in group.merge.absent():
                for stream in group.merge.closed(side):
                    group.save(stream)

    def _take_up(self, ring: _Ring) -> None:
        """Batches that are done with and whose positions were perhaps not written any more."""
        reader = ring.reader
        while reader is not None and (record := _try_next(reader)) is not None:
            if record.sequence >= ring.lane.next_sequence:
                return
            self._note(ring, record)

    def _note(self, ring: _Ring, record: Record) -> None:
        """Handlers have had this batch: the same decisions again, of which only positions come."""
        assert ring.reader is not None
        decoded = self._decode(record.data)
        if decoded is not None:
            admission, streams = ring.group.merge.note(ring.side, decoded[0].events)
            for stream in streams:
                ring.group.save(stream)
            self._tell_holes(ring.group, admission)
        ring.reader.skip(record.end)

    # ---- the run directory, which may be removed while it is in use

    def _bind(self) -> None:
        self._socket.bind(self._endpoint)
        if self._endpoint.startswith("ipc://"):
            os.chmod(endpoints.ipc_path(self._endpoint), 0o600)

    def _entries(self) -> list[str]:
        """Names in the run directory; none while it is missing: what is mapped is read all the same."""
        try:
            return os.listdir(self._run_dir)
        except OSError:
            return []

    def _keep_files(self) -> None:
        """Make the data socket and the file of positions again if they were removed from a directory that exists."""
        names = self._entries()
        socket_path = endpoints.ipc_path(self._endpoint)
        in_run_dir = os.path.dirname(socket_path) == self._run_dir
        try:
            if in_run_dir and os.path.isdir(self._run_dir) and os.path.basename(socket_path) not in names:
                self._bind()  # beside the old one: connections that exist stay
                self._log.error("file_made_again", path=socket_path, reason="it was removed while in use")
            if self._positions is not None and names and POSITIONS_NAME not in names:
                self._positions.renew(self._run_dir)
                self._log.error("file_made_again", path=POSITIONS_NAME, reason="it was removed while in use")
        except (OSError, zmq.ZMQError):
            pass  # the directory is being made again: tried at the next look

    # ---- what stands in rings

    def _find_rings(self, now: float) -> None:
        for name in self._entries():
            parsed = ring_layout.parse_ring_name(name)
            if parsed is None:
                continue
            worker, incarnation = parsed
            source = self._source(worker)
            if source is not None and source.delivery.wants(incarnation):
                self._open_ring(worker, source, incarnation, now)

    def _open_ring(self, worker: str, source: _Source, incarnation: int, now: float) -> bool:
        name = ring_layout.ring_name(worker, incarnation)
        if name in self._unreadable:
            return False
        try:
            reader = RingReader.open(self._run_dir, worker, incarnation)
        except (MalformedMessage, OSError) as error:
            self._unreadable.add(name)
            source.gaps_total += 1
            self._log.error("ring_unreadable", source=worker, incarnation=incarnation, reason=str(error))
            self._announce(Gap("", "", 0, time.time_ns(), "", None, None, 0, 0, f"{name} cannot be read: {error}"))
            return False
        if reader is None:
            return False
        lane = source.delivery.open(incarnation, 1, has_ring=True, now=now)
        identity = reader.identity
        group = self._group(identity.connection, worker, identity.rules)
        ring = source.rings[incarnation] = _Ring(worker, lane, reader, group, (identity.side, incarnation))
        group.merge.opened(ring.side)
        self._resume(worker, ring, reader)
        self._reading[worker] = source
        return True

    def _resume(self, worker: str, ring: _Ring, reader: RingReader) -> None:
        """Go on where the engine before has stopped."""
        done = reader.applied()
        if done is None:
            # its own words are damaged: what stands at the tail is the best that is known
            self._log.error("ring_mark_damaged", source=worker, incarnation=reader.incarnation)
            record = _try_next(reader)
            if record is not None:
                ring.applied, ring.lane.next_sequence = record.events_before, record.sequence
            return
        ring.applied, ring.deduplicated, ring.lost = done.applied, done.deduplicated, done.lost
        ring.superseded = done.superseded
        ring.redelivered = done.redelivered
        ring.lane.next_sequence = done.sequence + 1
        if reader.in_hand > done.sequence:
            ring.redeliver = reader.in_hand

    def _read_rings(self, now: float) -> bool:
        """A bounded amount from each ring that is to be read; True if there is more."""
        for worker, source in list(self._reading.items()):
            if not self._read_ring(worker, source, now):
                del self._reading[worker]
        return bool(self._reading)

    def _read_ring(
        self, worker: str, source: _Source, now: float, *, all_of_it: bool = False, may_wait: bool = True
    ) -> bool:
        """Read the current lane's ring, if that is due; retire it if it is dead and read. True if there is more."""
        delivery = source.delivery
        incarnation = delivery.current()
        if incarnation is None:
            return False
        ring = source.rings[incarnation]
        reader = ring.reader
        if reader is not None:
            if not all_of_it and not delivery.reads(now, empty=reader.empty):
                return False
            for _ in range(BATCHES_PER_TURN):
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
        if delivery.overdue(now):
            self._log.warning("fence_missing", source=worker, incarnation=incarnation)
        self._retire(worker, source, incarnation)
        return True

    def _read_to_the_end(self, worker: str, source: _Source, now: float) -> None:
        current = source.delivery.current()
        while current is not None and source.delivery.current() == current:
            if not self._read_ring(worker, source, now, all_of_it=True, may_wait=False):
                return

    def _read_record(
        self, worker: str, source: _Source, ring: _Ring, reader: RingReader, now: float, *, may_wait: bool
    ) -> bool:
        """The next record of a ring; False if there is none, or none that can be read now."""
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
            self._note(ring, record)  # done with, but the engine before died just then
            return True
        if record.sequence > lane.next_sequence:
            events = max(0, record.events_before - ring.done)
            self._announce_lost(worker, source, ring, record.sequence - 1, events, "do not stand in the ring")
        elif record.events_before != ring.done:
            self._violated(ring, record.events_before)
        return self._apply_record(worker, source, ring, record, now, may_wait=may_wait)

    def _apply_record(
        self, worker: str, source: _Source, ring: _Ring, record: Record, now: float, *, may_wait: bool
    ) -> bool:
        if ring.held is not None and ring.held[0] == record.sequence:
            batch, made = ring.held[1:]
        else:
            decoded = self._decode(record.data)
            if decoded is None:
                cause = "cannot be decoded"
                self._announce_lost(worker, source, ring, record.sequence, record.events, cause, record.end)
                return True
            batch, made = decoded
        if self._apply(source, ring, batch, made, record.data, record.end, may_wait=may_wait):
            return True
        self._wait(ring, batch, made, now)
        return False

    def _pass_damage(
        self, worker: str, source: _Source, ring: _Ring, reader: RingReader, now: float, error: MalformedMessage
    ) -> bool:
        """The record at the tail is damaged: find the next good one, announce what is between. True if there is one."""
        dead = source.delivery.dead(now)
        if ring.damaged_at is None:
            ring.damaged_at = now
            self._log.error("ring_damaged", source=worker, incarnation=reader.incarnation, reason=error.reason)
        if not dead and (now - ring.damaged_at < DAMAGE_S or not reader.plausible):
            return False  # another processor's writes may come late; the next commit writes the head anew
        mark = reader.committed()
        done = ring.done
        record = reader.find(ring.lane.next_sequence, mark.sequence if mark is not None else _SEQUENCE_MAX)
        cause = f"are damaged: {error.reason}"
        if record is not None:
            if record.sequence > ring.lane.next_sequence:
                start = record.end - ring_layout.record_size(len(record.data))
                events = max(0, record.events_before - done)
                self._announce_lost(worker, source, ring, record.sequence - 1, events, cause, start)
            # applied here: where the head is damaged and not the record, reading would only come here again
            return self._apply_record(worker, source, ring, record, now, may_wait=not dead)
        ring.damaged_at = None
        if mark is not None:
            events = max(0, mark.events - done)
            self._announce_lost(worker, source, ring, mark.sequence, events, cause, mark.head)
        else:
            self._announce_lost(worker, source, ring, ring.lane.next_sequence, None, cause)
            reader.abandon()
        return False

    # ---- the end of an incarnation

    def _take_fence(self, worker: str, incarnation: int, now: float) -> None:
        source = self._source(worker)
        if source is None:
            return
        self._find_rings(now)
        for name in self._entries():
            parsed = ring_layout.parse_ring_name(name)
            if parsed is None or parsed[0] != worker or parsed[1] > incarnation:
                continue
            if source.delivery.wants(parsed[1]):
                # never finished, or unreadable: nobody can read it, nobody writes it any more
                self._log.warning("ring_removed_unread", source=worker, incarnation=parsed[1])
                remove_ring(os.path.join(self._run_dir, name))
                self._unreadable.discard(name)
        source.delivery.fence(incarnation)
        self._reading[worker] = source

    def _retire(self, worker: str, source: _Source, incarnation: int) -> None:
        """Everything of this incarnation is done with."""
        ring = source.rings.pop(incarnation)
        source.delivery.retire(incarnation)
        group = ring.group
        self._write_down(group)
        for stream in group.merge.closed(ring.side):
            group.save(stream)
        self._wake_waiting(group)
        reader = ring.reader
        if reader is None:
            return
        mark = reader.committed()
        if mark is None or mark.events != ring.done:
            self._violated(ring, mark.events if mark is not None else None)
        if reader.unannounced:
            self._announce_dropped_by_worker(source, ring, reader.unannounced)
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

    def _tell_bounds(self) -> None:
        """Streams beyond a bound are passed on, yet not as safely as promised: said once a connection."""
        unsaved = self._positions.unsaved_total if self._positions is not None else 0
        for group in self._groups.values():
            if group.merge.unmerged_total and not group.told_unmerged:
                group.told_unmerged = True
                self._log.error("streams_unmerged", connection=group.name, bound=STREAMS_MAX)
        if unsaved and not self._told_unsaved:
            self._told_unsaved = True
            self._log.error("positions_unsaved", streams=unsaved)

    def _tell_books(self, now: float) -> None:
        """Ask for the books that handlers cannot know."""
        if self._on_books is None:
            return
        for group in self._groups.values():
            if group.books.due(now):
                symbols = group.merge.unknown_books()
                attempt = group.books.look(symbols, now)
                if attempt > BOOK_ATTEMPTS_EACH:
                    shown = ", ".join(symbols[:BOOKS_SHOWN])
                    self._log.warning("books_unknown", connection=group.name, count=len(symbols), symbols=shown)
                if attempt:
                    self._on_books(group.name, symbols, attempt)

    # ---- accounts

    def _check_accounts(self) -> None:
        """Committed = applied + copies + superseded + announced as lost, of every ring that is read to its end."""
        for source in self._sources.values():
            for ring in source.rings.values():
                reader = ring.reader
                if reader is None or ring.violated or not reader.empty:
                    continue
                mark = reader.committed()
                if mark is not None and mark.head == reader.tail and mark.events != ring.done:
                    self._violated(ring, mark.events)

    def _violated(self, ring: _Ring, committed: int | None) -> None:
        """The account does not add up: an error of ours, or damage that nothing else has noticed. Told once a ring."""
        if ring.violated:
            return
        ring.violated = True
        self.violations_total += 1
        incarnation = ring.side[1]
        self._log.error(
            "account_violated",
            source=ring.worker,
            incarnation=incarnation,
            committed=committed if committed is not None else "unreadable",
            applied=ring.applied,
            deduplicated=ring.deduplicated,
            superseded=ring.superseded,
            lost=ring.lost,
        )
        cause = (
            f"the account of {ring.worker}#{incarnation} does not add up: {committed} committed, {ring.done} done with"
        )
        self._announce(Gap("", "", 0, time.time_ns(), "", None, None, 0, 0, cause))

    # ---- what is missing

    def _announce_lost(
        self,
        worker: str,
        source: _Source,
        ring: _Ring,
        last: int,
        events: int | None,
        what: str,
        end: int | None = None,
    ) -> None:
        """Announce that batches up to `last` will never come.

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
        self._log.error("batches_lost", source=worker, incarnation=incarnation, first=first, last=last, reason=what)
        cause = f"batches {first} to {last} of {worker}#{incarnation} {what}"
        self._announce(Gap("", "", 0, time.time_ns(), "", None, None, 0, 0, cause))
        if ring.reader is not None:
            reader = ring.reader
            position = reader.tail if end is None else end
            reader.took(last, position, ring.applied, ring.lost, ring.redelivered, ring.deduplicated, ring.superseded)

    def _announce_dropped_by_worker(self, source: _Source, ring: _Ring, events: int) -> None:
        """A worker died before it could commit the gaps of what it had dropped: only their number is known."""
        incarnation = ring.side[1]
        source.gaps_total += 1
        self._log.error("events_unannounced", source=ring.worker, incarnation=incarnation, events=events)
        cause = f"{events} events of {ring.worker}#{incarnation} found no room in its ring before it ended"
        self._announce(Gap("", "", 0, time.time_ns(), "", None, None, 0, 0, cause))

    def _announce(self, gap: Gap) -> None:
        self._engine.dispatch(Event(EVENT_GAP, gap))

    # ---- sources

    def _source(self, worker: str) -> _Source | None:
        source = self._sources.get(worker)
        if source is None and len(self._sources) < WORKERS_MAX and ring_layout.is_worker_name(worker):
            source = self._sources[worker] = _Source()
        return source

    def _has_ringless(self) -> bool:
        return self._ringless and any(
            ring.reader is None for source in self._sources.values() for ring in source.rings.values()
        )


def _nowhere(stream: Stream) -> None:
    """Where there is no file of positions."""


def _gap_for(event: Any, worker: str) -> Gap:
    """An event with a number that is none is lost to handlers of this number type: says which."""
    identifier = getattr(event, "trade_id", None)
    first, last = getattr(event, "first_id", identifier), getattr(event, "last_id", identifier)
    at = event.receive_ns
    cause = f"an event of {worker} has a number that is none"
    return Gap(event.exchange, event.symbol, 0, at, EVENT_TYPES[type(event)], first, last, at, at, cause)


def remove_ring(path: str) -> None:
    """Take a ring's file away."""
    with contextlib.suppress(OSError):
        os.unlink(path)


def _check_jump(record: Record, reader: RingReader) -> None:
    """Raise `MalformedMessage` if the record's sequence is beyond what the worker has committed."""
    mark = reader.committed()
    if mark is not None and record.sequence > mark.sequence:
        raise MalformedMessage(f"ring: batch {record.sequence} follows, where the last is {mark.sequence}")


def _try_next(reader: RingReader) -> Record | None:
    try:
        return reader.next()
    except MalformedMessage:
        return None


def _sender_of(data: bytes) -> str:
    try:
        header = read_header(data)
    except MalformedMessage:
        return "unknown"
    return f"{header.worker}#{header.incarnation}"
