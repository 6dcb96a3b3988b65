"""The engine process: receives the workers' batches, runs the user's handlers, tells of itself.

Two threads: the main thread's event loop answers the supervisor, serves live events and watches for slow
handlers; the dispatch thread reads the data plane and calls handlers. So a handler that blocks delays
events and nothing else: the heartbeat goes on and the supervisor knows what is going on.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import os
import sys
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable
from typing import Any

import msgspec

from foxtrot_protocol.child import ChildContext
from foxtrot_protocol.commands import Drained, Fenced, Heartbeat, Stop, ToChild, WorkerChanged
from foxtrot_protocol.events import EVENT_TYPES, EVENT_WORKER, WorkerStatus
from foxtrot_protocol.exit_codes import ChildExit
from foxtrot_protocol.ring_layout import RingFigures
from foxtrot_protocol.spec import EngineSettings, decode_settings
from foxtrot_supervisor.event_engine import Event, EventEngine
from foxtrot_supervisor.event_receiver import EventReceiver, remove_ring
from foxtrot_supervisor.event_tap import EventTap

__all__ = ["DispatchEnded", "HandlerProblem", "SlowHandlerWatch", "load_handlers", "run"]

RECENT_COUNT = 5
"""Latest events shown to people, one of each type at a time."""

LOOK_S = 0.05
"""How often the running handler is looked at."""

CLOSE_S = 5.0
"""How long the objects that handlers returned may take to close, together."""


class DispatchEnded(Exception):
    """The dispatch thread has died: an engine that looks alive and delivers nothing must not go on."""


class HandlerProblem(Exception):
    """A configured handler cannot be used; says which and why."""


async def run(context: ChildContext) -> int:
    """Start target of the engine process."""
    settings = decode_settings(context.spec.settings, EngineSettings)
    engine = EventEngine(queue_limit=settings.queue_limit, log=context.log)
    tap = EventTap(settings.tap_path)
    loop = asyncio.get_running_loop()

    def tell_drained(ring: RingFigures, path: str) -> None:
        # told first: were it removed first and the engine killed, nobody would ever know what was in it
        context.send(
            Drained(
                worker=context.spec.name,
                incarnation=context.spec.incarnation,
                source=ring.worker,
                source_incarnation=ring.incarnation,
                committed=ring.committed_events,
                applied=ring.applied_events,
                lost=ring.lost_events,
                redelivered=ring.redelivered_events,
            )
        )
        remove_ring(path)

    def drained_soon(ring: RingFigures, path: str) -> None:
        loop.call_soon_threadsafe(tell_drained, ring, path)

    receiver = EventReceiver(
        context.zmq_context,
        settings.data_endpoint,
        settings.numbers,
        engine,
        context.log,
        tap.offer,
        run_dir=context.spec.run_dir,
        on_drained=drained_soon,
    )
    engine.attach(receiver)
    watch = SlowHandlerWatch(engine, settings.slow_handler_ms / 1000.0, context)
    stopping: asyncio.Future[float] = loop.create_future()
    recent: deque[str] = deque(maxlen=RECENT_COUNT)

    def on_command(command: ToChild) -> None:
        if isinstance(command, Stop):
            if not stopping.done():
                stopping.set_result(time.monotonic() + command.grace_s)
        elif isinstance(command, Fenced):
            receiver.fence(command.worker, command.incarnation)
        elif isinstance(command, WorkerChanged) and not stopping.done():
            status = msgspec.convert(command, WorkerStatus, from_attributes=True)
            engine.put(Event(EVENT_WORKER, status))

    def fill(heartbeat: Heartbeat) -> Heartbeat:
        _note_recent(receiver.last_event, recent)
        return msgspec.structs.replace(
            heartbeat,
            events_total=receiver.events_total,
            rejected_total=receiver.malformed_total,
            dropped_total=engine.dropped_total,
            queue_depth=engine.queue_depth(),
            dispatch_p50_us=engine.dispatch_latency.percentile_us(0.5),
            dispatch_p99_us=engine.dispatch_latency.percentile_us(0.99),
            slow_handlers=watch.slow_total,
            handler_errors_total=engine.handler_errors_total,
            redelivered_total=receiver.redelivered_total,
            account_violations_total=receiver.violations_total,
            sources=receiver.accounts(time.monotonic()),
            recent=list(recent),
        )

    context.heartbeat_from(fill)
    closers: list[Callable[[], Any]] = []
    try:
        sys.path.insert(0, settings.import_path)
        for handler in settings.handlers:
            closers.extend(load_handlers(handler, engine))
    except HandlerProblem as problem:
        context.log.error("handler_unusable", reason=str(problem))
        context.failed(str(problem))
        receiver.close()
        return ChildExit.CONFIGURATION
    await tap.start()
    engine.start()
    context.on_command(on_command)
    context.ready()
    watching = asyncio.create_task(watch.run(), name="slow-handler-watch")
    first: set[asyncio.Future[Any]] = {stopping, watching}
    await asyncio.wait(first, return_when=asyncio.FIRST_COMPLETED)
    if watching.done():
        receiver.close()
        await watching  # raises why: the process ends as a crash and is replaced
    deadline = stopping.result()
    watching.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await watching
    left = await asyncio.to_thread(engine.stop, max(0.1, deadline - time.monotonic() - CLOSE_S))
    await _close_all(closers, context, min(deadline, time.monotonic() + CLOSE_S))
    await tap.close(grace_s=1.0)
    stuck = engine.is_dispatching()
    if left or stuck:
        context.log.error("engine_left_events", queued=left, handler=repr(engine.current_handler))
    if not stuck:
        receiver.close()
    engine.clear_handlers()
    if stuck:
        # a handler that never returns: its thread cannot be ended, the process can
        context.failed("a handler did not return")
        await asyncio.sleep(0.05)
        os._exit(ChildExit.CRASH)
    return ChildExit.CLEAN


def load_handlers(text: str, engine: EventEngine) -> list[Callable[[], Any]]:
    """Call the user's ``module:function`` with `engine`; returns the ``close`` of what it returned, if any.

    Raises `HandlerProblem` with a reason that a user understands.
    """
    module_name, _, function_name = text.partition(":")
    try:
        function = getattr(importlib.import_module(module_name), function_name)
    except Exception as error:
        raise HandlerProblem(f"handler {text!r} cannot be imported: {_user_error(error)}") from None
    try:
        result = function(engine)
    except Exception as error:
        raise HandlerProblem(f"handler {text!r} failed when it was set up: {_user_error(error)}") from None
    close = getattr(result, "close", None)
    return [close] if callable(close) else []


class SlowHandlerWatch:
    """Notices a handler that runs for long while it runs, and logs the stack it is in.

    Looks from outside, at a fixed pace, so that fast handlers pay nothing for it.
    """

    def __init__(self, engine: EventEngine, slow_s: float, context: ChildContext) -> None:
        self._engine = engine
        self._slow_s = slow_s
        self._context = context
        self.slow_total = 0

    async def run(self) -> None:
        """Look until cancelled; raises `DispatchEnded` if there is nothing left to look at."""
        seen_call, since, told = -1, 0.0, False
        while True:
            await asyncio.sleep(LOOK_S)
            if not self._engine.is_dispatching():
                raise DispatchEnded
            call, handler, now = self._engine.calls_total, self._engine.current_handler, time.monotonic()
            if handler is None or call != seen_call:
                seen_call, since, told = call, now, False
            elif not told and now - since >= self._slow_s:
                told = True
                self.slow_total += 1
                self._context.log.warning("slow_handler", handler=repr(handler), stack=_dispatch_stack())


def _dispatch_stack() -> str:
    frames = sys._current_frames()
    for thread in threading.enumerate():
        if thread.name == "event-engine" and thread.ident in frames:
            return "".join(traceback.format_stack(frames[thread.ident])[-4:])
    return ""


def _user_error(error: Exception) -> str:
    """Type, text and the innermost place in the user's code."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if "importlib" not in frame.filename]
    place = f" ({frames[-1].filename}:{frames[-1].lineno})" if len(frames) > 1 else ""
    return f"{type(error).__name__}: {error}{place}"


async def _close_all(closers: list[Callable[[], Any]], context: ChildContext, deadline: float) -> None:
    for close in closers:
        try:
            async with asyncio.timeout(max(0.1, deadline - time.monotonic())):
                await asyncio.to_thread(close)
        except TimeoutError:
            context.log.error("handler_close_timeout", close=repr(close))
        except Exception as error:
            context.log.error("handler_close_failed", close=repr(close), reason=_user_error(error))


def _note_recent(event: Any, recent: deque[str]) -> None:
    if event is None:
        return
    name = EVENT_TYPES[type(event)]
    fields = [
        f"{field}={getattr(event, field)}"
        for field in ("price", "size", "side", "bid", "ask", "last", "close", "state")
        if getattr(event, field, None) is not None
    ]
    recent.append(f"{name}{event.symbol}.{event.exchange} {' '.join(fields)}".rstrip())
