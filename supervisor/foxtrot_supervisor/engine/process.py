"""The engine process: an EventEngine with the user's handlers, connected to the run by `host`.

The main thread's event loop answers the supervisor; the dispatch thread reads the data plane and calls handlers.
This module sets handlers up and ends the process, in order or although a handler does not return.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import importlib
import os
import sys
import time
from collections.abc import Callable
from typing import Any

from foxtrot_protocol.child import ChildContext, ChildLog
from foxtrot_protocol.crash_report import cause_of
from foxtrot_protocol.exit_codes import ChildExit
from foxtrot_protocol.spec import EngineSettings, decode_settings
from foxtrot_supervisor.engine.bus.event_engine import EventEngine
from foxtrot_supervisor.engine.bus.queue_policy import policies_with
from foxtrot_supervisor.engine.host import EngineHost
from foxtrot_supervisor.engine.setup_limit import SetupLimit

__all__ = ["CLOSE_S", "HandlerProblem", "close_all", "load_handlers", "make_engine", "run"]

HANDLER_ERRORS = (Exception, SystemExit, KeyboardInterrupt)
"""Exceptions of a user's code that end its set-up. An allocation failure is not caused by it."""

CLOSE_S = 5.0
"""Time limit for closing all objects that handlers returned."""


_NO_ROOM = frozenset((errno.ENOSPC, errno.EDQUOT))


class HandlerProblem(Exception):
    """A configured handler cannot be used; the text says which and why."""


async def run(context: ChildContext, *, ringless: bool = False) -> int:
    """Start target of the engine process. `ringless`: also accept batches of workers without a ring (`bench`)."""
    try:
        return await _run(context, ringless=ringless)
    except OSError as error:
        if error.errno not in _NO_ROOM:
            raise
        reason = f"{context.spec.run_dir}: no room for the engine's sockets and files: {error.strerror}"
        context.log.error("no_room", reason=reason)
        context.failed(reason)
        return ChildExit.NO_ROOM


async def _run(context: ChildContext, *, ringless: bool) -> int:
    settings = decode_settings(context.spec.settings, EngineSettings)
    engine = make_engine(settings, context.log)
    stopping: asyncio.Future[float] = asyncio.get_running_loop().create_future()

    def on_stop(grace_s: float) -> None:
        if not stopping.done():
            stopping.set_result(time.monotonic() + grace_s)

    host = EngineHost(engine, settings, context.spec.run_dir, context.log, on_stop, ringless=ringless)
    engine.attach(host.receiver)
    context.heartbeat_from(host.fill)  # a long set-up must not look like silence
    closers: list[Callable[[], Any]] = []
    if settings.import_path:  # "" where the working directory was removed
        # last: no file there may take the place of a module that the program itself imports
        sys.path.append(settings.import_path)
    try:
        with SetupLimit(settings.handlers_s, context.crash) as limit:
            for handler in settings.handlers:
                limit.begin(handler)
                context.doing(f"setting up handler {handler!r}")
                closers.extend(load_handlers(handler, engine))
        context.doing("")
    except HandlerProblem as problem:
        context.log.error("handler_unusable", reason=str(problem))
        context.failed(str(problem))
        host.receiver.close()
        return ChildExit.CONFIGURATION
    try:
        await host.tap.start()
    except BaseException:
        host.receiver.close()  # an open socket would hold up the end of its context
        raise
    engine.start()
    host.serve(context)
    context.ready()
    watching = asyncio.create_task(host.watch.run(), name="slow-handler-watch")
    first: set[asyncio.Future[Any]] = {stopping, watching}
    await asyncio.wait(first, return_when=asyncio.FIRST_COMPLETED)
    if watching.done():
        host.receiver.close()
        await watching  # raises why: the process ends as a crash and is replaced
    deadline = stopping.result()
    watching.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await watching
    report = await asyncio.to_thread(engine.stop, max(0.1, deadline - time.monotonic() - CLOSE_S))
    await close_all(closers, context.log, min(deadline, time.monotonic() + CLOSE_S))
    await host.tap.close(grace_s=1.0)
    stuck = engine.is_dispatching()
    if not report.clean:
        context.log.error(
            "engine_left_events",
            left=int(report),
            left_by_class=report.left_by_class,
            handler=report.stuck_handler,
            stack=report.stack,
        )
    if not stuck:
        host.receiver.close()
    host.withdraw()
    engine.clear_handlers()
    if stuck:
        # a handler does not return: its thread cannot be ended, the process can
        context.failed("a handler did not return")
        await asyncio.sleep(0.05)
        os._exit(ChildExit.CRASH)
    return ChildExit.CLEAN


def make_engine(settings: EngineSettings, log: ChildLog) -> EventEngine:
    """Return an EventEngine with these settings."""
    return EventEngine(
        queue_limit=settings.queue_limit,
        never_drop_limit=settings.never_drop_limit,
        put_wait_s=settings.put_wait_s,
        policies=policies_with(block=settings.block, conflate=settings.conflate, never_drop=settings.never_drop),
        slow_handler_ms=settings.slow_handler_ms,
        own_watch=False,  # the host watches
        suspend_after=settings.suspend_after,
        idle=settings.idle,
        spin_us=settings.spin_us,
        log=log,
    )


def load_handlers(text: str, engine: EventEngine) -> list[Callable[[], Any]]:
    """Call the user's ``module:function`` with `engine`; returns the ``close`` of what it returned, if any.

    Raises `HandlerProblem` with a reason that a user understands.
    """
    module_name, _, function_name = text.partition(":")
    try:
        module = importlib.import_module(module_name)
    except HANDLER_ERRORS as error:
        raise HandlerProblem(f"handler {text!r} cannot be imported: {cause_of(error)}") from None
    try:
        function = getattr(module, function_name)
    except HANDLER_ERRORS as error:
        place = getattr(module, "__file__", None) or "a built-in module"
        raise HandlerProblem(f"handler {text!r} cannot be used: {cause_of(error)}; found was {place}") from None
    try:
        result = function(engine)
    except HANDLER_ERRORS as error:
        raise HandlerProblem(f"handler {text!r} failed when it was set up: {cause_of(error)}") from None
    close = getattr(result, "close", None)
    return [close] if callable(close) else []


async def close_all(closers: list[Callable[[], Any]], log: ChildLog, deadline: float) -> None:
    """Call each on a thread of its own until `deadline` (monotonic seconds); failures are logged."""
    for close in closers:
        try:
            async with asyncio.timeout(max(0.1, deadline - time.monotonic())):
                await asyncio.to_thread(close)
        except TimeoutError:
            log.error("handler_close_timeout", handler=repr(close))
        except HANDLER_ERRORS as error:
            log.error("handler_close_failed", handler=repr(close), reason=cause_of(error))
