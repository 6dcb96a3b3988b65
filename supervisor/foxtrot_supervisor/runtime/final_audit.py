"""The end of a run: accounts for unhandled events, removes the files of the run, audits what is left behind."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping

from foxtrot_protocol import endpoints
from foxtrot_supervisor.core.services import sink_of
from foxtrot_supervisor.report.unhandled_events import UnhandledRing, unhandled_in
from foxtrot_supervisor.runtime.audit import Audit, audit, take_baseline
from foxtrot_supervisor.runtime.control_server import ControlServer
from foxtrot_supervisor.runtime.engine_link import EngineLink
from foxtrot_supervisor.runtime.logs import Log
from foxtrot_supervisor.runtime.processes.processes import Processes
from foxtrot_supervisor.runtime.recovery import log_rings, log_unhandled_events
from foxtrot_supervisor.runtime.run_dir import RunDir
from foxtrot_supervisor.runtime.run_dir_watch import RunDirWatch
from foxtrot_supervisor.runtime.sink_directories import linked_rings, remove_links
from foxtrot_supervisor.runtime.strays import Strays

__all__ = ["FinalAudit"]

_ENDED_AS = "at the end, by no engine"


class FinalAudit:
    """Made before the run opens anything: what is open then is not left behind by it.

    Args:
        run_dir: the run directory.
        server: the operators' server, which is open until the last answer.
        engine_is_application: whether the engine is an application that lives: it reads its rings itself, and the
            files of the run, but for stack dumps, are its own.
        log: gets the unhandled events.
    """

    def __init__(
        self, run_dir: RunDir, server: ControlServer, engine_is_application: Callable[[], bool], log: Log
    ) -> None:
        self._run_dir = run_dir
        self._server = server
        self._engine_is_application = engine_is_application
        self._log = log
        self._baseline = take_baseline()
        self._sinks: dict[str, tuple[int, Mapping[str, int]]] = {}

    def finish(self, processes: Processes, strays: Strays, engine: EngineLink, watch: RunDirWatch) -> Audit:
        """Remove the files of the run; return what is left behind, unhandled events included."""
        unhandled = [*self._unhandled(engine, watch), *self._left_by_sinks()]
        watch.close()
        for name in self._own_files():
            self._run_dir.remove(name)
        return audit(
            self._baseline,
            children=strays.remaining(),
            files=self._own_files(),
            descriptors_allowed=self._server.descriptors
            | self._run_dir.descriptors
            | {child.pidfd for child in processes.living()},
            tasks_allowed=self._server.tasks,
            unhandled=[ring.as_dict() for ring in unhandled],
        )

    def sink_ended(self, name: str, incarnation: int, counts: Mapping[str, int]) -> None:
        """Take the last figures of a sink's process, which has ended."""
        self._sinks[name] = incarnation, counts

    def _left_by_sinks(self) -> list[UnhandledRing]:
        """Return what sinks have not handed on: it stays in their spools, or ends with the rings. Remove their links.

        Each counts as one ring, named like its process.
        """
        links = linked_rings(self._run_dir.path)
        remove_links(self._run_dir.path)
        left = []
        for name, (incarnation, counts) in self._sinks.items():
            events: int | None = counts.get("pending_rows", 0) + counts.get("unread_events", 0)
            if not events and sink_of(name) in links:
                events = None  # it ended before it could say what it has not read
            if events != 0:
                left.append(UnhandledRing(worker=name, incarnation=incarnation, events=events))
        return log_rings(left, "at the end, by a sink: what is in its spool stays there", self._log)

    def _unhandled(self, engine: EngineLink, watch: RunDirWatch) -> list[UnhandledRing]:
        started = engine.started_workers
        if watch.unusable:
            return log_rings(unhandled_in(watch.unreachable_rings(), (), started), _ENDED_AS, self._log)
        if self._engine_is_application():
            return []
        return log_unhandled_events(self._run_dir.path, _ENDED_AS, self._log, started)

    def _own_files(self) -> list[str]:
        """Return the files of the run that may go, but for the operators' socket: their last answer goes over it."""
        kept = os.path.basename(endpoints.operator_path(self._run_dir.path))
        files = [name for name in self._run_dir.files() if name != kept]
        return [name for name in files if name.startswith("stacks-")] if self._engine_is_application() else files
