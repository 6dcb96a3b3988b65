"""A tick in vn.py's shape: the state of one instrument at one moment, in one object.

Made in the engine's process out of trades, quotes, books and tickers; it never travels. Names and meaning
are vn.py's, so that a strategy written for it reads what it always read. Prices and sizes are floats
whatever the engine's `numbers`, 0 where nothing is known, as vn.py has it.
"""

from __future__ import annotations

from datetime import datetime as Datetime  # noqa: N812 - a field has the type's name

from msgspec import Struct

__all__ = ["LEVELS", "TickData"]

LEVELS = 5
"""Levels of a tick on each side."""


class TickData(Struct, array_like=True, tag="tick", frozen=True, gc=False):
    """The state of one instrument. Frozen: it can be kept and shared.

    `datetime` is the exchange's time (the time of receipt where it gives none), `localtime` that of receipt; both
    know their time zone, which is UTC. `volume`, `turnover`, `open_price`, `high_price`, `low_price`: the day's
    (docs/events.md says whose day). Level 1 is the best; a level that is not known has price and volume 0.
    """

    gateway_name: str
    symbol: str
    exchange: str
    datetime: Datetime
    name: str = ""
    volume: float = 0.0
    turnover: float = 0.0
    open_interest: float = 0.0
    last_price: float = 0.0
    last_volume: float = 0.0
    limit_up: float = 0.0
    limit_down: float = 0.0
    open_price: float = 0.0
    high_price: float = 0.0
    low_price: float = 0.0
    pre_close: float = 0.0
    bid_price_1: float = 0.0
    bid_price_2: float = 0.0
    bid_price_3: float = 0.0
    bid_price_4: float = 0.0
    bid_price_5: float = 0.0
    ask_price_1: float = 0.0
    ask_price_2: float = 0.0
    ask_price_3: float = 0.0
    ask_price_4: float = 0.0
    ask_price_5: float = 0.0
    bid_volume_1: float = 0.0
    bid_volume_2: float = 0.0
    bid_volume_3: float = 0.0
    bid_volume_4: float = 0.0
    bid_volume_5: float = 0.0
    ask_volume_1: float = 0.0
    ask_volume_2: float = 0.0
    ask_volume_3: float = 0.0
    ask_volume_4: float = 0.0
    ask_volume_5: float = 0.0
    localtime: Datetime | None = None

    @property
    def vt_symbol(self) -> str:
        """``SYMBOL.EXCHANGE``, as subscriptions and event types name it."""
        return f"{self.symbol}.{self.exchange}"
