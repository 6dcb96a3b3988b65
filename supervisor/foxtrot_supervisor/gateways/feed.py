"""The `Supervisor` behind a gateway or adapter, driven without blocking the caller.

A trading platform calls ``connect`` and ``subscribe`` from its main thread or from a handler, and expects both to
return at once. Slow work runs on a thread that ends as soon as there is no more work; so an idle gateway has no thread
of its own, and only the supervised part has to be closed.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable
from typing import Any

from foxtrot_protocol.events import EVENT_LOG, EVENT_TICK, TickData
from foxtrot_supervisor.config.exchanges import read_catalog
from foxtrot_supervisor.embedding.errors import RequestFailed
from foxtrot_supervisor.embedding.supervisor import Supervisor, read_config
from foxtrot_supervisor.engine.bus.event_engine import Event
from foxtrot_supervisor.gateways.settings import GatewaySettings, connection_name
from foxtrot_supervisor.runtime import run_dir

__all__ = ["QUEUED_MAX", "GatewayFeed"]

QUEUED_MAX = 10_000
"""Limit of queued subscriptions; further ones are refused with a log line."""

SYMBOLS_PER_REQUEST = 200
"""Largest number of symbols in one request to subscribe."""

_INFO, _WARNING, _ERROR = 20, 30, 40
"""Levels as in `logging`."""

JOIN_S = 5.0
"""Time for the worker thread to end after the supervised part has stopped."""


class GatewayFeed:
    """Market data for the gateway called `name`.

    `on_tick` gets each tick, `on_event` type and data of each event of `GatewaySettings.forward`, `on_text` log lines
    with a level as in `logging`. All are called on threads of the feed.
    """

    def __init__(
        self,
        name: str,
        on_tick: Callable[[TickData], None],
        on_event: Callable[[str, Any], None],
        on_text: Callable[[str, int], None],
    ) -> None:
        self._name = name
        self._connection = connection_name(name)
        self._on_tick = on_tick
        self._on_event = on_event
        self._on_text = on_text
        self._lock = threading.Lock()
        self._queued: deque[str] = deque()
        self._known: set[str] = set()
        self._settings: GatewaySettings | None = None
        self._supervisor: Supervisor | None = None
        self._thread: threading.Thread | None = None
        self._closed = False

    @property
    def supervisor(self) -> Supervisor | None:
        """The supervised part; None before it was started."""
        return self._supervisor

    def connect(self, settings: GatewaySettings) -> bool:
        """Start the supervised part in the background; return False if it was started before and has not failed."""
        with self._lock:
            if self._settings is not None or self._closed:
                return False
            self._settings = settings
            self._wake()
        return True

    def subscribe(self, symbol: str) -> bool:
        """Subscribe `symbol` in the background, also before `connect`; return False if closed or the queue is full."""
        with self._lock:
            if symbol in self._known:
                return True
            if self._closed or len(self._queued) >= QUEUED_MAX:
                return False
            self._known.add(symbol)
            self._queued.append(symbol)
            if self._settings is not None:
                self._wake()
        return True

    def close(self, timeout_s: float) -> bool:
        """Stop everything that was started within `timeout_s` seconds, and return whether nothing is left.

        A second call is allowed.
        """
        with self._lock:
            self._closed = True
            self._queued.clear()
            thread, supervisor = self._thread, self._supervisor
        clean = True
        if supervisor is not None and supervisor.phase != "new":
            report = supervisor.stop(timeout_s)
            clean = report.clean
            if not clean:
                self._on_text(f"ended, but not in order: {report.as_dict()}", _ERROR)
        if thread is not None and thread is not threading.current_thread():
            thread.join(timeout_s + JOIN_S)
            clean = clean and not thread.is_alive()
        return clean

    # ---- on the worker thread

    def _wake(self) -> None:
        if self._thread is None:
            # not a daemon thread: it ends as soon as there is no more work
            self._thread = threading.Thread(target=self._work, name=f"{self._connection}-orders", daemon=False)
            self._thread.start()

    def _work(self) -> None:
        while True:
            with self._lock:
                if self._closed or (self._supervisor is not None and not self._queued):
                    self._thread = None
                    return
            if self._supervisor is not None:
                self._subscribe(self._supervisor)
                continue
            try:
                self._start()
            except Exception as error:  # of any kind is logged: no caller waits for this thread
                with self._lock:
                    # `connect` may be called again
                    self._thread, self._supervisor, self._settings = None, None, None
                    closed = self._closed
                if not closed:
                    self._on_text(f"not connected: {type(error).__name__}: {error}", _ERROR)
                return

    def _start(self) -> None:
        settings = self._settings
        assert settings is not None
        if settings.config_file:
            config = read_config(settings.config_file)
        else:
            info = read_catalog().get(settings.exchange)
            known = info.channels if info is not None else []
            config = read_config(settings.document(self._connection, known))
        place = settings.run_dir or f"{run_dir.default_path(os.environ, os.geteuid())}-{self._connection}"
        supervisor = Supervisor(config, run_dir=place, on_phase=self._on_phase)
        engine = supervisor.event_engine
        engine.register(EVENT_TICK, self._tick)
        engine.register(EVENT_LOG, self._log)
        for event_type in settings.forward:
            engine.register(event_type, self._forward)
        with self._lock:
            if self._closed:
                return
            self._supervisor = supervisor
            self._known.update(symbol for connection in config.connections for symbol in connection.symbols)
        supervisor.start()
        self._on_text(f"connected; its state: foxtrot-supervisor status --run-dir {supervisor.run_dir}", _INFO)

    def _subscribe(self, supervisor: Supervisor) -> None:
        with self._lock:
            count = min(SYMBOLS_PER_REQUEST, len(self._queued))
            symbols = [self._queued.popleft() for _ in range(count)]
        if not symbols:
            return
        connection = supervisor.config.connections[0].name
        try:
            supervisor.subscribe(connection, symbols)
        except RequestFailed as failure:
            with self._lock:
                self._known.difference_update(symbols)
                if self._closed:
                    return
            self._on_text(f"not subscribed: {', '.join(symbols)}: {failure}", _ERROR)
        else:
            self._on_text(f"subscribed: {', '.join(symbols)}", _INFO)

    # ---- on the dispatch thread of the supervised part

    def _tick(self, event: Event) -> None:
        self._on_tick(event.data)

    def _forward(self, event: Event) -> None:
        self._on_event(event.type, event.data)

    def _log(self, event: Event) -> None:
        self._on_text(event.data.msg, event.data.level)

    def _on_phase(self, phase: str, cause: str) -> None:
        self._on_text(f"supervised part: {phase}{f', {cause}' if cause else ''}", _INFO if phase == "up" else _WARNING)
