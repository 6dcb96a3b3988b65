"""Gemini's wire messages (WebSocket, REST), and their decoders. Fields that nothing reads are left out.

Times of today's streams are nanoseconds.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta, Struct, field

from foxtrot_workers.exchanges.gemini.constants import MS

__all__ = [
    "BookRow",
    "DepthMessage",
    "ErrorDetail",
    "Level",
    "OtherMessage",
    "PastTradeRow",
    "QuoteMessage",
    "RequestMessage",
    "RestLevel",
    "SymbolDetails",
    "TradeMessage",
    "decode_depth",
    "decode_other",
    "decode_past_trades",
    "decode_quote",
    "decode_rest_book",
    "decode_symbols",
    "decode_trade",
]

Nanos = Annotated[int, Meta(ge=0, le=2**63 - 1)]
Millis = Annotated[int, Meta(ge=0, le=(2**63 - 1) // MS)]
Id = Annotated[int, Meta(ge=0, le=2**63 - 1)]


class TradeMessage(Struct, gc=False):
    """``@trade``."""

    time: Nanos = field(name="E")
    symbol: str = field(name="s")
    trade_id: Id = field(name="t")
    price: str = field(name="p")
    size: str = field(name="q")
    buyer_is_maker: bool = field(name="m")


class QuoteMessage(Struct, gc=False):
    """``@bookTicker``."""

    update_id: Id = field(name="u")
    time: Nanos = field(name="E")
    symbol: str = field(name="s")
    bid: str = field(name="b")
    bid_size: str = field(name="B")
    ask: str = field(name="a")
    ask_size: str = field(name="A")


class Level(Struct, array_like=True, gc=False):
    """A level of a book; size 0 removes it."""

    price: str
    size: str


class DepthMessage(Struct, gc=False, tag_field="e", tag="depthUpdate"):
    """``@depth``: a change of a book; the first one of a connection is the whole book."""

    time: Nanos = field(name="E")
    symbol: str = field(name="s")
    first_id: Id = field(name="U")
    last_id: Id = field(name="u")
    bids: list[Level] = field(name="b")
    asks: list[Level] = field(name="a")


class ErrorDetail(Struct):
    """Why a request was refused."""

    code: int = 0
    msg: str = ""


class OtherMessage(Struct):
    """A message outside the fast path: every field that can identify it."""

    event: str = field(name="e", default="")
    trade_id: int | None = field(name="t", default=None)
    bid_size: str | None = field(name="B", default=None)
    id: str | int | None = None
    status: int | None = None
    error: ErrorDetail | None = None
    type: str = ""
    """Of the archived feeds only."""


class RequestMessage(Struct):
    """A subscription request."""

    id: str
    method: str
    params: list[str]


class PastTradeRow(Struct, gc=False):
    """A row of REST ``trades``; the type is the taker's side."""

    trade_id: Id = field(name="tid")
    price: str
    size: str = field(name="amount")
    time: Millis = field(name="timestampms")
    side: str = field(name="type")


class RestLevel(Struct):
    """A level of REST ``book``; its time is a dummy."""

    price: str
    amount: str


class BookRow(Struct):
    """The answer to REST ``book``."""

    bids: list[RestLevel]
    asks: list[RestLevel]


class SymbolDetails(Struct):
    """The answer to REST ``symbols/details``."""

    symbol: str
    base: str = field(name="base_currency")
    quote: str = field(name="quote_currency")


decode_trade = msgspec.json.Decoder(TradeMessage).decode
decode_quote = msgspec.json.Decoder(QuoteMessage).decode
decode_depth = msgspec.json.Decoder(DepthMessage).decode
decode_other = msgspec.json.Decoder(OtherMessage).decode
decode_past_trades = msgspec.json.Decoder(list[PastTradeRow]).decode
decode_rest_book = msgspec.json.Decoder(BookRow).decode
decode_symbols = msgspec.json.Decoder(list[str] | SymbolDetails).decode
