"""Upbit's wire messages, and their decoders. Fields that nothing reads are left out: decoders skip them.

Each message comes in two formats, with long names of fields (DEFAULT, which is requested) or short ones (SIMPLE, which
recordings may have); they are told apart by their first bytes. Numbers are bare: they are kept as text
(`adapter.number_text`).
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct, field

from foxtrot_workers.adapter.number_text import Number, number_decoder
from foxtrot_workers.exchanges.upbit.constants import MS

__all__ = [
    "LONG",
    "SHORT",
    "Bar",
    "Decoders",
    "ErrorBody",
    "LivenessBook",
    "LivenessTrade",
    "MarketRow",
    "Orderbook",
    "OtherMessage",
    "SubscriptionRow",
    "Ticker",
    "Trade",
    "Unit",
    "decode_liveness_book",
    "decode_liveness_trades",
    "decode_markets",
    "decode_other",
]

Millis = Annotated[int, Meta(ge=0, le=(2**63 - 1) // MS)]
Id = Annotated[int, Meta(ge=0, le=2**63 - 1)]


class Trade(Struct, gc=False):
    """A trade. ``ask_bid`` is the taker's side: ``ASK`` sold. The id is unique, and promises no order."""

    price: Number = field(name="trade_price")
    size: Number = field(name="trade_volume")
    side: Literal["ASK", "BID"] = field(name="ask_bid")
    time: Millis = field(name="trade_timestamp")
    trade_id: Id = field(name="sequential_id")


class ShortTrade(Trade, gc=False):
    """The same in the format SIMPLE."""

    price: Number = field(name="tp")
    size: Number = field(name="tv")
    side: Literal["ASK", "BID"] = field(name="ab")
    time: Millis = field(name="ttms")
    trade_id: Id = field(name="sid")


class Unit(Struct, gc=False):
    """A row of an order book: an ask and a bid. A price of 0 means that there is none."""

    ask: Number = field(name="ask_price")
    bid: Number = field(name="bid_price")
    ask_size: Number = field(name="ask_size")
    bid_size: Number = field(name="bid_size")


class ShortUnit(Unit, gc=False):
    """The same in the format SIMPLE."""

    ask: Number = field(name="ap")
    bid: Number = field(name="bp")
    ask_size: Number = field(name="as")
    bid_size: Number = field(name="bs")


class Orderbook(Struct, gc=False):
    """A full picture of an order book, the best unit first."""

    time: Millis = field(name="timestamp")
    units: list[Unit] = field(name="orderbook_units")


class ShortOrderbook(Orderbook, gc=False):
    """The same in the format SIMPLE."""

    time: Millis = field(name="tms")
    units: list[ShortUnit] = field(name="obu")  # type: ignore[assignment]


class Ticker(Struct, gc=False):
    """Figures of the day, and volumes of 24 hours."""

    last: Number = field(name="trade_price")
    time: Millis = field(name="timestamp")
    open: Number = field(name="opening_price", default=None)
    high: Number = field(name="high_price", default=None)
    low: Number = field(name="low_price", default=None)
    volume: Number = field(name="acc_trade_volume_24h", default=None)
    turnover: Number = field(name="acc_trade_price_24h", default=None)


class ShortTicker(Ticker, gc=False):
    """The same in the format SIMPLE."""

    last: Number = field(name="tp")
    time: Millis = field(name="tms")
    open: Number = field(name="op", default=None)
    high: Number = field(name="hp", default=None)
    low: Number = field(name="lp", default=None)
    volume: Number = field(name="atv24h", default=None)
    turnover: Number = field(name="atp24h", default=None)


class Bar(Struct, gc=False):
    """A bar; its start has no time zone, and is UTC."""

    start: datetime = field(name="candle_date_time_utc")
    open: Number = field(name="opening_price")
    high: Number = field(name="high_price")
    low: Number = field(name="low_price")
    close: Number = field(name="trade_price")
    volume: Number = field(name="candle_acc_trade_volume")
    time: Millis = field(name="timestamp", default=0)


class ShortBar(Bar, gc=False):
    """The same in the format SIMPLE."""

    start: datetime = field(name="cdttmu")
    open: Number = field(name="op")
    high: Number = field(name="hp")
    low: Number = field(name="lp")
    close: Number = field(name="tp")
    volume: Number = field(name="catv")
    time: Millis = field(name="tms", default=0)


class ErrorBody(Struct):
    """The content of an error."""

    name: str = ""
    message: str = ""


class SubscriptionRow(Struct):
    """A row of the answer to ``LIST_SUBSCRIPTIONS``."""

    type: str = ""
    codes: list[str] = []


class OtherMessage(Struct):
    """A message outside the fast path: every field that can identify it."""

    type: str = ""
    code: str = ""
    short_type: str = field(name="ty", default="")
    short_code: str = field(name="cd", default="")
    status: str = ""
    method: str = ""
    ticket: str = ""
    result: list[SubscriptionRow] = []
    error: ErrorBody | None = None


class MarketRow(Struct):
    """A row of REST ``market/all``."""

    market: str


class LivenessTrade(Struct):
    """What changes with new data in a row of REST ``trades/ticks``."""

    sequential_id: int


class LivenessBook(Struct):
    """What changes with new data in a row of REST ``orderbook``."""

    orderbook_units: list[dict[str, Any]]


class Decoders:
    """The decoders of one format."""

    def __init__(self, trade: Any, orderbook: Any, ticker: Any, bar: Any) -> None:
        self.trade = number_decoder(trade)
        self.orderbook = number_decoder(orderbook)
        self.ticker = number_decoder(ticker)
        self.bar = number_decoder(bar)


LONG = Decoders(Trade, Orderbook, Ticker, Bar)
SHORT = Decoders(ShortTrade, ShortOrderbook, ShortTicker, ShortBar)
decode_other = msgspec.json.Decoder(OtherMessage).decode
decode_markets = msgspec.json.Decoder(list[MarketRow]).decode
decode_liveness_trades = msgspec.json.Decoder(list[LivenessTrade]).decode
decode_liveness_book = number_decoder(list[LivenessBook])
