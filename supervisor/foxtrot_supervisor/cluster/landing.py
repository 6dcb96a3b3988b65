"""Start target of the service that brings the events of a cluster to the engine of this host.

It reads the stream of events in order, and writes the batches of each remote worker into a ring of this run, which the
engine reads as it reads the rings of local workers: the same rules, the same accounts, the same gaps. It hands over a
bounded number of events (`handover`), and further ones as states in NATS say that the engine has handled those before.
If this host dies, another one with an engine of the same name goes on there.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from typing import Any

import msgspec

from foxtrot_protocol import commands, endpoints
from foxtrot_protocol.child import ChildContext
from foxtrot_protocol.commands import BooksWanted, ForHosts, Heartbeat, HoleFound, Stop, ToChild
from foxtrot_protocol.control import StopRequest
from foxtrot_protocol.errors import MalformedMessage
from foxtrot_protocol.exit_codes import ChildExit
from foxtrot_protocol.spec import decode_settings
from foxtrot_supervisor.client.async_control import AsyncControlClient
from foxtrot_supervisor.cluster.engine_hold import RETRY_S, EngineHold, Snapshot
from foxtrot_supervisor.cluster.engine_state import Known, LaneState
from foxtrot_supervisor.cluster.fences import Fences, epoch_of
from foxtrot_supervisor.cluster.handover import HANDOVER_EVENTS_MAX, Handover
from foxtrot_supervisor.cluster.holder_watch import watch_holders, watch_nodes
from foxtrot_supervisor.cluster.intake import Outstanding
from foxtrot_supervisor.cluster.joining import join
from foxtrot_supervisor.cluster.landed_ring import RingUnusable
from foxtrot_supervisor.cluster.landing_lane import LandingLane
from foxtrot_supervisor.cluster.names import EVENTS
from foxtrot_supervisor.cluster.nats_client import NATS_ERRORS, Client
from foxtrot_supervisor.cluster.pull import OrderedPull
from foxtrot_supervisor.cluster.remote_workers import Landed, RemoteWorkers
from foxtrot_supervisor.cluster.requests import encode_request
from foxtrot_supervisor.cluster.state_store import Superseded
from foxtrot_supervisor.cluster.streams import EVENT_SUBJECTS, ensure_events
from foxtrot_supervisor.cluster.wire import Parcel, decode_parcel
from foxtrot_supervisor.cluster.wire_names import request_subject
from foxtrot_supervisor.core.cluster_settings import LandingSettings
from foxtrot_supervisor.core.coordination.books import turn_of
from foxtrot_supervisor.system.ending import end_tasks, insistent_timeout

__all__ = ["BASE_S", "PACE_S", "WAITING_BYTES_MAX", "WAITING_COUNT_MAX", "run"]

PACE_S = 0.005
"""Interval at which the state is written while events are handled; sooner if batches wait for it."""

BASE_S = 1.0
"""Interval at which it is written with the engine's merge positions, while events are handled."""

BASE_SHARE = 0.05
"""Share of its time that the reading of positions may take: large ones are written less often."""

BEAT_S = 1.0
"""Interval at which the state is written in any case: shows that this host lives."""

WAITING_COUNT_MAX = 4096
"""Messages of the stream that are read ahead of what the engine has handled."""

WAITING_BYTES_MAX = 64 * 1024 * 1024
"""Bytes of batches that wait to be landed."""

LOOK_S = 0.002
"""Interval at which rings are checked for what the engine has handled, while it has not handled everything."""

FENCES_S = 0.05
"""Interval at which lanes are compared with the fences."""

SUCCESSOR_WAIT_S = 5.0
"""How long an incarnation waits for the end of the one before it."""

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
        await end_tasks(working, waiting)
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
        self._hold: EngineHold | None = None
        self._pull: OrderedPull | None = None
        self._known: dict[Key, Known] = {}
        self._lanes: dict[Key, LandingLane] = {}
        self._active: dict[Key, LandingLane] = {}
        """Lanes in which something is to be done."""
        self._incarnations: dict[str, list[int]] = {}
        """Of lanes, by worker."""
        self._ended: dict[str, int] = {}
        self._silent: dict[str, int] = {}
        """Predecessors that were superseded and of which nothing came: the next base says that they have ended."""
        self._blocked: dict[Key, float] = {}
        self._fences = Fences()
        self._remote = RemoteWorkers()
        self._fences_at = 0.0
        self._outstanding = Outstanding(0)
        self._handover = Handover()
        self._repeating: set[Key] = set()
        """Lanes of which the engine has to repeat decisions before anything is handed over."""
        self._is_repeating = False
        self._repeat_read = 0
        """Stream sequence by which everything that is repeated has come."""
        self._touched: set[Key] = set()
        """Lanes that differ from the base."""
        self._begun: dict[Key, LaneState] = {}
        self._planned: dict[Key, LaneState] = {}
        self._state_wanted = False
        """Batches wait for the next state."""
        self._base_wanted = False
        self._base_at = 0.0
        self._purged = False
        self._writing: asyncio.Task[None] | None = None
        self._written_at = 0.0
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
        counts["handover_events"] = self._handover.events
        counts["handover_most"] = self._handover.events_most
        counts["handover_passed_total"] = self._handover.passed_total
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
        hold = EngineHold(client, self._context, self._settings)
        await hold.take(created, self._last, self._has_problem)
        self._adopt(hold)
        self._report_known()
        self._pull = OrderedPull(client, EVENTS, hold.state.consumer, EVENT_SUBJECTS, self._take, self._is_paused, log)
        self._problem = ""
        reading = asyncio.create_task(self._pull.run(hold.start + 1), name="pull")
        watching = asyncio.create_task(watch_holders(client, self._fences, self._remote.holders), name="holders")
        hearing = asyncio.create_task(watch_nodes(client, self._remote), name="nodes")
        try:
            await self._work_on()
        finally:
            await end_tasks(reading, watching, hearing)

    def _has_problem(self, problem: str) -> None:
        self._problem = problem

    def _adopt(self, hold: EngineHold) -> None:
        """Begin where the state says."""
        self._hold = hold
        self._known = hold.known
        self._ended = hold.ended
        self._outstanding = Outstanding(hold.start)
        self._touched = {each.key for each in (*hold.state.lanes, *hold.state.begun)}
        self._begun = {each.key: each for each in hold.state.begun}
        self._is_repeating = hold.state.repeating
        self._repeat_read = hold.state.read
        if self._is_repeating:
            self._repeating = {key for key, each in hold.known.items() if each.reached.sequence > each.start.sequence}

    async def finish(self, working: asyncio.Task[None]) -> None:
        """Hand the engine over: everything that is landed is handled, and the state says so."""
        await end_tasks(working)
        if self._writing is not None:
            await asyncio.gather(self._writing, return_exceptions=True)
        if self._hold is None or self._pull is None:
            return
        while time.monotonic() < self._grace_until and any(not each.is_landed_handled for each in self._lanes.values()):
            self._settle(time.monotonic())
            await asyncio.sleep(LOOK_S)
        with contextlib.suppress(Superseded, *NATS_ERRORS):
            async with insistent_timeout(max(0.5, self._grace_until - time.monotonic())):
                self._base_wanted = True
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
                self._last = info.state.last_seq
                return str(info.created), differences
            except NATS_ERRORS as error:
                self._problem = f"stream of events: {error or type(error).__name__}"
                await asyncio.sleep(RETRY_S)

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
        self._active[key] = lane
        if parcel.end is not None:
            lane.close_down()

    def _meet(self, key: Key, parcel: Parcel) -> LandingLane | None:
        """Open the lane of an incarnation; one of a later epoch supersedes all before it."""
        try:
            known = self._known.pop(key, None)
            marks_to = self._hold.state.marks_to if self._hold is not None else 0
            lane = self._lanes[key] = LandingLane(self._run_dir, parcel, known, marks_to)
        except RingUnusable as error:
            self._unusable(key, error)
            return None
        self._incarnations.setdefault(parcel.worker, []).append(parcel.incarnation)
        for key, other in self._lanes.items():
            if other.lane.worker == parcel.worker and epoch_of(other.lane.incarnation) < epoch_of(parcel.incarnation):
                self._close_down(key)
        for worker, incarnation in list(self._known):
            # a predecessor of which nothing comes any more: everything of it stands before this parcel
            if worker == parcel.worker and epoch_of(incarnation) < epoch_of(parcel.incarnation):
                del self._known[worker, incarnation]
                self._silent[worker] = max(incarnation, self._silent.get(worker, 0))
                self._base_wanted = True
        return lane

    def _unusable(self, key: Key, error: RingUnusable) -> None:
        self._problem = error.reason
        self._context.log.error("ring_unusable", worker=key[0], incarnation=key[1], reason=error.reason)

    def _close_down(self, key: Key) -> None:
        lane = self._active[key] = self._lanes[key]
        lane.close_down()

    # ---- the loop

    async def _work_on(self) -> None:
        while True:
            now = time.monotonic()
            self._settle(now)
            self._land(now)
            self._look_at_writing(now)
            delay = LOOK_S if self._active or self._writing is not None else BEAT_S / 4
            if self._work.is_set():
                self._work.clear()
                await asyncio.sleep(0)
                continue
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(delay):
                    await self._work.wait()

    def _land(self, now: float) -> None:
        """Hand over what has its turn, as far as the last state allows, each lane its part."""
        if not self._active or self._hold is None or not self._hold.is_sure:
            return
        rung: set[str] = set()
        keys = [key for key, lane in self._active.items() if lane.lane.ready and not self._is_blocked(key)]
        quota = max(1, HANDOVER_EVENTS_MAX // max(1, len(keys)))
        while keys:
            keys = [key for key in keys if self._land_some(key, quota, now, rung)]
        for name in rung:
            with contextlib.suppress(OSError):
                self._bell.sendto(name.encode(), str(self._bell_path))

    def _land_some(self, key: Key, quota: int, now: float, rung: set[str]) -> bool:
        """Land about `quota` events of a lane; whether it may have more."""
        lane, handover, repeating = self._lanes[key], self._handover, self._is_repeating
        while lane.lane.ready:
            if not lane.may_land(repeating=repeating):
                self._state_wanted = self._state_wanted or not repeating
                return False
            item = lane.lane.ready[0]
            if not repeating and not handover.has_room(item.events, len(item.data)):
                self._state_wanted = self._state_wanted or not handover.is_idle
                if not (lane.is_landed_handled and handover.is_stuck(now) and not self._is_handling()):
                    return False
                handover.passed_total += 1
            try:
                landed = lane.land(now, None if repeating else handover, self._announce)
            except RingUnusable as error:
                self._unusable(key, error)
                return False
            if landed < 0:
                return False
            self._touched.add(key)
            rung.add(lane.name)
            quota -= landed
            if quota <= 0:
                return True
        return False

    def _is_handling(self) -> bool:
        """Whether handlers have a batch now."""
        return any(lane.ring is not None and lane.ring.in_flight for lane in self._active.values())

    def _announce(self, lane: LandingLane) -> None:
        self._send_workers({lane.lane.worker: lane.lane.incarnation}, {})

    def _is_blocked(self, key: Key) -> bool:
        """Whether an earlier incarnation of the worker has to end first: the engine must not end it itself."""
        worker, incarnation = key
        earlier = [other for other in self._incarnations.get(worker, ()) if other < incarnation]
        if not earlier:
            self._blocked.pop(key, None)
            return False
        now = time.monotonic()
        if now - self._blocked.setdefault(key, now) >= SUCCESSOR_WAIT_S:
            for other in earlier:
                self._close_down((worker, other))
        return True

    def _settle(self, now: float) -> None:
        """Take note of what the engine has handled, and of lanes that have ended."""
        if now >= self._fences_at:
            self._fences_at = now + FENCES_S
            read = self._outstanding.last
            for key, lane in self._lanes.items():
                parcel = lane.lane.parcel
                if not lane.closing and self._fences.covers(
                    parcel.connection, parcel.side, parcel.incarnation, read, now
                ):
                    self._close_down(key)
        for key, lane in list(self._active.items()):
            finished = lane.settle(now, self._handover)
            for sources in finished:
                self._outstanding.done(sources)
            if finished:
                self._touched.add(key)
            if lane.closing and not lane.closed and lane.is_handled:
                lane.closed = True
                self._base_wanted = True
                self._outstanding.done([lane.lane.end_source])
            if lane.is_idle or lane.closed:
                del self._active[key]
        if self._is_repeating:
            self._look_at_repeating()
        if self._pull is not None:
            self._pull.resume()

    def _look_at_repeating(self) -> None:
        """Hand over new events once the engine has repeated all decisions that handlers have seen."""
        everything_came = self._outstanding.last >= self._repeat_read
        for key in list(self._repeating):
            lane = self._lanes.get(key)
            pending = key in self._known if lane is None else lane.is_repeating
            if pending and everything_came:  # the stream has discarded what is missing
                pending = lane is not None and lane.repeat_pending
            if not pending:
                self._repeating.discard(key)
        if not self._repeating:
            self._is_repeating = False
            self._base_wanted = True

    # ---- the state

    def _due(self, now: float) -> float:
        """Return when the next state is written."""
        if self._base_wanted and not self._is_repeating:
            return self._written_at
        if self._state_wanted:
            return self._written_at
        if not self._handover.is_idle:
            return self._written_at + PACE_S
        return self._written_at + BEAT_S

    def _look_at_writing(self, now: float) -> None:
        """Begin to write the state when it is due; raises `Superseded`."""
        writing = self._writing
        if writing is None:
            if now >= self._due(now):
                self._writing = asyncio.create_task(self._write(self._context.spec.run_id), name="state")
                self._writing.add_done_callback(lambda _: self._work.set())
        elif writing.done():
            self._writing, self._written_at = None, now
            try:
                writing.result()
                self._problem = ""
            except NATS_ERRORS as error:
                self._written_at = now + RETRY_S
                self._base_wanted = True  # the lanes of the state that was not written are in the next one
                self._problem = f"state of the engine: {error or type(error).__name__}"

    def _interval_of_bases(self) -> float:
        assert self._hold is not None
        return max(BASE_S, self._hold.base_cost_s / BASE_SHARE)

    def _snapshot(self, now: float, *, final: bool) -> tuple[Snapshot, list[Key]]:
        """Return what the next state says, and the lanes that it says have ended; `final`: it is the last one."""
        self._handover.note()
        self._state_wanted = False
        whole = not self._is_repeating and (
            self._base_wanted or (bool(self._touched) and now >= self._base_at + self._interval_of_bases())
        )
        closed: list[Key] = []
        ended = None
        if whole:
            self._base_wanted, self._base_at = False, now
            closed = [key for key, lane in self._lanes.items() if lane.closed]
            ended = dict(self._ended)
            for worker, incarnation in (*closed, *self._silent.items()):
                ended[worker] = max(incarnation, ended.get(worker, 0))
        share = max(1, HANDOVER_EVENTS_MAX // max(1, len(self._active)))
        exact = final and all(lane.is_landed_handled for lane in self._lanes.values())
        for key, lane in self._active.items():
            if lane.lane.begun and (key in self._touched or lane.lane.ready):
                self._touched.add(key)
                if not lane.known:
                    self._begun[key] = lane.begin
        self._planned = {
            key: lane.last_state if exact else lane.plan(share)
            for key, lane in self._lanes.items()
            if (whole or key in self._touched) and lane.lane.begun and key not in closed
        }
        listed = dict(self._planned)
        for key, known in self._known.items():
            if whole or key in self._touched:
                listed[key] = known.reached
        if ended is not None:
            listed = {key: each for key, each in listed.items() if key[1] > ended.get(key[0], 0)}
        lanes = list(listed.values())
        begun = list(self._begun.values())
        if whole:
            self._touched.clear()
            self._begun = {}
        return (
            Snapshot(
                position=self._outstanding.position,
                read=max(self._outstanding.last, self._repeat_read if self._is_repeating else 0),
                repeating=self._is_repeating,
                lanes=lanes,
                begun=begun,
                ended=ended,
            ),
            closed,
        )

    async def _write(self, holder: str) -> None:
        """Write the state; then fence the incarnations that it says have ended."""
        assert self._hold is not None
        assert self._pull is not None
        snapshot, closed = self._snapshot(time.monotonic(), final=not holder)
        silent = dict(self._silent)
        await self._hold.write(holder, snapshot)
        self._handover.durable()
        self.counts["states_total"] += 1
        for key, state in self._planned.items():
            self._lanes[key].named(state)
        if snapshot.ended is not None:
            self._ended = dict(snapshot.ended)
            for key in closed:
                self._forget(key)
            for worker, incarnation in silent.items():
                if self._silent.get(worker) == incarnation:
                    del self._silent[worker]
            fenced = {worker for worker, _ in closed} | silent.keys()
            if fenced:
                self._send_workers({}, {worker: snapshot.ended[worker] for worker in fenced})
        await self._pull.acknowledge(snapshot.position)

    def _forget(self, key: Key) -> None:
        self._lanes.pop(key).close()
        self._active.pop(key, None)
        self._touched.discard(key)
        self._incarnations[key[0]].remove(key[1])


def _ignore(task: asyncio.Future[Any]) -> None:
    task.exception()
