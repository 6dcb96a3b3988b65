"""Coinbase Advanced Trade's wire messages (WebSocket, REST), and their decoders. Unread fields are left out.

Every message has ``sequence_num``, which counts all messages of its connection.
"""

from __future__ import annotations

from typing import Annotated, Generic, Literal, TypeVar

import msgspec
from msgspec import Meta, Raw, Struct, field

from foxtrot_workers.adapter.iso_time import IsoTime

__all__ = [
    "BookAnswer",
    "BookEvent",
    "CandleRow",
    "CandlesEvent",
    "LevelChange",
    "Message",
    "OtherMessage",
    "PastTradeRow",
    "PastTrades",
    "ProductList",
    "ProductRow",
    "SubscriptionsEvent",
    "TickerEvent",
    "TickerRow",
    "TradeRow",
    "TradesEvent",
    "decode_book_answer",
    "decode_books",
    "decode_candles",
    "decode_other",
    "decode_past_trades",
    "decode_products",
    "decode_subscriptions",
    "decode_tickers",
    "decode_trades",
    "sent_name",
]

R = TypeVar("R")

SequenceNumber = Annotated[int, Meta(ge=0, le=2**63 - 1)]
TradeId = Annotated[str, Meta(pattern="^[0-9]{1,30}$")]
Seconds = Annotated[int, Meta(ge=0, lt=2**33)]


def sent_name(product: str) -> str:
    """Return the name under which messages have the data of `product`: ``-USD`` in place of ``-USDC``."""
    return product.removesuffix("C") if product.endswith("-USDC") else product


class Message(Struct, Generic[R], gc=False):
    """A data message: ``{"channel":…,"timestamp":…,"sequence_num":…,"events":[…]}``."""

    events: list[R]
    time: IsoTime = field(name="timestamp")
    sequence: SequenceNumber = field(name="sequence_num")


class LevelChange(Struct, gc=False):
    """A level with its new size; 0 removes it."""

    side: Literal["bid", "offer"]
    price: str = field(name="price_level")
    size: str = field(name="new_quantity")


class BookEvent(Struct, gc=False):
    """An event of ``l2_data``: the whole book, or changes."""

    type: Literal["snapshot", "update"]
    product: str = field(name="product_id")
    updates: list[LevelChange]


class TradeRow(Struct, gc=False):
    """A trade; its identifier is a number."""

    trade_id: Annotated[str, Meta(max_length=30)]
    product: str = field(name="product_id")
    price: str
    size: str
    side: Literal["BUY", "SELL"]
    time: IsoTime


class TradesEvent(Struct, gc=False):
    """An event of ``market_trades``: past trades first, then new ones; newest first."""

    trades: list[TradeRow]


class TickerRow(Struct, gc=False):
    """The last trade, the best levels, and figures of the last 24 hours."""

    product: str = field(name="product_id")
    price: str
    volume: str | None = field(name="volume_24_h", default=None)
    low: str | None = field(name="low_24_h", default=None)
    high: str | None = field(name="high_24_h", default=None)
    bid: str | None = field(name="best_bid", default=None)
    bid_size: str | None = field(name="best_bid_quantity", default=None)
    ask: str | None = field(name="best_ask", default=None)
    ask_size: str | None = field(name="best_ask_quantity", default=None)


class TickerEvent(Struct, gc=False):
    """An event of ``ticker``."""

    tickers: list[TickerRow]


class CandleRow(Struct, gc=False):
    """A bar of five minutes; its start is in seconds, as text."""

    product: str = field(name="product_id")
    start: str
    open: str
    high: str
    low: str
    close: str
    volume: str


class CandlesEvent(Struct, gc=False):
    """An event of ``candles``."""

    candles: list[CandleRow]


class SubscriptionsEvent(Struct):
    """All subscriptions of the connection: products by channel. Heartbeats have none."""

    subscriptions: dict[str, list[str] | None] = {}


class OtherMessage(Struct):
    """A message outside the fast path: every field that can identify it."""

    channel: str = ""
    sequence: SequenceNumber | None = field(name="sequence_num", default=None)
    type: str = ""
    message: str = ""


class PastTradeRow(Struct, gc=False):
    """A row of REST ``ticker``."""

    trade_id: TradeId
    price: str
    size: str
    side: Literal["BUY", "SELL"]
    time: IsoTime


class PastTrades(Struct):
    """The answer to REST ``ticker``."""

    trades: list[PastTradeRow]


class PriceBook(Struct):
    """Levels of REST ``product_book``; its time is left out."""

    bids: Raw = Raw()
    asks: Raw = Raw()


class BookAnswer(Struct):
    """The answer to REST ``product_book``."""

    book: PriceBook = field(name="pricebook")


class ProductRow(Struct):
    """A product of REST ``products``."""

    product: str = field(name="product_id")
    base: str = field(name="base_currency_id", default="")
    quote: str = field(name="quote_currency_id", default="")


class ProductList(Struct):
    """The answer to REST ``products``."""

    products: list[ProductRow]


decode_books = msgspec.json.Decoder(Message[BookEvent]).decode
decode_trades = msgspec.json.Decoder(Message[TradesEvent]).decode
decode_tickers = msgspec.json.Decoder(Message[TickerEvent]).decode
decode_candles = msgspec.json.Decoder(Message[CandlesEvent]).decode
decode_subscriptions = msgspec.json.Decoder(Message[SubscriptionsEvent]).decode
decode_other = msgspec.json.Decoder(OtherMessage).decode
decode_past_trades = msgspec.json.Decoder(PastTrades).decode
decode_book_answer = msgspec.json.Decoder(BookAnswer).decode
decode_products = msgspec.json.Decoder(ProductList).decode
