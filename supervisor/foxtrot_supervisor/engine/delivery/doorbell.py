"""The doorbell: a datagram socket at which workers say in which ring they have committed a batch.

A datagram is the name of the ring's file, and nothing that counts: what is delivered is read from the ring. So a forged
datagram costs a look at a ring, and a lost one costs the time until the next look at all rings. A worker that finds
the socket full does not repeat its datagram. A full socket holds `FULL_COUNT` datagrams at least; if that many were
taken before it was empty, others may have been refused, and all rings are read.

The first datagram of a worker carries its early bell (`early_bells`).
"""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import time

from foxtrot_protocol import ring_layout
from foxtrot_protocol.child import ChildLog
from foxtrot_protocol.endpoints import DOORBELL_BYTES_MAX
from foxtrot_supervisor.engine.delivery.decode import BatchReader
from foxtrot_supervisor.engine.delivery.early_bells import PASSED_BYTES, EarlyBells, passed_descriptor
from foxtrot_supervisor.engine.delivery.rings import Rings
from foxtrot_supervisor.engine.delivery.sources import WORKERS_MAX, Source, Sources
from foxtrot_supervisor.system.datagram_socket import bound_datagram

__all__ = [
    "FULL_COUNT",
    "LOOK_AT_ALL_S",
    "RINGS_KNOWN_MAX",
    "RINGS_WATCHED_MAX",
    "TAKEN_PER_TURN",
    "Doorbell",
]

FULL_COUNT = 11
"""Datagrams in the socket when the kernel refuses one: more than ``net.unix.max_dgram_qlen``, which is 10 or more."""

TAKEN_PER_TURN = 256
"""Datagrams taken before rings are read."""

LOOK_AT_ALL_S = 0.005
"""Shortest time between two looks at all rings because the socket was full."""

RINGS_KNOWN_MAX = 4 * WORKERS_MAX
"""Names of rings remembered; beyond it they are looked up again."""

BELLS_SPARE = 64
"""Early bells kept beyond two for each worker: of workers that are gone, or not known yet."""

RINGS_WATCHED_MAX = 8
"""Most workers whose rings are watched by a thread that does not sleep."""

_FLAGS = socket.MSG_CMSG_CLOEXEC
_CREDENTIALS = struct.Struct("=iii")  # pid, uid, gid (unix(7))
_ANCILLARY_BYTES = socket.CMSG_SPACE(_CREDENTIALS.size) + PASSED_BYTES


class Doorbell:
    """The engine's end; `receiver.Arrivals`."""

    def __init__(
        self, path: str, sources: Sources, rings: Rings, batches: BatchReader, bells: EarlyBells, log: ChildLog
    ) -> None:
        """Bind to the file `path`, which a previous engine may have left; raises OSError. `bells` gets early bells."""
        self.path = path
        self._sources = sources
        self._rings = rings
        self._batches = batches
        self._bells = bells
        self._log = log
        self._known: dict[bytes, tuple[str, Source]] = {}
        self._uid = os.geteuid()
        self._taken = 0
        """Datagrams taken since the socket was empty."""
        self._seen: tuple[str, Source] | None = None
        """Found by `is_waiting`."""
        self._look_wanted = False
        self._look_at = 0.0
        """When all rings may be looked at because the socket was full."""
        self._socket = bound_datagram(self.path)

    def fileno(self) -> int:
        return self._socket.fileno()

    def due(self) -> float:
        return self._look_at if self._look_wanted else float("inf")

    def is_waiting(self) -> bool:
        """Whether a ring holds a batch: seen before its worker has rung. With many rings only the bell tells."""
        workers = self._sources.workers
        if len(workers) > RINGS_WATCHED_MAX:
            return False
        for worker, source in workers.items():
            current = source.delivery.current()
            if current is not None:
                ring = source.rings[current]
                reader = ring.reader
                if reader is not None and not reader.empty and ring.wait_until is None and ring.damaged_at is None:
                    self._seen = worker, source
                    return True
        return False

    def pump(self) -> bool:
        """Apply the next batch of the first ring that was named and holds one; its rest is read later. The hot path.

        Only one ring: the descriptor stays readable while there are more.
        """
        rings = self._rings
        if rings.fences:
            rings.take_fences()
        known, reading = self._known, self._sources.reading
        if self._seen is not None:
            (worker, source), self._seen = self._seen, None
            reading[worker] = source
            if rings.apply_next(worker, source):
                return False
        receive = self._socket.recvmsg
        try:
            for _ in range(TAKEN_PER_TURN):
                name, ancillary, _flags, _address = receive(DOORBELL_BYTES_MAX, _ANCILLARY_BYTES, _FLAGS)
                self._taken += 1
                if len(ancillary) > 1:
                    self._take_bell(name, ancillary)
                    self._forget_bells()
                # of ancillary data the credentials come first
                if not ancillary or _CREDENTIALS.unpack_from(ancillary[0][2])[1] != self._uid:
                    self._batches.malformed_total += 1
                    continue
                ring = known.get(name)
                if ring is None:
                    ring = self._meet(name)
                    if ring is None:
                        continue
                worker, source = ring
                reading[worker] = source
                # otherwise on until it is empty, so that one that was full is noticed
                if self._taken < FULL_COUNT - 1 and rings.apply_next(worker, source):
                    break
        except BlockingIOError:
            if self._taken >= FULL_COUNT:
                self._look_wanted = True
            self._taken = 0
        if self._look_wanted:
            self._look_at_all()
        return False

    def ignore(self) -> None:
        """Forget what was rung, except early bells: all rings are read when reading begins."""
        with contextlib.suppress(BlockingIOError):
            for _ in range(TAKEN_PER_TURN):
                name, ancillary, _flags, _address = self._socket.recvmsg(DOORBELL_BYTES_MAX, _ANCILLARY_BYTES, _FLAGS)
                self._take_bell(name, ancillary)

    def wait(self, timeout_ms: int) -> bool:
        """Return False: nothing is delivered but what rings hold."""
        return False

    def bind_again(self) -> None:
        """Recreate the socket's file; workers connect to it when they ring next."""
        old, self._socket = self._socket, bound_datagram(self.path)
        old.close()

    def abandon(self) -> None:
        """Do nothing: no ring is read any more."""

    def close(self) -> None:
        """Close the socket and remove its file."""
        self._socket.close()
        with contextlib.suppress(OSError):
            os.unlink(self.path)

    def _look_at_all(self) -> None:
        now = time.monotonic()
        if now >= self._look_at:
            self._look_at = now + LOOK_AT_ALL_S
            self._look_wanted = False
            self._sources.reading.update(self._sources.workers)

    def _take_bell(self, name: bytes, ancillary: list[tuple[int, int, bytes]]) -> None:
        """Hear the early bell that came with the name of a ring, in place of the last one of its worker."""
        bell = passed_descriptor(ancillary)
        if bell is None:
            return
        parsed = ring_layout.parse_ring_name(name.decode(errors="replace"))
        if parsed is None or _CREDENTIALS.unpack_from(ancillary[0][2])[1] != self._uid:
            os.close(bell)
        else:
            self._bells.put(parsed[0], bell)

    def _forget_bells(self) -> None:
        """Forget the bells of workers that are gone, now and then."""
        workers = self._sources.workers
        if len(self._bells) > 2 * len(workers) + BELLS_SPARE:
            for key in self._bells.owners():
                if key not in workers or not workers[str(key)].rings:
                    self._bells.drop(key)

    def _meet(self, name: bytes) -> tuple[str, Source] | None:
        """Return worker and source of a ring's name; None if this run has no such ring."""
        parsed = ring_layout.parse_ring_name(name.decode(errors="replace"))
        now = time.monotonic()
        source = None if parsed is None else self._rings.meet(*parsed, now)
        if parsed is None or source is None:
            # a ring whose worker may still be announced is read then
            if parsed is None or not self._rings.is_awaited(*parsed, now):
                self._refuse(name)
            return None
        if len(self._known) >= RINGS_KNOWN_MAX:
            self._known.clear()
        self._known[name] = parsed[0], source
        return self._known[name]

    def _refuse(self, name: bytes) -> None:
        self._batches.malformed_total += 1
        self._log.error(
            "doorbell_refused", ring=name.decode(errors="replace"), reason="no worker of this run has such a ring"
        )
