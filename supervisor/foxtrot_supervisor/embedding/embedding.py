"""An application that is its own engine, with a supervisor as its child process: the thread that runs both parts.

The thread has an event loop of its own, so that the application's main thread, event loop, signal handlers and child
watching are left alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Awaitable, Callable
from typing import Any

from foxtrot_supervisor.config.schema import FoxtrotConfig
from foxtrot_supervisor.config.shards import placements_of, without_shards
from foxtrot_supervisor.core.targets import Targets
from foxtrot_supervisor.embedding.application_log import ApplicationLog
from foxtrot_supervisor.embedding.end_report import EndReport, report_of
from foxtrot_supervisor.embedding.engine_part import EnginePart
from foxtrot_supervisor.embedding.lifetime import Phase, SupervisorLifetime
from foxtrot_supervisor.embedding.subscriptions import Subscriptions
from foxtrot_supervisor.engine.bus.event_engine import EventEngine
from foxtrot_supervisor.engine.host import DispatchEnded
from foxtrot_supervisor.report.unhandled_events import UnhandledRing
from foxtrot_supervisor.runtime.recovery import log_unhandled_events
from foxtrot_supervisor.runtime.run_dir import AlreadyRunning, RunDir, RunDirRefused

__all__ = ["EXIT_STOP_S", "WATCH_RETRY_S", "Embedding"]

EXIT_STOP_S = 10.0
"""Time for everything to stop when the interpreter exits and the application did not call `stop`."""

EXIT_POLL_S = 0.1
"""Interval of checking whether the interpreter is exiting."""

WATCH_RETRY_S = 1.0
"""Delay after which a watch that raised an unexpected exception is run again."""


class Embedding:
    """Everything that one `Supervisor` has started, from `start` until `report` is there.

    `config`: with symbols resolved, and shards in place of sharded connections. `run_dir` is taken over and released at
    the end. `own_engine`: `engine` is started and stopped too; else it is the application's and left running.
    `closers`: called at the end, of the objects that handlers returned. `on_phase` is called on this object's thread at
    every change of `phase`. Methods may be called from any thread.
    """

    def __init__(
        self,
        config: FoxtrotConfig,
        run_dir: RunDir,
        engine: EventEngine,
        log: ApplicationLog,
        *,
        log_level: str,
        targets: Targets,
        own_engine: bool,
        closers: list[Callable[[], Any]],
        on_phase: Callable[[str, str], None] | None = None,
    ) -> None:
        self._config = config
        self._run_dir = run_dir
        self._engine = engine
        self._own_engine = own_engine
        self._log = log
        self._closers = closers
        self._on_phase = on_phase
        shards = placements_of(config, lambda _: ())
        self.subscriptions = Subscriptions(without_shards(config), shards)
        """What this supervisor and later ones subscribe."""
        self._part = EnginePart(engine, run_dir, config, log, log_level=log_level, on_stop=self._on_engine_stop)
        self._lifetime = SupervisorLifetime(
            run_dir,
            self.subscriptions,
            shards,
            self._part,
            log_level=log_level,
            targets=targets,
            on_phase=self._enter_phase,
        )
        self.changed = threading.Condition()
        """Notified at every change of `phase`."""
        self.phase: Phase = "starting"
        self.cause = ""
        """Why it is in this phase."""
        self.report: EndReport | None = None
        """How it ended; None until then."""
        self._unhandled: list[UnhandledRing] = []
        self._begun = threading.Event()
        self._loop: asyncio.AbstractEventLoop
        self._thread = threading.Thread(target=self._main, name="foxtrot-host", daemon=False)

    # ---- from any thread

    @property
    def restarts_total(self) -> int:
        """How often the supervisor was restarted."""
        return self._lifetime.restarts_total

    def start(self) -> None:
        """Start the thread, and return as soon as requests are accepted."""
        self._thread.start()
        self._begun.wait()

    def request_stop(self, timeout_s: float, cause: str) -> None:
        """Stop everything; what has not ended after `timeout_s` seconds is killed."""
        self._call_soon(self._lifetime.request_stop, timeout_s, cause)

    def request_restart(self, timeout_s: float) -> None:
        """Stop the supervisor, if it lives, within `timeout_s` seconds, and start another."""
        self._call_soon(self._lifetime.request_restart, timeout_s)

    def join(self, timeout_s: float) -> bool:
        """Wait up to `timeout_s` seconds for the end, and return whether it has come."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def runs_in(self, thread: threading.Thread) -> bool:
        """Whether the end needs `thread`, so that waiting for the end there would never return."""
        return thread is self._thread or self._engine.dispatches_on(thread)

    def add_first_symbols(self, connection: str, symbols: list[str]) -> None:
        """Give a connection its first symbols; the supervisor must then be requested to reload."""
        self._lifetime.rewrite_order(self.subscriptions.add_first(connection, symbols))

    def forget(self) -> None:
        """In a forked copy of the application: close what would make a dead application look alive."""
        self._lifetime.forget()
        self._run_dir.leave()

    def _call_soon(self, call: Callable[..., None], *arguments: Any) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(call, *arguments)

    # ---- on the thread

    def _main(self) -> None:
        try:
            with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
                runner.run(self._live())
        except BaseException as error:  # of any kind: callers wait for `report`
            self._log.error("embedding_crashed", reason=repr(error))
            self._finish(str(error) or repr(error), [])
            if not isinstance(error, Exception):
                raise
        finally:
            self._begun.set()

    async def _live(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._begun.set()
        try:
            await self._part.open()
        except BaseException:
            self._run_dir.release()
            raise
        watches = {
            "slow-handler-watch": self._watch_dispatch,
            "interpreter-watch": self._watch_interpreter,
            "supervisor-watch": self._lifetime.watch_health,
        }
        tasks = [asyncio.create_task(self._keep_watching(name, watch), name=name) for name, watch in watches.items()]
        try:
            cause = await self._lifetime.run()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            left = await self._close()
        self._finish(cause, left)

    async def _keep_watching(self, name: str, watch: Callable[[], Awaitable[None]]) -> None:
        """Run `watch` until it returns; after an unexpected exception it is run again, so that nothing is unwatched."""
        while True:
            try:
                return await watch()
            except Exception as error:
                self._log.error("watch_failed", watch=name, reason=repr(error))
                await asyncio.sleep(WATCH_RETRY_S)

    async def _watch_dispatch(self) -> None:
        try:
            await self._part.watch()
        except DispatchEnded:
            self._lifetime.request_stop(self._config.supervisor.shutdown_s, "the EventEngine was stopped")

    async def _watch_interpreter(self) -> None:
        """Request a stop when the main thread has ended: the interpreter then waits for threads such as this one."""
        main = threading.main_thread()
        while main.is_alive():  # noqa: ASYNC110 - nothing notifies of it
            await asyncio.sleep(EXIT_POLL_S)
        self._lifetime.request_stop(EXIT_STOP_S, "the application has ended without a stop")

    def _on_engine_stop(self) -> None:
        self._lifetime.note_stopping()

    def _enter_phase(self, phase: Phase, cause: str) -> None:
        with self.changed:
            self.phase = phase
            self.cause = cause
            self.changed.notify_all()
        if phase in ("down", "failed"):
            self._log.error("supervisor_died", cause=cause)
        if self._on_phase is not None:
            try:
                self._on_phase(phase, cause)
            except Exception as error:
                self._log.error("callback_failed", callback=repr(self._on_phase), reason=repr(error))

    # ---- the end

    async def _close(self) -> list[str]:
        """Close the engine's part and release the run directory; return what could not be ended."""
        self._log.to(None)
        left = await self._part.close(self._closers, own_engine=self._own_engine)
        ended_as = "at the end, by the application's handlers"
        with contextlib.suppress(AlreadyRunning, RunDirRefused, OSError):
            self._run_dir.rejoin()  # the supervisor may have made the directory again
        self._unhandled = log_unhandled_events(self._run_dir.path, ended_as, self._log, self._part.started())
        self._run_dir.release()
        return left

    def _finish(self, cause: str, left: list[str]) -> None:
        reported = self._lifetime.report
        self.report = report_of(
            reported.outcome if reported is not None else None,
            exit_code=reported.exit_code if reported is not None else None,
            cause=cause,
            left=left,
            unhandled=self._unhandled,
            restarts_total=self.restarts_total,
        )
        self._enter_phase("stopped", cause)
