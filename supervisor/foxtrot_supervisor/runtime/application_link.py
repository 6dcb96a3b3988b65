"""The application that started this supervisor and is the engine of the run itself: its life, its calls, its end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from msgspec import Struct

from foxtrot_protocol.exit_codes import ChildExit
from foxtrot_supervisor.core.inputs import Exited, Input, Spawned, StopRequested
from foxtrot_supervisor.core.shutdown import GRACEFUL_REQUESTS_MAX
from foxtrot_supervisor.core.targets import ENGINE
from foxtrot_supervisor.runtime.logs import Log
from foxtrot_supervisor.runtime.timers import Timers

__all__ = ["Application", "ApplicationLink"]


class Application(Struct, frozen=True):
    """The process that started this supervisor and is the engine of the run itself."""

    pid: int
    pidfd: int
    """Readable once it is dead. Opened while it was certainly our parent."""
    lifeline: int
    """Its other end belongs to the application alone: at end of file the application is gone, or has become another
    program."""
    call: Callable[[int], None]
    """Tells the application to be the engine, by this incarnation; it answers with HELLO."""
    alive: Callable[[], None]
    """Tells the application that the supervisor's control loop turns."""
    incarnations_before: int = 0
    """Incarnations that an earlier supervisor of this application may have used."""


class ApplicationLink:
    """The application in the role of the child called "engine". It is never signalled.

    Args:
        application: the process.
        put: takes inputs for the core.
        stop: begins the final stop, with this reason, unless it has begun.
        ended: is called when the engine's incarnation has ended.
        timers: for signs of life.
        log: gets ``application_gone``.
    """

    def __init__(
        self,
        application: Application,
        *,
        put: Callable[[Input], None],
        stop: Callable[[str], None],
        ended: Callable[[], None],
        timers: Timers,
        log: Log,
    ) -> None:
        self._application = application
        self._put = put
        self._stop = stop
        self._ended = ended
        self._timers = timers
        self._log = log
        self._incarnation: int | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self.gone = False
        """Whether the application has been seen to be gone."""

    def watch(self) -> None:
        """Notice the application's death from now on, until `close`."""
        self._loop = asyncio.get_running_loop()
        for descriptor in (self._application.pidfd, self._application.lifeline):
            self._loop.add_reader(descriptor, self._on_gone)

    def close(self) -> None:
        """Stop watching; the descriptors belong to the caller."""
        if self._loop is not None:
            for descriptor in (self._application.pidfd, self._application.lifeline):
                self._loop.remove_reader(descriptor)
            self._loop = None

    def pid_of(self, incarnation: int) -> int | None:
        """Return the application's process id if it is the engine by this incarnation, else None."""
        return self._application.pid if incarnation == self._incarnation else None

    # ---- the engine's life

    def start(self, incarnation: int) -> None:
        """Have the application be the engine."""
        self._incarnation = incarnation
        self._put(Spawned(ENGINE, incarnation, self._application.pid))
        self._application.call(incarnation)

    def kill(self) -> None:
        """The stop ladder has come to SIGKILL: give up the engine, since its process is not ours to kill."""
        self._finish("it did not let go in time")

    def detached(self) -> None:
        """The application has detached: it is no longer the engine, and the run ends."""
        self._stop("the application let go")
        self._finish("")

    def finish_if_gone(self) -> bool:
        """Report the engine's end if the application is gone; return whether it is."""
        if self.gone:
            self._finish("")
        return self.gone

    def _finish(self, cause: str) -> None:
        incarnation, self._incarnation = self._incarnation, None
        if incarnation is not None:
            self._ended()
            self._put(Exited(ENGINE, incarnation, None if cause else ChildExit.CLEAN, None, cause))

    def _on_gone(self) -> None:
        self.close()
        self.gone = True
        self._log.warning("application_gone", pid=self._application.pid)
        for _ in range(GRACEFUL_REQUESTS_MAX + 1):  # nobody is left to work for: SIGKILL everything
            self._put(StopRequested("the application is gone"))

    # ---- signs of life

    def show_alive(self, turns: Callable[[], bool], heartbeat_s: Callable[[], float]) -> None:
        """Tell the application every `heartbeat_s` seconds that the control loop turns, if `turns` says so."""

        def show() -> None:
            if turns():
                self._application.alive()
            self._timers.call_later("alive", heartbeat_s(), show)

        self._timers.call_later("alive", 0.0, show)
