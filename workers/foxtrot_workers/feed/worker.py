"""The worker: one exchange connection in one process. Joins client, adapter, pipeline and connection life.

`pipeline` is the hot path: frames to committed batches. `connection_life` decides everything else, at the pace of a
timer, and this module carries its effects out. The end of the connection ends the process; the exit code names the
cause for the supervisor's restart policy.
"""

from __future__ import annotations

import asyncio
import gc
import random
import time
from typing import Any

import msgspec

from foxtrot_protocol import endpoints
from foxtrot_protocol.child import ChildContext
from foxtrot_protocol.commands import (
    Backfill,
    Backfilled,
    BudgetGrant,
    FetchList,
    Heartbeat,
    Resync,
    RotateWanted,
    Stop,
    Subscribe,
    ToChild,
    TwinFresh,
    Unsubscribe,
)
from foxtrot_protocol.crash_report import cause_of
from foxtrot_protocol.events import FeedStatus
from foxtrot_protocol.exit_codes import ChildExit
from foxtrot_protocol.spec import FeedSettings, decode_settings
from foxtrot_workers.adapter import catalog
from foxtrot_workers.adapter.access import AccessRequest
from foxtrot_workers.adapter.adapter import Adapter
from foxtrot_workers.adapter.limits import Topic
from foxtrot_workers.adapter.notices import Notice, RestRequest
from foxtrot_workers.feed.access import gain_access, without_secrets
from foxtrot_workers.feed.adapter_rest import AdapterRest
from foxtrot_workers.feed.backfill_runner import BackfillRunner
from foxtrot_workers.feed.backpressure import Pressure
from foxtrot_workers.feed.connection_life import ConnectionLife
from foxtrot_workers.feed.effects import Answer, AskMaintenance, FeedEffect, Leave, Look, Online, Ping, Rotate, Send
from foxtrot_workers.feed.event_sender import EventSender
from foxtrot_workers.feed.frames_record import open_frames_record
from foxtrot_workers.feed.list_fetch import LIST_WAIT_S_MAX, ListFetch
from foxtrot_workers.feed.outflow import Outflow
from foxtrot_workers.feed.rate_limit import AddressLimit, RateLimitClient, RateLimitExhausted, address_of, budget_at
from foxtrot_workers.feed.rest import RestFetcher
from foxtrot_workers.feed.ring_writer import RingRefused
from foxtrot_workers.feed.snapshot_order import SnapshotOrder
from foxtrot_workers.feed.subscribe_commands import SubscribeCommands
from foxtrot_workers.feed.symbol_check import SymbolCheck
from foxtrot_workers.feed.system_requests import SystemRequests
from foxtrot_workers.feed.template_pipeline import make_pipeline
from foxtrot_workers.http.client import HttpClient
from foxtrot_workers.websocket.client import RETRY_AFTER_DEFAULT_S, Client, ClientOptions, ConnectFailed, make_client

__all__ = ["DRAIN_S", "FeedWorker", "run"]

CONNECT_WAIT_S_MAX = 5.0
"""Longest wait of a connect for its rate limit; a longer wait is spent in BACKOFF, without a process."""

REST_WAIT_S_MAX = 900.0
"""Longest wait of a REST request for its rate limit: the snapshots of all books of a large connection take so long."""

DRAIN_S = 5.0
"""Longest wait, within the grace of a stop, for the engine to drain the ring. The engine reads the rest from the ring
after the process has ended."""

MAINTENANCE_RETRY_S = 60.0
"""Seconds to the next attempt to connect to an exchange that is in maintenance."""

CLOSE_GRACE_S = 1.0
"""Longest wait, within the grace of a stop, for the WebSocket closing handshake."""


async def run(context: ChildContext) -> int:
    """Start target of a connection's worker."""
    settings = decode_settings(context.spec.settings, FeedSettings)
    context.doing(f"loading the adapter of exchange {settings.exchange!r}")
    try:
        adapter_class = catalog.adapter_class(settings.exchange)
    except (catalog.UnknownExchange, ImportError) as error:
        return _misconfigured(context, str(error))
    context.doing(f"making the adapter of exchange {settings.exchange!r}")
    adapter = adapter_class()
    try:
        topics = adapter.topics(settings.channels, settings.symbols)
        worker = FeedWorker(context, settings, adapter, topics)
    except (LookupError, ValueError) as error:
        return _misconfigured(context, str(error) if type(error) is ValueError else cause_of(error))
    except RingRefused as refusal:
        context.log.error("ring_refused", reason=refusal.reason)
        context.failed(refusal.reason)
        return ChildExit.CONNECTION_LOST  # the supervisor retries with backoff: the engine may free space
    context.doing("")
    return await worker.run()


def _misconfigured(context: ChildContext, reason: str) -> int:
    context.log.error("feed_misconfigured", reason=reason)
    context.failed(reason)
    return ChildExit.CONFIGURATION


class FeedWorker:
    """One connection of one exchange, from connect to exit code."""

    def __init__(self, context: ChildContext, settings: FeedSettings, adapter: Adapter, topics: list[Topic]) -> None:
        """Raises `RingRefused`."""
        self._context = context
        self._settings = settings
        self._adapter = adapter
        self._loop = asyncio.get_running_loop()
        self._life = ConnectionLife(
            adapter,
            topics,
            stale_after_s=settings.stale_after_s,
            rotate_after_s=settings.rotate_after_s,
            rotate_share=settings.rotate_share,
            chance=random.random(),
        )
        self._topics = topics
        rules = adapter.identity_rules(settings.channels)
        sender = EventSender(
            self._loop,
            settings.data_endpoint,
            context.spec.run_dir,
            context.spec.name,
            context.spec.incarnation,
            settings.ring_bytes,
            connection=settings.connection,
            side=settings.side,
            rules=rules,
            readers=[endpoints.sink_directory(context.spec.run_dir, sink) for sink in settings.sinks],
        )
        for directory, reason in sender.refused_links.items():
            context.log.error("sink_without_ring", path=directory, reason=reason)
        self._rate_limit = RateLimitClient(context)
        limits, base, rest_base = adapter.limits, settings.url or adapter.url, settings.rest_url or adapter.rest_url
        self._base, self._rest_base = base, rest_base
        rest_limit = self._rest_limit(REST_WAIT_S_MAX)
        self._connect_limit = AddressLimit(
            self._rate_limit,
            "connect",
            address_of(base, settings.proxy),
            budget_at(base, limits.connects),
            CONNECT_WAIT_S_MAX,
        )
        self._record = open_frames_record(context, settings, rest_base)
        order = SnapshotOrder(topics, self._life.flows)
        self._rest = RestFetcher(rest_base, settings.ca_file, settings.proxy, rest_limit, order.rank)
        self._outflow = Outflow(
            sender,
            settings.ring_bytes,
            settings.full_wait_s,
            context.log,
            pause=self._pause_reading,
            resume=self._resume_reading,
            later=self._loop.call_later,
        )
        self._pipeline = make_pipeline(
            adapter,
            self._outflow,
            settings.ring_bytes,
            context.log,
            rules,
            call_soon=self._loop.call_soon,
            on_notices=self._take_notices,
            on_failure=self._crash,
            record=None if self._record is None else self._record.received,
        )
        self._url = adapter.address(base)
        self._client = self._make_client()
        self._adapter_rest = AdapterRest(
            adapter, self._rest, self._pipeline, context.log, self._take_notices, self._record
        )
        self._subscribe_commands = SubscribeCommands(
            context,
            settings,
            adapter,
            self._life,
            SymbolCheck(adapter, self._rest, context.log, self._record),
            call_later=self._loop.call_later,
            perform=self._perform,
        )
        self._system = SystemRequests(
            adapter,
            self._rest_limit(CONNECT_WAIT_S_MAX),
            lambda: HttpClient(rest_base, settings.ca_file, settings.proxy),
        )
        self._list_fetch = ListFetch(
            context,
            adapter,
            self._rest_limit(LIST_WAIT_S_MAX),
            rest_url=rest_base,
            ca_file=settings.ca_file,
            proxy=settings.proxy,
        )
        self._backfill = BackfillRunner(
            adapter,
            self._rest,
            self._pipeline.commit_backfill,
            self._report_backfill,
            worker=context.spec.name,
            incarnation=context.spec.incarnation,
            record=self._record,
        )
        self._frames_seen = 0
        self._last_frame_at = 0.0
        self._last_control_at = 0.0
        self._opened = False
        self._rotation_told = False
        self._timer: asyncio.TimerHandle | None = None
        self._end: asyncio.Future[tuple[int, str]] = self._loop.create_future()
        self._stop_deadline: float | None = None

    async def run(self) -> int:
        """Connect, serve until something ends it, leave in order; return a `ChildExit`."""
        context = self._context
        context.on_command(self._on_command)
        context.heartbeat_from(self._fill_heartbeat)
        gc.collect()
        gc.freeze()
        gc.disable()  # the hot path makes no cycles; the heartbeat collects what little there is
        connecting = asyncio.create_task(self._connect(), name="connect")
        first: set[asyncio.Future[Any]] = {connecting, self._end}
        await asyncio.wait(first, return_when=asyncio.FIRST_COMPLETED)
        if not connecting.done():
            connecting.cancel()
            await asyncio.wait({connecting})
        elif (failure := connecting.exception()) is not None:
            return await self._give_up(failure)
        if not self._end.done():
            self._on_open()
        code, cause = await self._end
        await self._leave(code, cause)
        return code

    async def _connect(self) -> None:
        """Raises `ConnectFailed`."""
        try:
            await self._connect_limit.acquire()
        except RateLimitExhausted as refusal:
            raise ConnectFailed(refusal.cause, refused=True, retry_after_s=refusal.retry_after_s) from None
        request = self._adapter.access_request()
        if request is not None:
            await self._gain_access(request)
        if self._record is not None:
            self._record.connecting(self._url, has_token=request is not None)
        try:
            await self._client.connect()
        except ConnectFailed as failure:
            if failure.repelled:
                wish_s = failure.retry_after_s
                self._connect_limit.spent(RETRY_AFTER_DEFAULT_S if wish_s is None else wish_s)
            failure.cause = self._without_secrets(failure.cause)
            raise

    async def _gain_access(self, request: AccessRequest) -> None:
        """Ask the exchange where to connect. Raises `ConnectFailed`."""
        settings = self._settings
        rest = HttpClient(self._rest_base, settings.ca_file, settings.proxy)
        try:
            self._url = await gain_access(
                self._adapter, request, self._base, rest, self._rest_limit(CONNECT_WAIT_S_MAX), settings.connect_s
            )
        except RateLimitExhausted as refusal:
            raise ConnectFailed(refusal.cause, refused=True, retry_after_s=refusal.retry_after_s) from None
        finally:
            rest.close()
        self._client = self._make_client()

    def _make_client(self) -> Client:
        settings, limits = self._settings, self._adapter.limits
        options = ClientOptions(
            url=self._url,
            connect_s=settings.connect_s,
            frame_bytes_max=limits.frame_bytes_max,
            compression=limits.compression,
            ca_file=settings.ca_file,
            proxy=settings.proxy,
        )
        return make_client(settings.client, options, self._pipeline.on_frames, self._on_control, self._on_closed)

    def _rest_limit(self, wait_s_max: float) -> AddressLimit:
        """Return the rate limit of REST requests, for callers that wait at most `wait_s_max` seconds."""
        base = self._rest_base
        budget = budget_at(base, self._adapter.limits.rest_weight)
        return AddressLimit(self._rate_limit, "rest", address_of(base, self._settings.proxy), budget, wait_s_max)

    def _without_secrets(self, cause: str) -> str:
        return cause if self._adapter.access_request() is None else without_secrets(cause, self._url)

    # ---- the connection

    def _on_control(self) -> None:
        self._last_control_at = time.monotonic()

    def _pause_reading(self) -> None:
        self._client.pause()

    def _resume_reading(self) -> None:
        self._client.resume()

    def _on_open(self) -> None:
        self._opened = True
        self._outflow.connected(self._client.fileno())
        self._context.log.info("connected", topics=len(self._topics))
        self._last_control_at = now = time.monotonic()
        self._subscribe_commands.check_configured()
        self._adapter.opened_ns = time.time_ns()
        self._perform(self._life.opened(now))
        self._take_notices()
        self._arm_timer()
        self._system.start_clock()

    def _on_closed(self, cause: str) -> None:
        # an announced or planned end is not a failure
        announced = self._life.rotate_reason
        code = ChildExit.ROTATE if announced else ChildExit.CONNECTION_LOST
        self._finish(code, self._without_secrets(cause))

    def _take_notices(self) -> None:
        notices: list[Notice] = []
        # carrying out an effect may append more; the list object stays the adapter's
        while self._adapter.notices:
            notices.extend(self._adapter.notices)
            self._adapter.notices.clear()
        for notice in notices:
            if isinstance(notice, RestRequest):
                self._adapter_rest.fetch(notice)
        if self._opened:
            self._perform(self._life.noticed(notices, time.monotonic()))

    def _perform(self, effects: list[FeedEffect]) -> None:
        for effect in effects:
            if isinstance(effect, Send):
                if self._record is not None:
                    self._record.sent(effect.text)
                self._client.send(effect.text)
            elif isinstance(effect, Ping):
                self._client.ping()
            elif isinstance(effect, Online):
                self._context.ready()
            elif isinstance(effect, Answer):
                self._subscribe_commands.answered(effect.request_id, effect.error)
            elif isinstance(effect, Rotate):
                self._want_rotation(effect.reason)
            elif isinstance(effect, Leave):
                self._finish(effect.code, effect.cause)
            elif isinstance(effect, Look):
                self._look_by_rest(effect.request)
            elif isinstance(effect, AskMaintenance):
                self._system.ask_maintenance(self._on_maintenance)
            else:
                if effect.reason:
                    self._context.log.warning(
                        "topic", topic=effect.topic.wire, state=effect.state, reason=effect.reason
                    )
                self._pipeline.append(
                    FeedStatus(
                        exchange=self._adapter.exchange,
                        symbol=effect.topic.symbol,
                        exchange_ns=0,
                        receive_ns=time.time_ns(),
                        topic=effect.topic.wire,
                        state=effect.state,
                        age_s=effect.age_s,
                    )
                )

    def _look_by_rest(self, request: RestRequest) -> None:
        self._context.log.debug("stream_suspected", rest_path=request.path, reason="no data come")
        if not self._rest.fetch("liveness", request.path, request.delay_s, self._on_looked, request.weight):
            self._life.looked(0, b"", time.monotonic())

    def _on_looked(self, path: str, status: int, body: bytes) -> None:
        self._life.looked(status, body, time.monotonic())

    def _on_maintenance(self, reason: str) -> None:
        if not self._end.done():
            self._perform(self._life.maintenance_answered(reason, time.monotonic()))

    def _want_rotation(self, reason: str) -> None:
        spec = self._context.spec
        if not self._rotation_told:
            self._rotation_told = True
            self._context.log.info("rotation_wanted", reason=reason)
        self._context.send(RotateWanted(spec.name, spec.incarnation, reason))

    def _arm_timer(self) -> None:
        delay_s = max(0.0, self._life.next_deadline() - time.monotonic())
        self._timer = self._loop.call_later(delay_s, self._on_timer)

    def _on_timer(self) -> None:
        if self._end.done():
            return
        now = time.monotonic()
        frames_total = self._pipeline.frames_total
        if frames_total != self._frames_seen:
            # to the precision of this timer: the frames' own receive times are of the wall clock, which may jump
            self._frames_seen, self._last_frame_at = frames_total, now
        held = self._outflow.state is Pressure.HOLDING  # silence that we cause ourselves
        last_frame_at = now if held else max(self._last_control_at, self._last_frame_at)
        self._perform(self._life.tick(now, last_frame_at, held=held))
        self._backfill.tick(now)
        if self._adapter.notices:
            self._take_notices()
        self._arm_timer()

    # ---- past trades

    def _report_backfill(self, end: Backfilled) -> None:
        self._context.send(end)
        if end.left:
            self._context.log.warning(
                "backfill_incomplete", first_id=end.first_id, last_id=end.last_id, reason=end.left, retry=end.retry
            )

    # ---- commands and the end

    def _on_command(self, command: ToChild) -> None:
        if isinstance(command, Stop):
            deadline = time.monotonic() + command.grace_s
            self._stop_deadline = deadline if self._stop_deadline is None else min(deadline, self._stop_deadline)
            self._finish(ChildExit.CLEAN, "stop requested")
        elif isinstance(command, BudgetGrant):
            self._rate_limit.granted(command)
        elif isinstance(command, Backfill):
            self._backfill.ask(command)
        elif isinstance(command, TwinFresh):
            self._life.twin_is_fresh(time.monotonic())
        elif isinstance(command, Resync):
            self._resync(command)
        elif isinstance(command, Subscribe | Unsubscribe):
            self._subscribe_commands.change(command)
        elif isinstance(command, FetchList):
            self._list_fetch.start(command)

    def _resync(self, command: Resync) -> None:
        try:
            self._perform(self._life.resync(command.symbols, self._settings.channels, time.monotonic()))
        except (ValueError, OverflowError) as error:  # the engine requests it again
            self._context.log.warning("resync_refused", reason=str(error))
        if self._adapter.notices:
            self._take_notices()

    def _finish(self, code: int, cause: str) -> None:
        if not self._end.done():
            self._subscribe_commands.close()
            self._end.set_result((code, cause))

    def _crash(self, error: BaseException) -> None:
        """End the worker by `error`."""
        if self._end.done():  # it is leaving already
            self._loop.call_exception_handler({"message": "worker failed", "exception": error, "task": None})
        else:
            self._subscribe_commands.close()
            self._end.set_exception(error)

    async def _give_up(self, failure: BaseException) -> int:
        if not isinstance(failure, ConnectFailed):
            raise failure
        refused = failure.refused
        maintained = "" if failure.repelled else await self._ask_maintenance()
        if maintained:
            refused = True
            failure.cause = f"maintenance: {maintained} ({failure.cause})"
            failure.retry_after_s = max(failure.retry_after_s or 0.0, MAINTENANCE_RETRY_S)
        self._context.log.warning("connect_failed", cause=failure.cause, retry_after_s=failure.retry_after_s)
        self._context.failed(failure.cause, failure.retry_after_s)
        await self._rest.close()
        self._outflow.close()
        return ChildExit.REFUSED if refused else ChildExit.CONNECTION_LOST

    async def _ask_maintenance(self) -> str:
        """Return what the exchange says is maintained; "" too if a stop is requested meanwhile."""
        asking = asyncio.create_task(self._system.maintenance(), name="maintenance")
        both: set[asyncio.Future[Any]] = {asking, self._end}
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        if asking.done():
            return asking.result()
        asking.cancel()
        await asyncio.wait({asking})
        return ""

    async def _leave(self, code: int, cause: str) -> None:
        """Stop reading, flush, close: within the grace of the stop, or a second without a stop request."""
        deadline = self._stop_deadline if self._stop_deadline is not None else time.monotonic() + CLOSE_GRACE_S
        if code != ChildExit.CLEAN:
            self._context.log.warning("connection_ended", cause=cause)
            self._context.failed(cause)
        self._client.pause()
        if self._pipeline.pending:
            self._pipeline.flush()
        self._backfill.close()
        if self._timer is not None:
            self._timer.cancel()
        closing = asyncio.create_task(
            self._client.close(min(CLOSE_GRACE_S, max(0.0, deadline - time.monotonic()))), name="close"
        )
        await self._outflow.drain(min(deadline, time.monotonic() + DRAIN_S))
        await closing
        await self._list_fetch.close()
        await self._system.close()
        await self._rest.close()
        self._outflow.close()

    def _fill_heartbeat(self, heartbeat: Heartbeat) -> Heartbeat:
        gc.collect(1)
        now, now_ns, offset = time.monotonic(), time.time_ns(), self._system.offset
        return msgspec.structs.replace(
            heartbeat,
            frames_total=self._pipeline.frames_total,
            events_total=self._pipeline.events_total,
            rejected_total=self._pipeline.rejected_total,
            committed_total=self._outflow.committed_total,
            dropped_total=self._outflow.dropped_total,
            last_data_age_s=self._life.data_age_s(now, now_ns),
            topics=self._life.topics(now, now_ns),
            budget_waits_total=self._rate_limit.waits_total,
            budget_refused_total=self._rate_limit.refused_total,
            budget_unanswered_total=self._rate_limit.unanswered_total,
            snapshots_rejected_total=self._adapter_rest.snapshots_rejected_total,
            templated_total=self._pipeline.templated_total,
            templates_off_total=self._pipeline.templates_off_total,
            clock_offset_ms=None if offset is None else offset.offset_ns / 1e6,
            clock_error_ms=0.0 if offset is None else offset.error_ns / 1e6,
        )
