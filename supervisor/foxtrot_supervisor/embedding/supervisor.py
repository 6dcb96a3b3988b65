"""Supervised feeds inside an application whose process is the engine.

::

    with Supervisor("foxtrot.toml") as supervisor:
        supervisor.event_engine.register("eMarketTrade.", print)
        supervisor.wait_ready(30)
        ...

The work is done by separate threads and processes. Signal handlers, event loop, logging, working directory and module
search path of the application are not changed. When the application ends, for any reason, everything that it started
ends too.
"""

from __future__ import annotations

import asyncio
import functools
import os
import threading
import time
import weakref
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any

import msgspec

from foxtrot_protocol import standard_streams
from foxtrot_protocol.control import (
    ReloadRequest,
    Request,
    RestartRequest,
    StatusRequest,
    SubscribeRequest,
    UnsubscribeRequest,
)
from foxtrot_protocol.errors import RemoteError
from foxtrot_protocol.recorded_steps import RecordingCounts
from foxtrot_supervisor.client.control_client import ControlClient, NotRunning
from foxtrot_supervisor.client.event_buffer import BUFFER_BYTES_MAX, BUFFER_EVENTS, Overflow
from foxtrot_supervisor.client.event_feed import EventFeed
from foxtrot_supervisor.config.check import check_document, default_config
from foxtrot_supervisor.config.engine_cluster import engine_of
from foxtrot_supervisor.config.exchanges import read_catalog
from foxtrot_supervisor.config.load import load_config
from foxtrot_supervisor.config.markets import Markets
from foxtrot_supervisor.config.problems import ConfigInvalid
from foxtrot_supervisor.config.schema import ExchangeInfo, FoxtrotConfig
from foxtrot_supervisor.config.sink_kinds import check_options
from foxtrot_supervisor.core.lifecycle import State
from foxtrot_supervisor.core.targets import Targets, engine_settings
from foxtrot_supervisor.embedding.application_log import ApplicationLog
from foxtrot_supervisor.embedding.aside import aside, settled
from foxtrot_supervisor.embedding.embedding import Embedding
from foxtrot_supervisor.embedding.end_report import EndReport
from foxtrot_supervisor.embedding.engine_streams import EngineStreams
from foxtrot_supervisor.embedding.errors import NotReady, RequestFailed, SupervisorFailed
from foxtrot_supervisor.engine.bus.event_engine import EventEngine
from foxtrot_supervisor.engine.process import load_handlers, make_engine
from foxtrot_supervisor.markets.market_list import ListUnavailable, cache_path
from foxtrot_supervisor.runtime.preflight import CannotStart, check_room
from foxtrot_supervisor.runtime.processes.syscalls import start_ticks_of_this_process
from foxtrot_supervisor.runtime.recovery import recover
from foxtrot_supervisor.runtime.run_dir import AlreadyRunning, RunDir, RunDirRefused, default_path

if TYPE_CHECKING:
    from foxtrot_supervisor.embedding.replaying import RecordedTime
    from foxtrot_supervisor.engine.replay.report import ReplayReport

__all__ = ["READY_S", "REQUEST_S", "START_S", "Config", "Supervisor", "read_config"]

Config = FoxtrotConfig | dict[str, Any] | str | os.PathLike[str] | None
"""A configuration, the same as a dictionary (as read from TOML), the path of a file, or None: a simulated exchange."""

START_S = 60.0
"""Time limit of `start` for the supervisor process to import its modules and serve."""

READY_S = 60.0
"""Default time limit of `wait_ready`."""

REQUEST_S = 30.0
"""Default time limit of requests to the supervisor."""

END_MARGIN_S = 15.0
"""Time that `stop` waits after its timeout, for killed processes to end and queued events to be handled."""

POLL_S = 0.05
"""Interval of repeated requests."""

_SETTLED = frozenset({State.RUNNING.value, State.EXITED.value, State.FATAL.value, State.LOST.value})


class Supervisor:
    """Supervised feeds for this application: a context manager, or `start` and `stop`. Starts and stops once.

    `event_engine`: the application's own, left running at the end; by default a new one. `run_dir`: directory of this
    run, one for each (default: the configuration's, or else the command line's). `log_level`: of the lines for the
    logger "foxtrot" and for `eLog` events. `on_phase(phase, cause)` is called when the supervisor has died ("down"),
    serves again ("up"), is not restarted any more ("failed"), or everything has ended ("stopped").

    Methods may be called from any thread; those that wait have a time limit in seconds. Do not call those from a
    handler: the result that they wait for needs the handler's thread.
    """

    def __init__(
        self,
        config: Config = None,
        *,
        event_engine: EventEngine | None = None,
        run_dir: str | os.PathLike[str] | None = None,
        log_level: str = "info",
        on_phase: Callable[[str, str], None] | None = None,
        targets: Targets | None = None,
        cluster: str | Sequence[str] | None = None,
        engine_name: str = "main",
    ) -> None:
        """Read and check `config`; starts nothing.

        `cluster`: addresses of NATS servers; the events then come from the nodes of that cluster, and connections of
        `config` are not used. An application with the same `engine_name` elsewhere continues this one, and waits while
        this one lives (docs/cluster.md).
        `targets`: start targets of the supervisor's children (for tests). Raises `ConfigInvalid` with every mistake,
        and `TypeError` for an `event_engine` that is not ours: vn.py's gets its events through the gateway.
        """
        given: object = event_engine
        if given is not None and not isinstance(given, EventEngine):
            kind = f"{type(given).__module__}.{type(given).__qualname__}"
            raise TypeError(f"event_engine is a {kind}, which cannot be fed directly: forward to its put() instead")
        if cluster is not None:
            servers = [cluster] if isinstance(cluster, str) else list(cluster)
            base = FoxtrotConfig() if config is None else _read_config(config, without_connections=True)
            section = msgspec.structs.replace(base.cluster, servers=servers)
            self.config = engine_of(base, section, engine_name, from_start=False, source="configuration")
        else:
            self.config = read_config(config)
        self._is_default = config is None or cluster is not None
        self._config_path = os.path.abspath(config) if isinstance(config, str | os.PathLike) else ""
        self._log = ApplicationLog(log_level)
        self._own_engine = event_engine is None
        self._run_dir_path = os.path.abspath(
            run_dir or self.config.supervisor.run_dir or default_path(os.environ, os.geteuid())
        )
        self.event_engine = event_engine or self._make_engine()
        """Dispatches the market's events."""
        self._streams = EngineStreams(self.event_engine)
        self._on_phase = on_phase
        self._log_level = log_level
        self._targets = targets or Targets()
        self._embedding: Embedding | None = None
        self._lock = threading.Lock()

    @property
    def run_dir(self) -> str:
        """Directory of this run, for `foxtrot-supervisor status --run-dir`."""
        return self._run_dir_path

    # ---- start and stop

    def start(self) -> Supervisor:
        """Start the supervisor, and return when it serves; the feeds are still connecting then (`wait_ready`).

        Patterns among the symbols are resolved with the exchange's instrument list, fetched unless a recent one is
        kept. Raises `AlreadyRunning` or `RunDirRefused` (use another `run_dir`), `HandlerProblem` (a configured
        handler cannot be used), `ConfigInvalid` (symbols that the exchange does not list), or `SupervisorFailed`.
        Nothing is left running then.
        """
        with self._lock:
            if self._embedding is not None:
                raise SupervisorFailed("it was started already: make another Supervisor to start again")
            standard_streams.open_missing()  # or pipes would get the descriptor numbers of closed standard streams
            try:
                config = self._resolved()
                check_room(len(config.connections), raise_limit=False)
            except (CannotStart, ListUnavailable) as error:
                raise SupervisorFailed(str(error)) from None
            try:
                run_dir = RunDir.acquire(self._run_dir_path, start_ticks_of_this_process(), self._config_path)
            except (AlreadyRunning, RunDirRefused) as error:
                error.add_note("another directory is given by Supervisor(..., run_dir=...) or [supervisor] run_dir")
                raise
            closers: list[Callable[[], Any]] = []
            try:
                recover(run_dir, self._log)
                for handler in self.config.engine.handlers:
                    closers += load_handlers(handler, self.event_engine)
            except BaseException:
                run_dir.release()
                raise
            self._log.to(self.event_engine)
            embedding = self._embedding = Embedding(
                config,
                run_dir,
                self.event_engine,
                self._log,
                log_level=self._log_level,
                targets=self._targets,
                own_engine=self._own_engine,
                closers=closers,
                on_phase=self._on_phase,
            )
            _living.add(embedding)
            embedding.start()
        self._wait_for(lambda: embedding.phase != "starting", START_S)
        if embedding.phase == "starting":
            embedding.request_stop(0.0, f"the supervisor did not serve within {START_S:g} s")
        if embedding.phase != "up":
            embedding.join(END_MARGIN_S)
            raise SupervisorFailed(embedding.cause)
        return self

    def stop(self, timeout_s: float | None = None, *, cause: str = "stop requested") -> EndReport:
        """Stop everything that was started, and return the result; a second call returns it again.

        What has not ended after `timeout_s` seconds (default: `shutdown_s` of the configuration) is killed, and
        reported if it cannot be killed. From a handler or a callback this only requests the stop: the report is then
        not `finished`.
        """
        embedding = self._started()
        limit_s = self.config.supervisor.shutdown_s if timeout_s is None else timeout_s
        embedding.request_stop(limit_s, cause)
        self._streams.close()
        if not embedding.runs_in(threading.current_thread()):
            embedding.join(limit_s + END_MARGIN_S)
        report = embedding.report
        if report is None:
            return EndReport(exit_code=0, cause=cause, finished=False)
        _living.discard(embedding)
        return report

    def replay(
        self,
        recordings: Sequence[str | os.PathLike[str]],
        *,
        exchange: str | None = None,
        speed: float | None = None,
        begin: RecordedTime | None = None,
        end: RecordedTime | None = None,
        on_progress: Callable[[RecordingCounts, int], None] | None = None,
    ) -> ReplayReport:
        """Give recordings, instead of a live run, to the handlers of `event_engine`; return when all was handled.

        The configuration's engine settings and handlers apply, its connections do not. Nothing is started: parsers run
        in this thread's process, handlers on the dispatch thread of `event_engine`, its timer by recorded time. The
        report says how it ended (`ReplayReport.end`); Ctrl-C ends it too.

        Args:
            recordings: files; several connections are merged by time of receipt.
            exchange: of the recordings; None: guessed for each.
            speed: recorded seconds for each second; None: as fast as handlers take it.
            begin: handlers get what was received from then on, and before it the books as they are then.
            end: handlers get what was received until then.
            on_progress: called every 0.1 s with what was read, and the number of events handled.

        Raises `UnreadableRecording`, `HandlerProblem`, `SupervisorFailed` after `start`, and ValueError for an unknown
        exchange or an invalid time.
        """
        # a program that replays nothing does not load it
        from foxtrot_supervisor.embedding import replaying

        with self._lock:
            if self._embedding is not None:
                raise SupervisorFailed("it was started already: make another Supervisor for a replay")
            return replaying.replay_into(
                self.event_engine,
                replaying.open_recordings(recordings, exchange, self._targets),
                engine_settings(self.config.engine, self._run_dir_path, ""),
                self._log,
                speed=speed,
                period=replaying.period_between(begin, end),
                on_progress=on_progress,
            )

    def __enter__(self) -> Supervisor:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    async def __aenter__(self) -> Supervisor:
        starting = asyncio.ensure_future(aside(self.start))
        try:
            return await asyncio.shield(starting)
        except asyncio.CancelledError:
            await asyncio.wait((starting,))
            if starting.exception() is None:
                await settled(lambda: self.stop(0.0, cause="cancelled while it started"))
            raise

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await settled(self.stop)

    # ---- events

    def stream(
        self,
        types: str | list[str],
        *,
        symbol: str | list[str] | None = None,
        limit: int = BUFFER_EVENTS,
        bytes_max: int = BUFFER_BYTES_MAX,
        overflow: Overflow = "drop_oldest",
    ) -> EventFeed:
        """Return events for ``async for`` from now on, until `stop`; call it in the event loop that consumes them.

        Args:
            types: event type or kind, such as ``eMarketTrade.`` or ``trade``; or several.
            symbol: ``BTCUSDT`` or ``BTCUSDT.BINANCE``; or several; None: all.
            limit: events that may wait for a slow consumer.
            bytes_max: their estimated size.
            overflow: what happens when they are more: "drop_oldest" (counted in `EventFeed.dropped_total`), "error"
                (`StreamOverflow`), or "block": the EventEngine and all handlers wait, at most 5 s.
        """
        return self._streams.stream(types, symbol, limit, bytes_max, overflow)

    def keep(
        self, types: str | list[str], *, last: str | float = "10m", symbol: str | list[str] | None = None, **bounds: int
    ) -> None:
        """Keep recent events in memory for `frame`, from now on; see `client.kept_events.KeptEvents.keep`."""
        self._streams.keep(types, last, symbol, **bounds)

    def frame(self, kind: str, *, last: str | float | None = None, symbol: str | list[str] | None = None) -> Any:
        """Return kept events as a pandas DataFrame (extra ``frames``); see `client.kept_events.KeptEvents.frame`."""
        return self._streams.frame(kind, last, symbol)

    # ---- state

    @property
    def phase(self) -> str:
        """``new``, ``starting``, ``up``, ``down`` (will be restarted), ``failed``, ``stopping`` or ``stopped``."""
        return "new" if self._embedding is None else self._embedding.phase

    @property
    def restarts_total(self) -> int:
        """Number of restarts of the supervisor."""
        return 0 if self._embedding is None else self._embedding.restarts_total

    def status(self, timeout_s: float = REQUEST_S) -> dict[str, Any]:
        """Return the status as ``foxtrot-supervisor status --json``; raises `RequestFailed` if there is no answer."""
        data = self._request(StatusRequest(fresh=True), timeout_s)
        data["supervisor"]["restarts_total"] = self.restarts_total
        return data

    def wait_ready(self, timeout_s: float = READY_S) -> dict[str, Any]:
        """Wait until every feed serves, and return the status; raises `NotReady` with what does not serve, and why."""
        embedding = self._started()
        deadline = time.monotonic() + timeout_s
        lacking = "the supervisor does not answer"
        while True:
            if embedding.phase in ("failed", "stopped"):
                raise NotReady(embedding.cause)
            if embedding.phase == "up":
                try:
                    status = self.status(max(0.1, deadline - time.monotonic()))
                except RequestFailed as failure:
                    lacking = str(failure)
                else:
                    if status["supervisor"]["state"] == "running":
                        return status
                    lacking = _not_serving(status)
            if time.monotonic() >= deadline:
                raise NotReady(f"not ready after {timeout_s:g} s: {lacking}")
            time.sleep(POLL_S)

    # ---- requests

    def subscribe(self, connection: str, symbols: Sequence[str], timeout_s: float = REQUEST_S) -> None:
        """Add symbols to a connection without reconnecting, for its present and later processes.

        Waits for workers that are starting, and for the exchange's acknowledgement. A connection that was configured
        without symbols is started with its first ones. Raises `RequestFailed`.
        """
        wanted = list(dict.fromkeys(symbols))
        deadline = time.monotonic() + timeout_s
        embedding = self._started()
        with self._lock:
            first = embedding.subscriptions.has_no_symbols(connection)
            if first:
                # noted before the request: should the supervisor die just now, the next one starts the worker
                embedding.add_first_symbols(connection, wanted)
                self._request(ReloadRequest(), timeout_s)
        if not first:
            self._await_workers(connection, deadline)
            done = self._request(SubscribeRequest(connection, wanted), max(0.1, deadline - time.monotonic()))
            wanted = done.get("symbols", wanted)  # as the venue writes them
        embedding.subscriptions.add(connection, wanted)

    def unsubscribe(self, connection: str, symbols: Sequence[str], timeout_s: float = REQUEST_S) -> None:
        """Remove symbols from a connection without reconnecting; raises `RequestFailed`."""
        wanted = list(dict.fromkeys(symbols))
        done = self._request(UnsubscribeRequest(connection, wanted), timeout_s)
        self._started().subscriptions.remove(connection, done.get("symbols", wanted))

    def restart(self, name: str | None = None, timeout_s: float | None = None) -> None:
        """Restart a worker by its name, or the whole supervised part, also after the phase ``failed``.

        Waits until it serves. Raises `RequestFailed` for a worker, `SupervisorFailed` for the whole.
        """
        embedding = self._started()
        limit_s = self.config.supervisor.shutdown_s if timeout_s is None else timeout_s
        if name is not None:
            self._request(RestartRequest(name), limit_s)
            return
        if embedding.phase == "stopped":
            raise SupervisorFailed("it has been stopped: make another Supervisor to start again")
        before = embedding.restarts_total
        embedding.request_restart(limit_s)
        done = self._wait_for(
            lambda: embedding.phase in ("up", "failed", "stopped") and embedding.restarts_total > before,
            limit_s + START_S,
        )
        if not done or embedding.phase != "up":
            raise SupervisorFailed(embedding.cause or "it does not serve again")

    # ---- private

    def _make_engine(self) -> EventEngine:
        return make_engine(engine_settings(self.config.engine, self._run_dir_path, ""), self._log)

    def _resolved(self) -> FoxtrotConfig:
        """Return the configuration with symbols in place of patterns; raises `ConfigInvalid`, `ListUnavailable`."""
        if self._is_default:
            return self.config
        markets = Markets(cache_path(dict(os.environ), os.path.expanduser("~")), self._say)
        return markets.resolve(self.config, _catalog(), self._config_path or "configuration", online=True)

    def _say(self, text: str) -> None:
        self._log.info("markets", reason=text)

    def _started(self) -> Embedding:
        if self._embedding is None:
            raise SupervisorFailed("it has not been started: use it in a with statement, or call start()")
        return self._embedding

    def _wait_for(self, condition: Callable[[], bool], timeout_s: float) -> bool:
        with self._started().changed:
            return self._started().changed.wait_for(condition, timeout_s)

    def _await_workers(self, connection: str, deadline: float) -> None:
        """Wait for workers of `connection` that are starting: they cannot take requests yet."""
        while time.monotonic() < deadline:
            workers = self.status(max(0.1, deadline - time.monotonic()))["workers"]
            named = [each for each in workers if connection in (each["name"], each["connection"], each["shard_of"])]
            if all(each["state"] in _SETTLED or each["desired"] == "STOPPED" for each in named):
                return
            time.sleep(POLL_S)

    def _request(self, request: Request, timeout_s: float) -> dict[str, Any]:
        """Return the supervisor's answer; while it is restarted, the request is repeated."""
        embedding = self._started()
        deadline = time.monotonic() + timeout_s
        while True:
            left_s = max(0.1, deadline - time.monotonic())
            try:
                with ControlClient(self._run_dir_path) as client:
                    reply = client.request(request, left_s)
            except NotRunning:
                if embedding.phase in ("failed", "stopped") or time.monotonic() >= deadline:
                    raise RequestFailed(embedding.cause or "the supervisor does not answer") from None
                time.sleep(POLL_S)
                continue
            except TimeoutError:
                raise RequestFailed(f"no answer within {timeout_s:g} s") from None
            except RemoteError as error:
                raise RequestFailed(f"the answer cannot be read: {error}") from None
            if reply.error:
                raise RequestFailed(reply.error)
            return reply.data


def read_config(config: Config) -> FoxtrotConfig:
    """Return the checked configuration. Connections may be without symbols.

    Raises `ConfigInvalid` with every mistake.
    """
    if config is None:
        return default_config()
    known = _catalog.cache_info().currsize > 0
    try:
        return _read_config(config)
    except ConfigInvalid:
        if not known:
            raise
        _catalog.cache_clear()  # an exchange may have been installed since
        return _read_config(config)


@functools.cache
def _catalog() -> dict[str, ExchangeInfo]:
    # read in another process, which takes half a second: once for all supervisors of this process
    return read_catalog()


def _read_config(
    config: FoxtrotConfig | dict[str, Any] | str | os.PathLike[str], *, without_connections: bool = False
) -> FoxtrotConfig:
    if isinstance(config, str | os.PathLike):
        return load_config(
            os.fspath(config), catalog=_catalog, without_symbols=True, without_connections=without_connections
        )
    return check_document(
        config if isinstance(config, dict) else _document(config),
        source="configuration",
        folder=os.getcwd(),
        exchanges=_catalog(),
        is_file=os.path.isfile,
        sinks=check_options,
        without_symbols=True,
        without_connections=without_connections,
    )


def _document(value: FoxtrotConfig) -> dict[str, Any]:
    """Return `value` as a table read from TOML: keys whose value is None are absent."""

    def pruned(node: Any) -> Any:
        if isinstance(node, dict):
            return {key: pruned(each) for key, each in node.items() if each is not None}
        return [pruned(each) for each in node] if isinstance(node, list) else node

    document: dict[str, Any] = pruned(msgspec.to_builtins(value))
    for sink in document["sinks"]:
        sink.update(sink.pop("options"))
    return document


def _not_serving(status: dict[str, Any]) -> str:
    """Return what does not serve, and why, as text."""
    children = [status["engine"], *status["simulators"], *status["services"], *status["workers"]]
    lacking = [f"{child['name']} is {child['state']}: {child['cause']}" for child in children]
    return "; ".join(text for text, child in zip(lacking, children, strict=True) if child["state"] != "RUNNING")


# ---- forked copies of the application

_living: weakref.WeakSet[Embedding] = weakref.WeakSet()


def _forget_after_fork() -> None:
    for embedding in list(_living):
        embedding.forget()
    _living.clear()


os.register_at_fork(after_in_child=_forget_after_fork)
