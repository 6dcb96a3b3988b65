"""Kraken's wire messages (WebSocket v2, REST), and their decoders. Fields that nothing reads are left out.

Prices and quantities are bare JSON numbers; their digits are kept, as checksums are made of them.
"""

from __future__ import annotations

import re
from typing import Annotated, Generic, Literal, TypeVar

import msgspec
from msgspec import Meta, Struct, field

from foxtrot_workers.adapter.iso_time import IsoTime
from foxtrot_workers.adapter.number_text import Number, number_decoder

__all__ = [
    "AssetPairs",
    "BookRow",
    "CandleRow",
    "LevelRow",
    "OtherMessage",
    "PairRow",
    "PastTradeRow",
    "PastTradesAnswer",
    "PushFrame",
    "QuoteRow",
    "RestAnswer",
    "SubscriptionResult",
    "TickerRow",
    "TradeRow",
    "decode_books",
    "decode_candles",
    "decode_other",
    "decode_pairs",
    "decode_past_trades",
    "decode_quotes",
    "decode_rest",
    "decode_tickers",
    "decode_trades",
    "seconds_ns",
]

R = TypeVar("R")


class PushFrame(Struct, Generic[R], gc=False):
    """A data frame: ``{"channel":…,"type":…,"data":[…]}``; the channel is read from the bytes."""

    data: list[R]
    type: Literal["snapshot", "update"]


class LevelRow(Struct, gc=False):
    """A level of a book; quantity 0 removes it."""

    price: Number
    size: Number = field(name="qty")


class BookRow(Struct, gc=False):
    """A row of ``book``."""

    symbol: str
    bids: list[LevelRow]
    asks: list[LevelRow]
    checksum: Annotated[int, Meta(ge=0, lt=2**32)]
    time: IsoTime | None = field(name="timestamp", default=None)


class TradeRow(Struct, gc=False):
    """A row of ``trade``."""

    symbol: str
    side: Literal["buy", "sell"]
    price: Number
    size: Number = field(name="qty")
    trade_id: Annotated[int, Meta(ge=0)]
    time: IsoTime = field(name="timestamp")


class QuoteRow(Struct, gc=False):
    """What a quote needs of a row of ``ticker``. Older frames have no time."""

    symbol: str
    bid: Number | None = None
    bid_size: Number | None = field(name="bid_qty", default=None)
    ask: Number | None = None
    ask_size: Number | None = field(name="ask_qty", default=None)
    time: IsoTime | None = field(name="timestamp", default=None)


class TickerRow(QuoteRow, gc=False):
    """A row of ``ticker``: figures of the last 24 hours as well."""

    last: Number | None = None
    volume: Number | None = None
    low: Number | None = None
    high: Number | None = None


class CandleRow(Struct, gc=False):
    """A row of ``ohlc``."""

    symbol: str
    interval: int
    begin: IsoTime = field(name="interval_begin")
    open: Number
    high: Number
    low: Number
    close: Number
    volume: Number


class SubscriptionResult(Struct):
    """What an accepted request was about."""

    channel: str = ""
    symbol: str = ""
    depth: int | None = None


class OtherMessage(Struct):
    """A message outside the fast path: every field that can identify it."""

    channel: str = ""
    method: str = ""
    success: bool | None = None
    result: SubscriptionResult | None = None
    error: str | None = None
    symbol: str = ""
    request_id: int | None = field(name="req_id", default=None)
    event: str = ""
    """Of WebSocket v1 only."""
    rate_error: str | None = field(name="Error", default=None)


class RestAnswer(Struct):
    """The answer to any REST request."""

    error: list[str] = []
    result: msgspec.Raw = msgspec.Raw()


class PairRow(Struct):
    """A pair of REST ``AssetPairs``; the name is that of WebSocket v1."""

    name: str = field(name="wsname", default="")
    status: str = "online"
    tick_size: str = ""
    """Given since 2023; before, `price_decimals` said it."""
    price_decimals: int | None = field(name="pair_decimals", default=None)
    lot_decimals: int | None = None


class AssetPairs(Struct):
    """The answer to REST ``AssetPairs``."""

    result: dict[str, PairRow]


class PastTradeRow(Struct, array_like=True, gc=False):
    """A row of REST ``Trades``."""

    price: str
    size: str
    time: Number
    side: Literal["b", "s"]
    order_type: str
    misc: str
    trade_id: Annotated[int, Meta(ge=0)]


class PastTradesAnswer(Struct):
    """The answer to REST ``Trades``: rows by name of the pair, and where to go on."""

    error: list[str] = []
    result: dict[str, list[PastTradeRow] | str] = {}


_SECONDS = re.compile(r"([0-9]{1,9}|[1-8][0-9]{9})(?:\.([0-9]{1,20}))?", re.ASCII)


def seconds_ns(text: str) -> int:
    """Return nanoseconds since 1970 of seconds with decimals, as text. Raises `msgspec.ValidationError`."""
    match = _SECONDS.fullmatch(text)
    if match is None:
        raise msgspec.ValidationError(f"not a possible time: {text[:40]!r}")
    seconds, fraction = match.groups("")
    return int(seconds) * 1_000_000_000 + int(fraction[:9].ljust(9, "0"))


decode_books = number_decoder(PushFrame[BookRow])
decode_trades = number_decoder(PushFrame[TradeRow])
decode_tickers = number_decoder(PushFrame[TickerRow])
decode_quotes = number_decoder(PushFrame[QuoteRow])
decode_candles = number_decoder(PushFrame[CandleRow])
decode_other = msgspec.json.Decoder(OtherMessage).decode
decode_rest = msgspec.json.Decoder(RestAnswer).decode
decode_pairs = msgspec.json.Decoder(AssetPairs).decode
decode_past_trades = number_decoder(PastTradesAnswer)
