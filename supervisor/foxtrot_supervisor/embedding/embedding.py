"""An application that is its own engine: the engine's part in it, and the supervisor that is its child.

Lives on a thread with an event loop of its own, so that the application's main thread, event loop, signal handlers and
child watching are left alone. What decides (when to start a dead supervisor again, how to stop a living one) are the
parts that the supervisor itself is made of: `restart` and `escalation`.

The receiver of batches outlives a supervisor: what the workers of a dead one had committed is still read from their
rings, and whatever the next one's workers bring continues the same streams. So that no incarnation is met twice, each
supervisor counts on from where the one before may have been.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import os
import random
import signal
import threading
import time
from collections.abc import Callable
from typing import Any, Literal, TypeAlias

import msgspec
import zmq
from msgspec import Struct

from foxtrot_protocol import endpoints
from foxtrot_protocol.commands import Logged, ToChild, WorkerChanged
from foxtrot_protocol.events import EVENT_WORKER, WorkerStatus
from foxtrot_protocol.exit_codes import ExitVerdict, SupervisorExit
from foxtrot_protocol.ring_layout import parse_ring_name
from foxtrot_protocol.spec import ChildSpec
from foxtrot_supervisor.config.schema import FoxtrotConfig, SupervisorConfig
from foxtrot_supervisor.core.health import Health, HealthLimits, Watch, gap_s_max, look_s
from foxtrot_supervisor.core.lifecycle import PROCESS_STATES
from foxtrot_supervisor.core.restart import GiveUp, RestartLimits, RestartPolicy, Retry
from foxtrot_supervisor.core.stop_ladder import Ladder, StopLimits
from foxtrot_supervisor.core.targets import ENGINE, Targets, engine_settings
from foxtrot_supervisor.embedding.application_log import ApplicationLog
from foxtrot_supervisor.embedding.bounded_call import call_within
from foxtrot_supervisor.embedding.child import SupervisorChild, write_order
from foxtrot_supervisor.embedding.end_report import EndReport, report_of
from foxtrot_supervisor.embedding.errors import SupervisorFailed
from foxtrot_supervisor.embedding.wire import Alive, Call, Ended, News, Serving
from foxtrot_supervisor.engine.bus.event_engine import Event, EventEngine, QueueFull
from foxtrot_supervisor.engine.host import DispatchEnded, EngineHost
from foxtrot_supervisor.report.unhandled_events import UnhandledRing
from foxtrot_supervisor.runtime.processes.processes import ExitStatus
from foxtrot_supervisor.runtime.processes.survivors import end_survivors
from foxtrot_supervisor.runtime.recovery import log_unhandled_events
from foxtrot_supervisor.runtime.run_dir import AlreadyRunning, RunDir, RunDirRefused

__all__ = [
    "CLOSE_S",
    "EXIT_STOP_S",
    "HASTE_S",
    "INCARNATIONS_STEP",
    "KILL_S",
    "LET_GO_MARGIN_S",
    "SUPERVISOR",
    "Embedding",
    "EmbeddingOptions",
    "Phase",
]

SUPERVISOR = "supervisor"
"""The supervisor itself in `eWorker.` events: its incarnation is how often it was started."""

HASTE_S = 5.0
"""A supervisor that has not stopped everything in time SIGKILLs it all; it has so long for that,"""
KILL_S = 5.0
"""and is then killed itself; so long until it counts as unkillable."""

EXIT_STOP_S = 10.0
"""How long everything may take to stop when the interpreter exits without a `stop`."""

CLOSE_S = 10.0
"""At the end, how long the dispatch thread may take for what is at hand, and handlers' objects to close."""

LET_GO_MARGIN_S = 1.0
"""So long before its time is over the engine says that it has let go, whatever is left in rings."""

HURRY_LOOK_S = 0.2
"""How often it is looked, while the supervisor stops, whether it has been given less time."""

POLL_S = 0.02
"""How often it is looked whether the rings are done with, at a stop."""

LATE_LOOK_S = 60.0
"""How often it is looked whether a handler has come back that did not return in time."""

EXIT_LOOK_S = 0.1
"""How often it is looked whether the interpreter is exiting."""

INCARNATIONS_STEP = 1000
"""A new supervisor's incarnations begin after a multiple of this: the last one may have used some that nobody saw."""

Phase: TypeAlias = Literal["starting", "up", "down", "failed", "stopping", "stopped"]
"""`down`: the supervisor died and will be started again; `failed`: it will not, unless `ask_restart` is called."""


class EmbeddingOptions(Struct, frozen=True, kw_only=True):
    """How it is done, beside the configuration."""

    log_level: str = "info"
    targets: Targets = Targets()


class _End(Struct):
    """How one supervisor ended."""

    status: ExitStatus | None
    """None: it could not be started, or not be killed."""
    told: Ended | None
    served_s: float
    failure: str = "it survives SIGKILL"
    hung: str = ""
    """Why it was killed, if it was for that."""

    @property
    def died(self) -> bool:
        """Whether it came to its end by a fault: it said nothing, that it had made a mistake, or could not begin."""
        return self.told is None or self.told.exit_code in (SupervisorExit.INTERNAL_ERROR, SupervisorExit.START_FAILED)

    @property
    def text(self) -> str:
        """For people."""
        if self.status is None:
            return self.failure
        if self.status.signal is not None:
            how = f"it was killed by {signal.Signals(self.status.signal).name}"
            return f"{how}: {self.hung}" if self.hung else how
        if self.told is not None and self.told.failure:
            return self.told.failure
        return f"it ended with exit code {self.status.exit_code}"


class Embedding:
    """From `start` until `report` is there. All methods may be called from any thread.

    `run_dir` is taken over, and released at the end. `own_engine`: `engine` is started and ended with it, else it is
    the application's and left running. `on_phase` is called on the thread of the embedding whenever `phase` changes.
    """

    def __init__(
        self,
        config: FoxtrotConfig,
        run_dir: RunDir,
        engine: EventEngine,
        log: ApplicationLog,
        options: EmbeddingOptions,
        *,
        own_engine: bool,
        closers: list[Callable[[], Any]],
        on_phase: Callable[[str, str], None] | None = None,
    ) -> None:
        self._wanted = config
        """What the next supervisor is started with: with all that was subscribed since."""
        self._in_force = config
        """What the living supervisor has been given."""
        self._run_dir = run_dir
        self._engine = engine
        self._own_engine = own_engine
        self._log = log
        self._options = options
        self._closers = closers
        self._on_phase = on_phase
        self.changed = threading.Condition()
        """Notified with every change of `phase`."""
        self.phase: Phase = "starting"
        self.cause = ""
        """Why it is in this phase."""
        self.restarts_total = 0
        self._unhandled: list[UnhandledRing] = []
        """What the application's handlers were not given, at the end."""
        self.report: EndReport | None = None
        """How it ended; None until then."""
        self._wish: Literal["run", "stop", "again"] = "run"
        self._limits = StopLimits(config.supervisor.shutdown_s, HASTE_S, KILL_S)
        self._stop_cause = ""
        self._begun = threading.Event()
        self._child: SupervisorChild | None = None
        self._runtime: Any = None
        self._beating: asyncio.Task[None] | None = None
        self._letting_go: asyncio.Task[None] | None = None
        self._told: Ended | None = None
        self._serving_since: float | None = None
        self._life: Watch | None = None
        """Of the living supervisor."""
        self._hung = ""
        self._ever_served = False
        self._starts = 0
        self._incarnations_seen = 0
        self._workers: dict[str, WorkerChanged] = {}
        self._thread = threading.Thread(target=self._main, name="foxtrot-host", daemon=False)

    # ---- from any thread

    def start(self) -> None:
        """Begin; returns as soon as it can be asked for something."""
        self._thread.start()
        self._begun.wait()

    def ask_stop(self, timeout_s: float, cause: str) -> None:
        """Stop everything; what has not ended in `timeout_s` is killed."""
        self._tell(self._take_wish, "stop", timeout_s, cause)

    def ask_restart(self, timeout_s: float) -> None:
        """Stop the supervisor, if it lives, within `timeout_s`, and start another."""
        self._tell(self._take_wish, "again", timeout_s, "restart requested")

    def join(self, timeout_s: float) -> bool:
        """Wait for the end; whether it has come."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def runs_in(self, thread: threading.Thread) -> bool:
        """Whether `thread` is one that everything here has to wait for."""
        return thread is self._thread or self._engine.dispatches_on(thread)

    def remember(self, connection: str, symbols: list[str], *, added: bool) -> None:
        """Later supervisors subscribe these as well, or not any more."""
        self._wanted = _with_symbols(self._wanted, connection, symbols, added=added)

    def is_without_symbols(self, connection: str) -> bool:
        """Whether the living supervisor knows this connection and has no worker for it."""
        return any(each.name == connection and not each.symbols for each in self._in_force.connections)

    def order_again(self, connection: str, symbols: list[str]) -> None:
        """Write an order in which `connection` has its first `symbols`; the supervisor then has to be told to reload.

        Symbols that others have been given since their start are not in it: they would be replaced for it.
        """
        child = self._child
        self._in_force = _with_symbols(self._in_force, connection, symbols, added=True)
        if child is not None:
            write_order(self._run_dir.path, msgspec.structs.replace(child.order, config=self._in_force))

    def forget(self) -> None:
        """In a forked copy of the application: close what would keep a dead application's supervisor in doubt."""
        if self._child is not None:
            self._child.forget()
        self._run_dir.leave()

    def _tell(self, call: Callable[..., None], *arguments: Any) -> None:
        with contextlib.suppress(RuntimeError):  # it has ended
            self._loop.call_soon_threadsafe(call, *arguments)

    # ---- the thread

    def _main(self) -> None:
        try:
            with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
                runner.run(self._live())
        except BaseException as error:  # whatever it is: who waits for us must be told
            self._log.error("embedding_crashed", reason=repr(error))
            self._finish(str(error) or repr(error), [])
            if not isinstance(error, Exception):
                raise
        finally:
            self._begun.set()

    async def _live(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._wished = asyncio.Event()
        self._begun.set()
        host = self._host = await self._make_host()
        self._engine.attach(host.receiver)
        self._engine.start()
        watching = asyncio.create_task(host.watch.run(), name="slow-handler-watch")
        watching.add_done_callback(self._on_watch_ended)
        exiting = asyncio.create_task(self._watch_interpreter(), name="interpreter-watch")
        judging = asyncio.create_task(self._watch_supervisor(), name="supervisor-watch")
        try:
            cause = await self._supervise()
        finally:
            for task in (watching, exiting, judging):
                task.cancel()
            await asyncio.gather(watching, exiting, judging, return_exceptions=True)
            left = await self._close()
        self._finish(cause, left)

    async def _make_host(self) -> EngineHost:
        """The engine's part, or an exception and nothing left."""
        context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._context = context
        settings = engine_settings(self._in_force.engine, self._run_dir.path, "")
        path = self._run_dir.path
        host: EngineHost | None = None
        try:
            host = EngineHost(self._engine, settings, context, path, self._log, self._on_stop, self._on_command)
            await host.tap.start()
        except BaseException:
            if host is not None:
                host.withdraw()
                host.receiver.close()
            context.destroy(linger=0)
            self._run_dir.release()
            raise
        return host

    async def _supervise(self) -> str:
        """One supervisor after the other, until it is to end; why."""
        config = self._wanted.supervisor
        limits = RestartLimits(
            intensity=config.restart_intensity,
            period_s=config.restart_period_s,
            first_s=config.backoff_first_s,
            base_s=config.backoff_s,
            max_s=config.backoff_max_s,
            jitter=config.backoff_jitter,
            healthy_after_s=config.healthy_after_s,
        )
        policy = RestartPolicy("permanent", limits, random.random)
        while True:
            if self._wished_for("stop"):
                return self._stop_cause
            end = await self._one_supervisor()
            text = end.text
            if end.died:
                self._after_death(text)
            if self._wished_for("stop"):
                return self._stop_cause
            if not end.died and self._wished_for("run"):
                return "the supervisor was stopped"
            if not self._ever_served:
                return f"the supervisor cannot be started: {text}"
            if self._wished_for("run"):
                follows = policy.died(ExitVerdict.CRASH, time.monotonic(), end.served_s, None)
                if isinstance(follows, Retry):
                    self._to("down", f"the supervisor has died: {text}")
                    await self._wished_within(follows.delay_s)
                    policy.restarted(time.monotonic(), follows.crashed)
                else:
                    reason = follows.reason if isinstance(follows, GiveUp) else "it is not started again"
                    self._to("failed", f"the supervisor has died: {text} ({reason})")
                    await self._wished.wait()
            if self._wished_for("again"):
                policy.forgive()
            self.restarts_total += 1
            self._to("starting", "")

    async def _one_supervisor(self) -> _End:
        self._wish = "run"
        self._wished.clear()
        self._told = None
        self._serving_since = None
        self._life = Watch(_life_limits(self._wanted.supervisor), time.monotonic(), alive_before_ready=True)
        self._hung = ""
        self._starts += 1
        self._in_force = self._wanted
        try:
            self._run_dir.rejoin()
        except (AlreadyRunning, RunDirRefused, OSError) as error:
            return _End(None, None, 0.0, f"the run directory is gone and cannot be made again: {error}")
        if self._starts > 1:
            self._run_dir.rename_run()  # whoever ends what the last one left must not take this one for that
        dead: asyncio.Future[ExitStatus] = self._loop.create_future()
        step = -(-self._incarnations_seen // INCARNATIONS_STEP) * INCARNATIONS_STEP
        try:
            self._child = SupervisorChild(
                self._run_dir,
                self._in_force,
                log_level=self._options.log_level,
                targets=self._options.targets,
                incarnations_before=step,
                on_news=self._on_news,
                on_death=dead.set_result,
            )
        except SupervisorFailed as failure:
            return _End(None, None, 0.0, str(failure))
        self._announce("STARTING", "", None)
        try:
            first: set[asyncio.Future[Any]] = {dead, wished := asyncio.ensure_future(self._wished.wait())}
            await asyncio.wait(first, return_when=asyncio.FIRST_COMPLETED)
            wished.cancel()
            if not dead.done():
                await self._stop_supervisor(self._child, dead)
        finally:
            self._unlink()
            self._child.close()
            self._child = None
        served_s = 0.0 if self._serving_since is None else time.monotonic() - self._serving_since
        end = _End(dead.result() if dead.done() else None, self._told, served_s, hung=self._hung)
        self._announce("EXITED", end.text, end.status)
        return end

    async def _stop_supervisor(self, child: SupervisorChild, dead: asyncio.Future[ExitStatus]) -> None:
        """Its own way down: SIGTERM, SIGTERM again (it SIGKILLs everything), SIGKILL."""
        limits = self._limits
        ladder = Ladder(limits, time.monotonic())
        while not dead.done() and ladder.rung != "lost":
            if self._limits is not limits:  # somebody is in more of a hurry
                limits = self._limits
                ladder.limit(time.monotonic() + limits.ask_s + limits.term_s, time.monotonic())
            for step in ladder.due(time.monotonic()):
                if step in ("ask", "term"):
                    child.signal(signal.SIGTERM)
                elif step == "kill":
                    child.signal(signal.SIGKILL)
            left_s = max(0.0, ladder.next_deadline - time.monotonic())
            await asyncio.wait({dead}, timeout=min(left_s, HURRY_LOOK_S))

    # ---- what the supervisor says

    def _on_news(self, news: News) -> None:
        if self._life is not None:
            self._life.heard(time.monotonic())
        if isinstance(news, Alive):
            return
        if isinstance(news, Serving):
            if self._life is not None:
                self._life.ready(time.monotonic())
            self._serving_since = time.monotonic()
            self._ever_served = True
            self._announce("RUNNING", "", None)
            if self._wished_for("run"):
                self._to("up", "")
        elif isinstance(news, Call):
            self._link_up(news.incarnation)
        else:
            self._told = news

    def _link_up(self, incarnation: int) -> None:
        """Say HELLO and READY: the engine is at its work already."""
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
            heartbeat_s=self._in_force.supervisor.heartbeat_s,
            log_level=self._options.log_level,
            log_format="link",
            settings=b"",
        )
        # by name, as every child's code: the supervisor's package imports none of it
        runtime = importlib.import_module("foxtrot_workers.child.main").ChildRuntime(spec, self._context)
        self._runtime = runtime
        self._note_incarnation(incarnation)
        runtime.hello()
        self._host.serve(runtime)
        if self._starts > 1:
            self._host.receiver.tell_holes()
        runtime.ready()
        self._beating = self._loop.create_task(runtime.beat(), name="heartbeat")

    def _unlink(self) -> None:
        self._host.part()
        for task in (self._beating, self._letting_go):
            if task is not None:
                task.cancel()
        self._beating = self._letting_go = None
        if self._runtime is not None:
            self._runtime.close()
            self._runtime = None

    def _on_command(self, command: ToChild) -> None:
        if isinstance(command, WorkerChanged):
            self._workers[command.worker] = command
            self._note_incarnation(command.incarnation)
        elif isinstance(command, Logged):
            self._log.emit(command.level, command.worker, command.event, command.fields)

    def _on_stop(self, grace_s: float) -> None:
        """All workers have ended: let go once what they left in rings is done with."""
        if self._letting_go is None:
            if self._wished_for("run"):
                self._to("stopping", "the supervisor is being stopped")
            self._letting_go = self._loop.create_task(self._let_go(grace_s), name="let-go")

    async def _let_go(self, grace_s: float) -> None:
        deadline = time.monotonic() + max(0.0, grace_s - LET_GO_MARGIN_S)
        while self._rings() and time.monotonic() < deadline:  # noqa: ASYNC110 - files tell of no change
            await asyncio.sleep(POLL_S)
        if self._runtime is not None:
            self._runtime.leave()

    # ---- how it stands

    def _take_wish(self, wish: Literal["stop", "again"], timeout_s: float, cause: str) -> None:
        if self._wished_for("stop"):
            return
        self._wish = wish
        self._stop_cause = cause
        self._limits = StopLimits(timeout_s, HASTE_S, KILL_S)
        self._to("stopping", cause)
        self._wished.set()

    def _wished_for(self, wish: Literal["run", "stop", "again"]) -> bool:
        return self._wish == wish

    async def _wished_within(self, delay_s: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(delay_s):
                await self._wished.wait()

    def _to(self, phase: Phase, cause: str) -> None:
        with self.changed:
            self.phase = phase
            self.cause = cause
            self.changed.notify_all()
        if phase in ("down", "failed"):
            self._log.error("supervisor_died", reason=cause)
        if self._on_phase is not None:
            try:
                self._on_phase(phase, cause)
            except Exception as error:
                self._log.error("callback_failed", callback=repr(self._on_phase), reason=repr(error))

    def _finish(self, cause: str, left: list[str]) -> None:
        told = self._told
        self.report = report_of(
            told.outcome if told is not None else None,
            exit_code=told.exit_code if told is not None else None,
            cause=cause,
            left=left,
            unhandled=self._unhandled,
            restarts_total=self.restarts_total,
        )
        self._to("stopped", cause)

    def _announce(self, state: str, cause: str, status: ExitStatus | None) -> None:
        """The supervisor's own state, as an event."""
        changed = WorkerStatus(
            worker=SUPERVISOR,
            incarnation=self._starts,
            state=state,
            cause=cause,
            exit_code=status.exit_code if status is not None else None,
            signal=status.signal if status is not None else None,
            rung=None,
            restarts=self.restarts_total,
        )
        self._put(changed)

    def _put(self, status: WorkerStatus) -> None:
        try:
            self._engine.put(Event(EVENT_WORKER, status))
        except QueueFull as error:
            self._log.error("event_not_put", reason=str(error))

    def _note_incarnation(self, incarnation: int) -> None:
        self._incarnations_seen = max(self._incarnations_seen, incarnation)

    def _rings(self) -> list[tuple[str, int]]:
        """Workers and incarnations that have a ring."""
        found = map(parse_ring_name, self._run_dir.files())
        return [ring for ring in found if ring is not None]

    def _after_death(self, text: str) -> None:
        """Nothing of a dead supervisor may live on, and the engine has to know that nothing comes any more."""
        end_survivors(self._run_dir.run_id, self._run_dir.start_ticks)
        for worker, incarnation in self._rings():
            self._note_incarnation(incarnation)
            self._host.receiver.fence(worker, incarnation)
        for name, known in self._workers.items():
            if known.state in _LIVING:
                gone = msgspec.structs.replace(known, state="EXITED", cause=f"the supervisor has died: {text}")
                self._workers[name] = gone
                self._put(msgspec.convert(gone, WorkerStatus, from_attributes=True))
        path = self._run_dir.path
        its_own = (endpoints.ipc_path(endpoints.child_control_endpoint(path)), endpoints.operator_path(path))
        names = {os.path.basename(each) for each in (*its_own, endpoints.nursery_path(path))}
        for name in self._run_dir.files():
            if name in names or name.startswith("stacks-"):
                self._run_dir.remove(name)

    def _on_watch_ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and isinstance(task.exception(), DispatchEnded):
            self._take_wish("stop", self._limits.ask_s, "the EventEngine was stopped")

    async def _watch_interpreter(self) -> None:
        """Threads that are not daemons are waited for at the interpreter's exit, before anything else is told of it."""
        main = threading.main_thread()
        while main.is_alive():  # noqa: ASYNC110 - it has no other way to tell
            await asyncio.sleep(EXIT_LOOK_S)
        self._take_wish("stop", EXIT_STOP_S, "the application has ended without a stop")

    async def _watch_supervisor(self) -> None:
        """One that hangs is killed, as it does itself with its children; then what follows from its death follows."""
        looked_at = time.monotonic()
        while True:
            await asyncio.sleep(look_s(self._in_force.supervisor.hung_s))
            before, looked_at = looked_at, time.monotonic()
            life, child, hung_s = self._life, self._child, self._in_force.supervisor.hung_s
            if life is None or child is None or not self._wished_for("run"):
                continue
            if looked_at - before > gap_s_max(hung_s):
                life.discount(looked_at - before, looked_at)  # we did not run ourselves
            verdict = life.verdict(looked_at)
            if verdict in (Health.HUNG, Health.MUTE):
                self._life = None
                self._hung = f"no sign of life for {hung_s:g} s" if verdict is Health.HUNG else "it never served"
                child.signal(signal.SIGKILL)

    # ---- the end

    async def _close(self) -> list[str]:
        """Take everything of the engine's part away; what cannot be."""
        self._log.to(None)
        host, left = self._host, []
        deadline = time.monotonic() + CLOSE_S
        if self._own_engine:
            stopped = self._engine.stop(CLOSE_S / 2)
            detached = not self._engine.is_dispatching()
            if not stopped.clean:
                left.append(str(stopped))
        else:
            detached = self._engine.detach(host.receiver, CLOSE_S / 2)
            if not detached:
                left.append(f"{self._engine.current_handler!r} did not return")
        for close in self._closers:
            outcome = call_within(close, max(0.1, deadline - time.monotonic()), "foxtrot-close")
            if not outcome.finished:
                left.append(f"{close!r} does not return")
            elif outcome.error is not None:
                self._log.error("handler_close_failed", close=repr(close), reason=repr(outcome.error))
        await host.tap.close(grace_s=1.0)
        if detached:
            self._close_data_plane()
        else:
            # it holds the socket: closed should it ever come back
            host.receiver.abandon()
            with contextlib.suppress(RuntimeError):  # the interpreter is exiting: nothing can, or need, come after
                threading.Thread(target=self._close_late, name="foxtrot-close", daemon=True).start()
        host.withdraw()
        if self._own_engine:
            self._engine.clear_handlers()
        ended_as = "at the end, by the application's handlers"
        with contextlib.suppress(AlreadyRunning, RunDirRefused, OSError):
            self._run_dir.rejoin()  # the supervisor may have made it again
        self._unhandled = log_unhandled_events(self._run_dir.path, ended_as, self._log)
        self._run_dir.release()
        return left

    def _close_data_plane(self) -> None:
        self._host.receiver.close()
        self._context.term()

    def _close_late(self) -> None:
        while not self._engine.detach(self._host.receiver, LATE_LOOK_S):
            pass
        self._close_data_plane()


def _life_limits(config: SupervisorConfig) -> HealthLimits:
    return HealthLimits(config.hello_s, config.ready_s, config.late_s, config.hung_s)


_LIVING = frozenset(state.value for state in PROCESS_STATES)


def _with_symbols(config: FoxtrotConfig, name: str, symbols: list[str], *, added: bool) -> FoxtrotConfig:
    def changed(old: list[str]) -> list[str]:
        if added:
            return list(dict.fromkeys([*old, *symbols]))
        return [symbol for symbol in old if symbol not in symbols]

    connections = [
        msgspec.structs.replace(each, symbols=changed(each.symbols)) if each.name == name else each
        for each in config.connections
    ]
    return msgspec.structs.replace(config, connections=connections)
