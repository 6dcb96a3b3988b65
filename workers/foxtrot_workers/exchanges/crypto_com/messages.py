"""Crypto.com's wire messages (WebSocket, REST), and their decoders. Fields that nothing reads are left out.

API v1 sends numbers as text, v2 as bare JSON numbers; both are kept digit for digit.
"""

from __future__ import annotations

from typing import Annotated, Generic, Literal, TypeVar

import msgspec
from msgspec import Meta, Raw, Struct, field

from foxtrot_workers.adapter.number_text import Number, number_decoder
from foxtrot_workers.exchanges.crypto_com.constants import MS

__all__ = [
    "BookChange",
    "BookData",
    "BookRow",
    "CandleRow",
    "DataFrame",
    "FigureRow",
    "InstrumentRow",
    "InstrumentRows",
    "InstrumentsAnswer",
    "Level",
    "OtherMessage",
    "Request",
    "RestAnswer",
    "RestResult",
    "RestRow",
    "ResultHead",
    "TickerRow",
    "TradeRow",
    "decode_book",
    "decode_candles",
    "decode_figures",
    "decode_instruments",
    "decode_other",
    "decode_rest",
    "decode_tickers",
    "decode_trades",
]

R = TypeVar("R")

Millis = Annotated[int, Meta(ge=0, le=(2**63 - 1) // MS)]
Id = Annotated[int, Meta(ge=0, le=2**63 - 1)]


class Rows(Struct, Generic[R], gc=False):
    """The result of a data frame; its topic is read from the bytes."""

    data: list[R]


class DataFrame(Struct, Generic[R], gc=False):
    """A data frame: ``{"method":"subscribe","result":{"subscription":…,"data":[…]}}``."""

    result: Rows[R]


class TradeRow(Struct, gc=False):
    """A row of ``trade``; the side is the taker's. Its identifier is text, or a number past 2^53."""

    trade_id: Number = field(name="d")
    price: Number = field(name="p")
    size: Number = field(name="q")
    side: Literal["BUY", "SELL", "buy", "sell"] = field(name="s")
    time: Millis = field(name="t")


class TickerRow(Struct, gc=False):
    """A row of ``ticker``: figures of the last 24 hours, and the best levels (without sizes in v2)."""

    time: Millis = field(name="t")
    last: Number | None = field(name="a", default=None)
    high: Number | None = field(name="h", default=None)
    low: Number | None = field(name="l", default=None)
    volume: Number | None = field(name="v", default=None)
    turnover: Number | None = field(name="vv", default=None)
    bid: Number | None = field(name="b", default=None)
    bid_size: Number | None = field(name="bs", default=None)
    ask: Number | None = field(name="k", default=None)
    ask_size: Number | None = field(name="ks", default=None)
    open_interest: Number | None = field(name="oi", default=None)


class Level(Struct, array_like=True, gc=False):
    """A level of a book; the number of orders follows."""

    price: Number
    size: Number


class BookChange(Struct, gc=False):
    """The changed levels of an update."""

    bids: list[Level] | None = None
    asks: list[Level] | None = None


class BookRow(Struct, gc=False):
    """A row of ``book``: levels of a whole book, or an update."""

    time: Millis = field(name="t")
    """When it was sent."""
    bids: list[Level] | None = None
    asks: list[Level] | None = None
    update: BookChange | None = None
    book_time: Millis | None = field(name="tt", default=None)
    last_id: Id | None = field(name="u", default=None)
    previous_id: Id | None = field(name="pu", default=None)
    sequence: Id | None = field(name="s", default=None)
    """Of v2, in place of the identifiers."""


class BookData(Struct, gc=False):
    """The result of a book frame: ``book`` has whole books, ``book.update`` has changes."""

    channel: Literal["book", "book.update"]
    data: list[BookRow]


class BookFrame(Struct, gc=False):
    """A frame of ``book``."""

    result: BookData


class CandleRow(Struct, gc=False):
    """A row of ``candlestick``."""

    start: Millis = field(name="t")
    open: Number = field(name="o")
    high: Number = field(name="h")
    low: Number = field(name="l")
    close: Number = field(name="c")
    volume: Number = field(name="v")
    time: Millis | None = field(name="ut", default=None)


class FigureRow(Struct, gc=False):
    """A row of ``mark``, ``index`` or ``funding``."""

    value: Number = field(name="v")
    time: Millis = field(name="t")


class ResultHead(Struct):
    """What a data frame is about."""

    subscription: str = ""
    data: Raw = Raw()


class OtherMessage(Struct):
    """A message outside the fast path: every field that can identify it."""

    method: str = ""
    id: Raw = Raw()
    """A number, perhaps past 64 bits: it is sent back as it came."""
    code: int = 0
    channel: str = ""
    message: str = ""
    result: ResultHead | None = None


class Request(Struct):
    """A subscription request."""

    id: int
    method: Literal["subscribe", "unsubscribe"]
    params: dict[str, list[str] | str | int]
    nonce: int


class RestRow(Struct):
    """A row of a REST answer: what changes with new data. Times are left out."""

    trade_id: Raw = field(name="d", default=Raw())
    bids: Raw = Raw()
    asks: Raw = Raw()


class RestResult(Struct):
    """The result of a REST answer."""

    data: list[RestRow] = []


class RestAnswer(Struct):
    """The answer to a liveness request."""

    code: int
    result: RestResult | None = None


class InstrumentRow(Struct):
    """An instrument of the list; v2 names other fields."""

    symbol: str = ""
    kind: str = field(name="inst_type", default="")
    base: str = field(name="base_ccy", default="")
    quote: str = field(name="quote_ccy", default="")
    old_symbol: str = field(name="instrument_name", default="")
    old_base: str = field(name="base_currency", default="")
    old_quote: str = field(name="quote_currency", default="")


class InstrumentRows(Struct):
    """The result of the list of instruments, of v1 or of v2."""

    data: list[InstrumentRow] = []
    instruments: list[InstrumentRow] = []


class InstrumentsAnswer(Struct):
    """The answer with the list of instruments."""

    result: InstrumentRows


decode_trades = number_decoder(DataFrame[TradeRow])
decode_tickers = number_decoder(DataFrame[TickerRow])
decode_book = number_decoder(BookFrame)
decode_candles = number_decoder(DataFrame[CandleRow])
decode_figures = number_decoder(DataFrame[FigureRow])
decode_other = msgspec.json.Decoder(OtherMessage).decode
decode_rest = msgspec.json.Decoder(RestAnswer).decode
decode_instruments = msgspec.json.Decoder(InstrumentsAnswer).decode
