"""Coinbase Exchange's wire messages (WebSocket, REST), and their decoders. Fields that nothing reads are left out."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct, field

from foxtrot_workers.adapter.iso_time import IsoTime

__all__ = [
    "BestLevels",
    "BookChange",
    "BookStart",
    "Level",
    "OtherMessage",
    "PastTradeRow",
    "ProductRow",
    "SubscribedChannel",
    "TickerMessage",
    "TradeMessage",
    "decode_best_levels",
    "decode_change",
    "decode_other",
    "decode_past_trades",
    "decode_products",
    "decode_start",
    "decode_ticker",
    "decode_trade",
]

TradeId = Annotated[int, Meta(ge=0)]


class TradeMessage(Struct, gc=False):
    """``match`` or ``last_match``; the side is the maker's."""

    product: str = field(name="product_id")
    trade_id: TradeId
    side: Literal["buy", "sell"]
    price: str
    size: str
    time: IsoTime


class Level(Struct, array_like=True, gc=False):
    """A level of a snapshot."""

    price: str
    size: str


class BookStart(Struct, gc=False):
    """``snapshot``: the whole book. Recordings have no time in it."""

    product: str = field(name="product_id")
    bids: list[Level]
    asks: list[Level]
    time: IsoTime | None = None


class Change(Struct, array_like=True, gc=False):
    """A changed level: size 0 removes it."""

    side: Literal["buy", "sell"]
    price: str
    size: str


class BookChange(Struct, gc=False):
    """``l2update``."""

    product: str = field(name="product_id")
    changes: list[Change]
    time: IsoTime


class TickerMessage(Struct, gc=False):
    """``ticker``: the last trade, the best levels, and figures of the last 24 hours."""

    product: str = field(name="product_id")
    price: str
    open: str | None = field(name="open_24h", default=None)
    high: str | None = field(name="high_24h", default=None)
    low: str | None = field(name="low_24h", default=None)
    volume: str | None = field(name="volume_24h", default=None)
    bid: str | None = field(name="best_bid", default=None)
    bid_size: str | None = field(name="best_bid_size", default=None)
    ask: str | None = field(name="best_ask", default=None)
    ask_size: str | None = field(name="best_ask_size", default=None)
    time: IsoTime | None = None


class SubscribedChannel(Struct):
    """A channel of the connection, with all its products."""

    name: str
    products: list[str] = field(name="product_ids", default_factory=list)


class OtherMessage(Struct):
    """A message outside the fast path: every field that can identify it."""

    type: str = ""
    channels: list[SubscribedChannel] = []
    message: str = ""
    reason: str = ""


class PastTradeRow(Struct, gc=False):
    """A row of REST ``trades``; the side is the maker's."""

    trade_id: TradeId
    side: Literal["buy", "sell"]
    price: str
    size: str
    time: IsoTime


class BestLevels(Struct):
    """The answer to REST ``book`` of level 1; its own time is left out."""

    bids: msgspec.Raw
    asks: msgspec.Raw


class ProductRow(Struct):
    """A product of REST ``products``."""

    id: str
    base: str = field(name="base_currency")
    quote: str = field(name="quote_currency")
    status: str = "online"
    is_disabled: bool = field(name="trading_disabled", default=False)
    tick_size: str = field(name="quote_increment", default="")
    lot_size: str = field(name="base_increment", default="")


decode_trade = msgspec.json.Decoder(TradeMessage).decode
decode_start = msgspec.json.Decoder(BookStart).decode
decode_change = msgspec.json.Decoder(BookChange).decode
decode_ticker = msgspec.json.Decoder(TickerMessage).decode
decode_other = msgspec.json.Decoder(OtherMessage).decode
decode_past_trades = msgspec.json.Decoder(list[PastTradeRow]).decode
decode_best_levels = msgspec.json.Decoder(BestLevels).decode
decode_products = msgspec.json.Decoder(list[ProductRow]).decode
