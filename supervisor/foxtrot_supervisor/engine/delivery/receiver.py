"""The engine's end of the data plane: a source of the EventEngine that reads the socket and the rings.

Runs on the EventEngine's dispatch thread. A batch comes over ZeroMQ, which is quick, and is in its worker's ring,
which is reliable. `lanes` decides what to do with each; `decode`, `apply`, `rings` and `accounts` do it.
"""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

import zmq

from foxtrot_protocol import endpoints, ring_layout
from foxtrot_protocol.child import ChildLog
from foxtrot_protocol.codec import BATCH_BYTES_MAX, Numbers
from foxtrot_protocol.commands import BOOK_ATTEMPTS_EACH, SourceCounters
from foxtrot_protocol.events import Gap
from foxtrot_protocol.framing import Batch
from foxtrot_protocol.ring_layout import RingFigures
from foxtrot_protocol.spec import BookUpdates
from foxtrot_supervisor.engine.bus.event_engine import EventEngine
from foxtrot_supervisor.engine.delivery.accounts import Accounts
from foxtrot_supervisor.engine.delivery.apply import BatchApplier
from foxtrot_supervisor.engine.delivery.decode import BatchReader
from foxtrot_supervisor.engine.delivery.lanes import Arrival
from foxtrot_supervisor.engine.delivery.merge import STREAMS_MAX
from foxtrot_supervisor.engine.delivery.positions import FILE_NAME as POSITIONS_NAME
from foxtrot_supervisor.engine.delivery.rings import BATCHES_PER_TURN, Rings, remove_ring
from foxtrot_supervisor.engine.delivery.sources import WORKERS_MAX, OnBooks, OnHole, RingState, Source, Sources
from foxtrot_supervisor.engine.delivery.started import StartedWorkers

__all__ = ["BATCHES_PER_TURN", "LOOK_S", "WORKERS_MAX", "EventReceiver", "remove_ring"]

LOOK_S = 0.05
"""Interval at which new rings are opened, and rings checked for batches that ZeroMQ has not brought."""

BOOKS_SHOWN = 20
"""Symbols named in the log when their books stay unknown."""

SETTLE_MS = 20
"""At the end, wait for further batches of workers without a ring."""

NAME_CHARACTERS_SHOWN = 100
"""Characters logged of the worker's name in a refused batch."""


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
        started: StartedWorkers | None = None,
    ) -> None:
        """Bind `endpoint`. Every callback is called on the dispatch thread.

        `on_batch` gets the bytes of each batch that is applied (the tap of live events). `on_drained` gets the account
        of a dead incarnation and its ring's path: the callee owns the file and must delete it (`remove_ring`).
        `on_hole` gets each hole that is announced, and those that a previous engine left open; `on_books` books that
        need a snapshot, again until it has come. `ringless`: accept batches of workers without a ring (benchmarks,
        tests); else a batch counts only if it stands in its worker's ring. `book_updates`: what becomes of updates of
        books that handlers have no snapshot of (`spec.BookUpdates`). `started`: workers whose rings are read, nothing
        before it is complete; None: those of all.
        """
        self._ringless = ringless
        self._engine = engine
        self._log = log
        self._on_books = on_books
        self._run_dir = run_dir
        self._batches = BatchReader(numbers, log)
        self.sources = Sources(book_updates, on_hole)
        self.applier = BatchApplier(engine, self.sources, self._batches, log, on_batch=on_batch, on_hole=on_hole)
        self._accounts = Accounts(engine, self.sources, log, self.applier.write_down)
        self._rings = Rings(
            run_dir, self.sources, self._batches, self.applier, self._accounts, log, on_drained, started
        )
        self._fences: deque[tuple[str, int]] = deque()
        self._started = started
        self._begun = False
        self._unsaved_reported = False
        self._abandoned = False
        self._holes_wanted = False
        self._look_at = 0.0
        self._socket = context.socket(zmq.PULL)
        self._socket.setsockopt(zmq.RCVHWM, endpoints.DATA_RECEIVE_HWM)
        self._socket.setsockopt(zmq.MAXMSGSIZE, BATCH_BYTES_MAX)
        self._socket.setsockopt(zmq.HANDSHAKE_IVL, endpoints.DATA_HANDSHAKE_MS)
        self._socket.setsockopt(zmq.ZAP_DOMAIN, endpoints.ZAP_DOMAIN)
        self._socket.setsockopt(zmq.LINGER, 0)
        # the kernel checks the peer's uid before anything of it is read
        self._socket.setsockopt(zmq.IPC_FILTER_UID, os.geteuid())
        self._endpoint = endpoint
        self._bind()
        self._fd = int(self._socket.getsockopt(zmq.FD))

    @property
    def events_total(self) -> int:
        """Events given to handlers."""
        return self.applier.events_total

    @property
    def redelivered_total(self) -> int:
        """Events given again after a previous engine died while handling them."""
        return self.applier.redelivered_total

    @property
    def malformed_total(self) -> int:
        """Batches that could not be decoded, or were refused."""
        return self._batches.malformed_total

    @property
    def violations_total(self) -> int:
        """Accounts that did not add up."""
        return self._accounts.violations_total

    @property
    def last_event(self) -> Any:
        """The latest event given to handlers, None before the first."""
        return self.applier.last_event

    # ---- as a source

    def fileno(self) -> int:
        return self._fd

    def due(self) -> float:
        return self._look_at

    def pump(self) -> bool:
        if self._abandoned:
            return False
        if not self._begun:
            if self._started is not None and not self._started.is_complete:
                self._socket.getsockopt(zmq.EVENTS)  # else its descriptor stays readable
                self._look_at = time.monotonic() + LOOK_S
                return False
            self._begun = True
            self._rings.begin(time.monotonic())
        more = self._pump_socket()
        now = time.monotonic()
        if now >= self._look_at:
            self._look_at = now + LOOK_S
            self._keep_files()
            self._rings.find(now)
            for worker, source in self.sources.workers.items():
                # while ZeroMQ still has something, it is not known what it has lost
                if not more or source.delivery.dead(now):
                    self.sources.reading[worker] = source
            for group in self.sources.groups.values():
                for worker in group.waiting:
                    self.sources.reading[worker] = self.sources.workers[worker]
            self._accounts.check()
            self._report_bounds()
            self._request_books(now)
            if self._holes_wanted:
                self._holes_wanted = False
                for group in self.sources.groups.values():
                    self.sources.report_open_holes(group)
        if self.sources.reading:
            more = self._rings.read_some(now) or more
        self.applier.write_all_down()
        return more

    def finish(self, deadline: float) -> None:
        """Apply what the socket and every ring hold now, nothing that comes later. `deadline` in monotonic seconds."""
        if self._abandoned:
            return
        self._look_at = 0.0
        while self.pump() and time.monotonic() < deadline:
            pass
        while (
            self._ringless
            and self.sources.has_ringless()
            and self._socket.poll(SETTLE_MS)
            and time.monotonic() < deadline
        ):
            self.pump()
        # batches stop waiting for another worker only when that one has nothing more
        for may_wait in (True, False):
            for _ in range(len(self.sources.workers)):
                for worker, source in self.sources.workers.items():
                    while time.monotonic() < deadline and self._rings.read(
                        worker, source, time.monotonic(), all_of_it=True, may_wait=may_wait
                    ):
                        pass
        self.applier.write_all_down()

    # ---- from other threads

    def report_open_holes(self) -> None:
        """Report every open hole to `on_hole` again within `LOOK_S`, for a new supervisor."""
        self._holes_wanted = True

    def abandon(self) -> None:
        """Read nothing more: the run directory is removed although the dispatch thread has not returned."""
        self._abandoned = True

    def fence(self, worker: str, incarnation: int) -> None:
        """Fence `incarnation` and earlier ones: their rings are read to the end, what comes later is late."""
        self._fences.append((worker, incarnation))
        self._engine.wake()

    def accounts(self, now: float) -> dict[str, SourceCounters]:
        """The counters of each worker, for the heartbeat; `now` in monotonic seconds."""
        return self._accounts.counters(now)

    def close(self) -> None:
        """Close the socket, unmap the rings; only after the dispatch thread has ended."""
        self._socket.close(linger=0)
        self.sources.close()

    # ---- what ZeroMQ brings

    def _pump_socket(self) -> bool:
        receive = self._socket.recv
        try:
            for _ in range(BATCHES_PER_TURN):
                if self._abandoned:
                    return False
                while self._fences:  # what comes after a fence is late
                    self._rings.fence(*self._fences.popleft(), time.monotonic())
                self._receive(receive(zmq.NOBLOCK))
        except zmq.Again:
            return False
        return True

    def _receive(self, data: bytes) -> None:
        decoded = self._batches.decode(data)
        if decoded is None:
            return
        batch, made = decoded
        now = time.monotonic()
        incarnation, sequence = batch.incarnation, batch.sequence
        source = self.sources.workers.get(batch.worker)
        if source is None or source.delivery.wants(incarnation):
            source = self._meet(batch.worker, incarnation, now)
            if source is None:
                # a ring whose worker may still be announced is read then
                if not self._rings.is_awaited(batch.worker, incarnation, now):
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
                # forged, or the ring is damaged there: its content is read from it
                self._refuse(batch)
            elif self.applier.apply(source, ring, batch, made, data, end, may_wait=True):
                return
            else:
                # it is read from its ring when it no longer has to wait, and so is what follows it
                self.applier.wait(ring, batch, made, now)
            ring.lane.behind = True
            self.sources.reading[batch.worker] = source
        elif arrival is Arrival.IN_RING:
            self.sources.reading[batch.worker] = source
        else:
            source.late_total += len(batch.events)

    def _refuse(self, batch: Batch[Any]) -> None:
        """Drop and count a batch that is in no ring: no worker of this run has committed it."""
        self._batches.malformed_total += 1
        self._log.error(
            "batch_refused",
            source=batch.worker[:NAME_CHARACTERS_SHOWN],
            incarnation=batch.incarnation,
            sequence=batch.sequence,
            reason="it is not in the ring of that worker",
        )

    def _apply_ringless(
        self, source: Source, ring: RingState, batch: Batch[Any], made: Sequence[Gap], data: bytes
    ) -> None:
        missing = batch.sequence - ring.lane.next_sequence
        if missing:
            what = f"{missing} did not arrive"
            self._accounts.announce_lost(batch.worker, source, ring, batch.sequence - 1, None, what)
        self.applier.apply(source, ring, batch, made, data, 0, may_wait=False)

    def _meet(self, worker: str, incarnation: int, now: float) -> Source | None:
        """Open the lane of an incarnation that a message names; None if it has no ring.

        Names in messages are not trusted: nothing is remembered of a worker without a ring.
        """
        if not self._rings.is_started(worker, incarnation):
            return None
        known = self.sources.workers.get(worker)
        if known is None:
            if not self._ringless and not (
                ring_layout.is_worker_name(worker)
                and os.path.lexists(os.path.join(self._run_dir, ring_layout.ring_name(worker, incarnation)))
            ):
                return None
            known = self.sources.worker(worker)
        if known is None or self._rings.open(worker, known, incarnation, now):
            return known
        if not self._ringless:
            return None
        self._meet_ringless(worker, known, incarnation, now)
        return known

    def _meet_ringless(self, worker: str, source: Source, incarnation: int, now: float) -> None:
        # without a ring nothing can wait: all earlier incarnations come first, at once
        for older in sorted(source.rings):
            self._rings.read_to_the_end(worker, source, now)
            if older in source.rings:
                self._rings.retire(worker, source, older)
        lane = source.delivery.open(incarnation, 1, has_ring=False, now=now)
        group = self.sources.group("", worker, {})
        ring = source.rings[incarnation] = RingState(worker, lane, None, group, ("", incarnation))
        group.merge.opened(ring.side)

    # ---- periodic reports

    def _report_bounds(self) -> None:
        """Log, once for each connection, that streams beyond a bound are delivered without the full promises."""
        unsaved = self.sources.positions.unsaved_total if self.sources.positions is not None else 0
        for group in self.sources.groups.values():
            if group.merge.unmerged_total and not group.unmerged_reported:
                group.unmerged_reported = True
                self._log.error("streams_unmerged", connection=group.name, bound=STREAMS_MAX)
        if unsaved and not self._unsaved_reported:
            self._unsaved_reported = True
            self._log.error("positions_unsaved", streams=unsaved)

    def _request_books(self, now: float) -> None:
        """Request snapshots of the books that handlers do not have."""
        if self._on_books is None:
            return
        for group in self.sources.groups.values():
            if group.books.due(now):
                symbols = group.merge.unknown_books()
                attempt = group.books.look(symbols, now)
                if attempt > BOOK_ATTEMPTS_EACH:
                    shown = ", ".join(symbols[:BOOKS_SHOWN])
                    self._log.warning("books_unknown", connection=group.name, count=len(symbols), symbols=shown)
                if attempt:
                    self._on_books(group.name, symbols, attempt)

    # ---- the run directory, which may be removed while in use

    def _bind(self) -> None:
        self._socket.bind(self._endpoint)
        if self._endpoint.startswith("ipc://"):
            os.chmod(endpoints.ipc_path(self._endpoint), 0o600)

    def _keep_files(self) -> None:
        """Recreate the data socket and the file of positions if they were removed from an existing directory."""
        names = self._rings.entries()
        socket_path = endpoints.ipc_path(self._endpoint)
        in_run_dir = os.path.dirname(socket_path) == self._run_dir
        try:
            if in_run_dir and os.path.isdir(self._run_dir) and os.path.basename(socket_path) not in names:
                self._bind()  # beside the old one: existing connections stay
                self._log.error("file_made_again", path=socket_path, reason="it was removed while in use")
            if self.sources.positions is not None and names and POSITIONS_NAME not in names:
                self.sources.positions.renew(self._run_dir)
                self._log.error("file_made_again", path=POSITIONS_NAME, reason="it was removed while in use")
        except (OSError, zmq.ZMQError):
            pass  # the directory is being recreated: retried at the next look
