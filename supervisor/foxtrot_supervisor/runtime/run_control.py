"""What operators and signals can do with a run: look at it, stop it, restart, reload and resubscribe its children."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

from foxtrot_protocol.commands import ToChild
from foxtrot_protocol.control import AssignRequest, LogsRequest, Reply
from foxtrot_supervisor.core.core import Core
from foxtrot_supervisor.core.inputs import RequestRefused, RestartRequested, StopRequested, WorkersStopRequested
from foxtrot_supervisor.core.lifecycle import Desired, State
from foxtrot_supervisor.core.records import ChildRecord
from foxtrot_supervisor.core.reload import Reload
from foxtrot_supervisor.core.shard_changes import changes_for
from foxtrot_supervisor.report.incidents import IncidentPage, Incidents
from foxtrot_supervisor.runtime.active_config import ActiveConfig
from foxtrot_supervisor.runtime.assignments import Assignments
from foxtrot_supervisor.runtime.core_loop import CoreLoop
from foxtrot_supervisor.runtime.logs import PROCESS, Logs
from foxtrot_supervisor.runtime.reloading import Reloading
from foxtrot_supervisor.runtime.shared_status import SharedStatus
from foxtrot_supervisor.runtime.splitting import Split, Splitting

__all__ = ["RunControl"]


class RunControl:
    """The run as `operator_requests.Run` needs it.

    Args:
        active: the configuration in force.
        core: read only.
        loop: takes requests to the core.
        reloading: reads the configuration again.
        splitting: splits shards.
        assignments: takes the connections that a cluster assigns.
        status: encoded answers to ``status``.
        incidents: the incidents so far.
        send: sends a command to an incarnation of a child; returns whether it could be sent.
        logs: of the run `run_id`.
    """

    def __init__(
        self,
        active: ActiveConfig,
        core: Core,
        loop: CoreLoop,
        reloading: Reloading,
        splitting: Splitting,
        *,
        assignments: Assignments,
        status: SharedStatus,
        incidents: Incidents,
        send: Callable[[str, int, ToChild], bool],
        logs: Logs,
        run_id: str,
    ) -> None:
        self._active = active
        self._core = core
        self._loop = loop
        self._reloading = reloading
        self._splitting = splitting
        self._assignments = assignments
        self._status = status
        self._incidents = incidents
        self._send = send
        self._logs = logs
        self._run_id = run_id
        self.ended_as: dict[str, Any] | None = None
        """How the run ended; None before its end."""

    async def status_line(self, *, fresh: bool) -> bytes:
        """Return the encoded reply to a `StatusRequest`; `fresh`: assembled after this call."""
        return await self._status.line(fresh=fresh)

    def incidents(self, after: int, limit: int) -> IncidentPage:
        """Return incidents with numbers above `after`, at most `limit`."""
        return self._incidents.after(after, limit)

    def logs(self, request: LogsRequest) -> dict[str, Any] | None:
        """Return recent log lines; None if nothing of that name is known."""
        memory, name = self._logs.memory, request.worker
        known = not name or name == PROCESS or name in self._core.records or bool(self.workers_named(name))
        if not known and not memory.has_named(name):
            return None
        lines = memory.read(request.after, name, request.level, request.since_ns)
        return {**lines, "run_id": self._run_id}

    def record(self, name: str) -> ChildRecord | None:
        """Return what is known of a child."""
        return self._core.records.get(name)

    def workers_named(self, name: str) -> list[str]:
        """Return the worker of that name, or all workers of the connection of that name."""
        return [worker for worker in self._active.workers_of(name) if worker in self._core.records]

    def connections(self) -> list[list[str]]:
        """Return the workers of each connection."""
        workers: defaultdict[str, list[str]] = defaultdict(list)
        for name, place in self._active.specs.places.items():
            if name in self._core.records:
                workers[place.connection.name].append(name)
        return list(workers.values())

    def is_stopping(self) -> bool:
        """Return whether the final stop has begun."""
        return self._core.state in ("stopping", "stopped")

    def serving_workers(self) -> set[tuple[str, int]]:
        """Return worker and incarnation of those that serve and will not be stopped."""
        places = self._active.specs.places
        return {
            (name, record.incarnation)
            for name, record in self._core.records.items()
            if name in places and record.state is State.RUNNING and record.desired is Desired.RUNNING
        }

    def changes_for(self, name: str, symbols: list[str], *, added: bool) -> dict[str, list[str]]:
        """Return what each worker of `name` changes; see `shard_changes.changes_for`."""
        specs = self._active.specs
        return changes_for(name, self.workers_named(name), specs.places, specs.symbols, symbols, added=added)

    def send(self, name: str, incarnation: int, command: ToChild) -> bool:
        """Send a command to a child; return whether it could be sent."""
        return self._send(name, incarnation, command)

    def ask_stop(self, reason: str) -> None:
        """Begin the final stop unless it has begun: the request of a second operator does not mean SIGKILL."""
        if not self.is_stopping():
            self._loop.put(StopRequested(reason))

    def ask_restart(self, name: str) -> str:
        """Begin to replace a child; return the reason if that is refused, else ""."""
        return self._ask(RestartRequested(name))

    def ask_stop_of(self, names: Sequence[str]) -> str:
        """Begin to stop these workers, and no others; return the reason if that is refused, else ""."""
        shard = self._splitting.split_with(names)
        if shard:
            return f"{shard} is being split: ask again when that has ended"
        return self._ask(WorkersStopRequested(names))

    def _ask(self, request: RestartRequested | WorkersStopRequested) -> str:
        try:
            self._loop.perform(self._loop.decide(request))
        except RequestRefused as refusal:
            return str(refusal)
        return ""

    def ask_reload(self) -> Reload | str:
        """Begin a reload; return it, or every reason why it is refused, one a line."""
        return self._reloading.request()

    def reload_must_wait(self) -> bool:
        """Whether a reload would be refused because a shard is being split."""
        return self._reloading.is_held

    def ask_split(self, name: str) -> Split | str:
        """Begin to split a shard; return the reason if that is refused."""
        return self._splitting.request(name)

    def assign(self, request: AssignRequest) -> Reply:
        """Supervise the connections that a cluster has assigned."""
        return self._assignments.answer(request)

    def preview_reload(self) -> dict[str, Any] | str:
        """Return what a reload would do, or every reason why it would be refused, one a line."""
        return self._reloading.preview()

    def outcome(self) -> dict[str, Any] | None:
        """Return how the run ended; None before its end."""
        return self.ended_as

    def symbols_changed(self, name: str, symbols: list[str], *, added: bool) -> None:
        """Note that a worker has changed its subscriptions: its successors begin with them."""
        self._active.symbols_changed(name, symbols, added=added)

    def restart_limit_s(self) -> float:
        """Return the limit in seconds for a replacement, until it serves or has failed."""
        return self._active.restart_limit_s
