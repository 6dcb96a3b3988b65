"""The engine's part of an embedding application: its EventEngine fed by the workers and linked to the supervisor.

The receiver of market data outlives a supervisor. What the workers of a dead supervisor had committed is still read
from their rings, and the workers of the next one continue the same streams.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import os
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from foxtrot_protocol import endpoints
from foxtrot_protocol.commands import Logged, ToChild, WorkerChanged
from foxtrot_protocol.events import EVENT_WORKER, WorkerStatus
from foxtrot_protocol.ring_layout import parse_ring_name
from foxtrot_protocol.spec import ChildSpec
from foxtrot_supervisor.config.schema import FoxtrotConfig
from foxtrot_supervisor.core.lifecycle import PROCESS_STATES
from foxtrot_supervisor.core.targets import ENGINE, engine_settings
from foxtrot_supervisor.embedding.application_log import ApplicationLog
from foxtrot_supervisor.embedding.bounded_call import call_within
from foxtrot_supervisor.engine.bus.event_engine import Event, EventEngine, QueueFull
from foxtrot_supervisor.engine.host import EngineHost
from foxtrot_supervisor.runtime.run_dir import RunDir

__all__ = ["CLOSE_S", "DETACH_MARGIN_S", "EnginePart"]

CLOSE_S = 10.0
"""Time at the end for the dispatch thread to handle what is queued, and for handlers' objects to close."""

DETACH_MARGIN_S = 1.0
"""The engine detaches this long before its grace period ends, even if rings are not drained."""

RINGS_POLL_S = 0.02
"""Interval of checking whether all rings are drained, during a stop."""

RETRY_DETACH_S = 60.0
"""Timeout of each attempt to detach from a dispatch thread whose handler did not return in time."""

TAP_GRACE_S = 1.0
"""Time at the end to send live events to their readers."""

_LIVING = frozenset(state.value for state in PROCESS_STATES)


class EnginePart:
    """Serves the data plane from `open` to `close`, and one supervisor after the other from `link` to `unlink`.

    `on_stop` is called when a supervisor requests the engine to stop. All methods are called on one event loop.
    """

    def __init__(
        self,
        engine: EventEngine,
        run_dir: RunDir,
        config: FoxtrotConfig,
        log: ApplicationLog,
        *,
        log_level: str,
        on_stop: Callable[[], None],
    ) -> None:
        self._engine = engine
        self._run_dir = run_dir
        self._config = config
        self._log = log
        self._log_level = log_level
        self._on_stop = on_stop
        self._host: EngineHost
        self._runtime: Any = None
        self._beating: asyncio.Task[None] | None = None
        self._detaching: asyncio.Task[None] | None = None
        self._was_linked = False
        self._workers: dict[str, WorkerChanged] = {}
        self.incarnations_seen = 0
        """Highest incarnation of any child of any supervisor so far."""

    async def open(self) -> None:
        """Attach a receiver to the engine and start it. On an exception nothing remains open."""
        path = self._run_dir.path
        settings = engine_settings(self._config.engine, path, "")
        host: EngineHost | None = None
        try:
            host = EngineHost(self._engine, settings, path, self._log, self._stop, self._take_command)
            await host.tap.start()
        except BaseException:
            if host is not None:
                host.withdraw()
                host.receiver.close()
            raise
        self._host = host
        self._engine.attach(host.receiver)
        self._engine.start()

    async def watch(self) -> None:
        """Look for slow handlers until cancelled; raises `DispatchEnded` when the dispatch thread has ended."""
        await self._host.watch.run()

    # ---- linked to a supervisor

    def link(self, incarnation: int) -> None:
        """Register with a supervisor as its engine of this incarnation: HELLO, and READY at once."""
        path = self._run_dir.path
        spec = ChildSpec(
            name=ENGINE,
            kind="engine",
            target="",
            incarnation=incarnation,
            run_id=self._run_dir.run_id,
            run_dir=path,
            parent_pid=os.getpid(),
            control_endpoint=endpoints.child_control_endpoint(path),
            heartbeat_s=self._config.supervisor.heartbeat_s,
            log_level=self._log_level,
            log_format="link",
            settings=b"",
        )
        # by name, as every child's code: the supervisor's package imports none of it
        runtime = importlib.import_module("foxtrot_workers.child.main").ChildRuntime(spec)
        self._runtime = runtime
        self._note_incarnation(incarnation)
        runtime.hello()
        self._host.serve(runtime)
        if self._was_linked:
            self._host.receiver.report_open_holes()
        self._was_linked = True
        runtime.ready()
        self._beating = asyncio.get_running_loop().create_task(runtime.beat(), name="heartbeat")

    def unlink(self) -> None:
        """Close the link to a supervisor that has ended; the receiver works on."""
        self._host.part()
        for task in (self._beating, self._detaching):
            if task is not None:
                task.cancel()
        self._beating = self._detaching = None
        if self._runtime is not None:
            self._runtime.close(0.0)  # nobody is there to read
            self._runtime = None

    def fence_workers(self, cause: str) -> None:
        """Accept nothing more from workers of a dead supervisor, all of which are dead, and announce their end.

        What they had committed to their rings is still read.
        """
        for worker, incarnation in self._rings():
            self._note_incarnation(incarnation)
            self._host.receiver.fence(worker, incarnation)
        for name, known in self._workers.items():
            if known.state in _LIVING:
                gone = msgspec.structs.replace(known, state="EXITED", cause=cause)
                self._workers[name] = gone
                self.announce(msgspec.convert(gone, WorkerStatus, from_attributes=True))

    def announce(self, status: WorkerStatus) -> None:
        """Put `status` as an event; logged if the queue has no room for it."""
        try:
            self._engine.put(Event(EVENT_WORKER, status))
        except QueueFull as error:
            self._log.error("event_not_put", reason=str(error))

    def _take_command(self, command: ToChild) -> None:
        if isinstance(command, WorkerChanged):
            self._workers[command.worker] = command
            self._note_incarnation(command.incarnation)
        elif isinstance(command, Logged):
            self._log.emit(command.level, command.worker, command.event, command.fields)

    def _stop(self, grace_s: float) -> None:
        """All workers have ended: detach when their rings are drained."""
        if self._detaching is None:
            self._on_stop()
            self._detaching = asyncio.get_running_loop().create_task(self._detach(grace_s), name="detach")

    async def _detach(self, grace_s: float) -> None:
        deadline = time.monotonic() + max(0.0, grace_s - DETACH_MARGIN_S)
        while self._rings() and time.monotonic() < deadline:  # noqa: ASYNC110 - files notify nobody of a change
            await asyncio.sleep(RINGS_POLL_S)
        if self._runtime is not None:
            self._runtime.send_detached()

    def _note_incarnation(self, incarnation: int) -> None:
        self.incarnations_seen = max(self.incarnations_seen, incarnation)

    def _rings(self) -> list[tuple[str, int]]:
        """Return worker and incarnation of each ring, of workers that a supervisor has started."""
        found = map(parse_ring_name, self._run_dir.files())
        return [ring for ring in found if ring is not None and self._host.started.includes(*ring)]

    def started(self) -> dict[str, int]:
        """Return the latest incarnation by worker that a supervisor has started."""
        return self._host.started.latest()

    # ---- the end

    async def close(self, closers: Sequence[Callable[[], Any]], *, own_engine: bool) -> list[str]:
        """Take everything of this object out of the engine, and return what could not be ended, as text.

        `closers`: of handlers' objects. `own_engine`: stop the engine too.
        """
        host, left = self._host, []
        deadline = time.monotonic() + CLOSE_S
        if own_engine:
            stopped = self._engine.stop(CLOSE_S / 2)
            detached = not self._engine.is_dispatching()
            if not stopped.clean:
                left.append(str(stopped))
        else:
            detached = self._engine.detach(host.receiver, CLOSE_S / 2)
            if not detached:
                left.append(f"{self._engine.current_handler!r} did not return")
        for close in closers:
            outcome = call_within(close, max(0.1, deadline - time.monotonic()), "foxtrot-close")
            if not outcome.finished:
                left.append(f"{close!r} does not return")
            elif outcome.error is not None:
                self._log.error("handler_close_failed", handler=repr(close), reason=repr(outcome.error))
        await host.tap.close(grace_s=TAP_GRACE_S)
        if detached:
            self._host.receiver.close()
        else:
            # the dispatch thread still uses the socket: it is closed when its handler returns, if ever
            host.receiver.abandon()
            with contextlib.suppress(RuntimeError):  # the interpreter is exiting: the kernel closes everything
                threading.Thread(target=self._close_late, name="foxtrot-close", daemon=True).start()
        host.withdraw()
        if own_engine:
            self._engine.clear_handlers()
        return left

    def _close_late(self) -> None:
        while not self._engine.detach(self._host.receiver, RETRY_DETACH_S):
            pass
        self._host.receiver.close()
