"""Start target of a sink's process: intake on a thread, delivery on the event loop.

Runs at low priority: it must not slow the feed. Whatever a sink raises or however long it takes, rows go on into the
spool until that is full.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from foxtrot_protocol.child import ChildContext
from foxtrot_protocol.commands import Fenced, Heartbeat, Stop, ToChild, WorkersStarted
from foxtrot_protocol.crash_report import cause_of
from foxtrot_protocol.endpoints import sink_directory
from foxtrot_protocol.errors import MalformedMessage
from foxtrot_protocol.exit_codes import ChildExit
from foxtrot_protocol.spec import SinkSettings, decode_settings
from foxtrot_supervisor.sinks.catalog import UnknownSink, sink_kind
from foxtrot_supervisor.sinks.dead_letters import DeadLetters
from foxtrot_supervisor.sinks.delivery import Delivery
from foxtrot_supervisor.sinks.intake import Intake, StopTimes
from foxtrot_supervisor.sinks.left_rings import read_left_rings
from foxtrot_supervisor.sinks.sink import Sink, SinkContext
from foxtrot_supervisor.sinks.spool import Spool
from foxtrot_supervisor.system.ending import end_tasks
from foxtrot_supervisor.system.priority import step_back
from foxtrot_supervisor.system.private_files import opened_directory

__all__ = ["NICENESS", "default_directory", "run"]

NICENESS: Final = 5
"""How much lower than the feed's its priority is, once it serves.

On a machine without an idle processor it gets a third of what a process of the feed gets: enough for heartbeats, and
not to be overtaken at once.
"""

INTAKE_SHARE: Final = 0.3
"""Of the time for the end of a run, the longest for reading rings into the spool; the rest is for delivery."""

LEAVE_OUT_SHARE: Final = 0.6
"""Of the time for the end of a run, when rings are read no more, though the spool has no room for what they hold."""

SLOW_CALL_S: Final = 5.0
"""A call of the sink that takes longer is shown as a problem."""

_MARGIN_S: Final = 1.0
"""Time left for the end of the process."""


async def run(context: ChildContext) -> int:
    """Hand events on until stopped."""
    settings = decode_settings(context.spec.settings, SinkSettings)
    try:
        context.doing(f"loading sink {settings.kind!r}")
        kind = sink_kind(settings.kind)
        options = msgspec.convert(settings.options, kind.settings)
        context.doing("")
    except (UnknownSink, ImportError, msgspec.ValidationError) as error:
        return _unusable(context, str(error), ChildExit.CONFIGURATION)
    run_dir = context.spec.run_dir
    directory = settings.spool_directory or default_directory(run_dir, settings.name, os.environ)
    links = sink_directory(run_dir, settings.name)
    try:
        for path in (os.path.dirname(links), links):
            with contextlib.suppress(FileExistsError):
                os.mkdir(path, 0o700)
        os.makedirs(directory, 0o700, exist_ok=True)
        own = os.path.join(directory, "state")
        with contextlib.suppress(FileExistsError):
            os.mkdir(own, 0o700)
        with opened_directory(directory) as descriptor:
            lock = os.dup(descriptor)
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        spool = Spool(directory, settings.spool_bytes, time.time_ns() // 1000)
        await asyncio.to_thread(read_left_rings, links, spool, context.spec.run_id, context.log)
        intake = Intake(links, context.spec.run_id, spool, context.log)
    except BlockingIOError:
        return _unusable(context, f"{directory}: another process uses this spool", ChildExit.CONNECTION_LOST)
    except (OSError, MalformedMessage) as error:
        return _unusable(context, f"spool {directory}: {error}", ChildExit.CONNECTION_LOST)
    sink = kind(options, SinkContext(settings.name, run_dir, own, context.log, spool.identity))
    process = _SinkProcess(context, sink, spool, intake, settings.batch_rows)
    try:
        return await process.run()
    finally:
        with contextlib.suppress(OSError):
            os.rmdir(own)
        os.close(lock)


def default_directory(run_dir: str, sink: str, environ: Mapping[str, str]) -> str:
    """Return where a sink keeps its spool: under ``$STATE_DIRECTORY`` (systemd), else in the run directory."""
    state = environ.get("STATE_DIRECTORY", "").partition(":")[0]
    return os.path.join(state, "sinks", sink) if os.path.isabs(state) else sink_directory(run_dir, sink)


def _unusable(context: ChildContext, reason: str, code: ChildExit) -> int:
    context.log.error("sink_unusable", reason=reason)
    context.failed(reason)
    return code


class _SinkProcess:
    """Both stages of one sink, from READY to the end."""

    def __init__(self, context: ChildContext, sink: Sink, spool: Spool, intake: Intake, batch_rows: int) -> None:
        self._context = context
        self._loop = asyncio.get_running_loop()
        self._sink = sink
        self._spool = spool
        self._intake = intake
        self._dead_letters = DeadLetters(spool.directory)
        self._delivery = Delivery(sink, spool, self._dead_letters, context.log, batch_rows, wants_room=self._wants_room)
        self._stop_at: float | None = None
        self._stop_times: StopTimes | None = None
        self._stopping = asyncio.Event()
        self._intake_ended: asyncio.Future[None] = self._loop.create_future()
        self._unread = 0
        self._latest: Heartbeat | None = None

    async def run(self) -> int:
        """Serve until stopped; return the exit code."""
        context = self._context
        context.on_command(self._on_command)
        context.heartbeat_from(self._fill)
        thread = threading.Thread(target=self._take_in, name="foxtrot-intake", daemon=True)
        thread.start()
        context.ready()
        stepping_back = asyncio.create_task(step_back(NICENESS), name="priority")
        try:
            return await self._serve()
        finally:
            stepping_back.cancel()

    async def _serve(self) -> int:
        """Take in and deliver from READY on; return the exit code."""
        delivering = asyncio.create_task(self._delivery.run(), name="delivery")
        stopping = asyncio.create_task(self._stopping.wait(), name="stop")
        first: set[asyncio.Future[Any]] = {delivering, stopping, self._intake_ended}
        await asyncio.wait(first, return_when=asyncio.FIRST_COMPLETED)
        if self._stop_at is None:
            # one of the two has failed: the process ends as a crash and is replaced
            await self._delivery.close()
            (self._intake_ended if self._intake_ended.done() else delivering).result()
            raise AssertionError("a stage of the sink has ended")
        deadline = self._stop_at - _MARGIN_S
        self._intake.wake()
        assert self._stop_times is not None
        room_until = self._stop_times.room_until
        await asyncio.wait({self._intake_ended}, timeout=max(0.0, room_until - time.monotonic()))
        await end_tasks(delivering)
        await self._delivery.finish(deadline)
        await asyncio.wait({self._intake_ended}, timeout=max(0.0, deadline - time.monotonic()))
        if self._intake_ended.done():
            self._intake_ended.result()
            self._unread = self._intake.unread_events()
            self._intake.close()
        self._report_end()
        return ChildExit.CLEAN

    def _wants_room(self) -> bool:
        """Whether the last segment is in use, or the disk or another bound stops the intake."""
        return self._intake.is_full or not self._spool.has_room_for_segment()

    def _report_end(self) -> None:
        """Send the last figures; remove the spool if the store has everything."""
        pending = self._spool.pending_rows
        if pending or self._unread:
            self._context.log.error("sink_left_events", rows=pending, events=self._unread)
        elif self._intake_ended.done():
            self._spool.remove_files()
        if self._latest is not None:
            self._context.send(self._fill(self._latest))

    def _on_command(self, command: ToChild) -> None:
        if isinstance(command, WorkersStarted):
            self._intake.started.add(command.workers, more=command.more)
            self._intake.wake()
        elif isinstance(command, Fenced):
            self._intake.fence(command.worker, command.incarnation)
        elif isinstance(command, Stop):
            now = time.monotonic()
            self._stop_at = min(now + command.grace_s, self._stop_at or float("inf"))
            left_s = max(0.0, self._stop_at - _MARGIN_S - now)
            self._stop_times = StopTimes(now + INTAKE_SHARE * left_s, now + LEAVE_OUT_SHARE * left_s)
            self._stopping.set()
            self._intake.wake()

    # ---- the thread of the intake

    def _take_in(self) -> None:
        try:
            self._intake.run(lambda: self._call(self._delivery.rows_came), lambda: self._stop_times)
        except BaseException as error:  # shown by the event loop's thread, which ends the process
            self._call(self._end_intake, error)
        else:
            self._call(self._end_intake, None)

    def _call(self, function: Callable[..., None], *arguments: object) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended before the thread
            self._loop.call_soon_threadsafe(function, *arguments)

    def _end_intake(self, error: BaseException | None) -> None:
        if self._intake_ended.done():
            return
        if error is None:
            self._intake_ended.set_result(None)
        else:
            self._intake_ended.set_exception(error)

    # ---- what others see

    def _fill(self, heartbeat: Heartbeat) -> Heartbeat:
        """Return `heartbeat` with the figures of both stages and what is wrong."""
        self._latest = heartbeat
        delivery = self._delivery
        try:
            own = {f"sink_{name}": int(count) for name, count in list(self._sink.counts().items())[:20]}
        except Exception as error:  # a third party's code may raise anything
            own = {}
            self._context.log.error("sink_counts_failed", reason=cause_of(error))
        counts = {
            **self._intake.counts(),
            "delivered_total": delivery.delivered_total,
            "refused_total": delivery.refused_total,
            "failures_total": delivery.failures_total,
            "dead_letters_lost_total": self._dead_letters.lost_total,
            "pending_rows": self._spool.pending_rows,
            "spool_bytes": self._spool.size_bytes,
            "unread_events": self._unread,
            **own,
        }
        return msgspec.structs.replace(
            heartbeat,
            counts=counts,
            events_total=counts["events_total"],
            problem=self._problem(),
        )

    def _problem(self) -> str:
        delivery, pending = self._delivery, self._spool.pending_rows
        problems = []
        if delivery.problem:
            problems.append(f"the store cannot be used: {delivery.problem}")
        elif delivery.call_age_s > SLOW_CALL_S:
            problems.append(f"the store has not answered for {delivery.call_age_s:.0f} s")
        if self._intake.is_full:
            problems.append("the spool is full: events stay in the rings until workers overwrite them")
        if problems and pending:
            problems.append(f"{pending} events wait")
        return "; ".join(problems)
