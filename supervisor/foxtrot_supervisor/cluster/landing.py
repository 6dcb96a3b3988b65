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
from foxtrot_supervisor.cluster.fences import Fences
from foxtrot_supervisor.cluster.handover import HANDOVER_EVENTS_MAX, Handover
from foxtrot_supervisor.cluster.holder_watch import watch_holders, watch_nodes
from foxtrot_supervisor.cluster.intake import Outstanding
from foxtrot_supervisor.cluster.joining import join
from foxtrot_supervisor.cluster.landed_ring import RingUnusable
from foxtrot_supervisor.cluster.landing_lane import LandingLane
from foxtrot_supervisor.cluster.landing_lanes import LandingLanes, Plan
from foxtrot_supervisor.cluster.names import EVENTS
from foxtrot_supervisor.cluster.nats_client import NATS_ERRORS, Client
from foxtrot_supervisor.cluster.pull import OrderedPull
from foxtrot_supervisor.cluster.remote_workers import Landed, RemoteWorkers
from foxtrot_supervisor.cluster.requests import encode_request
from foxtrot_supervisor.cluster.state_store import Superseded
from foxtrot_supervisor.cluster.streams import EVENT_SUBJECTS, ensure_events
from foxtrot_supervisor.cluster.wire import decode_parcel
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
        self._lanes = LandingLanes(self._run_dir)
        self._fences = Fences()
        self._remote = RemoteWorkers()
        self._fences_at = 0.0
        self._outstanding = Outstanding(0)
        self._handover = Handover()
        self._state_wanted = False
        """Batches wait for the next state."""
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
        landed = {
            key: Landed(lane.handled.committed, lane.closing or lane.closed) for key, lane in self._lanes.open.items()
        }
        connected = self._client is not None and self._client.is_connected
        rows = self._remote.rows(landed, time.monotonic(), connected=connected)
        return msgspec.structs.replace(heartbeat, counts=counts, problem=self._problem, remote_workers=rows)

    def _hosts_of(self, request: BooksWanted | HoleFound) -> list[str]:
        """Return the subjects of those that serve a request: a hole is for each side, books for one after the other."""
        lanes = [
            lane.lane.parcel
            for lane in self._lanes.open.values()
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
        self._lanes.adopt(hold.state, hold.known, hold.ended)
        self._outstanding = Outstanding(hold.start)

    async def finish(self, working: asyncio.Task[None]) -> None:
        """Hand the engine over: everything that is landed is handled, and the state says so."""
        await end_tasks(working)
        if self._writing is not None:
            await asyncio.gather(self._writing, return_exceptions=True)
        if self._hold is None or self._pull is None:
            return
        while time.monotonic() < self._grace_until and not self._lanes.are_landed_handled:
            self._settle(time.monotonic())
            await asyncio.sleep(LOOK_S)
        with contextlib.suppress(Superseded, *NATS_ERRORS):
            async with insistent_timeout(max(0.5, self._grace_until - time.monotonic())):
                self._lanes.base_wanted = True
                await self._write("")
                await self._pull.remove()
        fenced = {lane.lane.worker: lane.lane.incarnation for lane in self._lanes.open.values()}
        self._send_workers({}, fenced)

    async def close(self) -> None:
        """Close everything; rings stay for the engine."""
        self._bell.close()
        self._lanes.close()
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
        self._send_workers(self._lanes.started(), self._lanes.ended)

    def _send_workers(self, started: dict[str, int], fenced: dict[str, int]) -> None:
        spec = self._context.spec
        self._context.send(commands.RemoteWorkers(spec.name, spec.incarnation, started, dict(fenced)))

    # ---- what comes

    def _is_paused(self) -> bool:
        if len(self._outstanding) > WAITING_COUNT_MAX:
            return True
        return self._lanes.waiting_bytes > WAITING_BYTES_MAX

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
        if self._lanes.has_ended(key):
            self.counts["late_total"] += sum(batch.events for batch in parcel.batches)
            self._outstanding.done([source] * parts)
            return
        lane = self._lanes.open.get(key)
        if lane is None:
            try:
                lane = self._lanes.meet(parcel, self._hold.state.marks_to if self._hold is not None else 0)
            except RingUnusable as error:
                self._unusable(key, error)
                self._outstanding.done([source] * parts)
                return
        for finished in lane.take(source, parcel, purged=self._purged):
            self._outstanding.done(finished)
        self._lanes.active[key] = lane
        if parcel.end is not None:
            lane.close_down()

    def _unusable(self, key: Key, error: RingUnusable) -> None:
        self._problem = error.reason
        self._context.log.error("ring_unusable", worker=key[0], incarnation=key[1], reason=error.reason)

    # ---- the loop

    async def _work_on(self) -> None:
        while True:
            now = time.monotonic()
            self._settle(now)
            self._land(now)
            self._look_at_writing(now)
            delay = LOOK_S if self._lanes.active or self._writing is not None else BEAT_S / 4
            if self._work.is_set():
                self._work.clear()
                await asyncio.sleep(0)
                continue
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(delay):
                    await self._work.wait()

    def _land(self, now: float) -> None:
        """Hand over what has its turn, as far as the last state allows, each lane its part."""
        if not self._lanes.active or self._hold is None or not self._hold.is_sure:
            return
        rung: set[str] = set()
        keys = self._lanes.in_turn(now)
        quota = max(1, HANDOVER_EVENTS_MAX // max(1, len(keys)))
        while keys:
            keys = [key for key in keys if self._land_some(key, quota, now, rung)]
        for name in rung:
            with contextlib.suppress(OSError):
                self._bell.sendto(name.encode(), str(self._bell_path))

    def _land_some(self, key: Key, quota: int, now: float, rung: set[str]) -> bool:
        """Land about `quota` events of a lane; whether it may have more."""
        lane, handover, repeating = self._lanes.open[key], self._handover, self._lanes.is_repeating
        while lane.lane.ready:
            if not lane.may_land(repeating=repeating):
                self._state_wanted = self._state_wanted or not repeating
                return False
            item = lane.lane.ready[0]
            if not repeating and not handover.has_room(item.events, len(item.data)):
                self._state_wanted = self._state_wanted or not handover.is_idle
                if not (lane.is_landed_handled and handover.is_stuck(now) and not self._lanes.are_in_flight):
                    return False
                handover.passed_total += 1
            try:
                landed = lane.land(now, None if repeating else handover, self._announce)
            except RingUnusable as error:
                self._unusable(key, error)
                return False
            if landed < 0:
                return False
            self._lanes.landed(key)
            rung.add(lane.name)
            quota -= landed
            if quota <= 0:
                return True
        return False

    def _announce(self, lane: LandingLane) -> None:
        self._send_workers({lane.lane.worker: lane.lane.incarnation}, {})

    def _settle(self, now: float) -> None:
        """Take note of what the engine has handled, and of lanes that have ended."""
        if now >= self._fences_at:
            self._fences_at = now + FENCES_S
            self._lanes.close_fenced(self._fences, self._outstanding.last, now)
        for sources in self._lanes.settle(now, self._handover, self._outstanding.last):
            self._outstanding.done(sources)
        if self._pull is not None:
            self._pull.resume()

    # ---- the state

    def _due(self, now: float) -> float:
        """Return when the next state is written."""
        if self._state_wanted or (self._lanes.base_wanted and not self._lanes.is_repeating):
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
                self._lanes.base_wanted = True  # the lanes of the state that was not written are in the next one
                self._problem = f"state of the engine: {error or type(error).__name__}"

    def _interval_of_bases(self) -> float:
        assert self._hold is not None
        return max(BASE_S, self._hold.base_cost_s / BASE_SHARE)

    def _snapshot(self, now: float, *, final: bool) -> tuple[Snapshot, Plan]:
        """Return what the next state says, and what it says of the lanes; `final`: it is the last one."""
        lanes = self._lanes
        self._handover.note()
        self._state_wanted = False
        whole = not lanes.is_repeating and (
            lanes.base_wanted or (lanes.differ and now >= self._base_at + self._interval_of_bases())
        )
        if whole:
            self._base_at = now
        plan = lanes.plan(HANDOVER_EVENTS_MAX, whole=whole, final=final)
        snapshot = Snapshot(
            position=self._outstanding.position,
            read=max(self._outstanding.last, lanes.repeat_read),
            repeating=lanes.is_repeating,
            lanes=plan.lanes,
            begun=plan.begun,
            ended=plan.ended,
        )
        return snapshot, plan

    async def _write(self, holder: str) -> None:
        """Write the state; then fence the incarnations that it says have ended."""
        assert self._hold is not None
        assert self._pull is not None
        snapshot, plan = self._snapshot(time.monotonic(), final=not holder)
        await self._hold.write(holder, snapshot)
        self._handover.durable()
        self.counts["states_total"] += 1
        fenced = self._lanes.written(plan)
        if fenced:
            self._send_workers({}, fenced)
        await self._pull.acknowledge(snapshot.position)


def _ignore(task: asyncio.Future[Any]) -> None:
    task.exception()
