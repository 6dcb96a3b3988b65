"""Main thread of every child: event loop, control link, heartbeat, start target, orderly end.

Implements `foxtrot_protocol.child.ChildContext`. The start target is text and resolved here, so that a broken adapter
or handler ends this child and nothing else.
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
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, NoReturn

from foxtrot_protocol.child import ChildLog
from foxtrot_protocol.commands import Failed, FromChild, Heartbeat, Hello, Left, LogRecord, Ready, Stop, ToChild
from foxtrot_protocol.crash_report import cause_of, is_from_package, trace_of
from foxtrot_protocol.exit_codes import ChildExit
from foxtrot_protocol.spec import ChildSpec
from foxtrot_workers.child import vital_signs
from foxtrot_workers.child.command_link import CommandLink
from foxtrot_workers.child.crash_exit import ExitNotes, leave, watch_threads
from foxtrot_workers.child.limits import relax_memory
from foxtrot_workers.child.log import ChildLogs
from foxtrot_workers.owned_tasks import start_task

__all__ = ["COMMAND_BACKLOG_COUNT", "TERM_GRACE_S", "ChildRuntime", "main", "report_failure", "resolve"]

TERM_GRACE_S = 1.0
"""Grace in seconds after SIGTERM, the second rung of the stop ladder."""

HELLO_FLUSH_S = 0.1
"""Longest wait in seconds until HELLO is sent, since the imports that follow block the event loop."""

FLUSH_S = 0.5
"""Maximum seconds for sending the last control messages."""

CRASH_FLUSH_S = 0.05
"""The same in seconds after a crash, which the exit note reports anyway."""

COMMAND_BACKLOG_COUNT = 1000
"""Commands kept until the target has set its handler."""

Target = Callable[["ChildRuntime"], Awaitable[int]]


def resolve(text: str) -> Target:
    """Return the function named by ``package.module:function``; raises ImportError or AttributeError."""
    module, _, name = text.partition(":")
    target: Target = getattr(importlib.import_module(module), name)
    return target


class ChildRuntime:
    """Argument of the start target; see `ChildContext` for its members."""

    def __init__(self, spec: ChildSpec, notes: ExitNotes | None = None) -> None:
        """`notes`: None in a process that is not a child of the supervisor and leaves no exit note."""
        self._spec = spec
        self._notes = notes
        self._handler: Callable[[ToChild], None] | None = None
        self._backlog: list[ToChild] = []
        self._source: Callable[[Heartbeat], Heartbeat] | None = None
        self._is_ready = False
        identity = f"{spec.name}#{spec.incarnation}"
        self._link = CommandLink(spec.control_endpoint, identity, self._deliver)
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self._logs = ChildLogs(spec, self._send_log)

    @property
    def spec(self) -> ChildSpec:
        return self._spec

    @property
    def log(self) -> ChildLog:
        return self._logs.log

    def send(self, message: FromChild) -> None:
        self._link.send(message)

    def ready(self, info: dict[str, str] | None = None) -> None:
        if not self._is_ready:
            self._is_ready = True
            self.send(Ready(self._spec.name, self._spec.incarnation, info or {}))

    def failed(self, cause: str, retry_after_s: float | None = None) -> None:
        self.send(Failed(self._spec.name, self._spec.incarnation, cause, retry_after_s))

    def doing(self, what: str) -> None:
        if self._notes is not None:
            self._notes.doing(what)

    def crash(self, cause: str, trace: str) -> NoReturn:
        if self._notes is not None:
            self._notes.ended(cause, trace)
        leave(ChildExit.CRASH)

    def on_command(self, handler: Callable[[ToChild], None]) -> None:
        self._handler = handler
        backlog, self._backlog = self._backlog, []
        for command in backlog:
            handler(command)

    def heartbeat_from(self, source: Callable[[Heartbeat], Heartbeat]) -> None:
        self._source = source

    # ---- for this package only

    def hello(self) -> None:
        self.send(Hello(self._spec.name, self._spec.incarnation, os.getpid()))
        self._link.flush(HELLO_FLUSH_S)

    def send_detached(self) -> None:
        """Tell the supervisor that the embedded engine has detached; this process continues."""
        self.send(Left(self._spec.name, self._spec.incarnation))

    def terminate(self) -> None:
        """Deliver SIGTERM as a `Stop` with a short grace."""
        self._deliver(Stop(TERM_GRACE_S))

    async def beat(self) -> None:
        """Send a heartbeat every `heartbeat_s` seconds on an absolute schedule, with the lag of the event loop."""
        interval = self._spec.heartbeat_s
        due = time.monotonic() + interval
        while True:
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            now = time.monotonic()
            self.send(self._measure(loop_lag_ms=max(0.0, now - due) * 1000.0))
            self._logs.tell_held_back()
            due = max(due + interval, now)

    def close(self, flush_s: float) -> None:
        """Close the link; takes up to `flush_s` seconds."""
        self._link.close(flush_s)

    def _send_log(self, record: LogRecord) -> None:
        """Send a line from any thread: the link belongs to the loop's."""
        if threading.get_ident() == self._thread:
            self._link.send(record)
        else:
            with contextlib.suppress(RuntimeError):  # the loop has ended; the line is on stderr
                self._loop.call_soon_threadsafe(self._link.send, record)

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
            cpu_s=time.process_time(),
        )
        return self._source(heartbeat) if self._source is not None else heartbeat


def main(spec: ChildSpec) -> int:
    """Run the child's target on its own event loop; returns the exit code. The caller must exit by `os._exit`."""
    return _Process(spec).run(spec.target)


def report_failure(spec: ChildSpec, cause: str) -> None:
    """Report to the supervisor why this child is about to exit, and do nothing else."""
    _Process(spec).run_coroutine(_say_failed, cause)


async def _say_failed(runtime: ChildRuntime, cause: str) -> int:
    runtime.hello()
    runtime.failed(cause)
    return ChildExit.CONFIGURATION


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    with contextlib.suppress(ImportError):
        import uvloop

        return uvloop.new_event_loop
    return asyncio.new_event_loop


class _Process:
    """Main thread of a child: its event loop, from the first message to the exit code.

    At the end the loop is abandoned with its tasks, generators and executor threads: a task that swallows its
    cancellation, or a thread that never returns, must not delay the exit.
    """

    def __init__(self, spec: ChildSpec) -> None:
        self._spec = spec
        self._loop = _loop_factory()()
        self._runtime: ChildRuntime | None = None
        self._error: BaseException | None = None
        self._notes = ExitNotes(spec)

    def run(self, target: str) -> int:
        """Serve until the target ends or something fails; returns the exit code."""
        return self.run_coroutine(self._serve, target)

    def run_coroutine(self, main: Callable[[ChildRuntime, str], Coroutine[Any, Any, int]], argument: str) -> int:
        """Run ``main(runtime, argument)`` on the loop; returns its result, or the exit code of its failure."""
        flush_s = FLUSH_S
        try:
            code = self._loop.run_until_complete(self._with_runtime(main, argument))
        except BaseException as error:
            code = self._crashed(self._error or error)
            flush_s = CRASH_FLUSH_S
        if self._runtime is not None:
            self._runtime.close(flush_s)
        return code

    async def _with_runtime(self, main: Callable[[ChildRuntime, str], Coroutine[Any, Any, int]], argument: str) -> int:
        self._runtime = ChildRuntime(self._spec, self._notes)
        return await main(self._runtime, argument)

    async def _serve(self, runtime: ChildRuntime, target_text: str) -> int:
        self._loop.set_exception_handler(self._on_loop_error)
        watch_threads(self._on_thread_error)
        self._loop.add_signal_handler(signal.SIGTERM, runtime.terminate)
        runtime.hello()
        beating = start_task(runtime.beat(), "heartbeat")
        try:
            target = resolve(target_text)
        except (ImportError, AttributeError) as error:
            runtime.log.error("start_target_unusable", target=target_text, reason=cause_of(error))
            runtime.failed(f"start target {target_text} cannot be used: {cause_of(error)}")
            return ChildExit.CONFIGURATION
        gc.freeze()  # objects created by imports live as long as the process: exclude them from collections
        code = await target(runtime)
        beating.cancel()
        return code

    def _crashed(self, error: BaseException) -> int:
        if isinstance(error, MemoryError):
            relax_memory()
        code = self._notes.crashed(error)
        if self._runtime is not None:
            with contextlib.suppress(Exception):
                self._runtime.failed("out of memory" if isinstance(error, MemoryError) else cause_of(error))
        return code

    def _on_loop_error(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """A callback or an owned task failed: its work is not done, so the process must not continue."""
        error = context.get("exception")
        if not isinstance(error, BaseException) or not ("handle" in context or "task" in context):
            loop.default_exception_handler(context)  # a failed transport is closed, and its owner notices that
        elif self._is_fatal(error):
            self._error = self._error or error
            loop.stop()
        else:
            self._log_foreign("callback_failed", error)

    def _on_thread_error(self, error: BaseException) -> None:
        if self._is_fatal(error):
            leave(self._notes.crashed(error))
        if not isinstance(error, SystemExit):  # the usual way to end a thread
            self._loop.call_soon_threadsafe(self._log_foreign, "thread_failed", error)

    def _is_fatal(self, error: BaseException) -> bool:
        """Whether `error` ends the process. In the engine, threads and callbacks of a strategy may fail."""
        foreign = self._spec.kind == "engine" and not is_from_package(error.__traceback__)
        return isinstance(error, MemoryError) or not foreign

    def _log_foreign(self, event: str, error: BaseException) -> None:
        if self._runtime is not None:
            self._runtime.log.error(event, reason=cause_of(error), trace=trace_of(error))
