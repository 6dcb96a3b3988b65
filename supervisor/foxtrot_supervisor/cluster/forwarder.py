"""Start target of the child that a node has in the place of the engine: publishes what workers commit, to JetStream.

It reads rings as an engine does, and frees their space when JetStream has acknowledged the batches. While NATS is away
the rings are the buffer: nothing is lost that fits into them. Requests of engines elsewhere (a fresh book, a hole to be
filled) arrive over NATS, and are passed to this supervisor as if its own engine had made them.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import time

import msgspec

from foxtrot_protocol import endpoints, ring_layout
from foxtrot_protocol.child import ChildContext
from foxtrot_protocol.commands import BooksWanted, Drained, Fenced, Heartbeat, HoleFound, Stop, ToChild, WorkersStarted
from foxtrot_protocol.errors import MalformedMessage
from foxtrot_protocol.exit_codes import ChildExit
from foxtrot_protocol.spec import decode_settings
from foxtrot_supervisor.cluster.bell import Bell
from foxtrot_supervisor.cluster.forwarded_ring import ForwardedRing
from foxtrot_supervisor.cluster.joining import join
from foxtrot_supervisor.cluster.nats_client import NATS_ERRORS, Client, Msg, Subscription
from foxtrot_supervisor.cluster.outflow import Sent
from foxtrot_supervisor.cluster.publisher import Publisher
from foxtrot_supervisor.cluster.requests import decode_request
from foxtrot_supervisor.cluster.streams import ensure_events
from foxtrot_supervisor.cluster.wire import Committed, End, Parcel, Piece, encode_parcel, message_id
from foxtrot_supervisor.cluster.wire_names import engine_incarnation, engine_worker, event_subject, request_subject
from foxtrot_supervisor.core.cluster_settings import ForwarderSettings
from foxtrot_supervisor.engine.delivery.ring_reader import RingReader
from foxtrot_supervisor.engine.delivery.started import StartedWorkers
from foxtrot_supervisor.system.ending import end_tasks

__all__ = ["LOOK_S", "PARCEL_BATCHES_MAX", "PARCEL_BYTES", "run"]

LOOK_S = 0.05
"""Interval at which rings are looked for, and parcels that were not acknowledged are sent again."""

PARCEL_BYTES = 128 * 1024
"""Bytes of batches that go into one parcel; a larger batch fills one alone."""

PARCEL_BATCHES_MAX = 64
"""Batches that go into one parcel."""

STREAM_RETRY_S = 1.0
"""Interval of the attempts to find or create the stream."""

Key = tuple[str, int]
"""Worker and incarnation of a ring, as on this host."""


async def run(context: ChildContext) -> int:
    """Publish until stopped."""
    settings = decode_settings(context.spec.settings, ForwarderSettings)
    path = endpoints.doorbell_path(settings.data_endpoint)
    assert path is not None, "a node's workers ring the doorbell"
    forwarder = Forwarder(context, settings)
    bell = Bell(path, forwarder.rang)
    context.on_command(forwarder.on_command)
    context.heartbeat_from(forwarder.fill)
    context.ready()
    connecting = asyncio.create_task(forwarder.connect(), name="nats")
    try:
        await forwarder.publish(bell)
    finally:
        await end_tasks(connecting)
        bell.close()
        await forwarder.close()
    return ChildExit.CLEAN


class Forwarder:
    """The rings of a node, and what is published of them. Runs on the event loop."""

    def __init__(self, context: ChildContext, settings: ForwarderSettings) -> None:
        self._context = context
        self._settings = settings
        self._run_dir = context.spec.run_dir
        self._client: Client | None = None
        self._publisher = Publisher(self._complete, context.log)
        self._started = StartedWorkers()
        self._rings: dict[Key, ForwardedRing] = {}
        self._names: dict[Key, tuple[str, int]] = {}
        self._fenced: dict[str, int] = {}
        self._unreadable: set[Key] = set()
        self._reading: set[Key] = set()
        self._subscribed: dict[Key, Subscription] = {}
        self._stop_at: float | None = None
        self._looked_at = 0.0
        self.events_total = 0
        """Events that JetStream has acknowledged."""
        self.parcels_total = 0

    # ---- from the supervisor

    def on_command(self, command: ToChild) -> None:
        """Handle a command of the supervisor."""
        if isinstance(command, Stop):
            self._stop_at = time.monotonic() + command.grace_s
        elif isinstance(command, WorkersStarted):
            self._started.add(command.workers, more=command.more)
        elif isinstance(command, Fenced):
            self._fenced[command.worker] = max(command.incarnation, self._fenced.get(command.worker, 0))
        self._publisher.room.set()

    def fill(self, heartbeat: Heartbeat) -> Heartbeat:
        """Return `heartbeat` with the figures of what was published."""
        publisher = self._publisher
        counts = {
            "parcels_total": self.parcels_total,
            "resent_total": publisher.outflow.resent_total,
            "refused_total": publisher.refused_total,
            "duplicates_total": publisher.duplicates_total,
        }
        problem = publisher.problem if publisher.connected else "no connection to NATS: events wait in the rings"
        return msgspec.structs.replace(
            heartbeat,
            events_total=self.events_total,
            queue_depth=len(publisher.outflow),
            counts=counts,
            problem=problem,
        )

    def rang(self, names: set[str]) -> None:
        """Read the rings of these file names."""
        for name in names:
            key = ring_layout.parse_ring_name(name)
            if key is not None and (key in self._rings or self._open(key)):
                self._reading.add(key)
        self._publisher.room.set()

    # ---- NATS

    async def connect(self) -> None:
        """Connect, and find or create the stream, as soon as NATS can be reached."""
        log, cluster = self._context.log, self._settings.cluster
        client = await join(cluster, "forwarder", log)
        while True:
            try:
                _, differences = await ensure_events(client, cluster)
                break
            except NATS_ERRORS as error:
                self._publisher.problem = f"stream of events: {error or type(error).__name__}"
                await asyncio.sleep(STREAM_RETRY_S)
        if differences:
            log.warning("stream_differs", reason="; ".join(differences))
        self._client = client
        await self._publisher.use(client)
        self._publisher.room.set()

    async def close(self) -> None:
        """Close the connection and the rings."""
        for ring in self._rings.values():
            ring.close()
        if self._client is not None:
            with contextlib.suppress(*NATS_ERRORS):
                await self._client.close()

    # ---- the loop

    async def publish(self, bell: Bell) -> None:
        """Publish what rings hold until everything is out and a stop was asked for, or its grace is over."""
        room = self._publisher.room
        while True:
            now = time.monotonic()
            if now >= self._looked_at + LOOK_S:
                self._looked_at = now
                with contextlib.suppress(OSError):
                    bell.keep()
                self._find()
                self._reading.update(self._rings)
                await self._publisher.look()
                await self._subscribe()
            await self._read_all()
            await self._end_dead()
            if self._stop_at is not None and (now >= self._stop_at or not self._rings):
                return
            if self._reading and self._publisher.has_room:
                await asyncio.sleep(0)
                continue
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(0.0, self._looked_at + LOOK_S - time.monotonic())):
                    await room.wait()
            room.clear()

    async def _read_all(self) -> None:
        """Publish one parcel of each ring that may hold more."""
        publisher = self._publisher
        for key in list(self._reading):
            if not publisher.has_room:
                return
            ring = self._rings.get(key)
            if ring is None or not await self._publish_next(key, ring):
                self._reading.discard(key)

    async def _publish_next(self, key: Key, ring: ForwardedRing) -> bool:
        """Publish the next parcel of a ring; whether it may hold more."""
        room = self._publisher.payload_max
        dead = self._is_fenced(key)
        batches, end = ring.take(min(PARCEL_BYTES, room // 2), PARCEL_BATCHES_MAX, time.monotonic(), dead=dead)
        if not batches:
            return False
        parcel = self._parcel(key, ring, batches)
        payload = encode_parcel(parcel)
        if len(payload) <= room:
            await self._send(key, parcel, payload, end)
        else:
            await self._send_pieces(key, ring, batches[0], end, room)
        return True

    async def _send_pieces(self, key: Key, ring: ForwardedRing, batch: Committed, end: int, room: int) -> None:
        """Publish a batch that is larger than a message."""
        size = room - len(encode_parcel(self._parcel(key, ring, [msgspec.structs.replace(batch, data=b"")]))) - 64
        count = -(-len(batch.data) // size)
        for index in range(count):
            part = msgspec.structs.replace(batch, data=batch.data[index * size : (index + 1) * size])
            parcel = self._parcel(key, ring, [part], piece=Piece(index, count))
            # only the last one frees the batch's space
            last = index == count - 1
            await self._send(key, parcel, encode_parcel(parcel), end if last else None)

    async def _send(self, key: Key, parcel: Parcel, payload: bytes, end: int | None) -> None:
        ring = self._rings[key]
        last = parcel.batches[-1] if parcel.batches else None
        done = last is not None and end is not None
        sent = self._publisher.outflow.add(
            key,
            event_subject(parcel.connection, parcel.side, parcel.worker),
            message_id(parcel),
            payload,
            sequence=last.sequence if done and last is not None else 0,
            end=end if end is not None else -1,
            events=last.events_before + last.events if last is not None else ring.published_events,
            now=time.monotonic(),
        )
        self.parcels_total += 1
        await self._publisher.send(sent)

    def _parcel(
        self,
        key: Key,
        ring: ForwardedRing,
        batches: list[Committed],
        piece: Piece | None = None,
        end: End | None = None,
    ) -> Parcel:
        identity = ring.identity
        worker, incarnation = self._names[key]
        return Parcel(
            run_id=self._context.spec.run_id,
            worker=worker,
            incarnation=incarnation,
            connection=identity.connection,
            side=identity.side,
            capacity=identity.capacity,
            rules=identity.rules,
            acknowledged=ring.acknowledged,
            batches=batches,
            piece=piece,
            end=end,
        )

    def _complete(self, sent: Sent) -> None:
        """JetStream has a parcel, and all before it of its ring."""
        assert isinstance(sent.ring, tuple)
        ring = self._rings.get(sent.ring)
        if ring is None:
            return
        if sent.end >= 0:
            before = ring.published_events
            ring.complete(sent)
            self.events_total += ring.published_events - before
        elif ring.ended and not sent.sequence and not self._publisher.outflow.has(sent.ring):
            self._retire(sent.ring, ring)

    # ---- rings

    def _find(self) -> None:
        with contextlib.suppress(OSError):
            for name in os.listdir(self._run_dir):
                key = ring_layout.parse_ring_name(name)
                if key is not None and key not in self._rings:
                    self._open(key)

    def _open(self, key: Key) -> bool:
        """Open the ring of an incarnation that this supervisor has started."""
        if key in self._unreadable or not self._started.includes(*key):
            return False
        log = self._context.log
        try:
            reader = RingReader.open(self._run_dir, *key)
        except (MalformedMessage, OSError) as error:
            self._unreadable.add(key)
            log.error("ring_unreadable", worker=key[0], incarnation=key[1], reason=str(error))
            return False
        if reader is None:
            return False
        identity = reader.identity
        self._names[key] = (
            engine_worker(identity.connection, identity.side, key[0]),
            engine_incarnation(*key),
        )
        self._rings[key] = ForwardedRing(
            reader, lambda reason: log.error("ring_damaged", worker=key[0], incarnation=key[1], reason=reason)
        )
        self._reading.add(key)
        return True

    def _is_fenced(self, key: Key) -> bool:
        return key[1] <= self._fenced.get(key[0], 0)

    async def _end_dead(self) -> None:
        """Publish the end of each dead incarnation whose ring is read and acknowledged."""
        for key, ring in list(self._rings.items()):
            if not self._is_fenced(key) or ring.ended or not self._publisher.has_room:
                continue
            if not ring.empty or self._publisher.outflow.has(key):
                continue
            ring.ended = True
            parcel = self._parcel(key, ring, [], end=ring.end())
            await self._send(key, parcel, encode_parcel(parcel), None)

    def _retire(self, key: Key, ring: ForwardedRing) -> None:
        """The end of a dead incarnation is in the stream: report its account and remove its ring."""
        end, spec = ring.end(), self._context.spec
        self._context.send(
            Drained(
                worker=spec.name,
                incarnation=spec.incarnation,
                source=key[0],
                source_incarnation=key[1],
                committed=end.events,
                applied=ring.published_events,
                lost=end.events - ring.published_events,
                redelivered=0,
            )
        )
        ring.close()
        path = os.path.join(self._run_dir, ring_layout.ring_name(*key))
        with contextlib.suppress(OSError):
            os.unlink(path)
        del self._rings[key], self._names[key]
        self._reading.discard(key)
        self._publisher.room.set()

    # ---- requests of engines

    async def _subscribe(self) -> None:
        """Take requests for the living workers of this node, and no others."""
        client = self._client
        if client is None or not client.is_connected:
            return
        wanted = {key for key in self._rings if not self._is_fenced(key)}
        for key in wanted - self._subscribed.keys():
            identity = self._rings[key].identity
            subject = request_subject(identity.connection, identity.side, key[0])
            self._subscribed[key] = await client.subscribe(subject, cb=self._on_request)
        for key in self._subscribed.keys() - wanted:
            await self._subscribed.pop(key).unsubscribe()

    async def _on_request(self, message: Msg) -> None:
        """Pass an engine's request to this supervisor as if it were its own engine's."""
        spec = self._context.spec
        try:
            request: BooksWanted | HoleFound = decode_request(message.data)
        except MalformedMessage as error:
            self._context.log.warning("request_malformed", reason=error.reason)
            return
        self._context.send(msgspec.structs.replace(request, worker=spec.name, incarnation=spec.incarnation))
