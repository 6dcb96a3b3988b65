"""Performs the core's effects: starts, asks, signals and fences children. Holds the processes that exist."""

from __future__ import annotations

import signal
from collections.abc import Callable, Mapping

from foxtrot_protocol.commands import Stop
from foxtrot_protocol.errors import MessageTooLarge
from foxtrot_protocol.events import WorkerStatus
from foxtrot_protocol.spec import encode_spec
from foxtrot_supervisor.core.effects import Ask, DumpStacks, Effect, Fence, Finish, Publish, Signal, Spawn
from foxtrot_supervisor.core.inputs import Input, Spawned, SpawnFailed
from foxtrot_supervisor.core.lifecycle import State
from foxtrot_supervisor.core.records import ChildRecord
from foxtrot_supervisor.core.services import sink_of
from foxtrot_supervisor.core.targets import ENGINE, NURSERIES
from foxtrot_supervisor.runtime.active_config import ActiveConfig
from foxtrot_supervisor.runtime.application_link import ApplicationLink
from foxtrot_supervisor.runtime.child_link import ChildLink
from foxtrot_supervisor.runtime.engine_link import EngineLink
from foxtrot_supervisor.runtime.logs import Log
from foxtrot_supervisor.runtime.nursery import Nurseries
from foxtrot_supervisor.runtime.processes.processes import Child, Processes, StartFailed
from foxtrot_supervisor.runtime.processes.stack_dumps import StackDumps
from foxtrot_supervisor.runtime.sink_directories import link_rings, make_directories

__all__ = ["Performer"]


class Performer:
    """Performs effects, one at a time.

    Args:
        active: the configuration in force.
        records: the core's records by name.
        run_dir: path of the run directory.
        processes: starts and signals child processes.
        nurseries: fork what need not be spawned.
        stacks: dumps of stacks.
        link: commands to children.
        engine: what the engine is sent.
        application: the engine of the run, if that is an application: it is called, never spawned or signalled.
        put: takes inputs for the core.
        finish: is called with the exit code of `Finish`.
        state_changed: is called with each new state of a child.
        log: gets ``worker_state``.
    """

    def __init__(
        self,
        active: ActiveConfig,
        records: Mapping[str, ChildRecord],
        *,
        run_dir: str,
        processes: Processes,
        nurseries: Nurseries,
        stacks: StackDumps,
        link: ChildLink,
        engine: EngineLink,
        application: ApplicationLink | None,
        put: Callable[[Input], None],
        finish: Callable[[int], None],
        state_changed: Callable[[Publish], None],
        log: Log,
    ) -> None:
        self._active = active
        self._records = records
        self._run_dir = run_dir
        self._processes = processes
        self._nurseries = nurseries
        self._stacks = stacks
        self._link = link
        self._engine = engine
        self._application = application
        self._put = put
        self._finish = finish
        self._state_changed = state_changed
        self._log = log
        self._children: dict[tuple[str, int], Child] = {}

    @property
    def any_lives(self) -> bool:
        """Whether the death of any child process has not been reported yet."""
        return bool(self._children)

    def pid_of(self, name: str, incarnation: int) -> int | None:
        """Return the process id of a living child, None if it does not live."""
        child = self._children.get((name, incarnation))
        return child.pid if child is not None else None

    def ended(self, child: Child) -> None:
        """`child` is dead: forget it."""
        del self._children[child.name, child.incarnation]

    def perform(self, effect: Effect) -> None:
        """Perform `effect`. What cannot be done is reported to the core as an input."""
        match effect:
            case Spawn():
                self._spawn(effect.name, effect.incarnation)
            case Ask():
                self._ask(effect)
            case Signal() | DumpStacks() if effect.name == ENGINE and self._application is not None:
                if isinstance(effect, Signal) and effect.signal == "SIGKILL":
                    self._application.kill()
            case Signal():
                child = self._children.get((effect.name, effect.incarnation))
                if child is not None:
                    number = signal.Signals[effect.signal]
                    self._processes.signal(child, number, whole_session=effect.whole_session)
            case DumpStacks():
                child = self._children.get((effect.name, effect.incarnation))
                if child is not None:
                    self._stacks.ask(child)
            case Fence():
                if effect.name in self._active.specs.places:
                    self._engine.fence(effect.name, effect.incarnation)
            case Publish():
                self._state_changed(effect)
                self._publish(effect.status)
            case Finish():
                self._finish(effect.exit_code)

    def _spawn(self, name: str, incarnation: int) -> None:
        if name == ENGINE and self._application is not None:
            self._application.start(incarnation)
            return
        record = self._records.get(name)
        if record is None or record.incarnation != incarnation or record.state is not State.STARTING:
            self._put(SpawnFailed(name, incarnation, "it was to end before its process was created"))
            return
        specs = self._active.specs
        if name in specs.places:
            self._engine.worker_started(name, incarnation)
        try:
            self._make_sink_directories(name, incarnation)
            spec = encode_spec(specs.spec(name, incarnation))
            if name in NURSERIES:
                self._nurseries.listen(name)  # a reload may have brought it
            child = self._nurseries.fork_child(specs.nursery_of(name), name, incarnation, spec)
            if child is None:
                child = self._processes.start(name, incarnation, specs.first_target(name), spec)
        except (StartFailed, MessageTooLarge, OSError) as error:
            self._put(SpawnFailed(name, incarnation, str(error)))
            return
        if name in self._nurseries:
            self._nurseries.started(name, child.pid)
        self._children[name, incarnation] = child
        self._put(Spawned(name, incarnation, child.pid))

    def _make_sink_directories(self, name: str, incarnation: int) -> None:
        """Make what a worker needs to link its ring for sinks; link rings that are there for a new sink."""
        specs, run_dir = self._active.specs, self._run_dir
        if name in specs.places:
            make_directories(run_dir, specs.sinks_of(specs.places[name].connection))
        elif (sink := sink_of(name)) is not None:
            make_directories(run_dir, [sink])
            if incarnation == 1:  # a later one has read them, and removed the links of those that it has finished
                readable = {
                    worker: latest
                    for worker, latest in self._engine.started_workers.items()
                    if worker in specs.places and sink in specs.sinks_of(specs.places[worker].connection)
                }
                link_rings(run_dir, sink, readable)

    def _ask(self, ask: Ask) -> None:
        if ask.name in self._nurseries:
            self._nurseries.quit(ask.name)
        elif ask.name != ENGINE or self._application is None or not self._application.finish_if_gone():
            self._link.send(ask.name, ask.incarnation, Stop(ask.grace_s))

    def _publish(self, status: WorkerStatus) -> None:
        log = self._log.error if status.state in ("FATAL", "LOST") else self._log.info
        log(
            "worker_state",
            worker=status.worker,
            incarnation=status.incarnation,
            state=status.state,
            cause=status.cause,
            rung=status.rung,
            exit_code=status.exit_code,
            signal=status.signal,
        )
        self._engine.publish(status)
