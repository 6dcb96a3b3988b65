"""Notices during a run that the run directory, or a file in it, was removed, and makes it usable again."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable, Collection, Mapping

import zmq

from foxtrot_protocol import endpoints
from foxtrot_protocol.ring_layout import RingFigures
from foxtrot_supervisor.core.inputs import Input, RotationWanted
from foxtrot_supervisor.runtime.control_server import ControlServer
from foxtrot_supervisor.runtime.logs import Log
from foxtrot_supervisor.runtime.run_dir import AlreadyRunning, RunDir, RunDirRefused
from foxtrot_supervisor.runtime.run_dir_keeper import LOOK_S, Look, RunDirKeeper
from foxtrot_supervisor.runtime.timers import Timers

__all__ = ["RunDirWatch"]


class RunDirWatch:
    """Looks every `LOOK_S` seconds from `start` on, until `timers` are closed.

    Args:
        run_dir: the directory.
        server: the operators' server, restarted if its socket file was removed.
        sockets: returns for each other socket of this process its file name, and what makes it again.
        serving: returns the workers, with incarnation, that serve: they write into a ring each.
        put: takes inputs for the core.
        stop: begins the final stop, with this reason.
        timers: for the next look.
        log: gets what was found.
    """

    def __init__(
        self,
        run_dir: RunDir,
        server: ControlServer,
        *,
        sockets: Callable[[], Mapping[str, Callable[[], None]]],
        serving: Callable[[], Collection[tuple[str, int]]],
        put: Callable[[Input], None],
        stop: Callable[[str], None],
        timers: Timers,
        log: Log,
    ) -> None:
        self._run_dir = run_dir
        self._server = server
        self._sockets = sockets
        self._serving = serving
        self._put = put
        self._stop = stop
        self._timers = timers
        self._log = log
        self._keeper = RunDirKeeper(run_dir, log)
        self._restart: asyncio.Task[None] | None = None
        self.unusable = ""
        """Why the directory cannot be used any more; "": it can."""

    def start(self) -> None:
        """Look in `LOOK_S` seconds, and then again and again."""
        self._timers.call_later("run_dir", LOOK_S, self._look)

    def unreachable_rings(self) -> list[RingFigures]:
        """Return the figures of rings whose files were removed."""
        return self._keeper.left()

    async def settle(self) -> None:
        """Wait until nothing is being made again."""
        if self._restart is not None:
            await asyncio.gather(self._restart, return_exceptions=True)

    def close(self) -> None:
        """Release the rings that are held open."""
        self._keeper.close()

    def _look(self) -> None:
        try:
            look = self._keeper.look(self._serving())
            self._bind_again()
        except (AlreadyRunning, RunDirRefused) as error:
            if not isinstance(error, RunDirRefused) or not error.passing:
                self._give_up(error)
                return
            self._log.error("run_dir_not_made_again", reason=str(error))
            look = Look()
        except (OSError, zmq.ZMQError) as error:  # such as no free descriptor
            self._log.warning("run_dir_not_looked_at", reason=str(error))
            look = Look()
        for name, incarnation in look.bereft:
            self._put(RotationWanted(name, incarnation, "the file of its ring was removed"))
        self.start()

    def _give_up(self, error: Exception) -> None:
        # what is connected and mapped still works: everything ends in order, with its account
        self.unusable = str(error)
        self._log.error("run_dir_unusable", reason=self.unusable)
        self._stop(f"the run directory is gone and cannot be made again: {error}")

    def _bind_again(self) -> None:
        """Listen again at each socket of ours whose file was removed; the engine does so for its own."""
        for name, bind in self._sockets().items():
            if not self._run_dir.exists(name):
                self._log.error("file_made_again", path=name, reason="it was removed while in use")
                bind()
        if not self._server.is_bound and (self._restart is None or self._restart.done()):
            name = os.path.basename(endpoints.operator_path(self._run_dir.path))
            self._log.error("file_made_again", path=name, reason="it was removed while in use")
            self._restart = asyncio.get_running_loop().create_task(self._restart_server(), name="operators-again")

    async def _restart_server(self) -> None:
        with contextlib.suppress(OSError):  # tried again at the next look
            await self._server.restart()
