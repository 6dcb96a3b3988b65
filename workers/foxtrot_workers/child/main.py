"""One event loop in the main thread of every child: control link, heartbeat, start target, orderly end.

Implements `foxtrot_protocol.child.ChildContext`. The start target is text, resolved here, so that a broken
adapter or handler kills this one child and nothing else.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import importlib
import os
import signal
import threading
import time
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import zmq

from foxtrot_protocol.child import ChildLog
from foxtrot_protocol.commands import Failed, FromChild, Heartbeat, Hello, Left, Ready, Stop, ToChild
from foxtrot_protocol.exit_codes import ChildExit
from foxtrot_protocol.spec import ChildSpec
from foxtrot_workers.child import vital_signs
from foxtrot_workers.child.command_link import CommandLink
from foxtrot_workers.child.limits import relax_memory
from foxtrot_workers.child.log import make_log

__all__ = ["COMMAND_BACKLOG_COUNT", "TERM_GRACE_S", "ChildRuntime", "main", "report_failure", "resolve"]

TERM_GRACE_S = 1.0
"""SIGTERM is the second rung: it leaves this long for a flush."""

FLUSH_MS = 500
"""How long the last control messages may take to leave."""

COMMAND_BACKLOG_COUNT = 1000
"""Commands kept for a target that has not yet said who handles them."""

Target = Callable[["ChildRuntime"], Awaitable[int]]


def resolve(text: str) -> Target:
    """The function named by ``package.module:function``; raises ImportError or AttributeError."""
    module, _, name = text.partition(":")
    target: Target = getattr(importlib.import_module(module), name)
    return target


class ChildRuntime:
    """What the start target gets: see `ChildContext` for the meaning of each member."""

    def __init__(self, spec: ChildSpec, context: zmq.Context[zmq.Socket[bytes]]) -> None:
        self._spec = spec
        self._context = context
        self._handler: Callable[[ToChild], None] | None = None
        self._backlog: list[ToChild] = []
        self._source: Callable[[Heartbeat], Heartbeat] | None = None
        self._is_ready = False
        identity = f"{spec.name}#{spec.incarnation}"
        self._link = CommandLink(context, spec.control_endpoint, identity, self._deliver)
        self._log = make_log(spec, self._link.send)

    @property
    def spec(self) -> ChildSpec:
        return self._spec

    @property
    def zmq_context(self) -> zmq.Context[zmq.Socket[bytes]]:
        return self._context

    @property
    def log(self) -> ChildLog:
        return self._log

    def send(self, message: FromChild) -> None:
        self._link.send(message)

    def ready(self, info: dict[str, str] | None = None) -> None:
        if not self._is_ready:
            self._is_ready = True
            self.send(Ready(self._spec.name, self._spec.incarnation, info or {}))

    def failed(self, cause: str, retry_after_s: float | None = None) -> None:
        self.send(Failed(self._spec.name, self._spec.incarnation, cause, retry_after_s))

    def on_command(self, handler: Callable[[ToChild], None]) -> None:
        self._handler = handler
        backlog, self._backlog = self._backlog, []
        for command in backlog:
            handler(command)

    def heartbeat_from(self, source: Callable[[Heartbeat], Heartbeat]) -> None:
        self._source = source

    # ---- the runtime's own part

    def hello(self) -> None:
        self.send(Hello(self._spec.name, self._spec.incarnation, os.getpid()))

    def leave(self) -> None:
        """Say what a child says by its exit, where this process is none and goes on."""
        self.send(Left(self._spec.name, self._spec.incarnation))

    def terminate(self) -> None:
        """SIGTERM has come: hand it over as a `Stop` with little grace."""
        self._deliver(Stop(TERM_GRACE_S))

    async def beat(self) -> None:
        """Send a heartbeat each `heartbeat_s`, on an absolute schedule; the lag is what the loop owed."""
        interval = self._spec.heartbeat_s
        due = time.monotonic() + interval
        while True:
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            now = time.monotonic()
            self.send(self._measure(loop_lag_ms=max(0.0, now - due) * 1000.0))
            due = max(due + interval, now)

    def close(self) -> None:
        self._link.close(FLUSH_MS)

    def _deliver(self, command: ToChild) -> None:
        if self._handler is not None:
            self._handler(command)
        elif len(self._backlog) < COMMAND_BACKLOG_COUNT:
            self._backlog.append(command)

    def _measure(self, loop_lag_ms: float) -> Heartbeat:
        heartbeat = Heartbeat(
            worker=self._spec.name,
            incarnation=self._spec.incarnation,
            loop_lag_ms=loop_lag_ms,
            rss_bytes=vital_signs.rss_bytes(),
            open_fds=vital_signs.open_fds(),
            tasks=len(asyncio.all_tasks()),
            threads=threading.active_count(),
        )
        return self._source(heartbeat) if self._source is not None else heartbeat


def main(spec: ChildSpec) -> int:
    """Run the child's target on its own loop; returns the exit code."""
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        return runner.run(_serve(spec))


def report_failure(spec: ChildSpec, cause: str) -> None:
    """Only tell the supervisor why this child is about to exit."""
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(_report_failure(spec, cause))


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    with contextlib.suppress(ImportError):
        import uvloop

        return uvloop.new_event_loop
    return asyncio.new_event_loop


async def _report_failure(spec: ChildSpec, cause: str) -> None:
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    runtime = ChildRuntime(spec, context)
    runtime.hello()
    runtime.failed(cause)
    runtime.close()
    context.term()


def _end_without_memory(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """A callback that got no memory has left things half done, and the loop would only log it: end here."""
    if isinstance(context.get("exception"), MemoryError):
        relax_memory()
        loop.default_exception_handler(context)
        os._exit(ChildExit.OUT_OF_MEMORY)
    loop.default_exception_handler(context)


async def _serve(spec: ChildSpec) -> int:
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    runtime = ChildRuntime(spec, context)
    asyncio.get_running_loop().set_exception_handler(_end_without_memory)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, runtime.terminate)
    runtime.hello()
    beating = asyncio.create_task(runtime.beat(), name="heartbeat")
    try:
        target = resolve(spec.target)
        gc.freeze()  # what imports made lives as long as the process: no need to look at it again
        return await target(runtime)
    except (ImportError, AttributeError) as error:
        runtime.log.error("start_target_unusable", target=spec.target, reason=str(error))
        runtime.failed(f"start target {spec.target} cannot be used: {error}")
        return ChildExit.CONFIGURATION
    except msgspec.MsgspecError as error:
        runtime.failed(f"settings: {error}")
        return ChildExit.CONFIGURATION
    except MemoryError:
        relax_memory()
        runtime.failed("out of memory")
        raise
    except Exception as error:
        runtime.log.error("child_crashed", reason=repr(error))
        runtime.failed(f"crash: {error!r}")
        raise
    finally:
        beating.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await beating
        runtime.close()
        context.term()
