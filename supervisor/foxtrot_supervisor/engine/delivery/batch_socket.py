"""The PULL socket at which batches come over ZeroMQ.

A batch counts only if it stands in its worker's ring, except for workers without a ring, which benchmarks and tests
have.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from foxtrot_protocol import endpoints
from foxtrot_protocol.child import ChildLog
from foxtrot_protocol.codec import read_header
from foxtrot_protocol.errors import MalformedMessage
from foxtrot_protocol.events import Gap
from foxtrot_protocol.framing import Batch
from foxtrot_supervisor.engine.delivery.accounts import Accounts
from foxtrot_supervisor.engine.delivery.apply import BatchApplier
from foxtrot_supervisor.engine.delivery.decode import BatchReader
from foxtrot_supervisor.engine.delivery.early_bells import EarlyBells
from foxtrot_supervisor.engine.delivery.lanes import Arrival
from foxtrot_supervisor.engine.delivery.pull_socket import PullSocket
from foxtrot_supervisor.engine.delivery.rings import BATCHES_PER_TURN, Rings
from foxtrot_supervisor.engine.delivery.sources import RingState, Source, Sources

__all__ = ["BatchSocket"]

NAME_CHARACTERS_SHOWN = 100
"""Characters logged of the worker's name in a refused batch."""


class BatchSocket:
    """The engine's end of the data plane over ZeroMQ; `receiver.Arrivals`."""

    def __init__(
        self,
        endpoint: str,
        sources: Sources,
        rings: Rings,
        batches: BatchReader,
        applier: BatchApplier,
        accounts: Accounts,
        bells: EarlyBells,
        log: ChildLog,
        *,
        ringless: bool,
    ) -> None:
        """Bind `endpoint`; raises OSError. `ringless`: accept batches of workers without a ring."""
        self._sources = sources
        self._rings = rings
        self._batches = batches
        self._applier = applier
        self._accounts = accounts
        self._log = log
        self._ringless = ringless
        self._abandoned = False
        self._doubtful = False
        """The last batch was, or is, read from its ring: the next one may be, too."""
        self.path = endpoints.ipc_path(endpoint)
        self._socket = PullSocket(self.path, log, bells)

    def fileno(self) -> int:
        return self._socket.fileno()

    def due(self) -> float:
        return float("inf")

    def is_waiting(self) -> bool:
        return False  # a batch that is read from its ring first would come a second time

    def pump(self) -> bool:
        """Apply what has come, or have it read from its ring. The hot path."""
        rings, receive = self._rings, self._socket.receive
        for _ in range(BATCHES_PER_TURN):
            if self._abandoned:
                return False
            if rings.fences:  # what comes after a fence is late
                rings.take_fences()
            data = receive()
            if data is None:
                return False
            self._receive(data)
        return True

    def ignore(self) -> None:
        """Drop what has come: all rings are read when reading begins."""
        for _ in range(BATCHES_PER_TURN):
            if self._socket.receive() is None:
                return

    def wait(self, timeout_ms: int) -> bool:
        """Wait for a batch of a worker without a ring; whether there may be one."""
        return self._sources.has_ringless() and self._socket.wait(timeout_ms)

    def bind_again(self) -> None:
        """Create the socket's file again: existing connections stay."""
        self._socket.bind_again()

    def abandon(self) -> None:
        """Take nothing more."""
        self._abandoned = True

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def _receive(self, data: bytes) -> None:
        if self._doubtful and self._is_in_ring(data):
            return
        decoded = self._batches.decode(data)
        if decoded is None:
            return
        batch, made = decoded
        now = time.monotonic()
        incarnation, sequence = batch.incarnation, batch.sequence
        source = self._sources.workers.get(batch.worker)
        if source is None or source.delivery.wants(incarnation):
            source = self._meet(batch.worker, incarnation, now)
            if source is None:
                # a ring whose worker may still be announced is read then
                if not self._rings.is_awaited(batch.worker, incarnation, now):
                    self._refuse(batch)
                return
        arrival = source.delivery.arrived(incarnation, sequence, now)
        self._doubtful = arrival is not Arrival.APPLY
        if arrival is Arrival.APPLY:
            ring = source.rings[incarnation]
            reader = ring.reader
            if reader is None:
                self._apply_ringless(source, ring, batch, made, data)
                return
            if ring.begins:
                self._rings.read_sent_before(ring, batch.publish_ns, now)
            end = reader.holds(sequence, data)
            if end is None:
                # forged, or the ring is damaged there: its content is read from it
                self._refuse(batch)
            elif self._applier.apply(source, ring, batch, made, data, end, may_wait=True):
                return
            else:
                # it is read from its ring when it no longer has to wait, and so is what follows it
                self._applier.wait(ring, batch, made, now)
            ring.lane.behind = True
            self._sources.reading[batch.worker] = source
        elif arrival is Arrival.IN_RING:
            self._sources.reading[batch.worker] = source
        else:
            source.late_total += len(batch.events)

    def _is_in_ring(self, data: bytes) -> bool:
        """Whether a batch was read from its ring, or will be: then it need not be decoded here."""
        try:
            header = read_header(data)
        except MalformedMessage:
            return False
        source = self._sources.workers.get(header.worker)
        lane = None if source is None else source.delivery.lanes.get(header.incarnation)
        if source is None or lane is None or not lane.has_ring:
            return False
        arrival = source.delivery.arrived(header.incarnation, header.sequence, time.monotonic())
        if arrival is Arrival.IN_RING:
            self._sources.reading[header.worker] = source
        return arrival is not Arrival.APPLY

    def _refuse(self, batch: Batch[Any]) -> None:
        """Drop and count a batch that is in no ring: no worker of this run has committed it."""
        self._batches.malformed_total += 1
        self._log.error(
            "batch_refused",
            worker=batch.worker[:NAME_CHARACTERS_SHOWN],
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
        self._applier.apply(source, ring, batch, made, data, 0, may_wait=False)

    def _meet(self, worker: str, incarnation: int, now: float) -> Source | None:
        """Open the lane of an incarnation that a message names; None if it has no ring."""
        met = self._rings.meet(worker, incarnation, now)
        if met is not None or not self._ringless or not self._rings.is_started(worker, incarnation):
            return met
        source = self._sources.worker(worker)
        if source is not None and source.delivery.wants(incarnation):
            self._meet_ringless(worker, source, incarnation, now)
        return source

    def _meet_ringless(self, worker: str, source: Source, incarnation: int, now: float) -> None:
        # without a ring nothing can wait: all earlier incarnations come first, at once
        for older in sorted(source.rings):
            self._rings.read_to_the_end(worker, source, now)
            if older in source.rings:
                self._rings.retire(worker, source, older)
        lane = source.delivery.open(incarnation, 1, has_ring=False, now=now)
        group = self._sources.group("", worker, {})
        ring = source.rings[incarnation] = RingState(worker, lane, None, group, ("", incarnation))
        group.merge.opened(ring.side)
