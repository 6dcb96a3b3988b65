"""The engine's end of the data plane: a source of the EventEngine that reads what workers have committed.

Runs on the EventEngine's dispatch thread. Each batch is in its worker's ring, which is reliable. It becomes known
quickly because it comes over ZeroMQ as well (`batch_socket`), or because its worker rings the doorbell (`doorbell`),
and by a look at all rings in any case. `lanes` decides what to do with each; `decode`, `apply`, `rings` and `accounts`
do it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any, Protocol

from foxtrot_protocol import endpoints
from foxtrot_protocol.child import ChildLog
from foxtrot_protocol.codec import Numbers
from foxtrot_protocol.commands import BOOK_ATTEMPTS_EACH, SourceCounters
from foxtrot_protocol.ring_layout import RingFigures
from foxtrot_protocol.spec import BookUpdates
from foxtrot_supervisor.engine.bus.event_engine import EventEngine
from foxtrot_supervisor.engine.delivery.accounts import Accounts
from foxtrot_supervisor.engine.delivery.apply import BatchApplier
from foxtrot_supervisor.engine.delivery.batch_socket import BatchSocket
from foxtrot_supervisor.engine.delivery.decode import BatchReader
from foxtrot_supervisor.engine.delivery.doorbell import Doorbell
from foxtrot_supervisor.engine.delivery.early_bells import EarlyBells
from foxtrot_supervisor.engine.delivery.merge import STREAMS_MAX
from foxtrot_supervisor.engine.delivery.positions import FILE_NAME as POSITIONS_NAME
from foxtrot_supervisor.engine.delivery.rings import BATCHES_PER_TURN, Rings, remove_ring
from foxtrot_supervisor.engine.delivery.sources import WORKERS_MAX, OnBooks, OnHole, Sources
from foxtrot_supervisor.engine.delivery.started import StartedWorkers

__all__ = ["BATCHES_PER_TURN", "LOOK_S", "WORKERS_MAX", "EventReceiver", "remove_ring"]

LOOK_S = 0.05
"""Interval at which new rings are opened, and rings checked for batches that ZeroMQ has not brought."""

BOOKS_SHOWN = 20
"""Symbols named in the log when their books stay unknown."""

SETTLE_MS = 20
"""At the end, wait for further batches of workers without a ring."""


class Arrivals(Protocol):
    """How committed batches become known. Used on the dispatch thread, except `abandon`."""

    path: str
    """Of the socket's file."""

    def fileno(self) -> int:
        """Return the descriptor that becomes readable."""

    def due(self) -> float:
        """Return the latest time to call `pump` though nothing is readable: monotonic seconds."""

    def is_waiting(self) -> bool:
        """Whether a ring is known to hold a batch that was not announced yet (`event.EventSource`)."""

    def pump(self) -> bool:
        """Take a bounded number of messages; rings to be read are added to `Sources.reading`. True if more may wait."""

    def ignore(self) -> None:
        """Make the descriptor unreadable until more comes: nothing may be read yet."""

    def wait(self, timeout_ms: int) -> bool:
        """Wait for a batch of a worker without a ring; whether there may be one."""

    def bind_again(self) -> None:
        """Recreate the socket's file; raises OSError."""

    def abandon(self) -> None:
        """Take nothing more. From any thread."""

    def close(self) -> None:
        """Close the socket."""


class EventReceiver:
    """A source for the EventEngine (`event_engine.EventSource`): the PULL socket that workers push to, their rings."""

    def __init__(
        self,
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
        self._accounts = Accounts(engine.dispatch, self.sources, log, self.applier.write_down)
        self._rings = Rings(
            run_dir, self.sources, self._batches, self.applier, self._accounts, log, on_drained, started
        )
        self._started = started
        self._begun = False
        self._unsaved_reported = False
        self._abandoned = False
        self._holes_wanted = False
        self._look_at = 0.0
        self.early = EarlyBells()
        """What announces batches (`event.EarlyNotice`)."""
        bell = endpoints.doorbell_path(endpoint)
        self._arrivals: Arrivals = (
            Doorbell(bell, self.sources, self._rings, self._batches, self.early, log)
            if bell is not None
            else BatchSocket(
                endpoint,
                self.sources,
                self._rings,
                self._batches,
                self.applier,
                self._accounts,
                self.early,
                log,
                ringless=ringless,
            )
        )

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
        return self._arrivals.fileno()

    def due(self) -> float:
        return min(self._look_at, self._arrivals.due())

    def is_waiting(self) -> bool:
        return self._begun and not self._abandoned and self._arrivals.is_waiting()

    def pump(self) -> bool:
        if self._abandoned:
            return False
        if not self._begun:
            if self._started is not None and not self._started.is_complete:
                self._arrivals.ignore()
                self._look_at = time.monotonic() + LOOK_S
                return False
            self._begun = True
            self._rings.begin(time.monotonic())
        more = self._arrivals.pump()
        now = time.monotonic()
        if now >= self._look_at:
            self._look_at = now + LOOK_S
            self._keep_files()
            self.early.look(now)
            self._rings.find(now)
            for worker, source in self.sources.workers.items():
                # while more has arrived, it is not known what was left out
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
        while self._ringless and time.monotonic() < deadline and self._arrivals.wait(SETTLE_MS):
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
        self._arrivals.abandon()

    def fence(self, worker: str, incarnation: int) -> None:
        """Fence `incarnation` and earlier ones: their rings are read to the end, what comes later is late."""
        self._rings.fences.append((worker, incarnation))
        self._engine.wake()

    def accounts(self, now: float) -> dict[str, SourceCounters]:
        """The counters of each worker, for the heartbeat; `now` in monotonic seconds."""
        return self._accounts.counters(now)

    def close(self) -> None:
        """Close the socket, unmap the rings; only after the dispatch thread has ended."""
        self._arrivals.close()
        self.early.close()
        self.sources.close()

    # ---- periodic reports

    def _report_bounds(self) -> None:
        """Log, once for each connection, that streams beyond a bound are delivered without the full promises."""
        unsaved = self.sources.positions.unsaved_total if self.sources.positions is not None else 0
        for group in self.sources.groups.values():
            if group.merge.unmerged_total and not group.unmerged_reported:
                group.unmerged_reported = True
                self._log.error("streams_unmerged", connection=group.name, streams_max=STREAMS_MAX)
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

    def _keep_files(self) -> None:
        """Recreate the data socket and the file of positions if they were removed from an existing directory."""
        names = self._rings.entries()
        path = self._arrivals.path
        in_run_dir = os.path.dirname(path) == self._run_dir
        try:
            if in_run_dir and os.path.isdir(self._run_dir) and os.path.basename(path) not in names:
                self._arrivals.bind_again()
                self._engine.attach(self)  # its descriptor may be another one now
                self._log.error("file_made_again", path=path, reason="it was removed while in use")
            if self.sources.positions is not None and names and POSITIONS_NAME not in names:
                self.sources.positions.renew(self._run_dir)
                self._log.error("file_made_again", path=POSITIONS_NAME, reason="it was removed while in use")
        except OSError:
            pass  # the directory is being recreated: retried at the next look
