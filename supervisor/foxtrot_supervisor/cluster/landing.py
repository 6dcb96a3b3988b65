"""Start target of the service that brings the events of a cluster to the engine of this host.

It reads the stream of events in order, and writes the batches of each remote worker into a ring of this run, which the
engine reads as it reads the rings of local workers: the same rules, the same accounts, the same gaps. What the engine
has handled is written to NATS at short intervals, with the engine's merge positions. If this host dies, another one
with an engine of the same name goes on there.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import time
from typing import Any

import msgspec

from foxtrot_protocol import commands, endpoints, ring_layout
from foxtrot_protocol.child import ChildContext
from foxtrot_protocol.commands import BooksWanted, ForHosts, Heartbeat, HoleFound, Stop, ToChild
from foxtrot_protocol.control import StopRequest
from foxtrot_protocol.errors import MalformedMessage
from foxtrot_protocol.exit_codes import ChildExit
from foxtrot_protocol.spec import decode_settings
from foxtrot_supervisor.client.async_control import AsyncControlClient
from foxtrot_supervisor.cluster.engine_state import EngineState, LaneState, packed_positions
from foxtrot_supervisor.cluster.fences import Fences, epoch_of
from foxtrot_supervisor.cluster.holder_watch import watch_holders
from foxtrot_supervisor.cluster.intake import Outstanding
from foxtrot_supervisor.cluster.joining import join
from foxtrot_supervisor.cluster.landed_ring import RingUnusable
from foxtrot_supervisor.cluster.landing_lane import LandingLane
from foxtrot_supervisor.cluster.names import EVENTS
from foxtrot_supervisor.cluster.nats_client import NATS_ERRORS, Client
from foxtrot_supervisor.cluster.pull import OrderedPull
from foxtrot_supervisor.cluster.remote_workers import Landed, RemoteWorkers
from foxtrot_supervisor.cluster.requests import encode_request
from foxtrot_supervisor.cluster.state_store import StateStore, Superseded
from foxtrot_supervisor.cluster.streams import EVENT_SUBJECTS, ensure_events
from foxtrot_supervisor.cluster.wire import Parcel, decode_parcel
from foxtrot_supervisor.cluster.wire_names import request_subject
from foxtrot_supervisor.core.cluster_settings import LandingSettings
from foxtrot_supervisor.core.coordination.books import turn_of
from foxtrot_supervisor.engine.delivery.positions import FILE_NAME as POSITIONS_NAME
from foxtrot_supervisor.system.private_files import create_private, opened_directory

__all__ = ["CHECKPOINT_S", "TAKEOVER_S", "WAITING_BYTES_MAX", "WAITING_COUNT_MAX", "run"]

CHECKPOINT_S = 0.1
"""Interval at which the state is written while events arrive."""

CHECKPOINT_SHARE = 0.05
"""Share of its time that the writing of states may take: large positions are written less often."""

BEAT_S = 1.0
"""Interval at which it is written in any case: shows that this host lives."""

TAKEOVER_S = 5.0
"""Silence of the host that has the engine after which another one takes it over."""

WAITING_COUNT_MAX = 4096
"""Messages of the stream that are read ahead of what the engine has handled."""

WAITING_BYTES_MAX = 64 * 1024 * 1024
"""Bytes of batches that wait for room in a ring."""

RESERVED_LEAST = 64
"""Messages beyond the last one that may be landed before the next state is written."""

HANDLED_LOOK_S = 0.002
"""Interval at which rings are checked for what the engine has handled, while it has not handled everything."""

SUCCESSOR_WAIT_S = 5.0
"""How long an incarnation waits for the end of the one before it."""

RETRY_S = 0.5
"""Interval of attempts while NATS does not answer."""

Key = tuple[str, int]


async def run(context: ChildContext) -> int:
    """Land events until stopped."""
    settings = decode_settings(context.spec.settings, LandingSettings)
    landing = Landing(context, settings)
    context.on_command(landing.on_command)
    context.heartbeat_from(landing.fill)
    context.ready()
    working = asyncio.create_task(landing.run(), name="landing")
    waiting = asyncio.create_task(landing.stopping.wait(), name="stop")
    try:
        await asyncio.wait((working, waiting), return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            working.result()
        await landing.finish(working)
    except Superseded:
        context.log.error("engine_taken_over", engine=settings.engine, reason="another host has this engine now")
        context.failed("another host has this engine now")
        await _stop_run(context)
        await landing.stopping.wait()
    finally:
        for task in (working, waiting):
            task.cancel()
        await asyncio.gather(working, waiting, return_exceptions=True)
        await landing.close()
    return ChildExit.CLEAN


async def _stop_run(context: ChildContext) -> None:
    """Stop this run: its handlers must not go on beside those of the other host."""
    client = AsyncControlClient(context.spec.run_dir)
    try:
        with contextlib.suppress(Exception):
            await client.request(StopRequest(), 1.0)
    finally:
        client.close()


class Landing:
    """Lands the stream of events in the run directory; on the event loop."""

    def __init__(self, context: ChildContext, settings: LandingSettings) -> None:
        self._context = context
        self._settings = settings
        self._run_dir = context.spec.run_dir
        self._bell_path = endpoints.doorbell_path(settings.data_endpoint)
        self._bell = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
        self._client: Client | None = None
        self._store: StateStore | None = None
        self._pull: OrderedPull | None = None
        self._state = EngineState(holder="", host="", consumer="", stream_created="", position=0, landed=0)
        self._known: dict[Key, LaneState] = {}
        self._lanes: dict[Key, LandingLane] = {}
        self._ended: dict[str, int] = {}
        self._silent: dict[str, int] = {}
        """Predecessors that were superseded and of which nothing came: the next state says that they have ended."""
        self._blocked: dict[Key, float] = {}
        self._fences = Fences()
        self._remote = RemoteWorkers()
        self._outstanding = Outstanding(0)
        self._reserved = 0
        self._redelivered_to = 0
        self._purged = False
        self._writing: asyncio.Task[None] | None = None
        self._written_at = 0.0
        self._write_cost_s = 0.0
        self._arrived = 0
        self._work = asyncio.Event()
        self._problem = "not connected to NATS"
        self.stopping = asyncio.Event()
        self._grace_until = float("inf")
        self.counts = {"parcels_total": 0, "late_total": 0, "states_total": 0, "malformed_total": 0, "purged_total": 0}

    # ---- the supervisor

    def on_command(self, command: ToChild) -> None:
        """Handle a command of the supervisor."""
        if isinstance(command, Stop):
            self._grace_until = time.monotonic() + command.grace_s * 0.8
            self.stopping.set()
        elif isinstance(command, ForHosts) and self._client is not None:
            for subject in self._hosts_of(command.request):
                task = asyncio.ensure_future(self._ask(subject, encode_request(command.request)))
                task.add_done_callback(_ignore)

    def fill(self, heartbeat: Heartbeat) -> Heartbeat:
        """Return `heartbeat` with counts and what is wrong."""
        counts = dict(self.counts)
        if self._pull is not None:
            counts["behind_parcels"] = self._pull.pending + len(self._outstanding)
        landed = {key: Landed(lane.handled.committed, lane.closing or lane.closed) for key, lane in self._lanes.items()}
        connected = self._client is not None and self._client.is_connected
        rows = self._remote.rows(landed, time.monotonic(), connected=connected)
        return msgspec.structs.replace(heartbeat, counts=counts, problem=self._problem, remote_workers=rows)

    def _hosts_of(self, request: BooksWanted | HoleFound) -> list[str]:
        """Return the subjects of those that serve a request: a hole is for each side, books for one after the other."""
        lanes = [
            lane.lane.parcel
            for lane in self._lanes.values()
            if lane.lane.parcel.connection == request.connection and not lane.closing
        ]
        subjects = sorted({request_subject(each.connection, each.side, each.worker) for each in lanes})
        if isinstance(request, BooksWanted) and subjects:
            return [subjects[turn_of(request.attempt, len(subjects))]]
        return subjects

    async def _ask(self, subject: str, payload: bytes) -> None:
        if self._client is not None:
            with contextlib.suppress(*NATS_ERRORS):
                await self._client.publish(subject, payload)

    # ---- begin and end

    async def run(self) -> None:
        """Take the engine, then land events until cancelled; raises `Superseded`."""
        cluster, log = self._settings.cluster, self._context.log
        client = self._client = await join(cluster, "engine", log)
        created, differences = await self._stream(client)
        if differences:
            log.warning("stream_differs", reason="; ".join(differences))
        await self._acquire(client, created)
        self._report_known()
        self._pull = OrderedPull(client, EVENTS, self._state.consumer, EVENT_SUBJECTS, self._take, self._is_paused, log)
        self._problem = ""
        reading = asyncio.create_task(self._pull.run(self._state.position + 1), name="pull")
        watching = asyncio.create_task(watch_holders(client, self._fences, self._remote.holders), name="holders")
        try:
            await self._work_on()
        finally:
            for task in (reading, watching):
                task.cancel()
            await asyncio.gather(reading, watching, return_exceptions=True)

    async def finish(self, working: asyncio.Task[None]) -> None:
        """Hand the engine over: everything that is landed is handled, and the state says so."""
        tasks = [working] if self._writing is None else [working, self._writing]
        working.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        store = self._store
        if store is None or self._pull is None:
            return
        while time.monotonic() < self._grace_until and any(not each.is_landed_handled for each in self._lanes.values()):
            self._settle()
            await asyncio.sleep(HANDLED_LOOK_S)
        with contextlib.suppress(Superseded, *NATS_ERRORS):
            async with asyncio.timeout(max(0.5, self._grace_until - time.monotonic())):
                await self._write("")
                await self._pull.remove()
        fenced = {lane.lane.worker: lane.lane.incarnation for lane in self._lanes.values()}
        self._send_workers({}, fenced)

    async def close(self) -> None:
        """Close everything; rings stay for the engine."""
        self._bell.close()
        for lane in self._lanes.values():
            lane.close()
        if self._client is not None:
            with contextlib.suppress(*NATS_ERRORS):
                await self._client.close()

    async def _stream(self, client: Client) -> tuple[str, list[str]]:
        """Return when the stream of events was created, and how it differs from the settings."""
        while True:
            try:
                info, differences = await ensure_events(client, self._settings.cluster)
                self._first, self._last = info.state.first_seq, info.state.last_seq
                return str(info.created), differences
            except NATS_ERRORS as error:
                self._problem = f"stream of events: {error or type(error).__name__}"
                await asyncio.sleep(RETRY_S)

    async def _acquire(self, client: Client, created: str) -> None:
        """Become the holder of the engine, once no other run has it."""
        name, run_id, log = self._settings.engine, self._context.spec.run_id, self._context.log
        seen, seen_at = -1, 0.0
        while True:
            try:
                if self._store is None:
                    self._store = await StateStore.open(client, self._settings.cluster, name)
                state, revision = await self._store.read()
                if revision != seen:
                    seen, seen_at = revision, time.monotonic()
                waited = time.monotonic() - seen_at
                if state is None or state.holder in ("", run_id) or waited >= TAKEOVER_S:
                    await self._begin(self._store, state, revision, created)
                    return
                self._problem = f"standby: {state.host} has the engine {name}"
            except Superseded:
                continue  # another standby was faster
            except NATS_ERRORS as error:
                self._problem = f"state of the engine: {error or type(error).__name__}"
            except MalformedMessage as error:
                log.error("engine_state_unreadable", engine=name, reason=error.reason)
                self._problem = error.reason
            await asyncio.sleep(RETRY_S)

    async def _begin(self, store: StateStore, state: EngineState | None, revision: int, created: str) -> None:
        """Continue where the state says, or begin; raises `Superseded` if another run was faster."""
        name, run_id, log = self._settings.engine, self._context.spec.run_id, self._context.log
        host = socket.gethostname()
        consumer = f"engine-{name}-{run_id}"
        store.take(revision)
        continued = state is not None and state.stream_created == created
        positions = b""
        if state is not None:
            positions = await store.positions_of(state)
        if state is not None and continued:
            began = msgspec.structs.replace(state, holder=run_id, host=host, consumer=consumer, beat=state.beat + 1)
        else:
            position = 0 if self._settings.from_start or state is not None else self._last
            began = EngineState(
                holder=run_id,
                host=host,
                consumer=consumer,
                stream_created=created,
                position=position,
                landed=position,
                ended={} if state is None else state.ended,
            )
        packed, checksum = packed_positions(positions) if positions else (b"", 0)
        self._state = await store.write(began, packed, checksum)
        if state is not None and state.consumer and state.consumer != consumer:
            with contextlib.suppress(*NATS_ERRORS):
                js: Any = self._client.jetstream() if self._client is not None else None
                await js.delete_consumer(EVENTS, state.consumer)
        began = self._state
        if state is None or state.holder != run_id:
            # left by an earlier run in this directory: others have gone on since
            _remove_rings(self._run_dir)
        if positions:
            _restore_positions(self._run_dir, positions)
        same_run = state is not None and state.holder == run_id
        self._redelivered_to = 0 if same_run else began.landed
        self._known = {(each.worker, each.incarnation): each for each in began.lanes}
        self._ended = dict(began.ended)
        self._outstanding = Outstanding(began.position)
        self._reserved = began.landed
        log.info(
            "engine_taken",
            engine=name,
            position=began.position,
            redelivered_to=self._redelivered_to,
            host="" if state is None else state.host,
        )

    def _report_known(self) -> None:
        """Tell the supervisor, and so the engine, what there is: the engine waits for it."""
        started = dict(self._ended)
        for worker, incarnation in self._known:
            started[worker] = max(incarnation, started.get(worker, 0))
        self._send_workers(started, self._ended)

    def _send_workers(self, started: dict[str, int], fenced: dict[str, int]) -> None:
        spec = self._context.spec
        self._context.send(commands.RemoteWorkers(spec.name, spec.incarnation, started, dict(fenced)))

    # ---- what comes

    def _is_paused(self) -> bool:
        if len(self._outstanding) > WAITING_COUNT_MAX:
            return True
        return sum(lane.lane.waiting_bytes for lane in self._lanes.values()) > WAITING_BYTES_MAX

    def _take(self, source: int, payload: bytes) -> None:
        """Take a message of the stream."""
        if source != self._outstanding.last + 1 and self._outstanding.last:
            self._purged = True
            self.counts["purged_total"] += source - self._outstanding.last - 1
            self._context.log.error(
                "stream_discarded", first=self._outstanding.last + 1, last=source - 1, reason="limits of the stream"
            )
        self.counts["parcels_total"] += 1
        self._arrived += 1
        self._work.set()
        try:
            parcel = decode_parcel(payload)
        except MalformedMessage as error:
            self._outstanding.add(source, 0)
            self.counts["malformed_total"] += 1
            self._context.log.error("parcel_malformed", sequence=source, reason=error.reason)
            return
        parts = len(parcel.batches) + (parcel.end is not None)
        self._outstanding.add(source, parts)
        key = parcel.worker, parcel.incarnation
        if parcel.incarnation <= self._ended.get(parcel.worker, 0):
            self.counts["late_total"] += sum(batch.events for batch in parcel.batches)
            self._outstanding.done([source] * parts)
            return
        lane = self._lanes.get(key)
        if lane is None:
            lane = self._meet(key, parcel)
            if lane is None:
                self._outstanding.done([source] * parts)
                return
        for finished in lane.take(source, parcel, purged=self._purged):
            self._outstanding.done(finished)
        if parcel.end is not None:
            lane.close_down()

    def _meet(self, key: Key, parcel: Parcel) -> LandingLane | None:
        """Open the lane of an incarnation; one of a later epoch supersedes all before it."""
        try:
            lane = self._lanes[key] = LandingLane(self._run_dir, parcel, self._known.pop(key, None))
        except RingUnusable as error:
            self._unusable(key, error)
            return None
        for other in self._lanes.values():
            if other.lane.worker == parcel.worker and epoch_of(other.lane.incarnation) < epoch_of(parcel.incarnation):
                other.close_down()
        for worker, incarnation in list(self._known):
            # a predecessor of which nothing comes any more: everything of it stands before this parcel
            if worker == parcel.worker and epoch_of(incarnation) < epoch_of(parcel.incarnation):
                del self._known[worker, incarnation]
                self._silent[worker] = max(incarnation, self._silent.get(worker, 0))
        return lane

    def _unusable(self, key: Key, error: RingUnusable) -> None:
        self._problem = error.reason
        self._context.log.error("ring_unusable", worker=key[0], incarnation=key[1], reason=error.reason)

    # ---- the loop

    async def _work_on(self) -> None:
        while True:
            self._land()
            self._settle()
            self._look_at_writing()
            delay = HANDLED_LOOK_S if len(self._outstanding) else min(CHECKPOINT_S, BEAT_S)
            if self._work.is_set():
                self._work.clear()
                await asyncio.sleep(0)
                continue
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(delay):
                    await self._work.wait()

    def _interval(self) -> float:
        """Return how long after the last state the next one is due."""
        if self._outstanding.last > self._reserved:
            return 0.0  # what has come may not be landed before
        if not self._arrived and not any(lane.closed for lane in self._lanes.values()):
            return BEAT_S
        return max(CHECKPOINT_S, self._write_cost_s / CHECKPOINT_SHARE)

    def _land(self) -> None:
        """Write into rings what has its turn."""
        rung: list[str] = []
        for key, lane in self._lanes.items():
            if not lane.lane.ready or self._is_blocked(key):
                continue
            try:
                if lane.land(self._reserved, self._redelivered_to, self._announce):
                    rung.append(lane.name)
            except RingUnusable as error:
                self._unusable(key, error)
        for name in rung:
            with contextlib.suppress(OSError):
                self._bell.sendto(name.encode(), str(self._bell_path))

    def _announce(self, lane: LandingLane) -> None:
        self._send_workers({lane.lane.worker: lane.lane.incarnation}, {})

    def _is_blocked(self, key: Key) -> bool:
        """Whether an earlier incarnation of the worker has to end first: the engine must not end it itself."""
        earlier = [other for other in self._lanes if other[0] == key[0] and other[1] < key[1]]
        if not earlier:
            self._blocked.pop(key, None)
            return False
        now = time.monotonic()
        if now - self._blocked.setdefault(key, now) >= SUCCESSOR_WAIT_S:
            for other in earlier:
                self._lanes[other].close_down()
        return True

    def _settle(self) -> None:
        """Take note of what the engine has handled."""
        now, read = time.monotonic(), self._outstanding.last
        for lane in self._lanes.values():
            for finished in lane.settle():
                self._outstanding.done(finished)
            parcel = lane.lane.parcel
            if not lane.closing and self._fences.covers(parcel.connection, parcel.side, parcel.incarnation, read, now):
                lane.close_down()
            if lane.closing and not lane.closed and lane.is_handled:
                lane.closed = True
                self._outstanding.done([lane.lane.end_source])
        if self._pull is not None:
            self._pull.resume()

    def _look_at_writing(self) -> None:
        """Begin to write the state when it is due; raises `Superseded`."""
        writing, now = self._writing, time.monotonic()
        if writing is None:
            if now >= self._written_at + self._interval():
                self._writing = asyncio.create_task(self._write(self._context.spec.run_id), name="state")
        elif writing.done():
            self._writing, self._written_at = None, now
            try:
                writing.result()
                self._problem = ""
            except NATS_ERRORS as error:
                self._written_at = now + RETRY_S
                self._problem = f"state of the engine: {error or type(error).__name__}"

    async def _write(self, holder: str) -> None:
        """Write the state; then fence the incarnations that it says have ended."""
        assert self._store is not None
        assert self._pull is not None
        arrived, self._arrived = self._arrived, 0
        closed = [key for key, lane in self._lanes.items() if lane.closed]
        silent, self._silent = self._silent, {}
        ended = dict(self._ended)
        for worker, incarnation in (*closed, *silent.items()):
            ended[worker] = max(incarnation, ended.get(worker, 0))
        lanes = [lane.handled for lane in self._lanes.values() if not lane.closed] + list(self._known.values())
        position, last = self._outstanding.position, self._outstanding.last
        began = time.monotonic()
        # read after what is handled was noted: it holds that, and maybe more
        packed, checksum = await asyncio.to_thread(_packed_positions, self._run_dir)
        self._write_cost_s = time.monotonic() - began
        state = msgspec.structs.replace(
            self._state,
            holder=holder,
            position=position,
            landed=last + max(RESERVED_LEAST, 2 * arrived),
            lanes=[each for each in lanes if each.incarnation > ended.get(each.worker, 0)],
            ended=ended,
            beat=self._state.beat + 1,
        )
        self._state = await self._store.write(state, packed, checksum)
        self.counts["states_total"] += 1
        self._reserved = self._state.landed
        self._ended = ended
        for key in closed:
            self._lanes.pop(key).close()
        if closed or silent:
            fenced = {worker for worker, _ in closed} | silent.keys()
            self._send_workers({}, {worker: ended[worker] for worker in fenced})
        self._work.set()
        await self._pull.acknowledge(position)


def _packed_positions(run_dir: str) -> tuple[bytes, int]:
    """Return the engine's merge positions, packed, and their checksum; b"" and 0 while it has none."""
    try:
        with open(os.path.join(run_dir, POSITIONS_NAME), "rb") as file:
            return packed_positions(file.read())
    except FileNotFoundError:
        return b"", 0


def _remove_rings(run_dir: str) -> None:
    with contextlib.suppress(OSError):
        for name in os.listdir(run_dir):
            if ring_layout.parse_ring_name(name) is not None:
                os.unlink(os.path.join(run_dir, name))


def _restore_positions(run_dir: str, data: bytes) -> None:
    """Write the engine's file of positions unless this run has one."""
    if os.path.lexists(os.path.join(run_dir, POSITIONS_NAME)):
        return
    with opened_directory(run_dir) as directory:
        fd = create_private(POSITIONS_NAME, os.O_RDWR, directory)
    try:
        os.write(fd, data)
    finally:
        os.close(fd)


def _ignore(task: asyncio.Future[Any]) -> None:
    task.exception()
