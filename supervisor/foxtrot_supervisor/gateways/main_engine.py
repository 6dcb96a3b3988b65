"""MainEngine for adapters, engines and apps written for that of vn.py or Foxtrot.

It differs where those designs leak or hang. Handlers that an adapter, engine or app registers are owned by it and end
with it. `close` closes adapters first, then engines, then the EventEngine, in parallel within a step, each step with a
deadline, and reports what did not close. The working directory is not changed.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import Any

from foxtrot_protocol.events import EVENT_LOG
from foxtrot_supervisor.embedding.application_log import LOGGER_NAME, LogData
from foxtrot_supervisor.embedding.bounded_call import calls_within
from foxtrot_supervisor.engine.bus.event_engine import Event, EventEngine
from foxtrot_supervisor.engine.bus.owner import Owner, unshared_owner
from foxtrot_supervisor.gateways.close_report import CloseReport, describe_close
from foxtrot_supervisor.gateways.latest_records import KINDS, LatestRecords

__all__ = ["CLOSE_S", "AlreadyThere", "MainEngine"]

CLOSE_S = 30.0
"""Default time limit of each step of `close`."""


class AlreadyThere(Exception):
    """An adapter, engine or app of this name exists already."""


class MainEngine:
    """Adapters, engines and apps around one EventEngine, which it starts. A context manager, or call `close`.

    An adapter is made with ``adapter_class(event_engine, adapter_name)``, an engine with ``engine_class(main_engine,
    event_engine)``; both may have ``close()``, an engine has ``engine_name``, an app class ``app_name`` and
    ``engine_class``. vn.py's gateways are such adapters. What their constructors, ``connect`` and ``subscribe``
    register with the EventEngine goes when they close.

    `adapter_close_s`, `engine_close_s`, `stop_s`: time limits in seconds for closing all adapters, all engines and the
    EventEngine. Methods may be called from any thread.
    """

    def __init__(
        self,
        event_engine: EventEngine | None = None,
        *,
        adapter_close_s: float = CLOSE_S,
        engine_close_s: float = CLOSE_S,
        stop_s: float = CLOSE_S,
    ) -> None:
        self.event_engine = event_engine or EventEngine()
        self._adapter_close_s = adapter_close_s
        self._engine_close_s = engine_close_s
        self._stop_s = stop_s
        self._lock = threading.RLock()
        self._closing = threading.Lock()
        self.adapters: dict[str, Any] = {}
        self.engines: dict[str, Any] = {}
        self.apps: dict[str, Any] = {}
        self._owners: dict[str, Owner] = {}
        self._records = LatestRecords()
        self.report: CloseReport | None = None
        """Result of `close`; None before."""
        self._own = unshared_owner(self.event_engine, "main-engine")
        for kind in KINDS:
            self._own.register(kind, functools.partial(self._take, kind))
        self.event_engine.start()

    # ---- parts

    def add_adapter(self, adapter_class: Callable[..., Any], adapter_name: str = "") -> Any:
        """Make an adapter and keep it under `adapter_name`, or its ``default_name``; raises `AlreadyThere`."""
        name = adapter_name or str(getattr(adapter_class, "default_name", "") or _name_of(adapter_class))
        with self._lock:
            self._refuse(name, self.adapters, "adapter")
            with self._owning(f"adapter {name}"):
                adapter = adapter_class(self.event_engine, name)
            self.adapters[name] = adapter
        return adapter

    def add_engine(self, engine_class: Callable[..., Any]) -> Any:
        """Make an engine and keep it under its ``engine_name``; raises `AlreadyThere`."""
        with self._lock:
            owner = unshared_owner(self.event_engine, f"engine {_name_of(engine_class)}")
            try:
                with owner.registering():
                    engine = engine_class(self, self.event_engine)
                name = str(getattr(engine, "engine_name", "") or _name_of(engine_class))
                self._refuse(name, self.engines, "engine")
            except BaseException:
                owner.close()
                raise
            self._owners[f"engine {name}"] = owner
            self.engines[name] = engine
        return engine

    def add_app(self, app_class: Callable[[], Any]) -> Any:
        """Make an app and its engine, and return the engine; raises `AlreadyThere`."""
        with self._lock:
            app = app_class()
            name = str(getattr(app, "app_name", "") or _name_of(app_class))
            self._refuse(name, self.apps, "app")
            engine = self.add_engine(app.engine_class)
            self.apps[name] = app
        return engine

    def get_adapter(self, adapter_name: str) -> Any:
        """Return the adapter of that name; None, with a log line, without one."""
        adapter = self.adapters.get(adapter_name)
        if adapter is None:
            self.write_log(f"there is no adapter called {adapter_name!r}", level=logging.ERROR)
        return adapter

    def get_engine(self, engine_name: str) -> Any:
        """Return the engine of that name; None, with a log line, without one."""
        engine = self.engines.get(engine_name)
        if engine is None:
            self.write_log(f"there is no engine called {engine_name!r}", level=logging.ERROR)
        return engine

    def get_default_setting(self, adapter_name: str) -> dict[str, Any] | None:
        """Return the setting that the adapter's `connect` expects, with its defaults; None without such an adapter."""
        adapter = self.get_adapter(adapter_name)
        if adapter is None:
            return None
        ask = getattr(adapter, "get_default_setting", None)
        return dict(ask() if callable(ask) else getattr(adapter, "default_setting", {}))

    def get_all_adapter_names(self) -> list[str]:
        """Return the names of all adapters, in the order of their creation."""
        return list(self.adapters)

    def get_all_apps(self) -> list[Any]:
        """Return all apps, in the order of their creation."""
        return list(self.apps.values())

    def get_all_exchanges(self) -> list[Any]:
        """Return the exchanges of all adapters, each once."""
        found = (each for adapter in self.adapters.values() for each in getattr(adapter, "exchanges", ()))
        return list(dict.fromkeys(found))

    # ---- requests to adapters

    def connect(self, setting: dict[str, Any], adapter_name: str) -> None:
        """Call `connect` of an adapter; its exceptions are not caught."""
        self._call_adapter(adapter_name, "connect", setting)

    def subscribe(self, req: Any, adapter_name: str) -> None:
        """Call `subscribe` of an adapter."""
        self._call_adapter(adapter_name, "subscribe", req)

    def send_order(self, req: Any, adapter_name: str) -> str:
        """Call `send_order` of an adapter, and return the order id; "" without such an adapter."""
        return str(self._call_adapter(adapter_name, "send_order", req) or "")

    def cancel_order(self, req: Any, adapter_name: str) -> None:
        """Call `cancel_order` of an adapter."""
        self._call_adapter(adapter_name, "cancel_order", req)

    def query_history(self, req: Any, adapter_name: str) -> list[Any]:
        """Call `query_history` of an adapter, and return the bars."""
        return list(self._call_adapter(adapter_name, "query_history", req) or ())

    # ---- latest records

    def get_tick(self, vt_symbol: str) -> Any:
        """Return the latest tick of ``SYMBOL.EXCHANGE``; None without one."""
        return self._records.get("eTick.", vt_symbol)

    def get_all_ticks(self) -> list[Any]:
        """Return the latest tick of each symbol."""
        return self._records.all("eTick.")

    def get_contract(self, vt_symbol: str) -> Any:
        """Return the contract of ``SYMBOL.EXCHANGE``; None without one."""
        return self._records.get("eContract.", vt_symbol)

    def get_all_contracts(self) -> list[Any]:
        """Return all contracts."""
        return self._records.all("eContract.")

    def get_order(self, vt_orderid: str) -> Any:
        """Return the latest state of an order of the user; None without one."""
        return self._records.get("eOrder.", vt_orderid)

    def get_all_orders(self) -> list[Any]:
        """Return the latest state of each order."""
        return self._records.all("eOrder.")

    def get_trade(self, vt_tradeid: str) -> Any:
        """Return a fill of the user; None without one."""
        return self._records.get("eTrade.", vt_tradeid)

    def get_all_trades(self) -> list[Any]:
        """Return all fills."""
        return self._records.all("eTrade.")

    def get_position(self, vt_positionid: str) -> Any:
        """Return the latest state of a position; None without one."""
        return self._records.get("ePosition.", vt_positionid)

    def get_all_positions(self) -> list[Any]:
        """Return the latest state of each position."""
        return self._records.all("ePosition.")

    def get_account(self, vt_accountid: str) -> Any:
        """Return the latest state of an account; None without one."""
        return self._records.get("eAccount.", vt_accountid)

    def get_all_accounts(self) -> list[Any]:
        """Return the latest state of each account."""
        return self._records.all("eAccount.")

    def write_log(self, msg: str, source: str = "", *, level: int = logging.INFO) -> None:
        """Put an `eLog` event, and log a line to the logger "foxtrot"."""
        logging.getLogger(LOGGER_NAME).log(level, "%s", f"{source}: {msg}" if source else msg)
        self.event_engine.put(Event(EVENT_LOG, LogData(msg=msg, level=level, gateway_name=source)))

    # ---- the end

    def close(self) -> CloseReport:
        """Close adapters, then engines, then the EventEngine, and return the result; a second call returns it again.

        The parts of a step close in parallel, on threads of their own, within the step's time limit. One that does not
        return is left behind and reported, and so is one that raises. Exceptions are not passed on.
        """
        with self._closing:
            if self.report is None:
                self.report = self._close()
        return self.report

    def _close(self) -> CloseReport:
        begun = time.monotonic()
        with self._lock:
            adapters = {f"adapter {name}": adapter for name, adapter in self.adapters.items()}
            engines = {f"engine {name}": engine for name, engine in self.engines.items()}
        closed: list[str] = []
        stuck: dict[str, str] = {}
        failed: dict[str, str] = {}
        for parts, limit_s in ((adapters, self._adapter_close_s), (engines, self._engine_close_s)):
            for name, outcome in calls_within(_closes(parts), limit_s).items():
                owner = self._owners.pop(name, None)
                if owner is not None:
                    owner.close()
                if not outcome.finished:
                    stuck[name] = f"it has not returned within {limit_s:g} s"
                elif outcome.error is not None:
                    failed[name] = repr(outcome.error)
                else:
                    closed.append(name)
        self._own.close()
        for owner in self._owners.values():  # of parts without `close`
            owner.close()
        stopped = self.event_engine.stop(self._stop_s)
        report = CloseReport(
            closed=closed,
            stuck=stuck,
            failed=failed,
            event_engine="" if stopped.clean else str(stopped),
            took_s=time.monotonic() - begun,
        )
        for line in describe_close(report):
            logging.getLogger(LOGGER_NAME).error("%s", line)
        return report

    def __enter__(self) -> MainEngine:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # ---- private

    def _take(self, kind: str, event: Event) -> None:
        self._records.take(kind, event.data)

    def _call_adapter(self, adapter_name: str, method: str, argument: Any) -> Any:
        adapter = self.get_adapter(adapter_name)
        if adapter is None:
            return None
        with self._owning(f"adapter {adapter_name}"):
            return getattr(adapter, method)(argument)

    @contextlib.contextmanager
    def _owning(self, name: str) -> Iterator[None]:
        """Own what is registered within the block, on this thread, by `name`; unregister it if its creation fails."""
        owner = self._owners.get(name)
        new = owner is None
        if owner is None:
            owner = self._owners[name] = unshared_owner(self.event_engine, name)
        try:
            with owner.registering():
                yield
        except BaseException:
            if new:
                self._owners.pop(name).close()
            raise

    @staticmethod
    def _refuse(name: str, known: Iterable[str], kind: str) -> None:
        if name in known:
            raise AlreadyThere(f"there is an {kind} called {name!r} already: give this one another name")

    # ---- names of vn.py

    add_gateway = add_adapter
    get_gateway = get_adapter
    get_all_gateway_names = get_all_adapter_names

    @property
    def gateways(self) -> dict[str, Any]:
        """vn.py's name for `adapters`."""
        return self.adapters


def _name_of(made: Callable[..., Any]) -> str:
    return getattr(made, "__name__", type(made).__name__)


def _closes(parts: dict[str, Any]) -> dict[str, Callable[[], Any]]:
    return {name: getattr(part, "close", None) or _nothing for name, part in parts.items()}


def _nothing() -> None:
    return None
