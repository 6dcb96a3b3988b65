"""The loop: gathers inputs, asks the core, performs its effects. Decides nothing, keeps the clock.

`Runner` is the supervisor inside a running event loop; `main.run_supervisor` is the whole process.

Everything happens in the main thread's loop: children are started there (the kernel's parent-death signal
follows the thread), deaths and messages come in there, and a Tick comes no later than the core wants one.
An exception that nobody expected is a mistake of this program: then every child is SIGKILLed, for a
supervisor that cannot decide any more must not leave processes to themselves.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import random
import signal
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

import zmq
from msgspec import Struct

from foxtrot_protocol import __version__, endpoints, standard_streams
from foxtrot_protocol.codec import decode_from_child
from foxtrot_protocol.commands import (
    Backfilled,
    BooksWanted,
    BudgetAsk,
    BudgetGrant,
    BudgetSpent,
    Done,
    Drained,
    Failed,
    Fenced,
    FromChild,
    Heartbeat,
    Hello,
    HoleFound,
    Left,
    Logged,
    LogRecord,
    Ready,
    Resync,
    RotateWanted,
    Stop,
    ToChild,
    TwinFresh,
    WorkerChanged,
    WorkersStarted,
)
from foxtrot_protocol.errors import MalformedMessage, MessageTooLarge
from foxtrot_protocol.events import WorkerStatus
from foxtrot_protocol.exit_codes import ChildExit, SupervisorExit
from foxtrot_protocol.nursery_wire import HELLO, READY
from foxtrot_protocol.spec import encode_spec
from foxtrot_supervisor.config.problems import ConfigInvalid
from foxtrot_supervisor.config.schema import FoxtrotConfig, LogFormat
from foxtrot_supervisor.core.child_specs import ChildSpecs, Surroundings, other_side_of
from foxtrot_supervisor.core.coordination.backfills import Backfills, Worker
from foxtrot_supervisor.core.coordination.books import turn_of
from foxtrot_supervisor.core.coordination.rate_limits import ADDRESS_CHARS_MAX, RateLimits
from foxtrot_supervisor.core.coordination.twin_evidence import fresh_twin_age_s
from foxtrot_supervisor.core.core import Core
from foxtrot_supervisor.core.effects import Ask, DumpStacks, Effect, Fence, Finish, Publish, Signal, Spawn
from foxtrot_supervisor.core.inputs import (
    CapturedStacks,
    ChildrenChanged,
    Exited,
    FailureReported,
    HeartbeatReceived,
    HelloReceived,
    Input,
    ReadyReceived,
    RequestRefused,
    RestartRequested,
    RotationWanted,
    Spawned,
    SpawnFailed,
    StartRequested,
    StopRequested,
    Tick,
)
from foxtrot_supervisor.core.lifecycle import Desired, State
from foxtrot_supervisor.core.records import ChildRecord
from foxtrot_supervisor.core.reload import Reload, changes_between, fixed_problems
from foxtrot_supervisor.core.shutdown import GRACEFUL_REQUESTS_MAX, exit_code_after_audit
from foxtrot_supervisor.core.targets import ENGINE, NURSERIES, SIMULATOR, Targets
from foxtrot_supervisor.report.ring_accounts import RingAccounts
from foxtrot_supervisor.report.status import Moment, SupervisorFacts, assemble_status
from foxtrot_supervisor.report.unhandled_events import unhandled_in
from foxtrot_supervisor.runtime.audit import Audit, audit, take_baseline
from foxtrot_supervisor.runtime.child_link import ChildLink
from foxtrot_supervisor.runtime.control_server import ControlServer
from foxtrot_supervisor.runtime.deaths import DeathReports
from foxtrot_supervisor.runtime.growth_watch import GrowthMonitor
from foxtrot_supervisor.runtime.logs import Logs
from foxtrot_supervisor.runtime.operator_requests import OperatorRequests
from foxtrot_supervisor.runtime.preflight import CannotStart
from foxtrot_supervisor.runtime.processes.nursery_link import NurseryFailed, NurseryLink, nursery_possible
from foxtrot_supervisor.runtime.processes.processes import Child, ExitStatus, Processes, StartFailed
from foxtrot_supervisor.runtime.processes.stack_dumps import StackDumps
from foxtrot_supervisor.runtime.recovery import log_rings, log_unhandled_events, recover
from foxtrot_supervisor.runtime.run_dir import AlreadyRunning, RunDir, RunDirRefused
from foxtrot_supervisor.runtime.run_dir_keeper import LOOK_S as RUN_DIR_LOOK_S
from foxtrot_supervisor.runtime.run_dir_keeper import Look, RunDirKeeper
from foxtrot_supervisor.runtime.service_state import ServiceState
from foxtrot_supervisor.runtime.strays import STRAYS_S, Strays
from foxtrot_supervisor.runtime.systemd import Systemd
from foxtrot_supervisor.runtime.timers import Timers
from foxtrot_supervisor.system import procfs
from foxtrot_supervisor.system.oom import OomEvidence
from foxtrot_supervisor.telemetry.ring_figures import read_figures
from foxtrot_supervisor.telemetry.vitals import Vitals

__all__ = [
    "BROKEN",
    "CRASH_WAIT_S",
    "RELOAD_STEPS_MAX",
    "TURN_S",
    "Application",
    "Runner",
]


RELOAD_STEPS_MAX = 4
"""A reload may take as long as this many replacements one after the other: three tiers, and twins in turn."""

BROKEN = "an internal error has ended this run: every child is being killed"
"""Why a request is refused after an internal error: nothing may be started any more."""

CRASH_WAIT_S = 5.0
"""How long SIGKILLed children may take after a mistake of this program."""

TURN_S = 0.02
"""Seconds that effects may take of one turn of the event loop; one effect is performed at least."""


class Application(Struct, frozen=True):
    """The process that started this supervisor and is the engine of the run itself."""

    pid: int
    pidfd: int
    """Readable once it is dead. Opened while it was certainly our parent."""
    lifeline: int
    """The other end is its alone: at its end it is gone, or has become another program."""
    call: Callable[[int], None]
    """Tells it that it is to be the engine, by this incarnation: it then says HELLO."""
    alive: Callable[[], None]
    """Tells it that the supervisor's control loop turns."""
    incarnations_before: int = 0
    """Incarnations that an earlier supervisor of this application may have used."""


WORKERS_PER_MESSAGE = 1000
"""Workers announced to the engine in one message: a name may have 200 bytes."""


class Runner:
    """One run of the supervisor: `run` once, in the main thread's event loop.

    `run_dir` is held by the caller, who releases it. `on_snapshot` gets `status` (with the last log lines as
    ``log``) every `snapshot_s` seconds. `targets` replaces what children run (tests). `read_config` reads the
    configuration again, or raises `ConfigInvalid`; without it nothing can be reloaded. `application`: the engine is
    this process and no child; it holds the run directory as well, and its files in it are its own. `on_serving` is
    called once operators are answered.
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
        on_snapshot: Callable[[dict[str, Any]], None] | None = None,
        snapshot_s: float = 0.5,
        targets: Targets | None = None,
        logs: Logs | None = None,
        systemd: Systemd | None = None,
        read_config: Callable[[], FoxtrotConfig] | None = None,
        application: Application | None = None,
        on_serving: Callable[[], None] | None = None,
    ) -> None:
        self._on_serving = on_serving
        self._config = config
        self._application = application
        self._application_gone = False
        self._read_config = read_config
        self._run_dir = run_dir
        self._duration_s = duration_s
        self._on_snapshot = on_snapshot
        self._snapshot_s = snapshot_s
        self._logs = logs or Logs(log_level, log_format)
        self._log = self._logs.log
        self._systemd = systemd or Systemd({})
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
        self._specs = ChildSpecs(config, around, targets or Targets())
        self._started_workers: dict[str, int] = {}
        """Latest incarnation of every worker started in this run: the engine reads the rings of no others."""
        before = application.incarnations_before if application is not None else 0
        self._core = Core(self._specs.plans(), config.supervisor, random.random, incarnations_before=before)
        self._vitals = {name: Vitals() for name in self._core.records}
        self._timers = Timers()
        self._growth = GrowthMonitor(self._vitals, self._timers, self._log)
        self._rings = RingAccounts()
        self._backfills = Backfills(_with_backfill(config))
        self._rate_limits = RateLimits()
        self._children: dict[tuple[str, int], Child] = {}
        self._requests = OperatorRequests(self)
        self._inputs: deque[Input] = deque()
        self._effects: deque[Effect] = deque()
        """Effects that have not been performed yet."""
        self._continuation: asyncio.Handle | None = None
        """The turn of the loop in which performing goes on."""
        self._changed = False
        """Whether effects were performed that nobody has followed yet."""
        self._draining = False
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0
        self._started_at = time.monotonic()
        self._is_set_up = False
        self._oom = OomEvidence()
        self._service = ServiceState(self._start_limit_s(), self._stop_limit_s())
        self._ended_total = 0
        self._turns = 0
        self._broken = False
        self._nurseries: dict[str, NurseryLink] = {}
        """By name, each from the first start of that template process on."""
        self._outcome: dict[str, Any] | None = None
        self._reload: Reload | None = None
        self._keeper = RunDirKeeper(run_dir, self._log)
        self._rebinding: asyncio.Task[None] | None = None
        self._run_dir_unusable = ""
        self.audit: Audit | None = None
        """What was left behind; None before the end."""

    # ---- outside

    async def run(self) -> int:
        """Start everything, supervise it until a stop was asked for and everything has ended; the exit code."""
        loop = self._loop = asyncio.get_running_loop()
        self._finished: asyncio.Future[int] = loop.create_future()
        if self._application is None:
            recover(self._run_dir, self._log)
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
        """Open everything that the run needs, to be closed by `stack`."""
        loop = self._loop
        self._server = ControlServer(endpoints.operator_path(self._run_dir.path), self._requests.answer)
        stack.push_async_callback(self._server.close)
        await self._server.start()
        self._baseline = take_baseline()  # by now libuv has the spare descriptor that it keeps for full tables
        context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        stack.callback(context.destroy, 0)  # whatever socket a failed set-up has left
        self._processes = Processes(loop, self._run_dir.run_id, self._on_exit)
        stack.callback(self._processes.close)
        self._processes.start_guard(self._on_guard_trouble)
        self._stacks = StackDumps(loop, self._run_dir.path, self._processes, self._on_stacks)
        stack.callback(self._stacks.close)
        endpoint = endpoints.child_control_endpoint(self._run_dir.path)
        self._link = ChildLink(context, endpoint, self._on_message, self._expected_pid, self._on_rejected)
        stack.callback(self._link.close)
        self._strays = Strays(self._processes, self._timers, self._oom, self._log)
        self._deaths = DeathReports(
            self._run_dir.path,
            self._link,
            self._core.records,
            lambda name: self._specs.limits(name).memory_mib,
            self._oom,
            self._on_death,
            self._log,
        )
        stack.callback(self._deaths.close)
        stack.callback(self._close_nurseries)
        for name in self._specs.nurseries:
            self._listen_for_nursery(name)
        if self._application is not None:
            for descriptor in (self._application.pidfd, self._application.lifeline):
                loop.add_reader(descriptor, self._on_application_gone)
                stack.callback(loop.remove_reader, descriptor)
        loop.set_exception_handler(self._on_unexpected)
        stack.callback(loop.set_exception_handler, None)
        stack.callback(self._cancel_timers)
        self._is_set_up = True
        if self._on_serving is not None:
            self._on_serving()
        return context

    def request_stop(self, reason: str) -> None:
        """Stop everything; asked again, SIGKILL everything."""
        self._put(StopRequested(reason))

    def on_signal(self, name: str) -> None:
        """A stop signal has come."""
        self._log.info("signal_received", signal=name)
        self.request_stop(f"{name} received")

    def on_reload_signal(self, name: str) -> None:
        """A signal asks for the configuration to be read again."""
        self._log.info("signal_received", signal=name)
        self.ask_reload()

    def tell_application(self, level: str, event: str, fields: dict[str, str]) -> None:
        """A log line, for the application that is the engine; lost while that does not listen."""
        if self._is_set_up:
            rest = {key: value for key, value in fields.items() if key != "worker"}
            self._to_engine(Logged(fields.get("worker", "supervisor"), level, event, rest))

    @property
    def application_gone(self) -> bool:
        """Whether the application that started this supervisor has been seen to be gone."""
        return self._application_gone

    def status(self) -> dict[str, Any]:
        """The answer to ``status --json``."""
        facts = SupervisorFacts(
            pid=os.getpid(),
            version=__version__,
            run_dir=self._run_dir.path,
            run_id=self._run_dir.run_id,
            state=self._core.state,
            started_at=self._started_at,
            strays_killed_total=self._strays.killed_total if self._is_set_up else 0,
            rejected_messages_total=self._link.rejected_total if self._is_set_up else 0,
            rss_bytes=procfs.rss_bytes(),
            open_fds=procfs.open_fds(),
            tasks=len(asyncio.all_tasks(self._loop)) if self._is_set_up else 0,
            threads=threading.active_count(),
            log_dropped_total=standard_streams.dropped_total(),
            growth=self._growth.own,
        )
        moment = Moment(time.monotonic(), time.time())
        accounts = self._rings.with_open(read_figures(self._run_dir.path))
        backfills = self._backfills.figures()
        places = self._specs.places
        return {
            **assemble_status(facts, self._core.records, self._vitals, places, moment, accounts, backfills),
            "budgets": self._rate_limits.as_list(moment.monotonic),
        }

    # ---- what operators' requests need (`operator_requests.Run`)

    def record(self, name: str) -> ChildRecord | None:
        """What is known of a child."""
        return self._core.records.get(name)

    def workers_named(self, name: str) -> list[str]:
        """The worker of that name, or all workers of the connection of that name."""
        return [
            worker
            for worker, place in self._specs.places.items()
            if name in (worker, place.connection.name) and worker in self._core.records
        ]

    def send(self, name: str, incarnation: int, command: ToChild) -> bool:
        """A command to a child."""
        return self._link.send(name, incarnation, command)

    def ask_stop(self, reason: str) -> None:
        """Begin the final stop, unless it has begun: a second operator does not mean SIGKILL."""
        if self._core.state not in ("stopping", "stopped"):
            self.request_stop(reason)

    def ask_restart(self, name: str) -> str:
        """Begin to replace a child; return the reason if that is refused."""
        if self._broken:
            return BROKEN
        try:
            effects = self._core.handle(RestartRequested(name), time.monotonic())
        except RequestRefused as refusal:
            return str(refusal)
        self._drain(effects)
        return ""

    def ask_reload(self) -> Reload | str:
        """Read the configuration again and begin to follow it; every reason why not, one a line, if that cannot be."""
        refused = self._refuse_reload()
        if not refused:
            self._systemd.tell(self._service.reloading())
            refused = self._begin_reload()
            if refused:
                self._systemd.tell(self._service.reloaded())
        if refused:
            self._log.error("reload_refused", reason=refused)
            return refused
        assert self._reload is not None
        return self._reload

    def outcome(self) -> dict[str, Any] | None:
        """How the run ended; None while it lasts."""
        return self._outcome

    def symbols_changed(self, name: str, symbols: list[str], *, added: bool) -> None:
        """A worker has changed its subscriptions."""
        (self._specs.subscribed if added else self._specs.unsubscribed)(name, symbols)

    def restart_limit_s(self) -> float:
        """How long a replacement may take at most until it serves or has failed."""
        limits = self._config.supervisor
        return limits.stop_ask_s + limits.stop_term_s + limits.stop_kill_s + limits.hello_s + limits.ready_s

    # ---- another configuration

    def _refuse_reload(self) -> str:
        if self._broken:
            return BROKEN
        if self._read_config is None:
            return "this supervisor was started without a configuration file: there is nothing to read again"
        if self._reload is not None and self._reload.outcome is None:
            return "a reload is under way"
        return ""

    def _begin_reload(self) -> str:
        """Everything is checked before anything is changed."""
        assert self._read_config is not None
        try:
            config = self._read_config()
            problems = fixed_problems(self._config.supervisor, config.supervisor)
            if problems:
                raise ConfigInvalid("", problems)
            specs = self._specs.succeeded_by(config)
            plans = self._core.sided(specs.plans())
            before = {name: record.incarnation for name, record in self._core.records.items()}
            old_plans = [record.plan for record in self._core.records.values() if record.desired is Desired.RUNNING]
            effects = self._core.handle(ChildrenChanged(plans, config.supervisor), time.monotonic())
        except (ConfigInvalid, MessageTooLarge, RequestRefused) as refusal:
            return str(refusal)
        self._config, self._specs = config, specs
        self._backfills.configure(_with_backfill(config))
        self._service.adopt(self._start_limit_s(), self._stop_limit_s())
        changes = changes_between(old_plans, plans)
        twins = {plan.name: plan.twin for plan in plans if plan.twin is not None}
        limit_s = RELOAD_STEPS_MAX * self.restart_limit_s()
        self._reload = Reload(changes, twins, before, time.monotonic(), limit_s)
        for plan in plans:
            self._vitals.setdefault(plan.name, Vitals())
        self._log.info("reload", added=changes.added, removed=changes.removed, restarted=changes.restarted)
        self._timers.call_later("reload", limit_s, self._look_at_reload)
        self._drain(effects)
        self._follow_changes()  # a configuration that changes nothing has no effects, and is in force at once
        return ""

    def _look_at_reload(self) -> None:
        reload = self._reload
        stopping = self._core.state in ("stopping", "stopped")
        if reload is not None and reload.look(self._core.records, time.monotonic(), stopping=stopping):
            self._timers.cancel("reload")
            self._log.info("reloaded", **reload.outcome or {})
            self._systemd.tell(self._service.reloaded())
            self._requests.look()

    def _forget_the_gone(self) -> None:
        """Children that the core has forgotten."""
        for name in [name for name in self._vitals if name not in self._core.records]:
            del self._vitals[name]
        self._specs.forget(self._core.records)

    # ---- beginning and end

    def _begin(self) -> None:
        self._log.info(
            "started", pid=os.getpid(), version=__version__, run_dir=self._run_dir.path, children=list(self._vitals)
        )
        if not self._finished.done():  # a signal may have come before anything was started
            self._put(StartRequested())
        self._strays.start()
        self._timers.call_later("run_dir", RUN_DIR_LOOK_S, self._look_at_run_dir)
        self._growth.start()
        if self._duration_s is not None:
            self._timers.call_later("duration", self._duration_s, self._duration_over)
        if self._on_snapshot is not None:
            self._timers.call_later("snapshot", 0.0, self._snapshot)
        if self._systemd.watchdog_s is not None:
            self._timers.call_later("watchdog", 0.0, self._watchdog)
        if self._application is not None:
            self._timers.call_later("alive", 0.0, self._show_alive)

    async def _wind_up(self, code: int, context: zmq.Context[zmq.Socket[bytes]]) -> int:
        await self._strays.end_all()
        self._processes.end_guard()
        self._stacks.close()
        self._link.close()
        self._close_nurseries()
        context.term()
        self._cancel_timers()
        if self._rebinding is not None:
            await asyncio.gather(self._rebinding, return_exceptions=True)
        ended_as = "at the end, by no engine"
        if self._run_dir_unusable:
            left = unhandled_in(self._keeper.left(), (), self._started_workers)
            unhandled = log_rings(left, ended_as, self._log)
            code = SupervisorExit.CONFIGURATION if code in (SupervisorExit.CLEAN, SupervisorExit.KILL_NEEDED) else code
        else:
            # an application that lives is the engine and reads its rings itself
            unhandled = (
                []
                if self._application_lives
                else log_unhandled_events(self._run_dir.path, ended_as, self._log, self._started_workers)
            )
        self._keeper.close()
        for name in self._own_files():
            self._run_dir.remove(name)
        self.audit = audit(
            self._baseline,
            children=self._strays.remaining(),
            files=self._own_files(),
            descriptors_allowed=self._server.descriptors
            | self._run_dir.descriptors
            | {child.pidfd for child in self._processes.living()},
            tasks_allowed=self._server.tasks,
            unhandled=[ring.as_dict() for ring in unhandled],
        )
        code = exit_code_after_audit(code, leftover=self.audit.leftover, unhandled=bool(unhandled))
        self._outcome = self._describe_end(code, self.audit)
        rungs = {record.name: record.rung for record in self._core.records.values()}
        self._log.info("stopped", exit_code=int(code), rungs=rungs, audit=self.audit.as_dict())
        self._requests.look()
        await self._server.settle()
        return int(code)

    def _own_files(self) -> list[str]:
        """Files of the run that may go now, the operators' socket left out: the last of them is answered over it."""
        kept = {os.path.basename(endpoints.operator_path(self._run_dir.path))}
        if self._application_lives:
            return [name for name in self._run_dir.files() if name not in kept and name.startswith("stacks-")]
        return [name for name in self._run_dir.files() if name not in kept]

    def _describe_end(self, code: int, result: Audit) -> dict[str, Any]:
        return {
            "exit_code": int(code),
            "children": [
                {
                    "name": record.name,
                    "incarnation": record.incarnation,
                    "state": record.state.value,
                    "rung": record.rung,
                    "exit_code": record.last_exit.code if record.last_exit else None,
                    "signal": record.last_exit.signal if record.last_exit else None,
                    "cause": record.cause,
                }
                for record in self._core.records.values()
            ],
            "audit": result.as_dict(),
        }

    # ---- the run directory, which may be removed while it is in use

    def _look_at_run_dir(self) -> None:
        living = {
            (name, record.incarnation)
            for name, record in self._core.records.items()
            if name in self._specs.places and record.state is State.RUNNING and record.desired is Desired.RUNNING
        }
        try:
            look = self._keeper.look(living)
            self._bind_again()
        except (AlreadyRunning, RunDirRefused) as error:
            if isinstance(error, RunDirRefused) and error.passing:
                self._log.error("run_dir_not_made_again", reason=str(error))
                self._timers.call_later("run_dir", RUN_DIR_LOOK_S, self._look_at_run_dir)
                return
            # what is connected and mapped still works: everything ends in order, with its account
            self._run_dir_unusable = str(error)
            self._log.error("run_dir_unusable", reason=self._run_dir_unusable)
            self.ask_stop(f"the run directory is gone and cannot be made again: {error}")
            return
        except (OSError, zmq.ZMQError) as error:  # such as no free descriptor: looked at again
            self._log.warning("run_dir_not_looked_at", reason=str(error))
            look = Look()
        for name, incarnation in look.bereft:
            self._put(RotationWanted(name, incarnation, "the file of its ring was removed"))
        self._timers.call_later("run_dir", RUN_DIR_LOOK_S, self._look_at_run_dir)

    def _bind_again(self) -> None:
        """Listen again at each socket of ours whose file was removed; the engine does so for its own."""
        if not self._run_dir.exists(os.path.basename(endpoints.child_control_endpoint(self._run_dir.path))):
            self._log.error("file_made_again", path="control.ipc", reason="it was removed while in use")
            self._link.bind()
        for name, nursery in self._nurseries.items():
            path = endpoints.nursery_path(self._run_dir.path, name)
            if not self._run_dir.exists(os.path.basename(path)):
                self._log.error("file_made_again", path=os.path.basename(path), reason="it was removed while in use")
                nursery.bind()
        if not self._server.is_bound and (self._rebinding is None or self._rebinding.done()):
            self._log.error("file_made_again", path="operator.sock", reason="it was removed while in use")
            self._rebinding = self._loop.create_task(self._serve_again(), name="operators-again")

    async def _serve_again(self) -> None:
        with contextlib.suppress(OSError):  # tried again at the next look
            await self._server.restart()

    # ---- inputs to the core, its effects

    def _put(self, message: Input) -> None:
        self._inputs.append(message)
        if not self._draining:
            self._drain()

    def _drain(self, effects: Sequence[Effect] = ()) -> None:
        """Take all inputs, and perform effects for at most `TURN_S`; the rest follows in further turns of the loop.

        So messages, deaths and stop requests wait for no long row of effects: a start of hundreds of workers takes
        seconds. Effects keep their order. Whatever depends on the state of children follows once all are performed, and
        only where there were any: each change of a state is one, and a heartbeat is none.
        """
        self._effects.extend(effects)
        self._draining = True
        try:
            self._take_all(time.monotonic() + TURN_S)
        except Exception as error:
            self._break_off(error)
        finally:
            self._draining = False
        if self._broken:
            self._inputs.clear()
            self._effects.clear()
        else:
            self._rearm()
            if self._changed and not self._effects:
                self._changed = False
                self._follow_changes()
        self._requests.look()

    def _take_all(self, until: float) -> None:
        while not self._broken:
            if self._effects and self._continuation is None:
                self._changed = True
                self._perform(self._effects.popleft())
                if self._effects and time.monotonic() >= until:
                    self._continuation = self._loop.call_soon(self._continue)
            elif self._inputs:
                self._effects.extend(self._core.handle(self._inputs.popleft(), time.monotonic()))
                self._turns += 1
            else:
                return

    def _continue(self) -> None:
        self._continuation = None
        self._drain()

    def _follow_changes(self) -> None:
        if self._broken:
            return
        self._forget_the_gone()
        self._tell_systemd()
        self._look_at_reload()
        self._give_backfills()

    def _rearm(self) -> None:
        """Have `_tick` called at the core's next deadline.

        A timer that fires before it stays: most deadlines move later with every heartbeat, and cancelling and setting a
        timer for each message costs more than finding, once in a while, that nothing is due yet.
        """
        deadline = self._core.next_deadline()
        if self._timer is not None:
            if deadline is not None and self._timer_at <= deadline:
                return
            self._timer.cancel()
            self._timer = None
        if deadline is not None:
            self._timer_at = deadline
            self._timer = self._loop.call_later(max(0.0, deadline - time.monotonic()), self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        self._tick()

    def _tick(self) -> None:
        self._link.drain()  # heartbeats that wait already count, however late this timer is
        self._put(Tick())

    def _perform(self, effect: Effect) -> None:
        match effect:
            case Spawn():
                self._spawn(effect.name, effect.incarnation)
            case Ask():
                self._ask(effect)
            case Signal() | DumpStacks() if effect.name == ENGINE and self._application is not None:
                if isinstance(effect, Signal) and effect.signal == "SIGKILL":
                    self._application_ended("it did not let go in time")
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
                if effect.name in self._specs.places:
                    self._to_engine(Fenced(effect.name, effect.incarnation))
            case Publish():
                self._publish(effect.status)
            case Finish():
                if not self._finished.done():
                    self._finished.set_result(effect.exit_code)

    def _ask(self, ask: Ask) -> None:
        if ask.name in self._nurseries:
            self._nurseries[ask.name].quit()
        elif ask.name == ENGINE and self._application_gone:
            self._application_ended("")
        else:
            self._link.send(ask.name, ask.incarnation, Stop(ask.grace_s))

    def _spawn(self, name: str, incarnation: int) -> None:
        if name == ENGINE and self._application is not None:
            self._call_application(self._application, incarnation)
            return
        record = self._core.records.get(name)
        if record is None or record.incarnation != incarnation or record.state is not State.STARTING:
            self._inputs.append(SpawnFailed(name, incarnation, "it was to end before its process was created"))
            return
        if name in self._specs.places:
            self._started_workers[name] = incarnation
            self._to_engine(WorkersStarted({name: incarnation}))
        try:
            spec = encode_spec(self._specs.spec(name, incarnation))
            if name in NURSERIES and name not in self._nurseries:
                self._listen_for_nursery(name)  # a reload has brought it
            child = self._born(name, incarnation, spec) or self._processes.start(
                name, incarnation, self._specs.first_target(name), spec
            )
        except (StartFailed, MessageTooLarge, OSError) as error:
            self._inputs.append(SpawnFailed(name, incarnation, str(error)))
            return
        if name in self._nurseries:
            self._nurseries[name].expect(child.pid)
            self._timers.call_later("nursery", self._config.supervisor.heartbeat_s, self._ping_nurseries)
        self._children[name, incarnation] = child
        self._vitals.setdefault(name, Vitals())  # the spare of a connection comes and goes
        self._inputs.append(Spawned(name, incarnation, child.pid))

    # ---- the application that is the engine

    @property
    def _application_lives(self) -> bool:
        return self._application is not None and not self._application_gone

    def _call_application(self, application: Application, incarnation: int) -> None:
        self._children[ENGINE, incarnation] = Child(ENGINE, incarnation, application.pid, application.pidfd)
        self._inputs.append(Spawned(ENGINE, incarnation, application.pid))
        application.call(incarnation)

    def _on_application_gone(self) -> None:
        """Nobody is left to work for: everything goes at once."""
        assert self._application is not None
        for descriptor in (self._application.pidfd, self._application.lifeline):
            self._loop.remove_reader(descriptor)
        self._application_gone = True
        self._log.warning("application_gone", pid=self._application.pid)
        for _ in range(GRACEFUL_REQUESTS_MAX + 1):
            self.request_stop("the application is gone")

    def _application_left(self) -> None:
        """It is no engine any more. If nobody asked for that, there is nobody to work for."""
        self.ask_stop("the application let go")
        self._application_ended("")

    def _application_ended(self, cause: str) -> None:
        """What is for a child its death; an input that comes after the effects that are being performed."""
        for name, incarnation in [key for key in self._children if key[0] == ENGINE]:
            del self._children[name, incarnation]
            self._vitals[name].ended()
            ended = Exited(name, incarnation, None if cause else ChildExit.CLEAN, None, cause)
            if self._draining:
                self._inputs.append(ended)
            else:
                self._put(ended)

    # ---- the nursery

    def _listen_for_nursery(self, name: str) -> None:
        path = endpoints.nursery_path(self._run_dir.path, name)
        on_message = functools.partial(self._on_nursery_message, name)
        self._nurseries[name] = NurseryLink(self._loop, path, on_message)

    def _close_nurseries(self) -> None:
        for link in self._nurseries.values():
            link.close()

    def _born(self, name: str, incarnation: int, spec: bytes) -> Child | None:
        """A copy of its template process; None if there is none for it or it cannot now: then it is spawned."""
        nursery = self._specs.nursery_of(name)
        link = self._nurseries.get(nursery) if nursery is not None else None
        if link is None or nursery is None or not link.ready:
            return None
        try:
            return self._processes.adopt(name, incarnation, link.bear(spec))
        except (NurseryFailed, StartFailed) as failure:
            self._log.warning("nursery_failed", worker=name, reason=failure.reason)
            if not isinstance(failure, NurseryFailed) or not failure.alive:
                self._end_nursery(nursery)
            return None

    def _end_nursery(self, name: str) -> None:
        """It does not answer: what it may have made unseen must not live beside the one that is spawned instead."""
        for child in self._processes.living():
            if child.name == name:
                self._processes.signal(child, signal.SIGKILL)
        self._strays.sweep()

    def _ping_nurseries(self) -> None:
        for link in self._nurseries.values():
            link.ping()
        self._timers.call_later("nursery", self._config.supervisor.heartbeat_s, self._ping_nurseries)

    def _on_nursery_message(self, name: str, kind: bytes, payload: bytes) -> None:
        record = self._core.records.get(name)
        if record is None:
            return
        if kind == HELLO:
            self._put(HelloReceived(name, record.incarnation))
        elif kind == READY:
            self._put(ReadyReceived(name, record.incarnation))
        else:
            try:
                heartbeat = decode_from_child(payload)
            except MalformedMessage as error:
                self._on_rejected(f"{name}: {error.reason}")
                return
            if isinstance(heartbeat, Heartbeat):
                self._vitals[name].heartbeat(heartbeat, time.monotonic())
                self._put(HeartbeatReceived(name, heartbeat.incarnation))

    def _publish(self, status: WorkerStatus) -> None:
        fields = {
            "worker": status.worker,
            "incarnation": status.incarnation,
            "state": status.state,
            "cause": status.cause,
            "rung": status.rung,
            "exit_code": status.exit_code,
            "signal": status.signal,
        }
        emit = self._log.error if status.state in ("FATAL", "LOST") else self._log.info
        emit("worker_state", **{key: value for key, value in fields.items() if value not in (None, "")})
        self._to_engine(_changed(status))

    def _to_engine(self, command: ToChild) -> None:
        engine = self._core.records.get(ENGINE)
        # unreachable now: whatever the engine has to know it is told when it says HELLO
        if engine is not None and engine.may_live:
            self._link.send(ENGINE, engine.incarnation, command)

    def _brief_engine(self) -> None:
        """A new engine knows nothing: which incarnations were started, which are dead, how each worker is."""
        started = list(self._started_workers.items())
        while len(started) > WORKERS_PER_MESSAGE:
            self._to_engine(WorkersStarted(dict(started[:WORKERS_PER_MESSAGE]), more=True))
            del started[:WORKERS_PER_MESSAGE]
        self._to_engine(WorkersStarted(dict(started)))
        for name in self._specs.places:
            record = self._core.records.get(name)
            if record is None:
                gone = self._core.last_incarnation(name)
                if gone > 0:
                    self._to_engine(Fenced(name, gone))
                continue
            dead = record.incarnation - 1 if record.may_live else record.incarnation
            if dead > 0:
                self._to_engine(Fenced(name, dead))
            self._to_engine(_changed(_status_of(record)))

    # ---- what children say and how they end

    def _on_message(self, name: str, incarnation: int, message: FromChild) -> None:
        match message:
            case Heartbeat():
                self._vitals[name].heartbeat(message, time.monotonic())
                self._put(_heard(message))
                self._tell_of_twin(name, message)
            case Hello():
                self._put(HelloReceived(name, incarnation))
                if name == ENGINE:
                    self._brief_engine()
            case Ready():
                if name == SIMULATOR and name not in self._specs.places:
                    self._specs.simulator_serves(message.info)
                self._put(ReadyReceived(name, incarnation))
            case Failed():
                self._put(FailureReported(name, incarnation, message.cause, message.retry_after_s))
                self._deaths.explained(name, incarnation)
            case Done():
                self._requests.done(name, message)
            case Drained():
                if name == ENGINE:
                    self._rings.drained(message)
            case HoleFound():
                if name == ENGINE:
                    self._backfills.found(message, time.monotonic())
                    self._give_backfills()
            case BooksWanted():
                if name == ENGINE:
                    self._ask_for_books(message)
            case Backfilled():
                self._backfills.answered(Worker(name, incarnation), message, time.monotonic())
                self._give_backfills()
            case RotateWanted():
                self._put(RotationWanted(name, incarnation, message.reason))
            case BudgetAsk():
                grant = self._rate_limits.acquire(message, time.monotonic())
                self._link.send(name, incarnation, BudgetGrant(message.request_id, grant.wait_s, grant.refused))
            case BudgetSpent():
                self._close_rate_limit(message)
            case Left():
                if name == ENGINE and self._application is not None:
                    self._application_left()
            case LogRecord():
                self._logs.relay(name, message.level, message.event, message.fields)

    def _give_backfills(self) -> None:
        """Holes to workers that serve; called whenever any of both may have changed."""
        now = time.monotonic()
        for given in self._backfills.due(self._serving, now):
            if not self._link.send(given.worker.name, given.worker.incarnation, given.command):
                self._backfills.refused(given.worker, given.command.request_id, now)
        for hole, reason in self._backfills.take_given_up():
            self._log.warning(
                "hole_stays",
                connection=hole.connection,
                symbol=hole.symbol,
                stream=hole.stream,
                first_id=hole.first_id,
                last_id=hole.last_id,
                reason=reason,
            )
        deadline = self._backfills.next_deadline(now)
        if deadline is not None:
            self._timers.call_later("backfills", max(0.0, deadline - now), self._give_backfills)

    def _ask_for_books(self, wanted: BooksWanted) -> None:
        """The engine asks again until it has them: what cannot be sent now needs not be kept."""
        serving = self._serving(wanted.connection)
        if serving:
            worker = serving[turn_of(wanted.attempt, len(serving))]
            if self._link.send(worker.name, worker.incarnation, Resync(wanted.symbols)):
                self._log.info("books_asked", worker=worker.name, count=len(wanted.symbols), attempt=wanted.attempt)

    def _serving(self, connection: str) -> list[Worker]:
        """Workers of a connection that are, and are to stay."""
        records = [self._core.records.get(name) for name in self.workers_named(connection)]
        return [
            Worker(record.name, record.incarnation)
            for record in records
            if record is not None and record.state is State.RUNNING and record.desired is Desired.RUNNING
        ]

    def _tell_of_twin(self, name: str, beat: Heartbeat) -> None:
        """A worker without data learns that the other side has some: then its own stream is dead."""
        place = self._specs.places.get(name)
        if place is None or not beat.topics:
            return
        now = time.monotonic()
        twin = self._vitals.get(other_side_of(place))
        age_s = fresh_twin_age_s(beat.last_data_age_s, [twin.data_age_s(now)] if twin is not None else ())
        if age_s is not None:
            self._link.send(name, beat.incarnation, TwinFresh(age_s))

    def _close_rate_limit(self, spent: BudgetSpent) -> None:
        self._rate_limits.close(spent.kind, spent.address, spent.retry_after_s, time.monotonic())
        self._log.warning(
            "budget_spent",
            worker=spent.worker,
            kind=spent.kind,
            address=spent.address[:ADDRESS_CHARS_MAX],
            retry_after_s=spent.retry_after_s,
        )

    def _expected_pid(self, name: str, incarnation: int) -> int | None:
        child = self._children.get((name, incarnation))
        return child.pid if child is not None else None

    def _on_rejected(self, reason: str) -> None:
        self._log.warning("message_rejected", reason=reason)

    def _on_exit(self, child: Child, status: ExitStatus) -> None:
        self._deaths.on_exit(child, status)

    def _on_death(self, child: Child, death: Exited) -> None:
        self._stacks.ended(child)
        del self._children[child.name, child.incarnation]
        self._vitals[child.name].ended()
        if self._core.records[child.name].ready_at is None:
            self._specs.try_another_address(child.name)
        self._requests.ended(child.name, child.incarnation)
        self._backfills.ended(child.name, child.incarnation, time.monotonic())
        self._rate_limits.forget(child.name, child.incarnation)
        self._ended_total += 1
        self._put(death)
        self._strays.sweep_soon()
        if self._broken and not self._children:
            self._finish_broken()

    def _on_guard_trouble(self, reason: str) -> None:
        self._log.warning("guard_lost", reason=reason)

    def _on_stacks(self, name: str, incarnation: int, text: str) -> None:
        self._log.warning("stacks", worker=name, incarnation=incarnation, stacks=text)
        self._put(CapturedStacks(name, incarnation, text))

    # ---- timers

    def _cancel_timers(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._continuation is not None:
            self._continuation.cancel()
        self._timers.close()

    def _duration_over(self) -> None:
        self.ask_stop(f"duration of {self._duration_s:g} s is over")

    def _snapshot(self) -> None:
        assert self._on_snapshot is not None
        try:
            self._on_snapshot({**self.status(), "log": self._logs.recent()})
        except Exception as error:  # drawing is no part of supervising
            self._log.error("snapshot_failed", reason=repr(error))
            return
        self._timers.call_later("snapshot", self._snapshot_s, self._snapshot)

    # ---- systemd

    def _watchdog(self) -> None:
        """Say that the control loop turns, if it does."""
        assert self._systemd.watchdog_s is not None
        if self._turns_still():
            self._systemd.watchdog()
        self._timers.call_later("watchdog", self._systemd.watchdog_s / 3.0, self._watchdog)

    def _show_alive(self) -> None:
        """The same to the application, as children do it to us."""
        assert self._application is not None
        if self._turns_still():
            self._application.alive()
        self._timers.call_later("alive", self._config.supervisor.heartbeat_s, self._show_alive)

    def _turns_still(self) -> bool:
        """One input goes all the way through the core and its effects."""
        before = self._turns
        self._tick()
        return self._turns > before

    def _tell_systemd(self) -> None:
        if not self._systemd.present:
            return
        records = self._core.records
        serving = [name for name, record in records.items() if record.ready_at is not None and record.may_live]
        self._systemd.tell(self._service.look(self._core.state, serving, len(records), self._ended_total))

    def _start_limit_s(self) -> float:
        return self._config.supervisor.hello_s + self._config.supervisor.ready_s + self._config.engine.handlers_s

    def _stop_limit_s(self) -> float:
        limits = self._config.supervisor
        return limits.stop_ask_s + limits.stop_term_s + limits.stop_kill_s + STRAYS_S

    # ---- mistakes of this program

    def _on_unexpected(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if isinstance(error, Exception):
            self._break_off(error)
        else:
            self._log.error("internal_error", reason=str(context.get("message")))

    def _break_off(self, error: Exception) -> None:
        self._log.error("internal_error", reason=repr(error), trace="".join(traceback.format_exception(error)))
        if self._broken:
            return
        self._broken = True
        self._systemd.tell(self._service.broken())
        for child in self._processes.living():
            self._processes.signal(child, signal.SIGKILL, whole_session=True)
        if self._application is not None:  # it is not waited for
            self._children = {key: child for key, child in self._children.items() if key[0] != ENGINE}
        if self._children:
            self._timers.call_later("broken", CRASH_WAIT_S, self._finish_broken)
        else:
            self._finish_broken()

    def _finish_broken(self) -> None:
        if not self._finished.done():
            self._finished.set_result(SupervisorExit.INTERNAL_ERROR)


def _with_backfill(config: FoxtrotConfig) -> list[str]:
    return [connection.name for connection in config.connections if connection.backfill]


def _heard(beat: Heartbeat) -> HeartbeatReceived:
    states = [topic.state for topic in beat.topics]
    return HeartbeatReceived(
        beat.worker, beat.incarnation, beat.last_data_age_s, states.count("asked"), states.count("flowing")
    )


def _changed(status: WorkerStatus) -> WorkerChanged:
    return WorkerChanged(
        status.worker,
        status.incarnation,
        status.state,
        status.cause,
        status.exit_code,
        status.signal,
        status.rung,
        status.restarts,
    )


def _status_of(record: ChildRecord) -> WorkerStatus:
    death = record.last_exit if not record.may_live else None
    return WorkerStatus(
        worker=record.name,
        incarnation=record.incarnation,
        state=record.state.value,
        cause=record.cause,
        exit_code=death.code if death is not None else None,
        signal=death.signal if death is not None else None,
        rung=record.rung,
        restarts=record.restarts_total,
    )
