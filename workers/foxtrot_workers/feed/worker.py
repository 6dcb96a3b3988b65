"""The worker: one exchange connection in one process. Joins client, adapter, feed and sender.

The hot path is `_on_frames`: parse, append, flush when the frame was the last at hand. Everything else
happens at the pace of a timer. What ends the connection ends the process, with an exit code that tells
the supervisor whose doing it was.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import random
import time
from collections.abc import Sequence
from typing import Any

import msgspec

from foxtrot_protocol.child import ChildContext
from foxtrot_protocol.commands import (
    Backfill,
    Backfilled,
    BudgetGrant,
    Done,
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
from foxtrot_protocol.events import FeedStatus, MarketEvent
from foxtrot_protocol.exit_codes import ChildExit
from foxtrot_protocol.spec import FeedSettings, decode_settings
from foxtrot_workers.adapter import catalog
from foxtrot_workers.adapter.adapter import Adapter
from foxtrot_workers.adapter.limits import Topic
from foxtrot_workers.adapter.notices import Notice, Refused, RestRequest, SnapshotRejected, UnrecognizedFrame
from foxtrot_workers.child.log import Repetition
from foxtrot_workers.feed.backfill import Finished
from foxtrot_workers.feed.backfill_runner import BackfillRunner
from foxtrot_workers.feed.backpressure import Pressure
from foxtrot_workers.feed.budget_gate import AddressGate, BudgetGate, BudgetRefused, address_of, budget_at
from foxtrot_workers.feed.connection_life import Answer, Feed, FeedEffect, Leave, Look, Online, Rotate, Send
from foxtrot_workers.feed.event_sender import EventSender
from foxtrot_workers.feed.outflow import Outflow
from foxtrot_workers.feed.rest import RestFetcher
from foxtrot_workers.feed.ring_writer import RingRefused
from foxtrot_workers.feed.symbol_check import SymbolCheck
from foxtrot_workers.websocket.client import RETRY_AFTER_DEFAULT_S, ClientOptions, ConnectFailed, make_client

__all__ = ["BACKFILL_ROOM", "BATCH_EVENTS_MAX", "DRAIN_S", "FeedWorker", "run"]

BATCH_EVENTS_MAX = 256
"""A batch is sent at this many events at the latest; else when nothing more is at hand."""

SAMPLE_BYTES = 300
"""How much of a rejected frame is shown in the log."""

CONNECT_WAIT_S_MAX = 5.0
"""How long a connect may wait for its share of the exchange's budget here; a longer wait is spent in BACKOFF, for which
the supervisor needs no process."""

REST_WAIT_S_MAX = 900.0
"""How long a REST request may wait for its share: as the snapshots of all the books of a large connection take."""

BACKFILL_ROOM = 0.5
"""Part of the ring that has to be free for what was fetched: the live stream needs the room more."""

SYMBOL_CHECK_S = 6.0
"""How long a subscription may wait for the instrument list; without it an unknown symbol cannot be told."""

UNKNOWN_WAIT_S = 5.0
"""How long topics of symbols that the instrument list does not have may still begin to flow: the list may be that of
another environment."""

DRAIN_S = 5.0
"""How long, within the grace of a stop, the engine may take to do with everything: what it has not by then it reads
from the ring when we are gone."""

CLOSE_GRACE_S = 1.0
"""How long a polite WebSocket close may take, within the grace of a stop."""


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
        return ChildExit.CONNECTION_LOST  # waited for with backoff, as for an exchange: an engine may free the room
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
        self._parse = adapter.parse
        self._notices = adapter.notices
        self._loop = asyncio.get_running_loop()
        self._feed = Feed(
            adapter,
            topics,
            stale_after_s=settings.stale_after_s,
            rotate_after_s=settings.rotate_after_s,
            rotate_share=settings.rotate_share,
            chance=random.random(),
        )
        self._topics = topics
        self._events: list[MarketEvent[str]] = []
        sender = EventSender(
            context.zmq_context,
            settings.data_endpoint,
            context.spec.run_dir,
            context.spec.name,
            context.spec.incarnation,
            settings.ring_bytes,
            connection=settings.connection,
            side=settings.side,
            rules=adapter.identity_rules(settings.channels),
        )
        self._gate = BudgetGate(context)
        limits, base, rest_base = adapter.limits, settings.url or adapter.url, settings.rest_url or adapter.rest_url
        rest_gate = AddressGate(
            self._gate,
            "rest",
            address_of(rest_base, settings.proxy),
            budget_at(rest_base, limits.rest_weight),
            REST_WAIT_S_MAX,
        )
        self._connect_gate = AddressGate(
            self._gate,
            "connect",
            address_of(base, settings.proxy),
            budget_at(base, limits.connects),
            CONNECT_WAIT_S_MAX,
        )
        self._rest = RestFetcher(rest_base, settings.ca_file, settings.proxy, rest_gate)
        self._client = make_client(
            settings.client,
            ClientOptions(
                url=adapter.address(base),
                connect_s=settings.connect_s,
                frame_bytes_max=limits.frame_bytes_max,
                compression=limits.compression,
                ca_file=settings.ca_file,
                proxy=settings.proxy,
            ),
            self._on_frames,
            self._on_control,
            self._on_closed,
        )
        self._symbol_check = SymbolCheck(adapter, self._rest, context.log)
        self._asked_symbols: dict[int, list[str]] = {}
        """Symbols of operators' requests that the exchange has not answered yet."""
        self._outflow = Outflow(
            sender,
            settings.ring_bytes,
            settings.full_wait_s,
            context.log,
            pause=self._client.pause,
            resume=self._client.resume,
            later=self._loop.call_later,
        )
        self._backfill = BackfillRunner(adapter, self._rest, self._commit_past, self._report_backfill)
        self._frames_total = 0
        self._events_total = 0
        self._rejected_total = 0
        self._snapshots_rejected_total = 0
        self._rejections = Repetition(repeats_max=1)
        self._frames_looked_at = 0
        self._last_frame_at = 0.0
        self._last_control_at = 0.0
        self._flush_scheduled = False
        self._opened = False
        self._rotation_told = False
        self._timer: asyncio.TimerHandle | None = None
        self._end: asyncio.Future[tuple[int, str]] = self._loop.create_future()
        self._stop_deadline: float | None = None

    async def run(self) -> int:
        """Connect, serve until something ends it, leave in order; returns a `ChildExit`."""
        try:
            return await self._serve()
        except BaseException:
            self._outflow.close()  # an open socket would hold up the context
            raise

    async def _serve(self) -> int:
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
            await self._connect_gate.enter()
        except BudgetRefused as refusal:
            raise ConnectFailed(refusal.cause, refused=True, retry_after_s=refusal.retry_after_s) from None
        try:
            await self._client.connect()
        except ConnectFailed as failure:
            if failure.repelled:
                wish_s = failure.retry_after_s
                self._connect_gate.spent(RETRY_AFTER_DEFAULT_S if wish_s is None else wish_s)
            raise

    # ---- hot path

    def _on_frames(self, frames: list[bytes], last: bool) -> None:
        receive_ns = time.time_ns()  # they were read together
        self._frames_total += len(frames)
        try:
            self._parse_all(frames, receive_ns)
            if last:
                if self._events:
                    self._flush()
            elif not self._flush_scheduled:
                self._flush_scheduled = True
                self._loop.call_soon(self._flush_soon)
        except BaseException as error:
            # whatever is raised inside a library's callback must end the worker, not vanish in the library
            self._crash(error)

    def _parse_all(self, frames: list[bytes], receive_ns: int) -> None:
        parse, notices, events = self._parse, self._notices, self._events
        for frame in frames:
            try:
                parse(frame, receive_ns, events)
            except (msgspec.MsgspecError, UnrecognizedFrame, RecursionError, ValueError, LookupError) as error:
                self._reject(frame, error)
            if notices:
                self._take_notices()
                events = self._events
            if len(events) >= BATCH_EVENTS_MAX:
                self._flush()
                events = self._events

    def _flush_soon(self) -> None:
        self._flush_scheduled = False
        if self._events:
            self._flush()

    def _flush(self) -> None:
        events, self._events = self._events, []
        self._events_total += len(events)
        self._outflow.send(events)

    # ---- everything else

    def _on_control(self) -> None:
        self._last_control_at = time.monotonic()

    def _on_open(self) -> None:
        self._opened = True
        self._context.log.info("connected", exchange=self._adapter.exchange, topics=len(self._topics))
        self._last_control_at = now = time.monotonic()
        self._check_symbols()
        self._perform(self._feed.opened(now))
        self._take_notices()
        self._arm_timer()

    def _on_closed(self, cause: str) -> None:
        # an end that was announced, or planned for, is no failure
        announced = self._feed.rotate_reason
        self._finish(ChildExit.ROTATE if announced else ChildExit.CONNECTION_LOST, cause)

    def _take_notices(self) -> None:
        notices: list[Notice] = []
        # performing an effect may make the adapter say more; the list itself stays the adapter's
        while self._adapter.notices:
            notices.extend(self._adapter.notices)
            self._adapter.notices.clear()
        for notice in notices:
            if isinstance(notice, RestRequest) and not self._rest.fetch(
                notice.key, notice.path, notice.delay_s, self._on_rest, notice.weight
            ):
                self._context.log.warning("rest_request_refused", path=notice.path)
        if self._opened:
            self._perform(self._feed.noticed(notices, time.monotonic()))

    def _on_rest(self, path: str, status: int, body: bytes) -> None:
        if status != 200:
            self._context.log.warning(
                "rest_failed", path=path, status=status, answer=body[:SAMPLE_BYTES].decode(errors="replace")
            )
        try:
            self._adapter.on_rest(path, status, body, time.time_ns(), self._events)
        except (msgspec.MsgspecError, RecursionError, ValueError, LookupError) as error:
            self._context.log.warning("rest_answer_rejected", path=path, reason=str(error))
            self._adapter.on_rest(path, 0, b"", time.time_ns(), self._events)
        for notice in self._adapter.notices:
            if isinstance(notice, SnapshotRejected):
                self._count_rejected_snapshot(notice, path, status, body)
        if self._adapter.notices:
            self._take_notices()
        if self._events:
            self._flush()

    def _count_rejected_snapshot(self, notice: SnapshotRejected, path: str, status: int, body: bytes) -> None:
        self._snapshots_rejected_total += 1
        if status == 200:  # any other has been logged with its status
            self._context.log.warning(
                "snapshot_rejected",
                topic=notice.wire,
                path=path,
                reason=notice.reason,
                size_bytes=len(body),
                sample=body[:SAMPLE_BYTES].decode(errors="replace"),
                rejected_total=self._snapshots_rejected_total,
            )

    def _reject(self, frame: bytes, error: Exception) -> None:
        self._rejected_total += 1
        held_back = self._rejections.admit(type(error).__name__, time.monotonic())
        if held_back is None:
            return
        self._context.log.warning(
            "frame_rejected",
            rejected_total=self._rejected_total,
            reason=f"{type(error).__name__}: {error}"[:SAMPLE_BYTES],
            size_bytes=len(frame),
            sample=frame[:SAMPLE_BYTES].decode(errors="replace"),
        )

    def _perform(self, effects: list[FeedEffect]) -> None:
        for effect in effects:
            if isinstance(effect, Send):
                self._client.send(effect.text)
            elif isinstance(effect, Online):
                self._context.ready()
            elif isinstance(effect, Answer):
                self._done(effect.request_id, effect.error, self._asked_symbols.get(effect.request_id, []))
            elif isinstance(effect, Rotate):
                self._want_rotation(effect.reason)
            elif isinstance(effect, Leave):
                self._finish(effect.code, effect.cause)
            elif isinstance(effect, Look):
                self._look_by_rest(effect.request)
            else:
                if effect.reason:
                    self._context.log.warning(
                        "topic", topic=effect.topic.wire, state=effect.state, reason=effect.reason
                    )
                self._events.append(
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
        if self._events and not self._flush_scheduled:
            self._flush_scheduled = True
            self._loop.call_soon(self._flush_soon)

    def _look_by_rest(self, request: RestRequest) -> None:
        self._context.log.debug("stream_suspected", path=request.path, reason="no data come")
        if not self._rest.fetch("liveness", request.path, request.delay_s, self._on_looked, request.weight):
            self._feed.looked(0, b"", time.monotonic())

    def _on_looked(self, path: str, status: int, body: bytes) -> None:
        self._feed.looked(status, body, time.monotonic())

    def _want_rotation(self, reason: str) -> None:
        spec = self._context.spec
        if not self._rotation_told:
            self._rotation_told = True
            self._context.log.info("rotation_wanted", reason=reason)
        self._context.send(RotateWanted(spec.name, spec.incarnation, reason))

    def _arm_timer(self) -> None:
        delay_s = max(0.0, self._feed.next_deadline() - time.monotonic())
        self._timer = self._loop.call_later(delay_s, self._on_timer)

    def _on_timer(self) -> None:
        if self._end.done():
            return
        now = time.monotonic()
        if self._frames_total != self._frames_looked_at:
            # when exactly does not matter, the wall clock, which the frames' own times are of, may jump
            self._frames_looked_at, self._last_frame_at = self._frames_total, now
        held = self._outflow.state is Pressure.HOLDING  # silence of our own making
        last_frame_at = now if held else max(self._last_control_at, self._last_frame_at)
        self._perform(self._feed.tick(now, last_frame_at, held=held))
        self._backfill.tick(now)
        if self._adapter.notices:
            self._take_notices()
        self._arm_timer()

    def _check_symbols(self) -> None:
        """Look the configured symbols up, beside the stream."""
        self._symbol_check.start("instruments", self._adapter.canonical(self._settings.symbols), self._on_symbols)

    def _on_symbols(self, unknown: dict[str, str]) -> None:
        if not unknown or self._end.done():
            return
        exchange, symbols = self._adapter.exchange, ", ".join(unknown)
        self._context.log.error(
            "unknown_symbols", exchange=exchange, symbols=symbols, reason="; ".join(unknown.values())
        )
        self._loop.call_later(UNKNOWN_WAIT_S, self._refuse_unknown, unknown)

    def _refuse_unknown(self, unknown: dict[str, str]) -> None:
        """Mark the topics of unknown symbols; those that flow nevertheless prove the list wrong."""
        if self._end.done():
            return
        now = time.monotonic()
        flowing = {topic.topic for topic in self._feed.topics(now, time.time_ns()) if topic.state == "flowing"}
        for symbol, reason in unknown.items():
            topics = self._adapter.topics(self._settings.channels, [symbol])
            wires = tuple(topic.wire for topic in topics if topic.wire not in flowing)
            if wires:
                self._perform(self._feed.noticed([Refused(wires, reason, "never")], now))

    # ---- past trades

    def _report_backfill(self, end: Finished) -> None:
        spec = self._context.spec
        self._context.send(
            Backfilled(
                worker=spec.name,
                incarnation=spec.incarnation,
                request_id=end.request_id,
                events=end.events,
                left=end.left,
                first_id=end.first_id,
                last_id=end.last_id,
                retry=end.retry,
            )
        )
        if end.left:
            self._context.log.warning(
                "backfill_incomplete", first_id=end.first_id, last_id=end.last_id, reason=end.left, retry=end.retry
            )

    def _commit_past(self, events: Sequence[MarketEvent[str]]) -> bool:
        """Commit fetched events; False: not now, the ring is needed for what is live."""
        room = self._settings.ring_bytes * (1.0 - BACKFILL_ROOM)
        if self._outflow.state is not Pressure.FLOWING or self._outflow.used_bytes > room:
            return False
        if self._events:
            self._flush()
        if not self._outflow.announce():
            return False
        self._events_total += len(events)
        self._outflow.send(list(events))
        return True

    # ---- commands and the end

    def _on_command(self, command: ToChild) -> None:
        if isinstance(command, Stop):
            deadline = time.monotonic() + command.grace_s
            self._stop_deadline = deadline if self._stop_deadline is None else min(deadline, self._stop_deadline)
            self._finish(ChildExit.CLEAN, "stop requested")
        elif isinstance(command, BudgetGrant):
            self._gate.granted(command)
        elif isinstance(command, Backfill):
            self._backfill.ask(command)
        elif isinstance(command, TwinFresh):
            self._feed.twin_is_fresh(time.monotonic())
        elif isinstance(command, Resync):
            self._resync(command)
        elif isinstance(command, Subscribe | Unsubscribe):
            self._change_subscription(command)

    def _change_subscription(self, command: Subscribe | Unsubscribe) -> None:
        symbols = self._adapter.canonical(command.symbols)
        if isinstance(command, Unsubscribe):
            self._change_topics(command.request_id, symbols, added=False)
            return
        key = f"symbols {command.request_id}"

        def unchecked() -> None:
            self._symbol_check.cancel(key)
            self._context.log.warning("symbols_unchecked", symbols=", ".join(symbols), waited_s=SYMBOL_CHECK_S)
            self._change_topics(command.request_id, symbols, added=True)

        def checked(unknown: dict[str, str]) -> None:
            timer.cancel()
            if unknown:
                self._done(command.request_id, "; ".join(unknown.values()), symbols)
            else:
                self._change_topics(command.request_id, symbols, added=True)

        timer = self._loop.call_later(SYMBOL_CHECK_S, unchecked)
        self._symbol_check.start(key, symbols, checked)

    def _change_topics(self, request_id: int, symbols: list[str], *, added: bool) -> None:
        if self._end.done():
            return
        change = self._feed.add if added else self._feed.remove
        self._asked_symbols[request_id] = symbols
        try:
            effects = change(request_id, symbols, self._settings.channels, time.monotonic())
        except (ValueError, OverflowError) as error:
            self._done(request_id, str(error), symbols)
            return
        self._perform(effects)

    def _done(self, request_id: int, error: str, symbols: list[str]) -> None:
        self._asked_symbols.pop(request_id, None)
        spec = self._context.spec
        self._context.send(Done(spec.name, spec.incarnation, request_id, error, symbols))

    def _resync(self, command: Resync) -> None:
        try:
            self._perform(self._feed.resync(command.symbols, self._settings.channels, time.monotonic()))
        except (ValueError, OverflowError) as error:  # asked again later
            self._context.log.warning("resync_refused", reason=str(error))
        if self._adapter.notices:
            self._take_notices()

    def _finish(self, code: int, cause: str) -> None:
        if not self._end.done():
            self._end.set_result((code, cause))

    def _crash(self, error: BaseException) -> None:
        """End the worker by `error`; what was parsed before it is committed first."""
        if self._events:
            with contextlib.suppress(Exception):
                self._flush()
        if self._end.done():  # it is leaving already
            self._loop.call_exception_handler({"message": "worker failed", "exception": error, "task": None})
        else:
            self._end.set_exception(error)

    async def _give_up(self, failure: BaseException) -> int:
        if not isinstance(failure, ConnectFailed):
            raise failure
        self._context.log.warning("connect_failed", cause=failure.cause, retry_after_s=failure.retry_after_s)
        self._context.failed(failure.cause, failure.retry_after_s)
        await self._rest.close()
        self._outflow.close()
        return ChildExit.REFUSED if failure.refused else ChildExit.CONNECTION_LOST

    async def _leave(self, code: int, cause: str) -> None:
        """Stop reading, flush, close: within the grace of the stop, or a second when we leave by ourselves."""
        deadline = self._stop_deadline if self._stop_deadline is not None else time.monotonic() + CLOSE_GRACE_S
        if code != ChildExit.CLEAN:
            self._context.log.warning("connection_ended", cause=cause)
            self._context.failed(cause)
        self._client.pause()
        if self._events:
            self._flush()
        self._backfill.close()
        if self._timer is not None:
            self._timer.cancel()
        closing = asyncio.create_task(
            self._client.close(min(CLOSE_GRACE_S, max(0.0, deadline - time.monotonic()))), name="close"
        )
        await self._outflow.drain(min(deadline, time.monotonic() + DRAIN_S))
        await closing
        await self._rest.close()
        self._outflow.close()

    def _fill_heartbeat(self, heartbeat: Heartbeat) -> Heartbeat:
        gc.collect(1)
        now, now_ns = time.monotonic(), time.time_ns()
        return msgspec.structs.replace(
            heartbeat,
            frames_total=self._frames_total,
            events_total=self._events_total,
            rejected_total=self._rejected_total,
            committed_total=self._outflow.committed_total,
            dropped_total=self._outflow.dropped_total,
            last_data_age_s=self._feed.data_age_s(now, now_ns),
            topics=self._feed.topics(now, now_ns),
            budget_waits_total=self._gate.waits_total,
            budget_refused_total=self._gate.refused_total,
            budget_unanswered_total=self._gate.unanswered_total,
            snapshots_rejected_total=self._snapshots_rejected_total,
        )
