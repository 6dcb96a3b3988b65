"""What stands behind a gateway or adapter: a `Supervisor` in this application, driven without making anybody wait.

A trading platform calls ``connect`` and ``subscribe`` from its main thread or from a handler and expects both to
return at once. What takes time runs on a thread that lives only as long as there is something to do; so nothing of
the gateway is left when all is quiet, and only the supervised part itself has to be closed.
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

__all__ = ["ORDERS_MAX", "GatewayFeed"]

ORDERS_MAX = 10_000
"""Subscriptions that wait to be made; more are refused, and said to be."""

TOGETHER_MAX = 200
"""Symbols subscribed in one request."""

_INFO, _WARNING, _ERROR = 20, 30, 40
"""Levels as in `logging`."""

JOIN_S = 5.0
"""How long the thread of a closed feed may take to notice, beyond what the supervised part takes."""


class GatewayFeed:
    """Market data for one gateway, named `name`.

    `on_tick` gets each tick, `on_event` the type and data of each event of `GatewaySettings.forward`, `on_text` what
    there is to say, with its level as in `logging`. All are called on threads of the feed.
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
        self._orders: deque[str] = deque()
        self._known: set[str] = set()
        self._settings: GatewaySettings | None = None
        self._supervisor: Supervisor | None = None
        self._thread: threading.Thread | None = None
        self._closed = False

    @property
    def supervisor(self) -> Supervisor | None:
        """The supervised part, once it was started."""
        return self._supervisor

    def connect(self, settings: GatewaySettings) -> bool:
        """Begin to start the supervised part; False if that was done before, and has not failed."""
        with self._lock:
            if self._settings is not None or self._closed:
                return False
            self._settings = settings
            self._wake()
        return True

    def subscribe(self, symbol: str) -> bool:
        """Order the ticks of `symbol`; also before `connect`. False if there is no room for more orders."""
        with self._lock:
            if symbol in self._known:
                return True
            if self._closed or len(self._orders) >= ORDERS_MAX:
                return False
            self._known.add(symbol)
            self._orders.append(symbol)
            if self._settings is not None:
                self._wake()
        return True

    def close(self, timeout_s: float) -> bool:
        """End everything that was started; True if nothing is left of it. Twice is allowed."""
        with self._lock:
            self._closed = True
            self._orders.clear()
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

    # ---- on the thread that does what takes time

    def _wake(self) -> None:
        if self._thread is None:
            # not a daemon: it ends by itself as soon as there is nothing to do
            self._thread = threading.Thread(target=self._work, name=f"{self._connection}-orders", daemon=False)
            self._thread.start()

    def _work(self) -> None:
        while True:
            with self._lock:
                if self._closed or (self._supervisor is not None and not self._orders):
                    self._thread = None
                    return
            if self._supervisor is not None:
                self._subscribe(self._supervisor)
                continue
            try:
                self._start()
            except Exception as error:  # whatever it is has to be said: nobody waits for this thread
                with self._lock:
                    # it can be tried again
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
            count = min(TOGETHER_MAX, len(self._orders))
            symbols = [self._orders.popleft() for _ in range(count)]
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
