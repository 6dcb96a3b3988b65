"""Bitstamp's wire messages, and their decoders. Fields that nothing reads are left out: decoders skip them.

Prices and sizes are text; where a field has a bare number too, the text is read. Times are seconds and microseconds as
text.
"""

from __future__ import annotations

from typing import Annotated, Any, Generic, TypeVar

import msgspec
from msgspec import Meta, Struct, field

from foxtrot_workers.adapter.number_text import Number
from foxtrot_workers.exchanges.bitstamp.constants import US, S

__all__ = [
    "BookData",
    "DataFrame",
    "FundingData",
    "MarketRow",
    "OtherMessage",
    "PastTradeRow",
    "TickerAnswer",
    "TradeData",
    "decode_book",
    "decode_book_answer",
    "decode_funding",
    "decode_markets",
    "decode_other",
    "decode_past_trades",
    "decode_ticker",
    "decode_trade",
]

T = TypeVar("T")

Micros = Annotated[int, Meta(ge=1, le=(2**63 - 1) // US)]
Seconds = Annotated[int, Meta(ge=0, le=(2**63 - 1) // S)]
"""Sent as text; the decoders that read them are not strict: they take it as a number."""
Level = tuple[str, str]


class DataFrame(Struct, Generic[T], gc=False):
    """A data frame: ``{"data":{…},"channel":…,"event":…}``; the channel is read from the bytes."""

    data: T


class BookData(Struct, gc=False):
    """The data of ``diff_order_book_`` and ``order_book_``, and the answer to REST ``order_book``."""

    time: Micros = field(name="microtimestamp")
    bids: list[Level]
    asks: list[Level]


class TradeData(Struct, gc=False):
    """The data of ``live_trades_``. ``type`` is the taker's side: 0 buys, 1 sells."""

    id: int
    type: Annotated[int, Meta(ge=0, le=1)]
    time: Micros | None = field(name="microtimestamp", default=None)
    seconds: Seconds = field(name="timestamp", default=0)
    price_text: str | None = field(name="price_str", default=None)
    size_text: str | None = field(name="amount_str", default=None)
    price: Number = None
    size: Number = field(name="amount", default=None)


class FundingData(Struct, gc=False):
    """The data of ``funding_rate_``."""

    rate: Number = field(name="funding_rate")
    seconds: Seconds = field(name="timestamp", default=0)
    due: Seconds = field(name="next_funding_time", default=0)


class OtherMessage(Struct):
    """A message outside the fast path: every field that can identify it."""

    event: str = ""
    channel: str = ""
    data: Any = None


class PastTradeRow(Struct, gc=False):
    """A row of REST ``transactions``; all of its values are text."""

    id: str = field(name="tid")
    seconds: Seconds = field(name="date")
    price: str
    size: str = field(name="amount")
    type: Annotated[int, Meta(ge=0, le=1)]


class TickerAnswer(Struct):
    """What changes with new data in the answer to REST ``ticker``. Its time is that of the request."""

    last: str
    volume: str
    bid: str
    ask: str


class MarketRow(Struct):
    """A row of REST ``markets``, or of ``trading-pairs-info`` before."""

    name: str
    symbol: str = field(name="market_symbol", default="")
    url_symbol: str = ""


decode_other = msgspec.json.Decoder(OtherMessage).decode
decode_book = msgspec.json.Decoder(DataFrame[BookData], strict=False).decode
decode_book_answer = msgspec.json.Decoder(BookData, strict=False).decode
decode_trade = msgspec.json.Decoder(DataFrame[TradeData], strict=False, float_hook=str).decode
decode_funding = msgspec.json.Decoder(DataFrame[FundingData], strict=False, float_hook=str).decode
decode_past_trades = msgspec.json.Decoder(list[PastTradeRow], strict=False).decode
decode_ticker = msgspec.json.Decoder(TickerAnswer).decode
decode_markets = msgspec.json.Decoder(list[MarketRow]).decode
