"""Kraken Futures' wire messages (WebSocket, REST), and their decoders. Fields that nothing reads are left out.

Numbers are bare JSON numbers, small ones with an exponent; their digits are kept.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Raw, Struct, field

from foxtrot_workers.adapter.number_text import Number, number_decoder
from foxtrot_workers.exchanges.kraken_futures.constants import MS

__all__ = [
    "BookMessage",
    "InstrumentList",
    "InstrumentRow",
    "LevelRow",
    "OtherMessage",
    "RestBook",
    "TickerMessage",
    "TickerRow",
    "TickerRows",
    "TradeMessage",
    "TradeRow",
    "decode_book",
    "decode_instruments",
    "decode_other",
    "decode_rest_book",
    "decode_rest_tickers",
    "decode_ticker",
    "decode_trades",
]

Millis = Annotated[int, Meta(ge=0, le=(2**63 - 1) // MS)]
Sequence = Annotated[int, Meta(ge=0, le=2**63 - 1)]


class LevelRow(Struct, gc=False):
    """A level of a snapshot."""

    price: Number
    size: Number = field(name="qty")


class BookMessage(Struct, gc=False):
    """``book_snapshot``: all levels; ``book``: one changed level, whose size is absolute."""

    feed: Literal["book", "book_snapshot"]
    sequence: Sequence = field(name="seq")
    time: Millis = field(name="timestamp")
    bids: list[LevelRow] | None = None
    asks: list[LevelRow] | None = None
    side: Literal["buy", "sell"] | None = None
    price: Number | None = None
    size: Number | None = field(name="qty", default=None)


class TradeRow(Struct, gc=False):
    """A trade; the side is the taker's."""

    uid: str
    side: Literal["buy", "sell"]
    price: Number
    size: Number = field(name="qty")
    time: Millis
    type: str = ""
    sequence: Sequence = field(name="seq", default=0)


class TradeMessage(Struct, gc=False):
    """``trade``: one trade; ``trade_snapshot``: the last 100, newest first."""

    feed: Literal["trade", "trade_snapshot"]
    trades: list[TradeRow] | None = None
    uid: str = ""
    side: Literal["buy", "sell"] | None = None
    price: Number | None = None
    size: Number | None = field(name="qty", default=None)
    time: Millis = 0
    type: str = ""


class TickerMessage(Struct, gc=False):
    """``ticker``, and ``ticker_lite``, which has fewer fields and no time."""

    feed: Literal["ticker", "ticker_lite"]
    time: Millis = 0
    last: Number | None = None
    open: Number | None = None
    high: Number | None = None
    low: Number | None = None
    volume: Number | None = None
    turnover: Number | None = field(name="volumeQuote", default=None)
    bid: Number | None = None
    bid_size: Number | None = None
    ask: Number | None = None
    ask_size: Number | None = None
    mark_price: Number | None = field(name="markPrice", default=None)
    open_interest: Number | None = field(name="openInterest", default=None)
    funding_rate: Number | None = None
    relative_funding_rate: Number | None = None
    next_funding_time: Millis | None = field(name="next_funding_rate_time", default=None)


class OtherMessage(Struct):
    """A message outside the fast path: every field that can identify it."""

    feed: str = ""
    product: str = field(name="product_id", default="")
    event: str = ""
    products: list[str] = field(name="product_ids", default_factory=list)
    message: str = ""


class RestBook(Struct):
    """The answer to REST ``orderbook``."""

    book: Raw = field(name="orderBook", default=Raw())


class TickerRow(Struct):
    """A row of REST ``tickers``: what changes with new data."""

    symbol: str
    last: Number | None = None
    last_time: str = field(name="lastTime", default="")
    bid: Number | None = None
    ask: Number | None = None
    mark_price: Number | None = field(name="markPrice", default=None)


class TickerRows(Struct):
    """The answer to REST ``tickers``."""

    tickers: list[TickerRow] = []


class InstrumentRow(Struct):
    """An instrument of REST ``instruments``."""

    symbol: str
    tradeable: bool = True


class InstrumentList(Struct):
    """The answer to REST ``instruments``."""

    instruments: list[InstrumentRow]


decode_book = number_decoder(BookMessage)
decode_trades = number_decoder(TradeMessage)
decode_ticker = number_decoder(TickerMessage)
decode_rest_tickers = number_decoder(TickerRows)
decode_rest_book = msgspec.json.Decoder(RestBook).decode
decode_other = msgspec.json.Decoder(OtherMessage).decode
decode_instruments = msgspec.json.Decoder(InstrumentList).decode
