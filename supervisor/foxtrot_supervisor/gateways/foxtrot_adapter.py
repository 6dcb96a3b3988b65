"""`SupervisedAdapter` for Foxtrot: its market data from supervised processes.

Foxtrot's event engine needs no more than ``register`` and ``put``. Used as it is, the adapter brings its own small
base and puts events with our `TickData`; `adapter_over` makes it over the application's own `BaseAdapter` and data
types, so that ``isinstance`` and enumerations are the application's.
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from foxtrot_protocol.events import EVENT_LOG, EVENT_TICK
from foxtrot_protocol.tick_data import TickData
from foxtrot_supervisor.embedding.application_log import LogData
from foxtrot_supervisor.engine.bus.event_engine import Event
from foxtrot_supervisor.gateways.base import Platform, gateway_over

__all__ = ["EVENT_CONTRACT", "AdapterLogData", "BareAdapter", "ContractData", "SupervisedAdapter", "adapter_over"]

EVENT_CONTRACT = "eContract."


class ContractData(Struct, frozen=True, kw_only=True):
    """One instrument, as far as its prices tell."""

    adapter_name: str
    symbol: str
    exchange: str
    name: str
    product: str
    size: float
    pricetick: float

    @property
    def vt_symbol(self) -> str:
        """``SYMBOL.EXCHANGE``."""
        return f"{self.symbol}.{self.exchange}"


class AdapterLogData(LogData, kw_only=True):
    """A log line with Foxtrot's name of the adapter beside vn.py's."""

    adapter_name: str = ""


class BareAdapter:
    """What an adapter inherits where the application brings no base: events into anything with ``put``."""

    event_class: Any = Event
    """How an event is made of type and data; the engine's own class, where it insists on one."""

    def __init__(self, event_engine: Any, adapter_name: str) -> None:
        self.event_engine = event_engine
        self.adapter_name = adapter_name

    def on_event(self, type: str, data: Any = None) -> None:  # noqa: A002 - the tradition's name
        """Put an event."""
        self.event_engine.put(self.event_class(type, data))

    def on_tick(self, tick: Any) -> None:
        """Put a tick under both its names."""
        self.on_event(EVENT_TICK, tick)
        self.on_event(EVENT_TICK + tick.vt_symbol, tick)

    def on_contract(self, contract: Any) -> None:
        """Put an instrument under both its names."""
        self.on_event(EVENT_CONTRACT, contract)
        self.on_event(EVENT_CONTRACT + contract.vt_symbol, contract)

    def on_log(self, log: Any) -> None:
        """Put a line of log."""
        self.on_event(EVENT_LOG, log)


def adapter_over(
    base: type,
    *,
    tick: Any,
    contract: Any,
    log: Any,
    exchange: Any,
    exchanges: list[Any],
    product: Any = lambda exchange, symbol: "spot",
    name_field: str = "adapter_name",
    default_name: str = "SUPERVISED",
) -> Any:
    """The adapter over the application's own base class and data types; parameters as of `gateway_base.Platform`."""
    return gateway_over(
        base,
        Platform(
            default_name=default_name,
            name_field=name_field,
            tick=tick,
            contract=contract,
            log=log,
            exchange=exchange,
            exchanges=exchanges,
            product=product,
        ),
    )


def _tick(*, adapter_name: str, exchange: str, **fields: Any) -> TickData:
    return TickData(gateway_name=adapter_name, exchange=exchange, **fields)


def _log(*, adapter_name: str, msg: str, level: int) -> AdapterLogData:
    return AdapterLogData(gateway_name=adapter_name, adapter_name=adapter_name, msg=msg, level=level)


SupervisedAdapter: Any = adapter_over(
    BareAdapter,
    tick=_tick,
    contract=ContractData,
    log=_log,
    exchange=lambda name, ours: name or ours,
    exchanges=["BINANCE", "BINANCE_US", "OKX", "SIM"],
)
