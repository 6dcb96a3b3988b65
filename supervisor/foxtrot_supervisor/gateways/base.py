"""Gateway class for any platform with the interface of vn.py, derived from that platform's base class.

`gateway_over(base, platform)` returns a class that the platform accepts as one of its own gateways. `base` is the
platform's class (`BaseGateway` of vn.py, `BaseAdapter` of Foxtrot) or any class with ``on_event``, ``on_tick``,
``on_contract`` and ``on_log``, whose behaviour is kept.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from typing import Any, ClassVar

from msgspec import Struct

from foxtrot_protocol.tick_data import TickData
from foxtrot_supervisor.gateways.feed import GatewayFeed
from foxtrot_supervisor.gateways.settings import DEFAULT_SETTING, SettingInvalid, parse

__all__ = ["CONTRACTS_MAX", "DECIMALS_MAX", "QUEUED_MAX", "GatewayMixin", "Platform", "gateway_over", "price_tick"]

QUEUED_MAX = 100_000
"""Events waiting in the platform's queue from which on ticks are dropped, since that queue has no limit."""

CONTRACTS_MAX = 100_000
"""Limit of instruments whose contract is sent."""

DECIMALS_MAX = 12
"""Decimals that a price may have."""

_TICK_FIELDS = tuple(name for name in TickData.__struct_fields__ if name not in ("gateway_name", "exchange"))


class Platform(Struct, frozen=True, kw_only=True):
    """Names and types of a platform.

    `tick`, `contract`, `log`: called with keyword arguments, the fields of vn.py's types. `name_field`: the field with
    the gateway's name. `exchange`: returns the platform's exchange for the setting ``vt_exchange`` ("": default) and
    our exchange's name; raises ValueError for an unknown one. `product`: returns the kind of instrument of our
    exchange's name and a symbol.
    """

    default_name: str
    name_field: str
    tick: Callable[..., Any]
    contract: Callable[..., Any]
    log: Callable[..., Any]
    exchange: Callable[[str, str], Any]
    exchanges: list[Any]
    product: Callable[[str, str], Any]


class GatewayMixin:
    """The part that `gateway_over` combines with the platform's base class."""

    platform: ClassVar[Platform]

    def __init__(self, event_engine: Any, name: str) -> None:
        super().__init__(event_engine, name)  # type: ignore[call-arg]  # the platform's base takes them
        self._name = name
        self._vt_exchange = ""
        self._exchanges: dict[str, Any] = {}
        self._price_ticks: dict[str, float] = {}
        self._feed = GatewayFeed(name, self._take_tick, self._take_event, self._say)
        self._feed_lock = threading.Lock()
        self._close_s = float(DEFAULT_SETTING["close_s"])
        self.left_out_total = 0
        """Number of ticks and events dropped because the platform's queue was full."""
        self._full = False
        # the queues of vn.py's and Foxtrot's engines have no limit
        queue = getattr(event_engine, "_queue", None)
        self._queued: Callable[[], int] = getattr(queue, "qsize", lambda: 0)

    # ---- called by the platform

    def connect(self, setting: dict[str, Any]) -> None:
        """Start the supervised part in the background; errors are logged."""
        try:
            settings = parse(setting)
            self.platform.exchange(settings.vt_exchange, settings.exchange.upper())
        except (SettingInvalid, ValueError) as error:
            for line in str(error).splitlines():
                self._say(f"not connected: {line}", 40)
            return
        with self._feed_lock:
            self._vt_exchange, self._close_s = settings.vt_exchange, settings.close_s
        if not self._feed.connect(settings):
            self._say("connected already", 30)

    def subscribe(self, req: Any) -> None:
        """Subscribe the ticks of ``req.symbol``, in the exchange's own notation, in the background."""
        if not self._feed.subscribe(req.symbol):
            self._say(f"not subscribed: {req.symbol}: closed, or too many at once", 40)

    def close(self) -> None:
        """End every process and thread of this gateway within the setting's ``close_s``. A second call is allowed."""
        self._feed.close(self._close_s)

    def send_order(self, req: Any) -> str:
        """Log that this gateway sends no orders, and return "", which is not a valid order id."""
        self._say(f"no order sent: this gateway has market data only ({req})", 40)
        return ""

    def cancel_order(self, req: Any) -> None:
        """Do nothing: this gateway sends no orders."""

    def query_account(self) -> None:
        """Do nothing: this gateway has no accounts."""

    def query_position(self) -> None:
        """Do nothing: this gateway has no positions."""

    @property
    def supervisor(self) -> Any:
        """The `foxtrot_supervisor.Supervisor` of this gateway; None before it was started."""
        return self._feed.supervisor

    # ---- called by the feed, on its threads

    def _has_room(self) -> bool:
        if self._queued() < QUEUED_MAX:
            self._full = False
            return True
        self.left_out_total += 1
        if not self._full:
            self._full = True
            self._say(f"{QUEUED_MAX} events wait for handlers that do not keep up: ticks are left out", 40)
        return False

    def _take_tick(self, tick: TickData) -> None:
        if not self._has_room():
            return
        exchange = self._exchanges.get(tick.exchange)
        if exchange is None:
            exchange = self._exchanges[tick.exchange] = self.platform.exchange(self._vt_exchange, tick.exchange)
        fields = {name: getattr(tick, name) for name in _TICK_FIELDS}
        fields[self.platform.name_field] = self._name
        if tick.last_price or tick.bid_price_1:
            self._send_contract(tick, exchange)
        self.on_tick(self.platform.tick(exchange=exchange, **fields))  # type: ignore[attr-defined]  # the base's

    def _send_contract(self, tick: TickData, exchange: Any) -> None:
        """Send the contract of a new instrument, and again when its prices have more decimals than before."""
        known = self._price_ticks.get(tick.symbol)
        found = price_tick((tick.last_price, tick.bid_price_1, tick.ask_price_1, tick.bid_price_2, tick.ask_price_2))
        if (known is not None and found >= known) or len(self._price_ticks) >= CONTRACTS_MAX:
            return
        self._price_ticks[tick.symbol] = found
        contract = self.platform.contract(
            symbol=tick.symbol,
            exchange=exchange,
            name=tick.symbol,
            product=self.platform.product(tick.exchange, tick.symbol),
            size=1,
            pricetick=found,
            **{self.platform.name_field: self._name},
        )
        self.on_contract(contract)  # type: ignore[attr-defined]  # the base's

    def _take_event(self, type: str, data: Any) -> None:  # noqa: A002 - vn.py's name
        if not self._has_room():
            return
        self.on_event(type, data)  # type: ignore[attr-defined]  # the base's
        symbol = getattr(data, "symbol", "")
        if symbol and type.endswith("."):
            self.on_event(f"{type}{symbol}.{data.exchange}", data)  # type: ignore[attr-defined]  # the base's

    def _say(self, text: str, level: int) -> None:
        log = self.platform.log(msg=text, level=level, **{self.platform.name_field: self._name})
        self.on_log(log)  # type: ignore[attr-defined]  # the base's


def gateway_over(base: type, platform: Platform) -> Any:
    """Return a gateway class for a platform, derived from its own base class."""
    return type(
        "SupervisedGateway",
        (GatewayMixin, base),
        {
            "__doc__": "Market data from supervised processes, as a gateway of this platform.",
            "__module__": base.__module__,
            "platform": platform,
            "default_name": platform.default_name,
            "default_setting": dict(DEFAULT_SETTING),
            "exchanges": list(platform.exchanges),
        },
    )


def price_tick(prices: tuple[float, ...]) -> float:
    """Return the smallest price step that these prices show; the exchange's own rule is not known here."""
    return 10.0 ** -max((_decimals(price) for price in prices if price), default=0)


def _decimals(price: float) -> int:
    for digits in range(DECIMALS_MAX + 1):
        if math.isclose(price, round(price, digits), rel_tol=1e-14, abs_tol=0.0):
            return digits
    return DECIMALS_MAX
