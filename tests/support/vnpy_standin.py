"""A stand-in for vn.py, made from its published interface: what a gateway and a program around it rely on.

Only for tests where vn.py itself is not installed. It behaves as vn.py does where that matters to a gateway: an
event engine with a thread for events and one for the timer, an abstract gateway, data classes made by keyword, a main
engine that stops the event engine before it closes gateways.
"""

from __future__ import annotations

import enum
import queue
import threading
import time
from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar


class Event:
    """An event of a type, with data."""

    def __init__(self, type: str, data: Any = None) -> None:  # noqa: A002 - vn.py's name
        self.type = type
        self.data = data


class EventEngine:
    """Unbounded queue, two threads; a failing handler ends the dispatch thread."""

    def __init__(self, interval: int = 1) -> None:
        self._interval = interval
        self._queue: queue.Queue[Event] = queue.Queue()
        self._active = False
        self._threads = [threading.Thread(target=self._run), threading.Thread(target=self._tick)]
        self._handlers: defaultdict[str, list[Callable[[Event], None]]] = defaultdict(list)

    def start(self) -> None:
        self._active = True
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._active = False
        for thread in self._threads:
            thread.join()

    def put(self, event: Event) -> None:
        self._queue.put(event)

    def register(self, type: str, handler: Callable[[Event], None]) -> None:  # noqa: A002 - vn.py's name
        if handler not in self._handlers[type]:
            self._handlers[type].append(handler)

    def unregister(self, type: str, handler: Callable[[Event], None]) -> None:  # noqa: A002 - vn.py's name
        if handler in self._handlers[type]:
            self._handlers[type].remove(handler)

    def _run(self) -> None:
        while self._active:
            try:
                event = self._queue.get(timeout=0.2)
            except queue.Empty:
                continue
            for handler in list(self._handlers[event.type]):
                handler(event)

    def _tick(self) -> None:
        while self._active:
            time.sleep(self._interval)
            self.put(Event("eTimer"))


class Exchange(enum.Enum):
    """Two members of many."""

    GLOBAL = "GLOBAL"
    LOCAL = "LOCAL"


class Product(enum.Enum):
    """Two members of many."""

    SPOT = "spot"
    SWAP = "swap"


@dataclass
class SubscribeRequest:
    """A request for the ticks of one symbol."""

    symbol: str
    exchange: Exchange


@dataclass
class LogData:
    """A log line."""

    gateway_name: str
    msg: str
    level: int = 20


@dataclass
class ContractData:
    """An instrument."""

    gateway_name: str
    symbol: str
    exchange: Exchange
    name: str
    product: Product
    size: float
    pricetick: float
    vt_symbol: str = field(init=False, default="")

    def __post_init__(self) -> None:
        self.vt_symbol = f"{self.symbol}.{self.exchange.value}"


def _tick_class() -> type:
    levels = [f"{side}_{what}_{n}" for side in ("bid", "ask") for what in ("price", "volume") for n in range(1, 6)]
    figures = [
        "volume",
        "turnover",
        "open_interest",
        "last_price",
        "last_volume",
        "limit_up",
        "limit_down",
        "open_price",
        "high_price",
        "low_price",
        "pre_close",
    ]
    fields: dict[str, Any] = {
        "gateway_name": str,
        "symbol": str,
        "exchange": Exchange,
        "datetime": datetime,
        "name": str,
        **dict.fromkeys([*figures, *levels], float),
        "localtime": datetime,
    }
    names: dict[str, Any] = dict.fromkeys([*figures, *levels], 0) | {"name": "", "localtime": None}

    def post_init(self: Any) -> None:
        self.vt_symbol = f"{self.symbol}.{self.exchange.value}"

    return dataclass(type("TickData", (), {"__annotations__": fields, **names, "__post_init__": post_init}))


TickData: Any = _tick_class()


class BaseGateway(ABC):
    """As vn.py's: puts events, and leaves the abstract methods to subclasses."""

    default_name = ""
    default_setting: ClassVar[dict[str, Any]] = {}
    exchanges: ClassVar[list[Exchange]] = []

    def __init__(self, event_engine: EventEngine, gateway_name: str) -> None:
        self.event_engine = event_engine
        self.gateway_name = gateway_name

    def on_event(self, type: str, data: Any = None) -> None:  # noqa: A002 - vn.py's name
        self.event_engine.put(Event(type, data))

    def on_tick(self, tick: Any) -> None:
        self.on_event("eTick.", tick)
        self.on_event("eTick." + tick.vt_symbol, tick)

    def on_contract(self, contract: ContractData) -> None:
        self.on_event("eContract.", contract)

    def on_log(self, log: LogData) -> None:
        self.on_event("eLog", log)

    @abstractmethod
    def connect(self, setting: dict[str, Any]) -> None: ...
    @abstractmethod
    def close(self) -> None: ...
    @abstractmethod
    def subscribe(self, req: SubscribeRequest) -> None: ...
    @abstractmethod
    def send_order(self, req: Any) -> str: ...
    @abstractmethod
    def cancel_order(self, req: Any) -> None: ...
    @abstractmethod
    def query_account(self) -> None: ...
    @abstractmethod
    def query_position(self) -> None: ...


class MainEngine:
    """Gateways by name, the latest ticks and contracts."""

    def __init__(self, event_engine: EventEngine) -> None:
        self.event_engine = event_engine
        self.gateways: dict[str, BaseGateway] = {}
        self._ticks: dict[str, Any] = {}
        self._contracts: dict[str, ContractData] = {}
        event_engine.register("eTick.", lambda event: self._ticks.__setitem__(event.data.vt_symbol, event.data))
        event_engine.register("eContract.", lambda event: self._contracts.__setitem__(event.data.vt_symbol, event.data))
        event_engine.start()

    def add_gateway(self, gateway_class: Any, gateway_name: str = "") -> BaseGateway:
        name = gateway_name or gateway_class.default_name
        gateway: BaseGateway = gateway_class(self.event_engine, name)
        self.gateways[name] = gateway
        return gateway

    def connect(self, setting: dict[str, Any], gateway_name: str) -> None:
        self.gateways[gateway_name].connect(setting)

    def subscribe(self, req: SubscribeRequest, gateway_name: str) -> None:
        self.gateways[gateway_name].subscribe(req)

    def get_tick(self, vt_symbol: str) -> Any:
        return self._ticks.get(vt_symbol)

    def get_contract(self, vt_symbol: str) -> ContractData | None:
        return self._contracts.get(vt_symbol)

    def close(self) -> None:
        self.event_engine.stop()
        for gateway in self.gateways.values():
            gateway.close()


def supervised_gateway() -> Any:
    """Return our gateway for this stand-in, as `foxtrot_supervisor.gateways.vnpy_gateway` makes it for vn.py."""
    from foxtrot_supervisor.gateways.base import Platform, gateway_over

    def exchange(name: str, _: str) -> Exchange:
        try:
            return Exchange[name or "GLOBAL"]
        except KeyError:
            raise ValueError(f"no exchange {name}") from None

    return gateway_over(
        BaseGateway,
        Platform(
            default_name="FOXTROT",
            name_field="gateway_name",
            tick=TickData,
            contract=ContractData,
            log=LogData,
            exchange=exchange,
            exchanges=[Exchange.GLOBAL],
            product=lambda exchange, symbol: Product.SPOT,
        ),
    )
