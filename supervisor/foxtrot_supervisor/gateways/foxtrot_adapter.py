"""`SupervisedAdapter` for Foxtrot: market data from supervised processes.

Of the event engine it needs only ``register`` and ``put``. `SupervisedAdapter` has a small base class of its own, and
puts events with our `TickData`. `adapter_over` derives an adapter from the application's own `BaseAdapter` and data
types, so that ``isinstance`` checks and enumerations work.
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
    """One instrument, as far as its prices show."""

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
    """Base class for applications without one: puts events into any object with ``put``."""

    event_class: Any = Event
    """Makes an event from type and data; to be replaced for an engine that accepts only its own class."""

    def __init__(self, event_engine: Any, adapter_name: str) -> None:
        self.event_engine = event_engine
        self.adapter_name = adapter_name

    def on_event(self, type: str, data: Any = None) -> None:  # noqa: A002 - vn.py's name
        """Put an event."""
        self.event_engine.put(self.event_class(type, data))

    def on_tick(self, tick: Any) -> None:
        """Put a tick under both of its event types."""
        self.on_event(EVENT_TICK, tick)
        self.on_event(EVENT_TICK + tick.vt_symbol, tick)

    def on_contract(self, contract: Any) -> None:
        """Put an instrument under both of its event types."""
        self.on_event(EVENT_CONTRACT, contract)
        self.on_event(EVENT_CONTRACT + contract.vt_symbol, contract)

    def on_log(self, log: Any) -> None:
        """Put a log line."""
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
    """Return an adapter class for the application's own base class and data types; parameters as in `base.Platform`."""
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
