"""One run of the supervisor, inside a running event loop; `main.run_supervisor` is the whole process.

`Runner` puts the parts together, dispatches what children send, and brings the run to its end. Decisions are made by
the core; `core_loop` has the clock, `performer` the processes.

Everything happens in the loop of the main thread: children are started there (the kernel's parent-death signal follows
the thread), and deaths and messages come in there.

An unexpected exception is a mistake of this program. Then every child is killed (SIGKILL): a supervisor that cannot
decide any more must not leave processes behind.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import time
import traceback
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import zmq

from foxtrot_protocol import __version__, endpoints
from foxtrot_protocol.commands import FromChild, ToChild
from foxtrot_protocol.exit_codes import SupervisorExit
from foxtrot_protocol.log_line import Identity
from foxtrot_supervisor.config.cluster import EngineCluster
from foxtrot_supervisor.config.schema import FoxtrotConfig, LogFormat
from foxtrot_supervisor.config.shards import Placements
from foxtrot_supervisor.core.child_specs import ChildSpecs, Surroundings, SymbolChange
from foxtrot_supervisor.core.core import Core
from foxtrot_supervisor.core.inputs import (
    CapturedStacks,
    Exited,
    StartRequested,
    StopRequested,
)
from foxtrot_supervisor.core.services import sink_of
from foxtrot_supervisor.core.shutdown import exit_code_after_audit
from foxtrot_supervisor.core.targets import ENGINE, Targets
from foxtrot_supervisor.report.outcome import outcome_of
from foxtrot_supervisor.report.ring_accounts import RingAccounts
from foxtrot_supervisor.runtime.active_config import ActiveConfig
from foxtrot_supervisor.runtime.application_link import Application, ApplicationLink
from foxtrot_supervisor.runtime.assignments import Assignments
from foxtrot_supervisor.runtime.audit import Audit
from foxtrot_supervisor.runtime.child_link import ChildLink
from foxtrot_supervisor.runtime.child_messages import ChildMessages
from foxtrot_supervisor.runtime.clock_watch import ClockWatch
from foxtrot_supervisor.runtime.control_server import ControlServer
from foxtrot_supervisor.runtime.coordinator import Coordinator
from foxtrot_supervisor.runtime.core_loop import CoreLoop
from foxtrot_supervisor.runtime.deaths import DeathReports
from foxtrot_supervisor.runtime.engine_link import EngineLink
from foxtrot_supervisor.runtime.final_audit import FinalAudit
from foxtrot_supervisor.runtime.growth_watch import GrowthMonitor
from foxtrot_supervisor.runtime.incident_watch import IncidentWatch, WatchedLog
from foxtrot_supervisor.runtime.kept_shards import KeptShards
from foxtrot_supervisor.runtime.logs import Log, Logs
from foxtrot_supervisor.runtime.loop_watch import LoopWatch
from foxtrot_supervisor.runtime.market_refresh import MarketRefresh
from foxtrot_supervisor.runtime.nursery import Nurseries
from foxtrot_supervisor.runtime.operator_requests import OperatorRequests
from foxtrot_supervisor.runtime.performer import Performer
from foxtrot_supervisor.runtime.preflight import CannotStart
from foxtrot_supervisor.runtime.processes.nursery_link import nursery_possible
from foxtrot_supervisor.runtime.processes.processes import Child, Processes
from foxtrot_supervisor.runtime.processes.stack_dumps import StackDumps
from foxtrot_supervisor.runtime.processes.syscalls import ExitStatus
from foxtrot_supervisor.runtime.recovery import keep_for_sinks, recover
from foxtrot_supervisor.runtime.reloading import Reloading
from foxtrot_supervisor.runtime.run_control import RunControl
from foxtrot_supervisor.runtime.run_dir import RunDir
from foxtrot_supervisor.runtime.run_dir_watch import RunDirWatch
from foxtrot_supervisor.runtime.run_status import RunStatus
from foxtrot_supervisor.runtime.service_manager import ServiceManager
from foxtrot_supervisor.runtime.shared_status import SharedStatus
from foxtrot_supervisor.runtime.sink_directories import remove_links
from foxtrot_supervisor.runtime.splitting import Splitting
from foxtrot_supervisor.runtime.start_watch import StartWatch
from foxtrot_supervisor.runtime.strays import Strays
from foxtrot_supervisor.runtime.systemd import Systemd
from foxtrot_supervisor.runtime.timers import Timers
from foxtrot_supervisor.system.oom import OomEvidence
from foxtrot_supervisor.telemetry.vitals import Vitals

__all__ = ["CRASH_WAIT_S", "Application", "Runner"]

CRASH_WAIT_S = 5.0
"""Limit in seconds for killed children to be gone after an internal error."""


class Runner:
    """One run of the supervisor: call `run` once, in the main thread's event loop.

    The arguments are those of `main.run_supervisor`, and:

        run_dir: locked by the caller, who releases it.
        logs: replaces the log.
        systemd: the service manager; None: there is none.
        application: the engine is this process and no child. It holds the run directory as well, and its files in it
            are its own.
        on_serving: is called once operators are answered.
    """

    def __init__(
        self,
        config: FoxtrotConfig,
        *,
        run_dir: RunDir,
        import_path: str,
        log_level: str,
        log_format: LogFormat,
        duration_s: float | None = None,
        on_snapshot: Callable[[dict[str, Any]], float | None] | None = None,
        snapshot_s: float = 0.5,
        targets: Targets | None = None,
        logs: Logs | None = None,
        systemd: Systemd | None = None,
        read_config: Callable[[Placements], FoxtrotConfig] | None = None,
        application: Application | None = None,
        on_serving: Callable[[], None] | None = None,
    ) -> None:
        self._on_serving = on_serving
        self._run_dir = run_dir
        self._duration_s = duration_s
        self._on_snapshot = on_snapshot
        self._snapshot_s = snapshot_s
        self._logs = logs or Logs(log_level, log_format)
        around = Surroundings(
            run_id=run_dir.run_id,
            run_dir=run_dir.path,
            parent_pid=os.getpid(),
            import_path=import_path,
            log_level=log_level,
            log_format=log_format,
            nursery_possible=nursery_possible(),
            embedded=application is not None,
        )
        specs = ChildSpecs(config, around, targets or Targets())
        before = application.incarnations_before if application is not None else 0
        keep = KeptShards(run_dir.path, self._logs.log).write if application is not None else None
        self._active = ActiveConfig(config, specs, *filter(None, [keep]))
        self._core = Core(specs.plans(), config.supervisor, random.random, incarnations_before=before)
        self._incidents = IncidentWatch(self._active)
        self._log: Log = WatchedLog(self._logs.log, self._incidents.logged)
        self._loop = CoreLoop(self._core, changed=self._follow_changes, settled=self._settled, failed=self._break_off)
        self._logs.identify = self._identity_of
        self._put = self._loop.put
        self._timers = Timers()
        self._vitals: defaultdict[str, Vitals] = defaultdict(Vitals)
        self._loop_watch = LoopWatch(self._timers, self._log)
        self._growth = GrowthMonitor(self._vitals, self._timers, self._log)
        self._rings = RingAccounts()
        self._oom = OomEvidence()
        self._service = ServiceManager(systemd or Systemd({}), self._active, self._timers)
        self._engine = EngineLink(
            self._core.records, self._send, awaits_remote=isinstance(config.cluster, EngineCluster)
        )
        self._coordinator = Coordinator(
            self._active, self._core.records, self._vitals, self._send, self._timers, self._log
        )
        self._reloading = Reloading(
            self._active,
            self._core,
            self._loop,
            read_config=read_config,
            adopted=self._adopted,
            ended=self._settled,
            service=self._service,
            timers=self._timers,
            log=self._log,
        )
        self._splitting = Splitting(
            self._active,
            self._core.records,
            self._vitals,
            self._reloading,
            ended=self._settled,
            timers=self._timers,
            log=self._log,
        )
        self.control = RunControl(
            self._active,
            self._core,
            self._loop,
            self._reloading,
            self._splitting,
            assignments=Assignments(self._active, self._core.records, self._reloading, self._timers, self._log),
            status=SharedStatus(self._slices),
            incidents=self._incidents.memory,
            send=self._send,
            logs=self._logs,
            run_id=run_dir.run_id,
        )
        self._requests = OperatorRequests(self.control, self._log)
        self._logs.on_line = self._requests.logged
        self._markets = MarketRefresh(
            self._active,
            self.control.record,
            self._requests,
            self._reloading,
            self._splitting,
            run_dir.path,
            self._timers,
            self._log,
        )
        self._start_watch = StartWatch(
            self._core,
            lambda: self._active.specs.places,
            lambda: self._coordinator.rate_limits(time.monotonic()),
            self._timers,
            self._log,
        )
        self._status = RunStatus(
            run_dir,
            self._active,
            self._core,
            vitals=self._vitals,
            rings=self._rings,
            coordinator=self._coordinator,
            growth=self._growth,
            loop_lag=self._loop_watch.figures,
            start=self._start_watch.progress,
            counters=self._counters,
            markets=self._markets.figures,
            incidents=self._incidents.memory,
        )
        self._clock_watch = ClockWatch(self._status.clocks, self._timers, self._log)
        self._application = None
        if application is not None:
            self._application = ApplicationLink(
                application,
                put=self._put,
                stop=self.control.ask_stop,
                ended=self._on_detached,
                timers=self._timers,
                log=self._log,
            )
        self._is_set_up = False
        self.audit: Audit | None = None
        """What was left behind; None before the end."""

    # ---- the run, from its begin to its end

    async def run(self) -> int:
        """Start everything, and supervise it until a stop was requested and everything has ended.

        Returns:
            The exit code, a `SupervisorExit`.

        Raises:
            CannotStart: if the run directory cannot be set up.
        """
        self._finished: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        if self._application is None:
            recover(self._run_dir, self._log)
        keep_for_sinks(self._run_dir, self._active.specs.sinks, self._log)
        async with contextlib.AsyncExitStack() as stack:
            try:
                context = await self._set_up(stack)
            except (OSError, zmq.ZMQError) as error:
                reason = error.strerror or str(error)
                raise CannotStart(f"run directory {self._run_dir.path}: cannot be set up: {reason}") from None
            self._begin()
            code = await self._finished
            return await self._wind_up(code, context)

    async def _set_up(self, stack: contextlib.AsyncExitStack) -> zmq.Context[zmq.Socket[bytes]]:
        """Open everything that the run needs; `stack` closes it."""
        loop, path = asyncio.get_running_loop(), self._run_dir.path
        self._server = ControlServer(endpoints.operator_path(path), self._requests.answer)
        stack.push_async_callback(self._server.close)
        await self._server.start()
        # by now libuv has the spare descriptor that it keeps for full tables
        self._final_audit = FinalAudit(self._run_dir, self._server, lambda: self._application_lives, self._log)
        context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        stack.callback(context.destroy, 0)  # the sockets of a set-up that failed
        self._processes = Processes(loop, self._run_dir.run_id, self._on_exit)
        stack.callback(self._processes.close)
        self._processes.start_guard(lambda reason: self._log.warning("guard_lost", reason=reason))
        self._stacks = StackDumps(loop, path, self._processes, self._on_stacks)
        stack.callback(self._stacks.close)
        endpoint = endpoints.child_control_endpoint(path)
        self._link = ChildLink(context, endpoint, self._on_message, self._expected_pid, self._on_rejected)
        stack.callback(self._link.close)
        self._make_parts()
        stack.callback(self._deaths.close)
        stack.callback(self._nurseries.close)
        for name in self._active.specs.nurseries:
            self._nurseries.listen(name)
        if self._application is not None:
            self._application.watch()
            stack.callback(self._application.close)
        loop.set_exception_handler(self._on_unexpected)
        stack.callback(loop.set_exception_handler, None)
        stack.callback(self._cancel_timers)
        stack.callback(self._markets.close)
        stack.callback(self._splitting.close)
        self._is_set_up = True
        if self._on_serving is not None:
            self._on_serving()
        return context

    def _make_parts(self) -> None:
        """Make what needs processes and sockets."""
        records = self._core.records
        self._strays = Strays(self._processes, self._timers, self._oom, self._log)
        self._deaths = DeathReports(
            self._run_dir.path,
            self._link,
            records,
            lambda name: self._active.specs.limits(name).memory_mib,
            self._oom,
            self._on_death,
            self._log,
        )
        self._messages = ChildMessages(
            self._active,
            self._vitals,
            records=records,
            send=self._send,
            engine=self._engine,
            put=self._put,
            brief=lambda name: self._engine.brief(self._active.specs.places, self._core.last_incarnation, name),
            coordinator=self._coordinator,
            incidents=self._incidents,
            deaths=self._deaths,
            requests=self._requests,
            rings=self._rings,
            application=self._application,
            logs=self._logs,
        )
        self._nurseries = Nurseries(
            self._run_dir.path,
            self._processes,
            records,
            put=self._put,
            heard=lambda name, beat: self._vitals[name].heartbeat(beat, time.monotonic()),
            rejected=self._on_rejected,
            sweep=self._strays.sweep,
            heartbeat_s=lambda: self._active.heartbeat_s,
            timers=self._timers,
            log=self._log,
        )
        self._performer = Performer(
            self._active,
            records,
            run_dir=self._run_dir.path,
            processes=self._processes,
            nurseries=self._nurseries,
            stacks=self._stacks,
            link=self._link,
            engine=self._engine,
            application=self._application,
            put=self._put,
            finish=self._finish,
            state_changed=self._incidents.state_changed,
            log=self._log,
        )
        self._watch = RunDirWatch(
            self._run_dir,
            self._server,
            sockets=lambda: {"control.ipc": self._link.bind, **self._nurseries.sockets()},
            serving=self.control.serving_workers,
            put=self._put,
            stop=self.control.ask_stop,
            timers=self._timers,
            log=self._log,
        )

    def _begin(self) -> None:
        children = list(self._core.records)
        self._log.info("started", pid=os.getpid(), version=__version__, run_dir=self._run_dir.path, children=children)
        self._loop.begin(self._performer.perform, self._link.drain)
        if self._core.exit_code is None:  # no signal has come before anything was started
            self._put(StartRequested())
        self._strays.start()
        self._watch.start()
        self._growth.start()
        self._loop_watch.start()
        self._logs.tell_regularly(self._timers)
        self._clock_watch.start()
        self._start_watch.begin()
        self._markets.start()
        self._splitting.start()
        if self._duration_s is not None:
            reason = f"duration of {self._duration_s:g} s is over"
            self._timers.call_later("duration", self._duration_s, lambda: self.control.ask_stop(reason))
        if self._on_snapshot is not None:
            self._status.show_regularly(self._on_snapshot, self._snapshot_s, timers=self._timers, logs=self._logs)
        self._service.start_watchdog(self._loop.turns)
        if self._application is not None:
            self._application.show_alive(self._loop.turns, lambda: self._active.heartbeat_s)

    async def _wind_up(self, code: int, context: zmq.Context[zmq.Socket[bytes]]) -> int:
        await self._splitting.settle()
        await self._markets.settle()
        await self._strays.end_all()
        self._processes.end_guard()
        self._stacks.close()
        self._link.close()
        self._nurseries.close()
        context.term()
        self._cancel_timers()
        await self._watch.settle()
        if self._watch.unusable and code in (SupervisorExit.CLEAN, SupervisorExit.KILL_NEEDED):
            code = SupervisorExit.CONFIGURATION
        result = self.audit = self._final_audit.finish(self._processes, self._strays, self._engine, self._watch)
        code = exit_code_after_audit(code, leftover=result.leftover, unhandled=bool(result.unhandled))
        records = list(self._core.records.values())
        self.control.ended_as = outcome_of(code, records, result.as_dict())
        rungs, audit = {record.name: record.rung for record in records}, result.as_dict()
        self._log.info("stopped", exit_code=int(code), rungs=rungs, audit=audit)
        self._requests.look()
        await self._server.settle()
        return int(code)

    @property
    def _application_lives(self) -> bool:
        return self._application is not None and not self._application.gone

    def _finish(self, code: int) -> None:
        if not self._finished.done():
            self._finished.set_result(code)

    def _cancel_timers(self) -> None:
        self._timers.close()
        self._loop.close()

    # ---- what comes from outside

    def request_stop(self, reason: str) -> None:
        """Stop everything; at the second call, kill everything (SIGKILL)."""
        self._put(StopRequested(reason))

    def on_signal(self, name: str) -> None:
        """Take a stop signal."""
        self._log.info("signal_received", signal=name)
        self.request_stop(f"{name} received")

    def on_reload_signal(self, name: str) -> None:
        """Take a signal that requests a reload."""
        self._log.info("signal_received", signal=name)
        self._reloading.request_when_free()

    def tell_application(self, level: str, event: str, fields: dict[str, str]) -> None:
        """Send a log line to the application that is the engine; lost while it is not connected."""
        self._engine.log(level, event, fields)

    @property
    def application_gone(self) -> bool:
        """Whether the application that started this supervisor has been seen to be gone."""
        return self._application is not None and self._application.gone

    def status(self) -> dict[str, Any]:
        """Return the answer to ``status --json``."""
        return self._status.assemble()

    def _slices(self) -> Iterator[dict[str, Any]]:
        return self._status.slices()

    def outcome(self) -> dict[str, Any] | None:
        """Return how the run ended; None before its end."""
        return self.control.outcome()

    def _counters(self) -> tuple[int, int]:
        return (self._strays.killed_total, self._link.rejected_total) if self._is_set_up else (0, 0)

    def _send(self, name: str, incarnation: int, command: ToChild) -> bool:
        return self._is_set_up and self._link.send(name, incarnation, command)

    # ---- what follows from changes

    def _settled(self) -> None:
        self._requests.look()

    def _follow_changes(self) -> None:
        records = self._core.records
        for name in [name for name in self._vitals if name not in records]:
            del self._vitals[name]
        self._logs.forget(records)
        self._active.specs.forget(records)
        self._service.update(self._core.state, records)
        self._reloading.check()
        self._coordinator.assign_backfills()

    def _adopted(self, symbols: Mapping[str, SymbolChange]) -> None:
        self._markets.adopted(symbols)
        remove_links(self._run_dir.path, keep=self._active.specs.sinks)
        self._coordinator.reconfigured()
        self._service.reconfigured()

    # ---- children

    def _identity_of(self, worker: str) -> Identity:
        """Return what log lines say about a child."""
        record, place = self._core.records.get(worker), self._active.specs.places.get(worker)
        return Identity(
            worker=worker,
            incarnation=record.incarnation if record is not None else 0,
            connection=place.connection.name if place is not None else "",
            exchange=place.connection.exchange if place is not None else "",
        )

    def _on_message(self, name: str, incarnation: int, message: FromChild) -> None:
        self._messages.take(name, incarnation, message)

    def _expected_pid(self, name: str, incarnation: int) -> int | None:
        if name == ENGINE and self._application is not None:
            return self._application.pid_of(incarnation)
        return self._performer.pid_of(name, incarnation)

    def _on_detached(self) -> None:
        self._vitals[ENGINE].ended()

    def _on_rejected(self, reason: str) -> None:
        self._log.warning("message_rejected", reason=reason)

    def _on_stacks(self, name: str, incarnation: int, text: str) -> None:
        self._log.warning("stacks", worker=name, incarnation=incarnation, stacks=text)
        self._put(CapturedStacks(name, incarnation, text))

    def _on_exit(self, child: Child, status: ExitStatus) -> None:
        self._deaths.on_exit(child, status)

    def _on_death(self, child: Child, death: Exited) -> None:
        self._stacks.ended(child)
        self._performer.ended(child)
        self._link.ended(child.name, child.incarnation, child.pid)
        beat = self._vitals[child.name].latest
        if sink_of(child.name) is not None:
            self._final_audit.sink_ended(child.name, child.incarnation, beat.counts if beat is not None else {})
        self._vitals[child.name].ended()
        if self._core.records[child.name].ready_at is None:
            self._active.specs.try_another_address(child.name)
        self._requests.ended(child.name, child.incarnation)
        self._coordinator.ended(child.name, child.incarnation)
        self._service.child_ended()
        self._put(death)
        self._strays.sweep_soon()
        if self._loop.broken and not self._performer.any_lives:
            self._finish(SupervisorExit.INTERNAL_ERROR)

    # ---- internal errors

    def _on_unexpected(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if isinstance(error, Exception):
            self._break_off(error)
        else:
            self._log.error("internal_error", reason=str(context.get("message")))

    def _break_off(self, error: Exception) -> None:
        self._log.error("internal_error", reason=repr(error), trace="".join(traceback.format_exception(error)))
        if self._loop.broken:
            return
        self._loop.break_off()
        self._service.broken()
        for child in self._processes.living():
            self._processes.signal(child, signal.SIGKILL, whole_session=True)
        if self._performer.any_lives:
            self._timers.call_later("broken", CRASH_WAIT_S, lambda: self._finish(SupervisorExit.INTERNAL_ERROR))
        else:
            self._finish(SupervisorExit.INTERNAL_ERROR)
